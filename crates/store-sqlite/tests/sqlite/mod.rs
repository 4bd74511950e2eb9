//! What only `SQLite` has: one writer that commits in groups, a file, a disk that may fill up.

mod deleted_users;
mod disk;
mod erasing;
mod inspecting;
mod kinds;
mod maintenance_plans;
mod migrating;
mod open_errors;
mod opening;
mod plans;
mod purging;
mod refolding;
mod rows;
mod storage;
mod writer;

use std::error::Error;

/// An error with its chain, as a program prints it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

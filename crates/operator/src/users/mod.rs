//! User accounts.

mod lookup;
mod plan;
mod show;

pub use lookup::{describe, find};
pub use plan::{describe as describe_plan, grant_json};
pub use show::{UserReport, address, state, user_json};

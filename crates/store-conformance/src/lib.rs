//! The rules of the store and of the mail queue that every database must keep.
//!
//! A rule is a public async function, and its name is the sentence that it proves. The rules of [`store`] are given a
//! [`Store`](domain::store::Store) on an empty database. Those of [`queue`] also look at rows that no port shows, and open
//! a second connection; a database's tests implement [`Backdoor`] for that. Nothing here knows which database it is.
//!
//! [`conformance_tests!`] makes a test of each rule, on a database of its own. A database crate calls it once in its tests
//! and keeps beside it only the tests of what is its own: files, locks, query plans, migrations.

#![expect(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test panics where a rule is broken"
)]

mod backdoor;
mod list;
pub mod queue;
pub mod store;
pub mod support;

pub use self::backdoor::{Backdoor, JobChange, JobRow};

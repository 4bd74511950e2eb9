//! Accounts.

pub mod lookup;
pub mod plan;
pub mod show;

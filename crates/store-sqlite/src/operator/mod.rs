//! The statements of an operator's queries and commands.

mod commands;
mod queries;
mod suppressions;

pub(crate) use suppressions::{SuppressionRow, forget};

//! What an operator asks and does, as statements.

mod inquiries;
mod interventions;
mod suppressions;

pub(crate) use suppressions::{SuppressionRow, forget};

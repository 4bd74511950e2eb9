//! The rules of the mail queue, against the use cases of [`domain::queue`] and [`domain::processes`], and what the rows
//! of jobs hold meanwhile.

#![expect(missing_docs, reason = "the name of a rule is its sentence")]

pub mod claiming;
pub mod depth;
pub mod intervening;
pub mod maintaining;
pub mod pausing;
pub mod permits;
pub mod processes;
pub mod relay_status;
pub mod rescuing;
pub mod settling;
pub mod slow;
pub mod suppressing;
pub mod watching;

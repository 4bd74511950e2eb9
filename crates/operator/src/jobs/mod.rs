//! The mail queue: what is in it, the timeline of one mail, and what an operator may do about it.

pub mod change;
pub mod list;
pub mod pause;
pub mod show;
pub mod shown;
pub mod stats;

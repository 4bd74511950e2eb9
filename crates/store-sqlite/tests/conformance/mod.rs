//! The rules of the ports, each a function that is given a store on an empty database.
//!
//! Nothing here knows which database it is: what a rule wants to see, it asks through the
//! ports. Another database runs the same functions.

pub mod changing;
pub mod listing;
pub mod logging_in;
pub mod noting;
pub mod numbering;
pub mod operating;
pub mod ordering;
pub mod paying;
pub mod recording;
pub mod registering;
pub mod resending;
pub mod statements;
pub mod units;
pub mod verifying;

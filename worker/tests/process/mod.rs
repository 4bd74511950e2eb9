//! The worker's binary end to end: killed, frozen, told to stop, and started where it can't work.
//!
//! What a worker's process leaves behind, one file for each way it ends.

mod frozen;
mod killed;
mod many;
mod quoting;
mod refusing;
mod stopped;

//! What a worker's process leaves behind, one room for each way it ends.

mod frozen;
mod killed;
mod many;
mod quoting;
mod refusing;
mod stopped;

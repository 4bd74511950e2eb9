//! What a worker's process leaves behind, one room for each way it ends.

mod frozen;
mod killed;
mod many;
mod refusing;
mod stopped;

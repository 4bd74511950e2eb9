//! The worker's binary end to end: killed, frozen, told to stop, and started where it can't work.

mod process;
mod rig;

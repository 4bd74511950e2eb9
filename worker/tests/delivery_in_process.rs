//! The worker end to end inside this process: a real database, a real relay over a socket, and a
//! clock that stands still until a test moves it.

mod delivery;
mod rig;

//! How a process of the Smart Notes Backend starts and stops.
//!
//! The API, the worker and the command line tool are separate programs that must agree on
//! their settings, their logs and what a signal means. That agreement lives here, apart
//! from all three; their `main` functions call it, in this order:
//!
//! 1. [`settings`]: what the operator asked for, checked as a whole, with the origin of
//!    every value;
//! 2. [`telemetry`]: where log lines go and what may never be in them;
//! 3. [`descriptors`]: how many files and sockets may be open;
//! 4. [`shutdown`]: the handle by which a process learns that it has to end, and why;
//! 5. [`metrics`]: where figures are kept, if somebody wants them;
//! 6. [`database`]: which database, opened for what the process does;
//! 7. [`presence`]: its row in that database, with the fingerprints of its keys;
//! 8. [`hashing`]: the threads that hash passwords, for those that do;
//! 9. [`supervisor`]: what systemd is told.

pub mod database;
pub mod descriptors;
pub mod hashing;
pub mod metrics;
pub mod presence;
pub mod settings;
pub mod shutdown;
pub mod supervisor;
pub mod telemetry;

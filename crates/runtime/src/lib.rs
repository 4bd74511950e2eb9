//! How a process of the Smart Notes Backend starts and stops.
//!
//! The API, the worker and the command line tool are separate programs that must agree on
//! their settings, their logs and what a signal means. That agreement lives here, apart
//! from all three; their `main` functions call it, in this order:
//!
//! 1. [`program`]: the threads, and the end;
//! 2. [`settings`]: what the operator asked for, checked as a whole, with the origin of
//!    every value;
//! 3. [`telemetry`]: where log lines go and what may never be in them;
//! 4. [`descriptors`]: how many files and sockets may be open;
//! 5. [`memory`]: what is free is given back;
//! 6. [`shutdown`]: the handle by which a process learns that it has to end, and why;
//! 7. [`metrics`]: where figures are kept, if somebody wants them;
//! 8. [`database`]: which database, opened for what the process does;
//! 9. [`presence`]: its row in that database, with the fingerprints of its keys;
//! 10. [`hashing`]: the threads that hash passwords, for those that do;
//! 11. [`supervisor`]: what systemd is told;
//! 12. [`printable`]: text from outside, made fit for a terminal.

pub mod database;
pub mod descriptors;
pub mod hashing;
pub mod hints;
pub mod memory;
pub mod metrics;
pub mod presence;
pub mod printable;
pub mod program;
pub mod settings;
pub mod shutdown;
pub mod supervisor;
pub mod telemetry;

//! How a process of the Smart Notes Backend starts and stops.
//!
//! The API, the worker and the command line tool are separate programs with the same settings, logs
//! and signal handling. This crate implements them; the `main` functions call it in this order:
//!
//! 1. [`program`]: the threads, and the exit;
//! 2. [`settings`]: the operator's settings, checked as a whole, with the origin of every value;
//! 3. [`telemetry`]: where log lines are written, and what is removed from them;
//! 4. [`rlimit`]: the limit of open files and sockets;
//! 5. [`memory`]: free memory returned to the operating system;
//! 6. [`shutdown`]: the handle that tells a process to stop, and why;
//! 7. [`metrics`]: the Prometheus metrics, if a listener is configured;
//! 8. [`database`]: the database, opened for the kind of process;
//! 9. [`process_registration`]: its row in that database, with the fingerprints of its keys;
//! 10. [`hashing`]: the threads that hash passwords;
//! 11. [`systemd`]: readiness, status and watchdog for systemd;
//! 12. [`printable`]: untrusted text, escaped for a terminal.

pub mod database;
pub mod hashing;
pub mod hints;
pub mod memory;
pub mod metrics;
pub mod printable;
pub mod process_registration;
pub mod program;
pub mod rlimit;
pub mod settings;
pub mod shutdown;
pub mod systemd;
pub mod telemetry;

//! The tests of the worker: every relay is a real socket, every database a real file.

mod delivery;
mod harness;
mod mail_contents;
mod process;
mod scripted;
mod smtp_connection_limit;
mod smtp_faults;
mod smtp_outcomes;
mod smtp_pool;
mod smtp_relays;
mod smtp_tls;
mod table;

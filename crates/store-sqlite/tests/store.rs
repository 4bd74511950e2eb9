//! The ports on `SQLite`, as one test program.
//!
//! [`conformance`] runs the rules that every database must keep, [`sqlite`] what only this database has: the writer
//! that commits in groups, query plans, the file, the disk.

mod conformance;
mod sqlite;
mod support;

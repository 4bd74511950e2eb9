//! What only `SQLite` has: one writer that commits in groups, a file, a disk that may fill up.

mod disk;
mod migrating;
mod opening;
mod sweeping;
mod writer;

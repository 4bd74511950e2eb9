//! The rules of the mail queue, against [`JobQueue`](domain::queue::JobQueue) on `SQLite`, and what
//! apalis's tables hold meanwhile.

mod claiming;
mod marking;
mod rescuing;
mod settling;
mod standing;
mod tending;
mod watching;

//! The rules of the mail queue, against the use cases of [`domain::queue`] on `SQLite`, and what
//! apalis's tables hold meanwhile.

mod claiming;
mod intervening;
mod marking;
mod pausing;
mod rescuing;
mod settling;
mod slow;
mod standing;
mod suppressing;
mod tending;
mod watching;

//! What is done to the programs, one room for each kind of harm.

mod clock;
mod crowds;
mod disk;
mod frozen;
mod greedy;
mod hanging;
mod kills;
mod locks;
mod relay_answers;
mod relay_down;
mod relay_odd;
mod relay_refuses;
mod stages;
mod stops;

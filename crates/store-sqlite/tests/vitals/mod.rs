//! The rules of [`Vitals`](domain::vitals::Vitals), and what an inspection finds of a file.

mod inspecting;
mod processes;
mod queue;

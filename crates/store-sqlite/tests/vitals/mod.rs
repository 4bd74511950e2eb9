//! The rules of [`domain::processes`], and what an inspection finds of a file.

mod inspecting;
mod processes;
mod queue;

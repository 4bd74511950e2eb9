//! The tests of the command line: the real program, run as an operator runs it.

mod closed_pipes;
mod commands;
mod doctor;
mod exit_codes;
mod import_django;
mod mails;
mod plans;
mod support;
mod users;

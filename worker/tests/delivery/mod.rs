//! What becomes of a mail, one room for each kind of trouble.

mod cut_off;
mod dead_codes;
mod hands;
mod idle;
mod keys;
mod many;
mod plain;
mod refusals;
mod stopping;
mod sweeping;

//! The tests of the catcher and its inbox, over their real sockets.

mod faults;
mod http;
mod inbox;
mod mailpit;
mod smtp;
mod support;

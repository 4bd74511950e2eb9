//! `smart-notes jobs` and `smart-notes mail`, as an operator types them, while a worker delivers to a relay that
//! says no, later, or nothing at all.

mod mails;
#[expect(dead_code, reason = "each test program uses a part of it")]
mod support;

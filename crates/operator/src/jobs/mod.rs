//! The mail queue: its mails, the timeline of one mail, and what an operator can do about it.

mod change;
mod format;
mod holds;
mod list;
mod pause;
mod stats;
mod timeline;

pub use change::{Answer, cancel, retry};
pub use format::{Reveal, mail_json};
pub use holds::Holds;
pub use list::{MailPage, own_reason, state};
pub use pause::{LONGEST_REASON, Paused, Resumption, pause, resume};
pub use stats::{Snapshot, Worker};
pub use timeline::{Timeline, find};

pub(crate) use format::{pause_json, story_json, uncertain};
pub(crate) use holds::{lease_seconds, paused, paused_by, resume_command};

//! For whom work on the database is done, and until when it may wait: what a database shares itself out by.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::client::ClientKey;
use crate::id::UserId;

/// Who causes work. Callers whose work waits take turns, so that none of them delays another's by more than one
/// statement, or one group of writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A user who is logged in, from wherever and with whatever session.
    User(UserId),
    /// A client whose requests are not known to be a user's.
    Client(ClientKey),
    /// The process itself.
    Process,
}

/// A place in the queue for the database.
#[derive(Clone)]
pub struct Ticket {
    /// For whom.
    pub caller: Caller,
    /// When the work must have begun.
    pub deadline: Instant,
    /// Dropped when the work has ended, also if it outlasts the request that asked for it: what counts as in flight
    /// until then.
    pub slot: Option<Arc<dyn Any + Send + Sync>>,
}

impl Ticket {
    /// A ticket without a slot.
    #[must_use]
    pub fn new(caller: Caller, deadline: Instant) -> Self {
        Self {
            caller,
            deadline,
            slot: None,
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("caller", &self.caller)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

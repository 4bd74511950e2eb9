//! Sessions: recording their use, listing and ending them.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::id::{SessionId, UserId};
use crate::store::{StoreError, Tx, Write};

/// How many sessions of a user are listed at most. Each login makes one, so that nothing else bounds them.
pub const LISTED: u32 = 1000;

/// A session as its user sees it. Neither the token nor its hash is part of it.
#[derive(Debug, Clone)]
pub struct Session {
    /// The id of the session.
    pub id: SessionId,
    /// When the session was created, UTC.
    pub created: Timestamp,
    /// When it was last seen to be used, give or take a few minutes.
    pub last_used: Timestamp,
    /// When the session expires at the latest, UTC.
    pub expires: Timestamp,
    /// The client that logged in.
    pub client: ClientKey,
    /// With what, as the client said.
    pub user_agent: String,
}

/// Records the use of a session.
#[derive(Debug)]
pub struct TouchSession {
    /// The id of the session.
    pub id: SessionId,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for TouchSession {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.touch_session(self.id, self.now).await
    }
}

/// Ends sessions of a user (OWASP ASVS 5.0 7.4.1, 7.5.2).
#[derive(Debug)]
pub struct EndSessions {
    /// The user.
    pub user: UserId,
    /// Which; all of them if `None`.
    pub session: Option<SessionId>,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for EndSessions {
    /// The number of ended sessions.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let (event, ended) = match self.session {
            None => (
                Event::SessionsEnded,
                tx.end_sessions(self.user, None).await?,
            ),
            Some(session) => (
                Event::SessionEnded,
                tx.end_session(self.user, session).await?.into(),
            ),
        };
        if ended > 0 {
            let entry = Entry::new(event, &self.actor, self.now);
            tx.record(&entry.user(self.user)).await?;
        }
        Ok(ended)
    }
}

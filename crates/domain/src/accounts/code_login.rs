//! Login with a mailed code instead of a password. Disabled by default, and never a second factor:
//! mail is not an authenticator (NIST SP 800-63B-4, section 3.1.3.1).

use async_trait::async_trait;

use super::code::{CodeCheck, CodeTarget, SubmittedCode};
use super::login::SessionPolicy;
use super::{NewSession, User};
use crate::audit::{Entry, Event};
use crate::email::EmailAddress;
use crate::id::{SessionId, UserId};
use crate::limits::Refusal;
use crate::otp::Purpose;
use crate::store::{StoreError, Tx, Write};
use crate::token::{SecretHash, SessionToken};

/// Logs in with a submitted code. The token is drawn by [`LoginByCode::new`].
#[derive(Debug)]
pub struct LoginByCode {
    email: EmailAddress,
    holder: Option<SecretHash>,
    submitted: SubmittedCode,
    policy: SessionPolicy,
    id: SessionId,
    token: SessionToken,
}

/// The result. A wrong code is already counted.
#[derive(Debug)]
pub enum ByCode {
    /// A session was opened.
    Welcome {
        /// The user of the session.
        user: UserId,
        /// The mail address as typed.
        email: String,
        /// The token that only its client gets.
        token: SessionToken,
    },
    /// The code is wrong, used, expired, or for an unknown address; the answer is the same.
    Wrong,
    /// The limit of wrong codes is reached.
    Limited(Refusal),
}

impl LoginByCode {
    /// A login with a code that went to an address. `holder`: the hash of the challenge that came with it, if one did.
    #[must_use]
    pub fn new(
        email: EmailAddress,
        holder: Option<SecretHash>,
        submitted: SubmittedCode,
        policy: SessionPolicy,
    ) -> Self {
        Self {
            email,
            holder,
            submitted,
            policy,
            id: SessionId::generate(),
            token: SessionToken::generate(),
        }
    }

    fn session(&self, user: &User) -> NewSession {
        let SubmittedCode { actor, now, .. } = &self.submitted;
        NewSession {
            id: self.id,
            user: user.id,
            credential_version: user.credential_version,
            token: self.token.hash(),
            now: *now,
            expires: *now + self.policy.max,
            client: actor.client.clone(),
            user_agent: actor.user_agent.clone(),
        }
    }
}

#[async_trait]
impl Write for LoginByCode {
    type Out = ByCode;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<ByCode, StoreError> {
        let (purpose, now) = (Purpose::LogIn, self.submitted.now);
        let at = CodeTarget {
            email: self.email.key(),
            purpose,
            holder: self.holder.as_ref(),
        };
        let (user, challenge) = match self.submitted.by_address(tx, &at).await? {
            CodeCheck::Right(found) => found,
            CodeCheck::Wrong => return Ok(ByCode::Wrong),
            CodeCheck::Limited(refusal) => return Ok(ByCode::Limited(refusal)),
        };
        if !tx.use_challenge(challenge.id, now).await?
            || !tx.insert_session(&self.session(&user)).await?
        {
            return Ok(ByCode::Wrong);
        }
        tx.end_challenges(user.id, Some(purpose), now).await?;
        tx.reset_open_tries(&user.email_key, purpose).await?;
        tx.know_client(user.id, &self.submitted.actor.client, now)
            .await?;
        let entry = Entry::new(Event::LoggedIn, &self.submitted.actor, now);
        tx.record(&entry.user(user.id).detail("by code")).await?;
        Ok(ByCode::Welcome {
            user: user.id,
            email: user.email,
            token: self.token.clone(),
        })
    }
}

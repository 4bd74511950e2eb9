//! The rows that use cases write: a trait for each kind, so that one reads what a use case may touch by its subject.
//! Those of notes, plans, payments, imports and operators stand with their use cases.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::accounts::{
    Challenge, ChallengeOwner, LiveRegistration, NewChallenge, NewRegistration, NewSession,
    NewUser, PendingRegistration,
};
use crate::audit::Entry;
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{ChallengeId, RegistrationId, SessionId, UserId};
use crate::limits::Hit;
use crate::mail::NewMail;
use crate::otp::Purpose;
use crate::password::PasswordHash;
use crate::token::SecretHash;
use crate::username::{NameKey, Username};

/// Users' rows.
#[async_trait]
pub trait Users: Send {
    /// Leaves out ids of users: `fewest` of them, and all up to `at_least`, unless the next one would be above `most`.
    /// Returns the next one.
    async fn jump_user_ids(
        &mut self,
        at_least: i64,
        fewest: i64,
        most: i64,
    ) -> Result<Option<UserId>, StoreError>;
    /// Sets a password, if the credentials are still those of that version, and raises it.
    async fn set_password(
        &mut self,
        user: UserId,
        credential_version: i64,
        password: &PasswordHash,
    ) -> Result<bool, StoreError>;
    /// Puts a new hash of the same password in the place of the old one, if the credentials are still
    /// those of that version, which stays as it is.
    async fn rehash_password(
        &mut self,
        user: UserId,
        credential_version: i64,
        password: &PasswordHash,
    ) -> Result<(), StoreError>;
    /// Sets a name. Conflict: `username`.
    async fn set_username(&mut self, user: UserId, name: &Username) -> Result<(), StoreError>;
    /// Sets an address, if the credentials are still those of that version, and raises it. Conflict: `email`.
    async fn set_email(
        &mut self,
        user: UserId,
        credential_version: i64,
        email: &EmailAddress,
    ) -> Result<bool, StoreError>;
    /// Shuts a user out or lets it in again, and raises the version of its credentials. Says whether
    /// that changed anything.
    async fn set_active(&mut self, user: UserId, active: bool) -> Result<bool, StoreError>;
    /// Removes the user with everything that belongs to it; the notes can't be read any more, and
    /// [`Purge`](crate::queue::Purge) removes them. Says whether there was one.
    async fn delete_user(&mut self, user: UserId) -> Result<bool, StoreError>;
    /// Adds a user. Conflicts: `username`, `email`.
    async fn insert_user(&mut self, user: &NewUser) -> Result<UserId, StoreError>;
    /// Notes that the user was told of a registration with their address, unless that
    /// happened less than `every` ago. Says whether it was noted. A notice in the future
    /// ([`crate::clock::AHEAD`]) is none.
    async fn note_registration_notice(
        &mut self,
        user: UserId,
        now: Timestamp,
        every: Duration,
    ) -> Result<bool, StoreError>;
}

/// What decides whether somebody is refused. Part of what can be read, so that it can be asked before work that costs
/// much; what is written is decided again, in its transaction.
#[async_trait]
pub trait ReadLimits: Send {
    /// What was counted under a key after `since` and not after `until`, the oldest first.
    async fn hits(
        &mut self,
        key: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Hit>, StoreError>;
    /// Whether somebody else than the owner of `email` has the name: a user, or a live attempt.
    async fn name_is_taken(
        &mut self,
        name: &NameKey,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// The address's attempts that have a live challenge. The one whose challenge was used is among them, as no client's,
    /// until that would have expired: others are not told that it was.
    async fn live_registrations(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<LiveRegistration>, StoreError>;
}

/// Registrations' rows: attempts that wait for their code.
#[async_trait]
pub trait Registrations: Send {
    /// Adds an attempt.
    async fn insert_registration(&mut self, attempt: &NewRegistration) -> Result<(), StoreError>;
    /// The live attempts of an address, newest first. Decoys are among them, also those that have lost the address.
    async fn registrations(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<PendingRegistration>, StoreError>;
    /// Removes every attempt of the address, live or not, every challenge of theirs, and the decoys from when it had no
    /// account.
    async fn delete_registrations(&mut self, email: &EmailKey) -> Result<(), StoreError>;
    /// The address has become a user's. The attempt that won, if it was one, ends, and so do those that its client made
    /// with the same name, and every challenge of theirs; their hashes are forgotten. The others live on as decoys until
    /// they lapse, so that their clients are not told; their names are free.
    async fn close_registrations(
        &mut self,
        email: &EmailKey,
        winner: Option<RegistrationId>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Challenges' rows, and the counters of wrong tries.
#[async_trait]
pub trait Challenges: Send {
    /// Adds a challenge.
    async fn insert_challenge(&mut self, challenge: &NewChallenge) -> Result<(), StoreError>;
    /// The live challenges of somebody for a purpose, newest first.
    async fn challenges_of(
        &mut self,
        owner: &ChallengeOwner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Vec<Challenge>, StoreError>;
    /// How many challenges somebody has had for a purpose, dead ones included.
    async fn generations(
        &mut self,
        owner: &ChallengeOwner,
        purpose: Purpose,
    ) -> Result<i64, StoreError>;
    /// The attempt whose registrant was given this handle.
    async fn registration_of_token(
        &mut self,
        handle: &SecretHash,
    ) -> Result<Option<RegistrationId>, StoreError>;
    /// Adds a token whose holder may present the challenge's code with tries of their own.
    async fn insert_holder(
        &mut self,
        token: &SecretHash,
        challenge: ChallengeId,
    ) -> Result<(), StoreError>;
    /// The challenge that was mailed when this token was given.
    async fn challenge_of_holder(
        &mut self,
        token: &SecretHash,
    ) -> Result<Option<ChallengeId>, StoreError>;
    /// Counts a try by the holder of a token, if fewer than `max` were made. Says whether it was counted.
    async fn count_holder_try(&mut self, token: &SecretHash, max: u32) -> Result<bool, StoreError>;
    /// Counts a try by the holder of a handle, if fewer than `max` were made. Says whether it was counted.
    async fn count_try(&mut self, challenge: ChallengeId, max: u32) -> Result<bool, StoreError>;
    /// Takes back a try that was counted in the same transaction.
    async fn uncount_try(&mut self, challenge: ChallengeId) -> Result<(), StoreError>;
    /// Counts a try without a handle: one counter per address and purpose. Says whether fewer than `max` were made.
    async fn count_open_try(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        max: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Writes as much as counting a try does, and counts nothing: what is asked about an address that
    /// has no code takes as long as about one that has.
    async fn count_nothing(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// How many tries without a handle were made since the last new code.
    async fn open_tries(&mut self, email: &EmailKey, purpose: Purpose) -> Result<u32, StoreError>;
    /// Starts that counter anew: a new code was made.
    async fn reset_open_tries(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<(), StoreError>;
    /// Marks the challenge as used, if it is live and no decoy. Says whether this call did it.
    async fn use_challenge(
        &mut self,
        challenge: ChallengeId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Ends every challenge of a user, or those of one purpose: what was mailed before a change of the password, the address
    /// or the state is void, and so is what a code of the same purpose was used beside.
    async fn end_challenges(
        &mut self,
        user: UserId,
        purpose: Option<Purpose>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Leaves older challenges to the holder of the attempt's handle: a newer code was made.
    async fn supersede_challenges(
        &mut self,
        owner: &ChallengeOwner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Sessions' rows.
#[async_trait]
pub trait Sessions: Send {
    /// Ends the user's sessions, but for one.
    async fn end_sessions(
        &mut self,
        user: UserId,
        but: Option<SessionId>,
    ) -> Result<u64, StoreError>;
    /// Ends one session of the user. Says whether there was one.
    async fn end_session(&mut self, user: UserId, session: SessionId) -> Result<bool, StoreError>;
    /// Notes that the session was used.
    async fn touch_session(&mut self, session: SessionId, now: Timestamp)
    -> Result<(), StoreError>;
    /// Adds a session, if the user is active and its credentials are still those of that version.
    async fn insert_session(&mut self, session: &NewSession) -> Result<bool, StoreError>;
}

/// The queue as a request sees it.
#[async_trait]
pub trait Mails: Send {
    /// Puts a mail into the queue, as part of this transaction.
    async fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError>;
}

/// The ledger of what counts against limits, and the record of security events.
#[async_trait]
pub trait Records: Send {
    /// Counts something under a key.
    async fn hit(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError>;
    /// Counts something under a key whose outcome is not known yet.
    async fn hit_in_flight(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError>;
    /// The outcome of what was counted in flight at that time is known, and it counts.
    async fn settle_hit(&mut self, key: &str, at: Timestamp) -> Result<(), StoreError>;
    /// Takes back one of what was counted under a key at that time: of several, one in flight.
    async fn forget_hit(&mut self, key: &str, at: Timestamp) -> Result<(), StoreError>;
    /// Takes back all that was counted under a key, but for what is in flight and was counted after `since`.
    async fn forget_hits(&mut self, key: &str, since: Timestamp) -> Result<(), StoreError>;
    /// Counts one more in a row under a key.
    async fn lengthen_run(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError>;
    /// How many in a row were counted under a key.
    async fn run_length(&mut self, key: &str) -> Result<u32, StoreError>;
    /// Ends the row under a key: the next one is the first again.
    async fn end_run(&mut self, key: &str) -> Result<(), StoreError>;
    /// Notes that a user has logged in from a client.
    async fn know_client(
        &mut self,
        user: UserId,
        client: &ClientKey,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Whether a user has logged in from a client.
    async fn knows_client(&mut self, user: UserId, client: &ClientKey) -> Result<bool, StoreError>;
    /// Records a security event.
    async fn record(&mut self, entry: &Entry<'_>) -> Result<(), StoreError>;
    /// The addresses that the record knows of a user, the present one and earlier ones.
    async fn addresses_of(&mut self, user: UserId) -> Result<Vec<EmailKey>, StoreError>;
    /// Puts a pseudonym in the place of an address that is gone, and forgets clients and agents.
    async fn forget_records(
        &mut self,
        user: UserId,
        email: &EmailKey,
        forget_as: &str,
    ) -> Result<(), StoreError>;
}

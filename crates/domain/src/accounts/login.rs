//! Logging in: exactly one hash is computed for any login, and one more for each of the client's own live registrations
//! there. So the password of one's own registration is answered alike whether the address has an account or not.
//!
//! The caller reads the account ([`account`]), checks the password against
//! [`Login::hashes_to_check`] on the hash pool, and then either answers or writes the
//! session with [`OpenSession`], which fails if the credentials have changed meanwhile.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::dummy::{Dummies, HashKinds};
use super::{LoginAccount, LoginUser, NewSession};
use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{SessionId, UserId};
use crate::limits::{Admission, CountedTry, Limits, PasswordTries};
use crate::password::PasswordHash;
use crate::store::{Reader, StoreError, Tx, Write};
use crate::token::SessionToken;
use crate::username::NameKey;

/// The account of a login, as read before the password check.
#[derive(Debug, Clone)]
pub struct Login {
    account: LoginAccount,
    /// The login name in its comparison form.
    asked: String,
}

/// The result of a password check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// A session may be opened.
    Allowed {
        /// The user of the session.
        user: UserId,
        /// The address as typed, which the answer shows.
        email: String,
        /// The version of the credentials that were checked.
        credential_version: i64,
    },
    /// The password is correct, but the address is not verified yet.
    Unverified,
    /// Unknown, wrong, or not allowed; the answer is the same.
    Refused,
}

/// Reads the account that `login` means: with an `@` the address first, then the name (names may hold an `@`; one that is
/// an address is found by that alone). Attempts are those of the client that logs in; by name, if it has none, the newest
/// of another.
pub async fn account<V: Reader + ?Sized>(
    reader: &mut V,
    login: &str,
    client: &ClientKey,
    now: Timestamp,
) -> Result<Login, StoreError> {
    let email = EmailAddress::parse(login).ok();
    let name = NameKey::of(login);
    let email = email.as_ref().map(EmailAddress::key);
    let mut account = reader
        .login_account(email, &name, Some(client), now)
        .await?;
    account.user = account.user.filter(|user| user.is_meant_by(email));
    let asked = email.map_or(name.as_str(), EmailKey::as_str).to_owned();
    Ok(Login { account, asked })
}

/// Whom refused logins are counted for: what was typed, in the form that compares. Counted for the user, the
/// refusals of a name would tell which address belongs to it.
pub(super) fn counted_as(typed: &str) -> String {
    match EmailAddress::parse(typed) {
        Ok(email) => format!("email:{}", email.key().as_str()),
        Err(_) => format!("name:{}", NameKey::of(typed).as_str()),
    }
}

/// The first half of a login: counts it before anything is hashed, and reads the account.
#[derive(Debug)]
pub struct StartLogin {
    /// What was typed: a name or an address.
    pub login: String,
    /// The client that logs in.
    pub actor: Actor,
    /// The limits to apply.
    pub limits: Limits,
    /// Whether it can be started again a moment later: else logins in flight refuse it.
    pub may_wait: bool,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for StartLogin {
    /// The account whose password is to be checked, and what was counted for it.
    type Out = Admission<(Login, CountedTry)>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let client = &self.actor.client;
        let login = account(tx, &self.login, client, self.now).await?;
        let known = match login.user() {
            Some(user) => tx.knows_client(user, client).await?,
            None => false,
        };
        let tries = PasswordTries::at_login(&self.limits, &counted_as(&self.login), client, known);
        let admission = tries.admit(tx, &self.actor, self.may_wait, self.now);
        Ok(match admission.await? {
            Admission::Granted(counted) => Admission::Granted((login, counted)),
            Admission::InFlight => Admission::InFlight,
            Admission::Refused(refusal) => Admission::Refused(refusal),
        })
    }
}

/// Records a refused login.
#[derive(Debug)]
pub struct RefuseLogin {
    /// The user it was for, if there is one.
    pub user: Option<UserId>,
    /// What was counted when it began, if it was.
    pub counted: Option<CountedTry>,
    /// The client that tried to log in.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RefuseLogin {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        if let Some(counted) = &self.counted {
            counted.was_wrong(tx).await?;
        }
        let entry = Entry::new(Event::LoginRefused, &self.actor, self.now);
        let entry = match self.user {
            Some(user) => entry.user(user),
            None => entry,
        };
        tx.record(&entry).await
    }
}

/// A login had the right password, but its address is not verified: it counts as refused, and is not recorded as such.
#[derive(Debug)]
pub struct DeferLogin {
    /// What was counted when it began.
    pub counted: CountedTry,
}

#[async_trait]
impl Write for DeferLogin {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        self.counted.was_wrong(tx).await
    }
}

impl LoginUser {
    /// Whether what was typed means this user, if it is that address. Folded as a name, one address may become another,
    /// whose owner could find out so whether it has an account.
    fn is_meant_by(&self, typed: Option<&EmailKey>) -> bool {
        let Some(typed) = typed else {
            return true;
        };
        let by_name = || EmailAddress::parse(&self.username).is_ok_and(|own| own.key() == typed);
        self.email_key == *typed || by_name()
    }
}

impl Login {
    /// The user, if the login means one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.account.user.as_ref().map(|user| user.id)
    }

    /// The hashes to check the password against, all of them: first the user's, or the newest registration's, or a dummy, so
    /// that an unknown login takes as long as a known one (OWASP ASVS 5.0 6.3.8); then those of the client's own registrations.
    /// An account without a hash that could be checked has a dummy as well.
    #[must_use]
    pub fn hashes_to_check(&self, dummies: &Dummies, kinds: &HashKinds) -> Vec<PasswordHash> {
        let account = &self.account;
        let user = account.user.as_ref().map(|user| &user.password);
        let first = user.or(account.newest.as_ref());
        std::iter::once(first)
            .chain(account.own.iter().map(Some))
            .map(|hash| match hash {
                Some(hash) if hash.kind().is_some() => hash.clone(),
                _ => dummies.hash_for(&self.asked, kinds),
            })
            .collect()
    }

    /// What the checks lead to: whether the password was right, for each of the hashes.
    #[must_use]
    pub fn checked(self, right: &[bool]) -> Checked {
        let Some((first, own)) = right.split_first() else {
            return Checked::Refused;
        };
        match self.account.user {
            Some(user) if *first && user.active => Checked::Allowed {
                user: user.id,
                email: user.email,
                credential_version: user.credential_version,
            },
            None if *first => Checked::Unverified,
            _ if own.contains(&true) => Checked::Unverified,
            _ => Checked::Refused,
        }
    }
}

/// The lifetimes of sessions.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// A session ends after being unused for this time.
    pub idle: Duration,
    /// The longest life of a session, used or not.
    pub max: Duration,
}

/// Opens a session. The token is drawn by [`OpenSession::new`].
#[derive(Debug)]
pub struct OpenSession {
    session: NewSession,
    actor: Actor,
    counted: Option<CountedTry>,
    rehashed: Option<PasswordHash>,
}

impl OpenSession {
    /// A session for a login that was allowed, and the token that only its client gets.
    /// `counted`: what [`StartLogin`] has counted, if it has; that is taken back.
    #[must_use]
    pub fn new(
        user: UserId,
        credential_version: i64,
        actor: Actor,
        policy: SessionPolicy,
        counted: Option<CountedTry>,
        now: Timestamp,
    ) -> (Self, SessionToken) {
        let token = SessionToken::generate();
        let session = NewSession {
            id: SessionId::generate(),
            user,
            credential_version,
            token: token.hash(),
            now,
            expires: now + policy.max,
            client: actor.client.clone(),
            user_agent: actor.user_agent.clone(),
        };
        let open = Self {
            session,
            actor,
            counted,
            rehashed: None,
        };
        (open, token)
    }

    /// Puts a new hash of the password that was checked in the place of an outdated one
    /// ([`PasswordHash::is_outdated`]; OWASP ASVS 5.0 11.4.2).
    #[must_use]
    pub fn rehashing(self, rehashed: Option<PasswordHash>) -> Self {
        Self { rehashed, ..self }
    }
}

#[async_trait]
impl Write for OpenSession {
    /// Whether it was opened: not if the password, the address or the user's state changed after the check.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let (user, now) = (self.session.user, self.session.now);
        if !tx.insert_session(&self.session).await? {
            return Ok(false);
        }
        if let Some(hash) = &self.rehashed {
            tx.rehash_password(user, self.session.credential_version, hash)
                .await?;
        }
        let client = &self.actor.client;
        if let Some(counted) = &self.counted {
            counted.was_right(tx).await?;
        }
        tx.know_client(user, client, now).await?;
        let entry = Entry::new(Event::LoggedIn, &self.actor, now);
        tx.record(&entry.user(user)).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::HashKind;

    /// A hash that is known by its cost.
    fn hash(passes: u32) -> PasswordHash {
        let kind = HashKind::from(format!("$argon2id$v=19$m=19456,t={passes},p=1$TkZD"));
        PasswordHash::of_nobody(&kind).unwrap()
    }

    fn user() -> LoginUser {
        LoginUser {
            id: UserId(1),
            username: "ada".to_owned(),
            email: "ada@example.com".to_owned(),
            email_key: "ada@example.com".to_owned().into(),
            password: hash(3),
            credential_version: 1,
            active: true,
        }
    }

    fn login(user: Option<LoginUser>, newest: Option<PasswordHash>, own: &[u32]) -> Login {
        let own = own.iter().map(|passes| hash(*passes)).collect();
        Login {
            account: LoginAccount { user, newest, own },
            asked: "ada@example.com".to_owned(),
        }
    }

    /// OWASP ASVS 5.0 6.3.8: as many for an address without an account as for one with.
    #[test]
    fn how_many_hashes_are_checked_depends_on_the_clients_own_attempts_alone() {
        let dummies = Dummies::new(
            &b"an example key of 32 bytes, or so".to_vec().into(),
            hash(2),
        );
        let costs = |login: &Login| -> Vec<_> {
            let hashes = login.hashes_to_check(&dummies, &HashKinds::default());
            let cost = |hash: &PasswordHash| hash.as_str()[25..26].to_owned();
            hashes.iter().map(cost).collect()
        };

        assert_eq!(costs(&login(Some(user()), None, &[])), ["3"]);
        assert_eq!(costs(&login(None, None, &[])), ["2"], "a dummy");
        assert_eq!(costs(&login(None, Some(hash(4)), &[])), ["4"]);
        assert_eq!(costs(&login(Some(user()), None, &[5, 6])), ["3", "5", "6"]);
        assert_eq!(costs(&login(None, None, &[5, 6])), ["2", "5", "6"]);
        let imported = LoginUser {
            password: PasswordHash::from("!".to_owned()),
            ..user()
        };
        assert_eq!(costs(&login(Some(imported), None, &[])), ["2"]);
    }

    #[test]
    fn the_password_of_ones_own_attempt_is_unverified_with_an_account_and_without() {
        let disabled = LoginUser {
            active: false,
            ..user()
        };

        for user in [None, Some(user()), Some(disabled)] {
            let login = || login(user.clone(), None, &[5, 6]);
            assert_eq!(login().checked(&[false, false, true]), Checked::Unverified);
            assert_eq!(login().checked(&[false, false, false]), Checked::Refused);
        }
        let elsewhere = login(None, Some(hash(4)), &[]);
        assert_eq!(elsewhere.checked(&[true]), Checked::Unverified);
        let allowed = login(Some(user()), None, &[5]).checked(&[true, true]);
        assert!(matches!(allowed, Checked::Allowed { .. }));
    }
}

//! Registering: a registration, its challenge and its mail, or a decoy that looks the same.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::code::{ChallengeDraw, CodeFor};
use super::{
    ChallengeOwner, CodePolicy, LiveRegistration, NewChallenge, NewRegistration,
    PendingRegistration, User,
};
use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::{MailId, RegistrationId};
use crate::limits::{self, Decision, Limits, Rate, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::password::PasswordHash;
use crate::store::{Reader, StoreError, Tx, Write};
use crate::token::ChallengeToken;
use crate::username::Username;

/// The owner of a verified address hears of registrations with it at most this often.
pub const NOTICE_INTERVAL: Duration = Duration::from_hours(1);

/// The name of the limit of registrations that an address may have at once.
const LIVE_REGISTRATIONS: &str = "live-attempts";

/// How registrations are limited.
#[derive(Debug, Clone, Copy)]
pub struct RegisterPolicy {
    /// How codes live and die.
    pub codes: CodePolicy,
    /// After this time without a verified code the registration lapses and its name is free.
    pub lapse: Duration,
    /// Live registrations an address may have; one client at most half of them. `None` lifts the limit.
    pub live_registrations: Option<u32>,
    /// The budgets; `None` lifts them.
    pub limits: Option<Limits>,
    /// Whether a verified address is told apart, as the service that this one replaces did.
    pub reveal_registered: bool,
}

/// Somebody registers. Random values are drawn by [`Register::new`].
#[derive(Debug)]
pub struct Register {
    username: Username,
    email: EmailAddress,
    password: PasswordHash,
    actor: Actor,
    policy: RegisterPolicy,
    now: Timestamp,
    id: RegistrationId,
    draw: ChallengeDraw,
    token: ChallengeToken,
    mail: MailId,
    same_password_as: Option<RegistrationId>,
}

/// How many of a client's live registrations for an address a new password is compared with.
pub const MAX_COMPARED: u32 = 3;

/// The result of the use case.
#[derive(Debug)]
pub enum Registered {
    /// A registration was made, or a decoy.
    Accepted {
        /// What the registrant may present together with the code.
        token: ChallengeToken,
    },
    /// Something is taken.
    Taken {
        /// The name is.
        username: bool,
        /// The address is, and the settings allow to say so.
        email: bool,
    },
    /// The address has as many live registrations as it may have.
    TooMany(Refusal),
}

impl Register {
    /// A registration with a password that has been hashed already.
    #[must_use]
    pub fn new(
        username: Username,
        email: EmailAddress,
        password: PasswordHash,
        actor: Actor,
        key: KeyId,
        policy: RegisterPolicy,
        now: Timestamp,
    ) -> Self {
        Self {
            username,
            email,
            password,
            actor,
            policy,
            now,
            id: RegistrationId::generate(),
            draw: ChallengeDraw::new(key),
            token: ChallengeToken::generate(),
            mail: MailId::generate(),
            same_password_as: None,
        }
    }

    /// The same with the registration of the client that was found to have this password, if one was
    /// ([`crate::store::Reader::passwords_of_registrations`]): without their challenges, codes of two registrations that differ in name
    /// and in password don't count.
    #[must_use]
    pub fn with_password_of(self, same_password_as: Option<RegistrationId>) -> Self {
        Self {
            same_password_as,
            ..self
        }
    }

    /// What stands against a registration now, if something does: asked before its password is hashed, which costs
    /// much. It is what the use case finds when it is applied, and counts nothing. Whether the address has an account
    /// is not looked at, unless the settings reveal that.
    pub async fn refused(
        reader: &mut dyn Reader,
        (username, email): (&Username, &EmailAddress),
        client: &ClientKey,
        policy: &RegisterPolicy,
        now: Timestamp,
    ) -> Result<Option<Registered>, StoreError> {
        let username_taken = reader
            .name_is_taken(username.key(), email.key(), now)
            .await?;
        let email_taken =
            policy.reveal_registered && reader.user_by_email(email.key()).await?.is_some();
        if username_taken || email_taken {
            return Ok(Some(Registered::Taken {
                username: username_taken,
                email: email_taken,
            }));
        }
        let live = reader.live_registrations(email.key(), now).await?;
        if let Some(refusal) = policy.too_many(&live, client) {
            return Ok(Some(Registered::TooMany(refusal)));
        }
        let Some(limits) = &policy.limits else {
            return Ok(None);
        };
        let charges = limits.registration(email, client);
        let refused = limits::refused(reader, &charges, now).await?;
        Ok(refused.map(Registered::TooMany))
    }

    fn registration(&self, decoy: bool) -> NewRegistration {
        NewRegistration {
            registration: PendingRegistration {
                id: self.id,
                username: self.username.as_str().to_owned(),
                username_key: self.username.key().clone(),
                email: self.email.as_typed().to_owned(),
                mailbox: self.email.mailbox().to_owned(),
                password: self.password.clone(),
                client: self.actor.client.clone(),
                decoy,
                same_password_as: Some(self.same_password_as.unwrap_or(self.id)),
                expires: self.now + self.policy.lapse,
            },
            email_key: self.email.key().clone(),
            now: self.now,
        }
    }

    /// The notice for the owner of the address: to the address as its owner gave it. A stranger's
    /// spelling compares as equal, but their provider may well tell the two apart.
    fn notice(&self, owner: &User) -> NewMail {
        let mail = self.mail(MailKind::AlreadyRegistered);
        NewMail {
            // What was stored has been parsed before; should the rules have changed, the mail still goes out.
            to: EmailAddress::parse(&owner.email)
                .map_or(mail.to, |stored| stored.mailbox().to_owned()),
            user: Some(owner.id),
            ..mail
        }
    }

    fn mail(&self, kind: MailKind) -> NewMail {
        NewMail {
            id: self.mail,
            kind,
            to: self.email.mailbox().to_owned(),
            to_key: self.email.key().clone(),
            challenge: None,
            user: None,
            request_id: self.actor.request_id.clone(),
            now: self.now,
            deadline: None,
            forget_as: None,
        }
    }
}

#[async_trait]
impl Write for Register {
    type Out = Registered;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Registered, StoreError> {
        let email = self.email.key();
        let owner = tx.user_by_email(email).await?;
        let username_taken = tx
            .name_is_taken(self.username.key(), email, self.now)
            .await?;
        let email_taken = self.policy.reveal_registered && owner.is_some();
        if username_taken || email_taken {
            return Ok(Registered::Taken {
                username: username_taken,
                email: email_taken,
            });
        }
        let live = tx.live_registrations(email, self.now).await?;
        if let Decision::Limited(refusal) = self.decision(tx, &live).await? {
            return Ok(Registered::TooMany(refusal));
        }

        tx.insert_registration(&self.registration(owner.is_some()))
            .await?;
        let code = CodeFor {
            owner: ChallengeOwner::Registration(self.id),
            decoy: owner.is_some(),
            purpose: Purpose::VerifyEmail,
            email,
            target: None,
            until: Some(self.now + self.policy.lapse),
            beside: false,
        };
        let form = limits::code_form(tx, email, Purpose::VerifyEmail, self.now).await?;
        let token = Some(&self.token);
        let challenge = self
            .draw
            .challenge(&code, (1, form), token, self.now, self.policy.codes);
        tx.insert_challenge(&challenge).await?;
        // Beside a live code the count goes on: a new registration must not buy guesses at an old one.
        if live.is_empty() {
            tx.reset_open_tries(email, Purpose::VerifyEmail).await?;
        }
        let mail = self.mail_for(tx, owner, &challenge).await?;
        tx.enqueue(&mail).await?;
        let entry = Entry::new(Event::Registered, &self.actor, self.now);
        tx.record(&entry.email(email)).await?;
        Ok(Registered::Accepted {
            token: self.token.clone(),
        })
    }
}

impl Register {
    /// The mail with the code; or the notice for the owner of the address, and where none is due a decoy of the former.
    async fn mail_for(
        &self,
        tx: &mut dyn Tx,
        owner: Option<User>,
        challenge: &NewChallenge,
    ) -> Result<NewMail, StoreError> {
        if let Some(owner) = owner
            && tx
                .note_registration_notice(owner.id, self.now, NOTICE_INTERVAL)
                .await?
        {
            return Ok(self.notice(&owner));
        }
        Ok(NewMail {
            challenge: Some(challenge.id),
            deadline: Some(challenge.expires),
            ..self.mail(MailKind::VerifyEmail)
        })
    }

    /// First the registrations that are alive, then the budgets: a refusal costs none of them.
    async fn decision(
        &self,
        tx: &mut dyn Tx,
        live: &[LiveRegistration],
    ) -> Result<Decision, StoreError> {
        if let Some(refusal) = self.policy.too_many(live, &self.actor.client) {
            let email = Some(self.email.key());
            limits::note_refusal(tx, &self.actor, email, refusal.limit, self.now).await?;
            return Ok(Decision::Limited(refusal));
        }
        match &self.policy.limits {
            Some(limits) => {
                let charges = limits.registration(&self.email, &self.actor.client);
                limits::charge(tx, &self.actor, self.email.key(), &charges, self.now).await
            }
            None => Ok(Decision::Allowed),
        }
    }
}

impl RegisterPolicy {
    /// Why an address may have no more live registrations, or none of this client, if that is so.
    fn too_many(&self, live: &[LiveRegistration], client: &ClientKey) -> Option<Refusal> {
        let most = self.live_registrations?;
        let all: Vec<_> = live.iter().map(|registration| registration.ends).collect();
        let own: Vec<_> = live
            .iter()
            .filter(|registration| registration.client == *client)
            .map(|registration| registration.ends)
            .collect();
        // The last place is for a client that has none: two strangers don't keep the owner out.
        let open = if own.is_empty() || most == 1 {
            most
        } else {
            most - 1
        };
        let refused = [(all, open), (own, most.div_ceil(2))]
            .into_iter()
            .filter_map(|(ends, most)| Some((frees(ends, most)?, most)));
        let (retry_at, most) = refused.max()?;
        Some(Refusal {
            limit: LIVE_REGISTRATIONS,
            rate: Rate {
                most,
                window: self.codes.life,
            },
            retry_at,
        })
    }
}

/// When fewer than `most` of them are left, if that is not now.
fn frees(mut ends: Vec<Timestamp>, most: u32) -> Option<Timestamp> {
    ends.sort_unstable();
    let over = ends.len().checked_sub(most as usize)?;
    ends.get(over).copied()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::client::ClientKey;
    use crate::id::UserId;

    fn registration(email: &str) -> Register {
        Register::new(
            Username::parse("mallory").unwrap(),
            EmailAddress::parse(email).unwrap(),
            PasswordHash::from("$none$".to_owned()),
            Actor {
                request_id: "request".to_owned(),
                client: ClientKey::of(Ipv4Addr::LOCALHOST.into()),
                user_agent: String::new(),
            },
            KeyId::from("key".to_owned()),
            RegisterPolicy {
                codes: CodePolicy {
                    life: Duration::from_mins(10),
                    max_tries: 5,
                },
                lapse: Duration::from_hours(24),
                live_registrations: None,
                limits: None,
                reveal_registered: false,
            },
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_notice_goes_to_the_address_as_its_owner_gave_it() {
        let owner = User {
            id: UserId(7),
            username: "ada".to_owned(),
            email: "Ada@bücher.example".to_owned(),
            email_key: registration("ada@bücher.example").email.key().clone(),
            password: PasswordHash::from("$none$".to_owned()),
            credential_version: 1,
            active: true,
            created: Timestamp::UNIX_EPOCH,
        };
        let registration = registration("aDA@BÜCHER.example");

        let notice = registration.notice(&owner);

        assert_eq!(notice.to, "Ada@xn--bcher-kva.example");
        assert_eq!(notice.to_key, *registration.email.key());
        assert_eq!(notice.user, Some(owner.id));
    }
}

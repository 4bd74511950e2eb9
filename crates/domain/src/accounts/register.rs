//! Registering: an attempt, its challenge and its mail, or a decoy that looks the same.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Attempt, ChallengeDraw, CodePolicy, NewAttempt, User};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::{MailId, RegistrationId};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::password::PasswordHash;
use crate::store::{StoreError, Tx, Write};
use crate::token::ChallengeHandle;
use crate::username::Username;

/// The owner of a verified address hears of registrations with it at most this often.
pub const NOTICE_INTERVAL: Duration = Duration::from_hours(1);

/// How registrations are limited.
#[derive(Debug, Clone, Copy)]
pub struct RegisterPolicy {
    /// How codes live and die.
    pub codes: CodePolicy,
    /// After this time without a verified code the attempt lapses and its name is free.
    pub lapse: Duration,
    /// Live attempts an address may have; `None` lifts the limit.
    pub live_attempts: Option<u32>,
    /// Whether a verified address is told apart, as the service that this one replaces did.
    pub reveal_registered: bool,
}

/// Somebody registers. Random values are drawn by [`Register::new`].
#[derive(Debug)]
pub struct Register {
    username: Username,
    email: EmailAddress,
    password: PasswordHash,
    client: ClientKey,
    request_id: String,
    policy: RegisterPolicy,
    now: Timestamp,
    id: RegistrationId,
    draw: ChallengeDraw,
    handle: ChallengeHandle,
    mail: MailId,
}

/// What came of it.
#[derive(Debug)]
pub enum Registered {
    /// An attempt was made, or a decoy.
    Accepted {
        /// What the registrant may present together with the code.
        handle: ChallengeHandle,
    },
    /// Something is taken.
    Taken {
        /// The name is.
        username: bool,
        /// The address is, and the settings allow to say so.
        email: bool,
    },
    /// The address has as many live attempts as it may have.
    TooMany {
        /// When the next one may be made.
        retry_at: Timestamp,
    },
}

impl Register {
    /// A registration with a password that has been hashed already.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "a form has that many fields")]
    pub fn new(
        username: Username,
        email: EmailAddress,
        password: PasswordHash,
        client: ClientKey,
        request_id: String,
        key: KeyId,
        policy: RegisterPolicy,
        now: Timestamp,
    ) -> Self {
        Self {
            username,
            email,
            password,
            client,
            request_id,
            policy,
            now,
            id: RegistrationId::generate(),
            draw: ChallengeDraw::new(key),
            handle: ChallengeHandle::generate(),
            mail: MailId::generate(),
        }
    }

    fn attempt(&self, decoy: bool) -> NewAttempt {
        NewAttempt {
            attempt: Attempt {
                id: self.id,
                username: self.username.as_str().to_owned(),
                username_key: self.username.key().clone(),
                email: self.email.as_typed().to_owned(),
                mailbox: self.email.mailbox().to_owned(),
                password: self.password.clone(),
                client: self.client.clone(),
                decoy,
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
            request_id: self.request_id.clone(),
            now: self.now,
            deadline: None,
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
        let live = tx.live_attempts(email, self.now).await?;
        if let Some(most) = self.policy.live_attempts
            && live.len() >= most as usize
        {
            let retry_at = live[live.len() - most as usize];
            return Ok(Registered::TooMany { retry_at });
        }

        tx.insert_attempt(&self.attempt(owner.is_some())).await?;
        let challenge = self.draw.challenge(
            self.id,
            email,
            1,
            Some(&self.handle),
            self.now,
            self.now + self.policy.codes.life.min(self.policy.lapse),
        );
        tx.insert_challenge(&challenge).await?;
        match owner {
            None => {
                // Beside a live code the count goes on: a new attempt must not buy guesses at an old one.
                if live.is_empty() {
                    tx.reset_open_tries(email, Purpose::VerifyEmail).await?;
                }
                tx.enqueue(&NewMail {
                    challenge: Some(challenge.id),
                    deadline: Some(challenge.expires),
                    ..self.mail(MailKind::VerifyEmail)
                })
                .await?;
            }
            Some(owner) => {
                let due = tx
                    .note_registration_notice(owner.id, self.now, NOTICE_INTERVAL)
                    .await?;
                if due {
                    tx.enqueue(&self.notice(&owner)).await?;
                }
            }
        }
        Ok(Registered::Accepted {
            handle: self.handle.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::id::UserId;

    fn registration(email: &str) -> Register {
        Register::new(
            Username::parse("mallory").unwrap(),
            EmailAddress::parse(email).unwrap(),
            PasswordHash::from("$none$".to_owned()),
            ClientKey::of(Ipv4Addr::LOCALHOST.into()),
            "request".to_owned(),
            KeyId::from("key".to_owned()),
            RegisterPolicy {
                codes: CodePolicy {
                    life: Duration::from_mins(10),
                    max_tries: 5,
                },
                lapse: Duration::from_hours(24),
                live_attempts: None,
                reveal_registered: false,
            },
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_notice_goes_to_the_address_as_its_owner_gave_it() {
        let owner = User {
            id: UserId(7),
            email: "Ada@bücher.example".to_owned(),
        };
        let registration = registration("aDA@BÜCHER.example");

        let notice = registration.notice(&owner);

        assert_eq!(notice.to, "Ada@xn--bcher-kva.example");
        assert_eq!(notice.to_key, *registration.email.key());
        assert_eq!(notice.user, Some(owner.id));
    }
}

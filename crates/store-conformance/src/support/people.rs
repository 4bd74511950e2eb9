//! People who register, and the codes they are mailed. No password is hashed, since a store never reads a hash.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use domain::accounts::code::{CodeRequest, RequestCode, Requested, SubmittedCode, Whose};
use domain::accounts::register::{Register, RegisterPolicy, Registered};
use domain::accounts::resend::ResendCode;
use domain::accounts::verify::{Verified, VerifyCode};
use domain::accounts::{Challenge, ChallengeOwner, CodePolicy, PendingRegistration};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::email::EmailAddress;
use domain::otp::{KeyRing, Purpose, TypedCode};
use domain::password::PasswordHash;
use domain::store::Store;
use domain::token::{ChallengeToken, SecretHash};
use domain::username::Username;
use jiff::Timestamp;
use secrecy::SecretSlice;

use super::units::unit;

/// Ten minutes and five tries.
pub const CODES: CodePolicy = CodePolicy {
    life: Duration::from_mins(10),
    max_tries: 5,
};

/// A day, and five attempts.
pub const POLICY: RegisterPolicy = RegisterPolicy {
    codes: CODES,
    lapse: Duration::from_hours(24),
    live_registrations: Some(5),
    limits: None,
    reveal_registered: false,
};

/// The keys of every process in these tests.
pub fn keys() -> Arc<KeyRing> {
    keys_of("an example key for tests only, long enough")
}

/// The keys of a process that was told another secret.
pub fn keys_of(secret: &str) -> Arc<KeyRing> {
    Arc::new(KeyRing::new(
        &SecretSlice::from(secret.as_bytes().to_vec()),
        &[],
    ))
}

/// An address from its text.
pub fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

/// A person with a name, an address and a machine.
#[derive(Clone)]
pub struct Person {
    /// The name to register with.
    pub name: String,
    /// The address to register with.
    pub email: String,
    /// The last byte of the IP address that requests come from.
    pub machine: u8,
}

impl Person {
    /// A person whose address is made of the name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            machine: 1,
        }
    }

    /// The same at another address.
    #[must_use]
    pub fn at(mut self, email: &str) -> Self {
        email.clone_into(&mut self.email);
        self
    }

    /// The same on another machine.
    #[must_use]
    pub fn on_machine(mut self, machine: u8) -> Self {
        self.machine = machine;
        self
    }

    /// The client that limits and decoys tell apart.
    pub fn client(&self) -> ClientKey {
        ClientKey::of(Ipv4Addr::new(192, 0, 2, self.machine).into())
    }

    /// This person behind a request of that id.
    pub fn actor(&self, request: &str) -> Actor {
        Actor {
            request_id: request.to_owned(),
            client: self.client(),
            user_agent: format!("the agent of {}", self.name),
        }
    }

    /// A code, as this person types it.
    pub fn submitted(&self, code: &str, now: Timestamp) -> SubmittedCode {
        SubmittedCode {
            code: TypedCode::new(code),
            keys: keys(),
            policy: CODES,
            limits: None,
            actor: self.actor("request-code"),
            now,
        }
    }

    /// The use case by which this person registers.
    pub fn registration(&self, policy: RegisterPolicy, now: Timestamp) -> Register {
        Register::new(
            Username::parse(&self.name).unwrap(),
            address(&self.email),
            PasswordHash::from(format!("$hash-of-{}$", self.name)),
            self.actor(&format!("request-{}", self.name)),
            keys().current().clone(),
            policy,
            now,
        )
    }

    /// Registers; must be accepted.
    pub async fn registers(&self, store: &Store, now: Timestamp) -> ChallengeToken {
        match self.tries_to_register(store, now).await {
            Registered::Accepted { token: handle } => handle,
            other => panic!("{} was not accepted: {other:?}", self.name),
        }
    }

    /// Registers, with any outcome.
    pub async fn tries_to_register(&self, store: &Store, now: Timestamp) -> Registered {
        store.write(self.registration(POLICY, now)).await.unwrap()
    }

    /// Asks for the code of a registration once more.
    pub async fn asks_again(&self, store: &Store, now: Timestamp) -> Requested {
        let actor = self.actor("request-again");
        let resend = ResendCode {
            email: address(&self.email),
            token: None,
            request: CodeRequest::new(actor, keys().current().clone(), CODES, None, now),
        };
        store.write(resend).await.unwrap()
    }

    /// Asks for a code to set a new password.
    pub async fn asks_to_reset(&self, store: &Store, now: Timestamp) -> Requested {
        let actor = self.actor("request-reset");
        let request = RequestCode {
            whose: Whose::Address(address(&self.email)),
            purpose: Purpose::ResetPassword,
            holder: None,
            request: CodeRequest::new(actor, keys().current().clone(), CODES, None, now),
        };
        store.write(request).await.unwrap()
    }

    /// A code as this person presents it.
    pub fn presents(
        &self,
        code: &str,
        handle: Option<&ChallengeToken>,
        now: Timestamp,
    ) -> VerifyCode {
        VerifyCode {
            email: address(&self.email),
            token: handle.map(|handle| SecretHash::of(handle.expose())),
            submitted: self.submitted(code, now),
        }
    }

    /// Registers and verifies.
    pub async fn becomes_a_user(&self, store: &Store, now: Timestamp) {
        let handle = self.registers(store, now).await;
        let code = newest_code(store, &self.email, now).await;
        let verified = store
            .write(self.presents(&code, Some(&handle), now))
            .await
            .unwrap();
        assert!(matches!(verified, Verified::Welcome(_)), "{verified:?}");
    }
}

/// The pending registrations of an address, newest first, each with its live challenges.
pub async fn attempts(
    store: &Store,
    email: &str,
    now: Timestamp,
) -> Vec<(PendingRegistration, Vec<Challenge>)> {
    let key = address(email).key().clone();
    let all = unit(move |tx| {
        let key = key.clone();
        Box::pin(async move {
            let mut all = Vec::new();
            for attempt in tx.registrations(&key, now).await? {
                let challenges = tx
                    .challenges_of(
                        &ChallengeOwner::Registration(attempt.id),
                        Purpose::VerifyEmail,
                        now,
                    )
                    .await?;
                all.push((attempt, challenges));
            }
            Ok(all)
        })
    });
    store.write(all).await.unwrap()
}

/// The live challenges of an owner, newest first.
pub async fn challenges_of(store: &Store, owner: ChallengeOwner, now: Timestamp) -> Vec<Challenge> {
    let all = unit(move |tx| {
        let owner = owner.clone();
        Box::pin(async move { tx.challenges_of(&owner, Purpose::VerifyEmail, now).await })
    });
    store.write(all).await.unwrap()
}

/// The code of the newest challenge of the newest pending registration of an address.
pub async fn newest_code(store: &Store, email: &str, now: Timestamp) -> String {
    let attempts = attempts(store, email, now).await;
    code_of(&attempts[0].1[0])
}

/// The code of a challenge.
pub fn code_of(challenge: &Challenge) -> String {
    keys().code(&challenge.seed).unwrap().expose().to_owned()
}

/// A code that is not that one.
pub fn wrong(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

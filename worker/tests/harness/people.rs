//! People who register, ask again and present codes, as the API lets them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use domain::accounts::CodePolicy;
use domain::accounts::code::{CodeRequest, Requested, SubmittedCode};
use domain::accounts::register::{Register, RegisterPolicy, Registered};
use domain::accounts::resend::ResendCode;
use domain::accounts::verify::{Verified, VerifyCode};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::email::EmailAddress;
use domain::id::MailId;
use domain::otp::{KeyRing, TypedCode};
use domain::password::PasswordHash;
use domain::queue::MailFilter;
use domain::token::{ChallengeToken, SecretHash};
use domain::username::Username;
use secrecy::SecretSlice;

use super::{Harness, KEY};

const CODES: CodePolicy = CodePolicy {
    life: Duration::from_mins(10),
    max_tries: 5,
};

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(
        &SecretSlice::from(KEY.as_bytes().to_vec()),
        &[],
    ))
}

fn actor(request: &str) -> Actor {
    Actor {
        request_id: request.to_owned(),
        client: ClientKey::of(Ipv4Addr::LOCALHOST.into()),
        user_agent: "a test".to_owned(),
    }
}

impl Harness {
    /// Registers an address under a name made of it; returns the mail with its code.
    pub async fn register(&self, email: &str) -> MailId {
        self.register_with_handle(email).await.0
    }

    /// The same, with what the registrant may present beside the code.
    pub async fn register_with_handle(&self, email: &str) -> (MailId, ChallengeToken) {
        let name = email.replace(['@', '.'], "-");
        self.register_named(&name, email).await
    }

    /// Registers an address under another name.
    pub async fn register_as(&self, name: &str, email: &str) -> MailId {
        self.register_named(name, email).await.0
    }

    async fn register_named(&self, name: &str, email: &str) -> (MailId, ChallengeToken) {
        let policy = RegisterPolicy {
            codes: CODES,
            lapse: Duration::from_hours(24),
            live_registrations: None,
            limits: None,
            reveal_registered: false,
        };
        let registration = Register::new(
            Username::parse(name).unwrap(),
            EmailAddress::parse(email).unwrap(),
            PasswordHash::from("$none$".to_owned()),
            actor("request"),
            keys().current().clone(),
            policy,
            self.clock.now(),
        );
        match self.database.store.write(registration).await.unwrap() {
            Registered::Accepted { token: handle } => (self.newest_mail(email).await, handle),
            other => panic!("{email} was not accepted: {other:?}"),
        }
    }

    /// Asks for the code again; returns the mail that carries it.
    pub async fn ask_again(&self, email: &str) -> MailId {
        let (actor, key) = (actor("request-again"), keys().current().clone());
        let again = ResendCode {
            email: EmailAddress::parse(email).unwrap(),
            token: None,
            request: CodeRequest::new(actor, key, CODES, None, self.clock.now()),
        };
        let asked = self.database.store.write(again).await.unwrap();
        assert_eq!(asked, Requested::Queued);
        self.newest_mail(email).await
    }

    /// Whether a code makes its holder a user.
    pub async fn verify(&self, email: &str, code: &str, handle: Option<&ChallengeToken>) -> bool {
        let verify = VerifyCode {
            email: EmailAddress::parse(email).unwrap(),
            token: handle.map(|handle| SecretHash::of(handle.expose())),
            submitted: SubmittedCode {
                code: TypedCode::new(code),
                keys: keys(),
                policy: CODES,
                limits: None,
                actor: actor("request-code"),
                now: self.clock.now(),
            },
        };
        let verified = self.database.store.write(verify).await.unwrap();
        matches!(verified, Verified::Welcome(_))
    }

    async fn newest_mail(&self, email: &str) -> MailId {
        let filter = MailFilter {
            to: Some(EmailAddress::parse(email).unwrap().key().clone()),
            limit: 10,
            ..MailFilter::default()
        };
        let mut reader = self.database.store.reader().await.unwrap();
        let mails = reader.mails(&filter).await.unwrap();
        mails
            .into_iter()
            .max_by_key(|mail| mail.created)
            .unwrap()
            .id
    }
}

//! Purpose × account × challenge (OWASP ASVS 5.0 6.6.2): a code is good for what it was mailed for, and
//! presenting it anywhere else is refused and burns nothing.

use crate::support::{Answer, Client, Person, TestApp};

/// What a code can be presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Verify,
    Reset,
    Delete,
    Email,
    Login,
}

const USES: [Use; 5] = [Use::Verify, Use::Reset, Use::Delete, Use::Email, Use::Login];

/// Somebody with a live code of every purpose.
struct Holder {
    person: Person,
    session: Client,
    /// The address that waits for the user's confirmation.
    next: String,
    /// Somebody else's address, which waits for its first one.
    newcomer: Person,
    challenge: String,
    codes: Vec<(Use, String)>,
}

impl Holder {
    async fn new(app: &TestApp, name: &str) -> Self {
        let person = Person::new(name);
        let session = app.member(&person).await;
        let next = format!("{name}.next@example.com");
        let newcomer = Person::new(&format!("{name}-newcomer"));
        let challenge = app.client.registered(&newcomer).await;
        let mut codes = vec![(Use::Verify, app.newest_code(&newcomer.email).await)];
        session.request_email(&next, &person.password).await;
        codes.push((Use::Email, app.newest_code(&next).await));
        app.client.request_reset(&person.email).await;
        codes.push((Use::Reset, app.newest_code(&person.email).await));
        session.request_deletion().await;
        codes.push((Use::Delete, app.newest_code(&person.email).await));
        app.client.request_code_login(&person.email).await;
        codes.push((Use::Login, app.newest_code(&person.email).await));
        Self {
            person,
            session,
            next,
            newcomer,
            challenge,
            codes,
        }
    }

    fn code(&self, of: Use) -> &str {
        &self
            .codes
            .iter()
            .find(|(purpose, _)| *purpose == of)
            .unwrap()
            .1
    }

    /// Presents a code for something of this person's.
    async fn presents(&self, app: &TestApp, what: Use, code: &str) -> Answer {
        let new = "an entirely different staple";
        match what {
            Use::Verify => {
                app.client
                    .verify_with(&self.newcomer, code, &self.challenge)
                    .await
            }
            Use::Reset => app.client.reset(&self.person.email, code, new).await,
            Use::Delete => self.session.delete_account(code).await,
            Use::Email => self.session.confirm_email(code).await,
            Use::Login => app.client.login_by_code(&self.person.email, code).await,
        }
    }
}

async fn system() -> TestApp {
    TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        // Every use but the right one is a wrong try; what is looked for is that none burns another's code.
        .set("SMART_NOTES__OTP__MAX_TRIES", "10")
        .start()
        .await
}

/// Codes are six digits, so that two of them are the same once in a million runs: then there is nothing to see.
fn differ(holders: &[&Holder]) -> bool {
    let mut codes: Vec<_> = holders
        .iter()
        .flat_map(|holder| &holder.codes)
        .map(|(_, code)| code)
        .collect();
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    codes.len() == all
}

#[tokio::test]
async fn a_code_of_one_purpose_is_refused_for_every_other_and_stays_good() {
    let app = system().await;
    let ada = Holder::new(&app, "ada").await;
    if differ(&[&ada]) {
        for of in USES {
            for what in USES.into_iter().filter(|what| *what != of) {
                let answer = ada.presents(&app, what, ada.code(of)).await;
                assert_eq!(
                    answer.status,
                    400,
                    "a code to {of:?} for {what:?}: {}",
                    answer.shown()
                );
            }
        }

        // The deletion last: it takes the others with it.
        for what in [Use::Verify, Use::Login, Use::Delete] {
            let answer = ada.presents(&app, what, ada.code(what)).await;
            assert!(answer.status < 300, "{what:?}: {}", answer.shown());
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_code_of_one_account_is_refused_for_another_and_stays_good() {
    let app = system().await;
    let (ada, bob) = (
        Holder::new(&app, "ada").await,
        Holder::new(&app, "bob").await,
    );
    if differ(&[&ada, &bob]) {
        for what in USES {
            let answer = bob.presents(&app, what, ada.code(what)).await;
            assert_eq!(answer.status, 400, "{what:?}: {}", answer.shown());
        }

        for holder in [&ada, &bob] {
            for what in [Use::Verify, Use::Login, Use::Email] {
                let answer = holder.presents(&app, what, holder.code(what)).await;
                assert!(answer.status < 300, "{what:?}: {}", answer.shown());
            }
            assert_eq!(
                holder.session.get("/api/auth/me/").await.field("email"),
                holder.next
            );
        }
    }
    app.finish().await;
}

/// Each purpose has tries of its own: five wrong ones for one leave every other as it was.
#[tokio::test]
async fn tries_of_one_purpose_burn_no_other() {
    for burnt in USES {
        let app = TestApp::with()
            .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
            .start()
            .await;
        let ada = Holder::new(&app, "ada").await;
        for n in 0..5 {
            let code = format!("{n}{n}{n}{n}{n}x");
            assert_eq!(ada.presents(&app, burnt, &code).await.status, 400);
        }
        assert_eq!(
            ada.presents(&app, burnt, ada.code(burnt)).await.status,
            400,
            "{burnt:?}"
        );

        for what in [Use::Verify, Use::Login, Use::Email] {
            let expected = if what == burnt { 400 } else { 200 };
            let answer = ada.presents(&app, what, ada.code(what)).await;
            assert_eq!(
                answer.status,
                expected,
                "{burnt:?}, {what:?}: {}",
                answer.shown()
            );
        }
        app.finish().await;
    }
}

/// A challenge belongs to its registration: it opens nothing for a user, and a user's code nothing with it.
#[tokio::test]
async fn a_challenge_of_one_registration_is_refused_for_another_and_burns_nothing() {
    let app = system().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (of_ada, code_of_ada) = app.registered(&ada, 1).await;
    let (of_bob, code_of_bob) = app.registered(&bob, 1).await;

    for _ in 0..10 {
        let answer = app.client.verify_with(&ada, &code_of_ada, &of_bob).await;
        assert_eq!(answer.status, 400);
        let answer = app.client.verify_with(&bob, &code_of_bob, &of_ada).await;
        assert_eq!(answer.status, 400);
    }

    assert_eq!(
        app.client
            .verify_with(&ada, &code_of_ada, &of_ada)
            .await
            .status,
        200
    );
    assert_eq!(
        app.client
            .verify_with(&bob, &code_of_bob, &of_bob)
            .await
            .status,
        200
    );
    app.finish().await;
}

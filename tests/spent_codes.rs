//! A code whose tries are spent while its mail waits: it is sent if anybody can still use what it says, and only then.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::support::{Person, TestApp};

const NEW: &str = "an entirely different staple";

/// A retried mail whose digits are of no use to anybody any more is not sent.
#[tokio::test]
async fn a_code_whose_tries_are_spent_while_it_waits_is_not_mailed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    app.faults()
        .add(Fault::reply(Stage::Rcpt, 451, "4.3.0 later").times(1));
    session.request_deletion().await;
    app.waiting(&ada.email).await;
    for _ in 0..5 {
        session.delete_account("guess!").await;
    }

    app.clock.advance(Duration::from_secs(10));

    assert_eq!(
        app.mails_to(&ada.email).await,
        1,
        "that of the registration"
    );
    let mut rows = app.rows().await;
    let reason = "select state || ': ' || reason from mails where kind = 'delete_account'";
    let reasons = rows.texts(reason).await;
    rows.close().await;
    assert_eq!(reasons, ["not_needed: its code's tries are spent"]);
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    assert_eq!(session.delete_account(&code).await.status, 204);
    app.finish().await;
}

/// Who holds the challenge can still use the digits; the worker can't know, so that the mail carries both codes.
#[tokio::test]
async fn a_code_whose_shared_tries_are_spent_while_it_waits_is_mailed_with_the_long_one() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for person in [&ada, &bob] {
        app.faults()
            .add(Fault::reply(Stage::Rcpt, 451, "4.3.0 later").times(1));
        let challenge = app.client.registered(person).await;
        app.waiting(&person.email).await;
        for _ in 0..5 {
            app.client.verify(person, "guess!").await;
        }
        app.clock.advance(Duration::from_secs(10));
        let digits = app.newest_code(&person.email).await;
        let long = app.newest_long_code(&person.email).await.unwrap();

        assert_eq!(app.client.verify(person, &digits).await.status, 400);
        let verified = if person.name == "ada" {
            app.client.verify_with(person, &digits, &challenge).await
        } else {
            app.client.verify(person, &long).await
        };
        assert_eq!(verified.status, 200, "{}", person.name);
    }
    app.finish().await;
}

/// Nor is it spent while the holder of an earlier challenge may use its digits.
#[tokio::test]
async fn a_code_that_an_earlier_holder_may_use_is_mailed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let earlier = app.client.reset_challenge(&ada.email).await;
    app.advance(301).await;
    app.faults()
        .add(Fault::reply(Stage::Rcpt, 451, "4.3.0 later").times(1));
    let newer = app.client.reset_challenge(&ada.email).await;
    app.waiting(&ada.email).await;
    for _ in 0..5 {
        app.client.reset(&ada.email, "guess!", NEW).await;
        app.client
            .reset_with(&ada.email, "guess!", NEW, &newer)
            .await;
    }

    app.clock.advance(Duration::from_secs(10));
    let digits = app.newest_code(&ada.email).await;
    let reset = app.client.reset_with(&ada.email, &digits, NEW, &earlier);

    assert_eq!(reset.await.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 4, "one is the notice");
    app.finish().await;
}

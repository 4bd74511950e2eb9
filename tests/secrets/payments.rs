//! What payment services prove themselves with: taken, refused, and where no event can be.

use domain::clock::{Clock as _, SystemClock};

use super::search::{Secrets, found};
use crate::support::payments::{REVENUECAT_SECRET, STRIPE_SECRET, signature};
use crate::support::{Answer, Processes};

/// How often events are taken and refused in the following; the log tells as often.
pub const TAKEN: usize = 3;
pub const REFUSED: usize = 6;

const BODY: &str = r#"{"id":"evt_1","type":"ping","created":1,"event":{"id":"1","type":"TEST"}}"#;

/// Sends what each service would, and what it would not. No answer holds a secret; no file may.
pub async fn proofs(app: &Processes, secrets: &mut Secrets) {
    let wrong = [
        "whsec_another_example_for_tests",
        "another secret in a header",
    ];
    let known = [STRIPE_SECRET, REVENUECAT_SECRET].into_iter().chain(wrong);
    secrets.others.extend(known.map(str::to_owned));

    let mut answers = of_stripe(app, secrets, wrong[0]).await;
    answers.extend(of_revenuecat(app, wrong[1]).await);

    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(200), count(400)), (TAKEN, REFUSED), "{statuses:?}");
    for answer in answers {
        let text = format!("{:?} {}", answer.headers, answer.text());
        assert_eq!(found("answer.log", text.as_bytes(), secrets), [""; 0]);
    }
}

/// Signed rightly, wrongly, and by somebody who has taken the secret for the signature.
async fn of_stripe(app: &Processes, secrets: &mut Secrets, wrong: &str) -> Vec<Answer> {
    let now = SystemClock.now().as_second();
    let [right, forged] = [STRIPE_SECRET, wrong].map(|key| signature(key, now, BODY.as_bytes()));
    secrets.others.extend([right.clone(), forged.clone()]);
    let (right, forged) = (
        format!("t={now},v1={right}"),
        format!("t={now},v1={forged}"),
    );
    let mut answers = Vec::new();
    for header in [&right, &forged, STRIPE_SECRET, wrong] {
        answers.push(app.client().stripe_with(header, BODY).await);
    }
    let large = " ".repeat(300 * 1024);
    answers.push(app.client().stripe_with(&right, large).await);
    answers.push(elsewhere(app, "/api/webhooks/stripe/", "Stripe-Signature", &right).await);
    answers
}

/// Alone and as a bearer's, right and wrong.
async fn of_revenuecat(app: &Processes, wrong: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for header in [
        REVENUECAT_SECRET.to_owned(),
        format!("Bearer {REVENUECAT_SECRET}"),
        format!("Token {REVENUECAT_SECRET}"),
        format!("Bearer {wrong}"),
        wrong.to_owned(),
    ] {
        answers.push(app.client().revenuecat_with(&header, BODY).await);
    }
    let path = "/api/webhooks/revenuecat/";
    answers.push(elsewhere(app, path, "Authorization", REVENUECAT_SECRET).await);
    answers.push(elsewhere(app, "/api/notes/", "Authorization", REVENUECAT_SECRET).await);
    answers
}

/// A proof where no event can be.
async fn elsewhere(app: &Processes, path: &str, header: &str, proof: &str) -> Answer {
    let answer = app.client().with(header, proof).get(path).await;
    assert!([401, 405].contains(&answer.status), "{}", answer.shown());
    answer
}

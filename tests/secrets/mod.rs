//! After a full run with the real programs, no file that they wrote holds a secret.

mod payments;
mod search;
mod story;

use serde_json::Value;

use crate::support::payments::{REVENUECAT_SECRET, STRIPE_SECRET};
use crate::support::{Place, Processes};
use search::{Secrets, assert_clean, found};

/// The loudest: with the libraries that see a request's headers, which `trace` alone leaves out.
const LEVEL: &str =
    "trace,axum=trace,h2=trace,hyper=trace,hyper_util=trace,tower=trace,tower_http=trace";

/// Runs everything at the loudest level; returns what must not be found, and where it could be.
async fn run(format: &str) -> (Secrets, Place) {
    let app = Processes::with()
        .set("SMART_NOTES__LOG__LEVEL", LEVEL)
        .set("SMART_NOTES__PAYMENTS__STRIPE_SECRET", STRIPE_SECRET)
        .set(
            "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET",
            REVENUECAT_SECRET,
        )
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .set("SMART_NOTES__OTP__MAX_TRIES", "50")
        .set("SMART_NOTES__LOG__FORMAT", format)
        .start()
        .await;
    let secrets = story::full_run(&app).await;
    for mail in app.inbox().all() {
        let text = mail.text().unwrap().as_bytes();
        let in_mail = !found("a mail", text, &secrets).is_empty();
        assert_eq!(
            in_mail,
            mail.code().is_some(),
            "the search finds a code in a mail"
        );
    }
    // A backup, as SQLite writes one.
    let backup = app.place().path().join("backup.db");
    let mut rows = app.rows().await;
    rows.run(&format!("vacuum into '{}'", backup.display()))
        .await;
    rows.close().await;
    // While they run the newest rows stand in the -wal; after their end all stand in the file.
    assert_clean(
        app.place(),
        &secrets,
        &[
            "backup.db",
            "notes.db",
            "notes.db-wal",
            "notes.db-shm",
            "api0.log",
            "worker.log",
        ],
    );
    let place = app.finish().await;
    assert_clean(&place, &secrets, &["notes.db", "api0.log", "worker.log"]);
    (secrets, place)
}

/// OWASP ASVS 5.0 6.5.2, 16.2.5, 16.4.1.
#[tokio::test]
async fn no_file_holds_a_secret_and_no_line_of_text_is_forged() {
    let (_, place) = run("text").await;

    for name in ["api0.log", "worker.log"] {
        let log = std::fs::read_to_string(place.path().join(name)).unwrap();
        assert!(log.lines().all(|line| line.starts_with("20")), "{log}");
        assert!(
            log.contains("request.id=") && !log.contains("forged"),
            "{log}"
        );
    }
    let worker = std::fs::read_to_string(place.path().join("worker.log")).unwrap();
    assert!(worker.contains("a•••@example.com"), "{worker}");
    let api = std::fs::read_to_string(place.path().join("api0.log")).unwrap();
    let told = |line| api.matches(line).count();
    assert_eq!(told("payment event received"), payments::TAKEN);
    let refused = "refused an event without a valid signature";
    assert_eq!(told(refused), payments::REFUSED);
}

/// OWASP ASVS 5.0 6.5.2, 16.2.5, 16.4.1.
#[tokio::test]
async fn no_file_holds_a_secret_and_every_line_of_json_is_one_object() {
    let (_, place) = run("json").await;

    for name in ["api0.log", "worker.log"] {
        let log = std::fs::read_to_string(place.path().join(name)).unwrap();
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(lines.iter().all(Value::is_object) && !lines.is_empty());
    }
}

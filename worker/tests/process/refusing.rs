//! A database or a relay that the worker can't work with, told in words that say what to do.

use devmail::{Fault, Stage};
use domain::relay::RelayState;

use crate::harness::{Harness, process, until};

/// What a worker says that ends at once.
async fn said_at_its_end(harness: &Harness, database: &str) -> String {
    let worker = harness.spawn_with(&[("SMART_NOTES__DATABASE__URL", database)]);
    let status = worker.ended().await;
    assert_eq!(status.code(), Some(1));
    process::said(harness.path().parent().unwrap())
}

#[tokio::test]
async fn a_missing_database_is_told_with_the_command_that_makes_it() {
    let harness = Harness::in_real_time(&[]).await;
    let missing = harness.path().with_file_name("missing.db");

    let said = said_at_its_end(&harness, &format!("sqlite://{}", missing.display())).await;

    assert!(said.contains("there is no database at"), "{said}");
    assert!(said.contains("missing.db"), "{said}");
    assert!(said.contains("smart-notes migrate"), "{said}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn an_older_schema_is_told_with_the_command_that_mends_it() {
    let harness = Harness::in_real_time(&[]).await;
    let mut outside = harness.outside().await;
    sqlx::query("delete from _sqlx_migrations where version = 2")
        .execute(&mut outside)
        .await
        .unwrap();

    let said = said_at_its_end(&harness, &format!("sqlite://{}", harness.path().display())).await;

    assert!(said.contains("older than this program"), "{said}");
    assert!(said.contains("smart-notes migrate"), "{said}");
}

#[tokio::test]
async fn a_relay_that_refuses_us_is_one_error_in_the_log() {
    let harness = Harness::in_real_time(&[]).await;
    let refused = Fault::reply(Stage::Mail, 550, "5.7.1 Sender rejected");
    harness.catcher.faults().add(refused);
    let worker = harness.spawn_with(&[("SMART_NOTES__WORKER__CONCURRENCY", "1")]);
    for n in 0..3 {
        harness.register(&format!("ada{n}@example.com")).await;
    }

    until("the relay is left alone", async || {
        let posted = harness
            .database
            .store
            .reader()
            .await
            .unwrap()
            .posted_relays()
            .await
            .unwrap();
        posted
            .iter()
            .any(|posted| posted.status.state == RelayState::Open)
    })
    .await;
    assert!(worker.stop().await.success());

    let said = process::said(harness.path().parent().unwrap());
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" ERROR "))
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    for words in ["the relay refuses us", "5.7.1 Sender rejected"] {
        assert!(errors[0].contains(words), "{}", errors[0]);
    }
}

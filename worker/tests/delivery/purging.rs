//! A worker that runs purges rows past their retention, and nothing else.

use std::time::Duration;

use crate::harness::{Harness, until};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const DAY: Duration = Duration::from_hours(24);

async fn count(harness: &Harness, table: &'static str) -> i64 {
    let statement = match table {
        "registrations" => "select count(*) from registrations",
        "mails" => "select count(*) from mails",
        "audit" => "select count(*) from audit",
        other => panic!("no such table: {other}"),
    };
    sqlx::query_scalar(statement)
        .fetch_one(&mut harness.outside().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_worker_that_starts_removes_what_is_over_and_leaves_what_lives() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let old = harness.register(ADA).await;
    harness.reaches(old, "delivered").await;
    worker.stop().await;
    harness.advance(31 * DAY);
    let new = harness.register(BOB).await;

    let worker = harness.start().await;
    harness.reaches(new, "delivered").await;
    until("what is over has been removed", async || {
        (
            count(&harness, "registrations").await,
            count(&harness, "mails").await,
        ) == (1, 1)
    })
    .await;
    worker.stop().await;

    assert_eq!(harness.mails().await[0].id, new);
    assert_eq!(
        count(&harness, "audit").await,
        2,
        "the record is kept for longer"
    );
    harness.is_consistent().await;
}

/// How long mails and the record are kept is for the operator to say.
#[tokio::test]
async fn the_settings_say_how_long_mails_and_the_record_are_kept() {
    let harness = Harness::new().await;
    let worker = harness.start().await;
    let mail = harness.register(ADA).await;
    harness.reaches(mail, "delivered").await;
    worker.stop().await;
    harness.advance(2 * DAY + Duration::from_secs(1));

    let worker = harness
        .start_with(&[
            ("SMART_NOTES__WORKER__KEEP_MAILS_DAYS", "2"),
            ("SMART_NOTES__ACCOUNTS__KEEP_AUDIT_DAYS", "2"),
        ])
        .await;
    until("mail and record have been removed", async || {
        (
            count(&harness, "mails").await,
            count(&harness, "audit").await,
        ) == (0, 0)
    })
    .await;
    worker.stop().await;

    harness.is_consistent().await;
}

/// Several workers purge at once, a few rows at a time, and mail goes out meanwhile.
#[tokio::test]
async fn two_workers_purge_thousands_of_rows_while_mail_goes_out() {
    let harness = Harness::new().await;
    let rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
                insert into audit (at, event, request_id) select 0, 'limited', i from n";
    sqlx::query(rows)
        .execute(&mut harness.outside().await)
        .await
        .unwrap();
    let mail = harness.register(ADA).await;

    let workers = [harness.start().await, harness.start().await];
    harness.reaches(mail, "delivered").await;
    until("all of it has been removed", async || {
        count(&harness, "audit").await == 1
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }

    harness.is_consistent().await;
}

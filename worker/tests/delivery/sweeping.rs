//! A worker that runs sweeps what is over, and nothing else.

use std::time::Duration;

use crate::rig::{Rig, until};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const DAY: Duration = Duration::from_hours(24);

async fn count(rig: &Rig, table: &'static str) -> i64 {
    let statement = match table {
        "registrations" => "select count(*) from registrations",
        "mails" => "select count(*) from mails",
        "audit" => "select count(*) from audit",
        other => panic!("no such table: {other}"),
    };
    sqlx::query_scalar(statement)
        .fetch_one(&mut rig.outside().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_worker_that_starts_removes_what_is_over_and_leaves_what_lives() {
    let rig = Rig::new().await;
    let worker = rig.start().await;
    let old = rig.register(ADA).await;
    rig.reaches(old, "delivered").await;
    worker.stop().await;
    rig.advance(31 * DAY);
    let new = rig.register(BOB).await;

    let worker = rig.start().await;
    rig.reaches(new, "delivered").await;
    until("what is over has been removed", async || {
        (
            count(&rig, "registrations").await,
            count(&rig, "mails").await,
        ) == (1, 1)
    })
    .await;
    worker.stop().await;

    assert_eq!(rig.mails().await[0].id, new);
    assert_eq!(
        count(&rig, "audit").await,
        2,
        "the record is kept for longer"
    );
    rig.is_consistent().await;
}

/// How long mails and the record are kept is for the operator to say.
#[tokio::test]
async fn the_settings_say_how_long_mails_and_the_record_are_kept() {
    let rig = Rig::new().await;
    let worker = rig.start().await;
    let mail = rig.register(ADA).await;
    rig.reaches(mail, "delivered").await;
    worker.stop().await;
    rig.advance(2 * DAY + Duration::from_secs(1));

    let worker = rig
        .start_with(&[
            ("SMART_NOTES__WORKER__KEEP_MAILS_DAYS", "2"),
            ("SMART_NOTES__ACCOUNTS__KEEP_AUDIT_DAYS", "2"),
        ])
        .await;
    until("mail and record have been removed", async || {
        (count(&rig, "mails").await, count(&rig, "audit").await) == (0, 0)
    })
    .await;
    worker.stop().await;

    rig.is_consistent().await;
}

/// Several workers sweep at once, a few rows at a time, and mail goes out meanwhile.
#[tokio::test]
async fn two_workers_sweep_thousands_of_rows_while_mail_goes_out() {
    let rig = Rig::new().await;
    let rows = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
                insert into audit (at, event, request_id) select 0, 'limited', i from n";
    sqlx::query(rows)
        .execute(&mut rig.outside().await)
        .await
        .unwrap();
    let mail = rig.register(ADA).await;

    let workers = [rig.start().await, rig.start().await];
    rig.reaches(mail, "delivered").await;
    until("all of it has been removed", async || {
        count(&rig, "audit").await == 1
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }

    rig.is_consistent().await;
}

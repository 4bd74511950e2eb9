//! What the programs write of themselves into the database: which they are, and which keys they hold.

use domain::otp::KeyRing;

use crate::support::{Place, Process, Processes, until, worker};

const ROWS: &str = "select kind || ' ' || keys from processes order by kind, started_at";

/// The fingerprints that a place's programs write, as they stand in the row.
fn fingerprints(place: &Place) -> String {
    let keys = place.settings().secret_keys;
    let ids = KeyRing::new(&keys.current, &keys.fallbacks).ids();
    let quoted: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", quoted.join(","))
}

#[tokio::test]
async fn both_programs_write_their_keys_fingerprints_and_take_them_along_when_they_end() {
    let app = Processes::with()
        .set(
            "SECRET_KEY_FALLBACKS",
            "a former key for tests only and long enough",
        )
        .start()
        .await;
    let keys = fingerprints(app.place());
    let mut rows = app.rows().await;

    let found = until("both have written", async || {
        let found = rows.texts(ROWS).await;
        (found.len() == 2).then_some(found)
    })
    .await;
    rows.close().await;
    let place = app.finish().await;

    assert_eq!(keys.matches(',').count(), 1, "two keys: {keys}");
    assert_eq!(found, [format!("api {keys}"), format!("worker {keys}")]);
    let mut rows = crate::support::Rows::open(&place.database()).await;
    assert_eq!(rows.texts(ROWS).await, [""; 0]);
    rows.close().await;
}

#[tokio::test]
async fn a_killed_programs_row_stays_and_is_not_the_next_ones() {
    let mut app = Processes::start().await;
    let mut rows = app.rows().await;
    let workers = "select count(*) from processes where kind = 'worker'";
    until("the worker has written", async || {
        (rows.number(workers).await == 1).then_some(())
    })
    .await;

    app.worker.kill().await;
    app.worker = Process::start(worker(), "worker2", app.place());
    let both = until("the next worker has written", async || {
        (rows.number(workers).await == 2).then_some(())
    });
    both.await;
    rows.close().await;

    app.finish().await;
}

/// A restart while somebody holds the database must not fail for a row that nobody needs at once.
#[tokio::test]
async fn a_database_that_is_locked_at_the_start_keeps_no_program_from_starting() {
    let app = Processes::with()
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "100")
        .start()
        .await;
    let mut outside = app.rows().await;
    outside.run("begin immediate").await;

    let mut second = Process::start(worker(), "worker2", app.place());
    second.logged("the worker is running").await;
    outside.run("rollback").await;
    let workers = "select count(*) from processes where kind = 'worker'";
    until("it has written after all", async || {
        (outside.number(workers).await == 2).then_some(())
    })
    .await;

    outside.close().await;
    second.terminate();
    assert!(second.ended().await.success());
    app.finish().await;
}

/// Else every client behind it shares one client's limits, and nobody knows why.
#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_told_once_in_the_log_and_in_the_row() {
    let mut app = Processes::with()
        .set("SMART_NOTES__HTTP__TRUSTED_PROXIES", "192.0.2.1")
        .start()
        .await;
    let mut rows = app.rows().await;

    for _ in 0..2 {
        app.client().from("198.51.100.1").get("/api/nothing/").await;
    }
    let told = app.apis[0]
        .process
        .logged("is not among http.trusted_proxies")
        .await;
    let remark = until("the row says it, too", async || {
        let found = rows.texts("select remark from processes where remark is not null");
        found.await.pop()
    })
    .await;
    rows.close().await;

    assert!(
        told.contains("WARN") && told.contains("x-forwarded-for"),
        "{told}"
    );
    assert!(
        remark.starts_with("127.0.0.1 sends x-forwarded-for"),
        "{remark}"
    );
    app.finish().await;
}

//! `/health/`: whether the process lives, and whether it can work.

use insta::assert_snapshot;

use crate::support::{Person, Processes, TestApp};

#[tokio::test]
async fn a_running_process_lives_and_is_ready() {
    let app = TestApp::start().await;

    let live = app.client.get("/health/live").await;
    let ready = app.client.get("/health/ready").await;

    assert_snapshot!(live.shown(), @r#"200 {"status":"ok"}"#);
    assert_snapshot!(ready.shown(), @r#"200 {"status":"ok","database":"ok"}"#);
    app.finish().await;
}

/// The relay plays no part: the API answers whatever it does (OWASP ASVS 5.0 16.5.2).
#[tokio::test]
async fn a_process_is_ready_while_the_relay_is_down() {
    let app = TestApp::start().await;
    app.faults().refuse_connections().await.unwrap();

    let ready = app.client.get("/health/ready").await;

    assert_eq!(ready.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_process_whose_schema_went_away_lives_but_is_not_ready() {
    let app = TestApp::start().await;
    let mut rows = app.rows().await;
    rows.run("alter table _sqlx_migrations rename to gone")
        .await;

    let live = app.client.get("/health/live").await;
    let ready = app.client.get("/health/ready").await;

    assert_eq!(live.status, 200);
    assert_snapshot!(ready.shown(), @r#"503 {"error":"The service is busy. Nothing was changed. Please try again.","code":"busy"}"#);
    assert_eq!(ready.header("retry-after"), "1");
    rows.run("alter table gone rename to _sqlx_migrations")
        .await;
    rows.close().await;
    app.finish().await;
}

/// What is written to it would be lost.
#[tokio::test]
async fn a_process_whose_database_was_moved_away_or_replaced_is_not_ready_and_writes_nothing() {
    let mut app = Processes::start().await;
    let file = app.place().database();
    let elsewhere = file.with_extension("moved");
    let mut unready = Vec::new();
    let mut refused = Vec::new();

    std::fs::rename(&file, &elsewhere).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::write(&file, "another").unwrap();
        }
        unready.push(app.client().get("/health/ready").await);
        let ada = Person::new(&format!("ada{replaced}"));
        refused.push(app.client().register(&ada).await.status);
    }
    let told = app
        .worker
        .logged("the database file was moved: writes are refused")
        .await;
    std::fs::rename(&elsewhere, &file).unwrap();
    let ready = app.client().get("/health/ready").await;
    let taken = app.client().register(&Person::new("ada")).await;

    let [away, replaced] = unready.as_slice() else {
        panic!("two answers");
    };
    assert_eq!(away.shown(), replaced.shown());
    assert_eq!(away.header("retry-after"), "30");
    assert_snapshot!(away.shown(), @r#"503 {"error":"The database notes.db was moved away or replaced. Nothing is written until it is back, or the service has started again.","code":"database_moved"}"#);
    assert_eq!(refused, [503, 503]);
    assert!(told.contains(file.to_str().unwrap()), "{told}");
    assert_eq!((ready.status, taken.status), (200, 201));
    app.finish().await;
}

#[tokio::test]
async fn the_real_programs_live_and_are_ready() {
    let app = Processes::start().await;

    let live = app.client().get("/health/live").await;
    let ready = app.client().get("/health/ready").await;

    assert_eq!((live.status, ready.status), (200, 200));
    app.finish().await;
}

/// What readiness rests on is the database and its schema: never the relay.
#[tokio::test]
async fn the_real_api_is_ready_on_its_own_schema_alone_whatever_the_relay_does() {
    let app = Processes::start().await;
    app.faults().refuse_connections().await.unwrap();
    let mut rows = app.rows().await;
    let newest = "select max(version) from _sqlx_migrations";
    let newest = rows.number(newest).await;

    let without_relay = app.client().get("/health/ready").await;
    let missing = format!("update _sqlx_migrations set success = false where version = {newest}");
    rows.run(&missing).await;
    let older = app.client().get("/health/ready").await;
    let alive = app.client().get("/health/live").await;
    let applied = format!("update _sqlx_migrations set success = true where version = {newest}");
    rows.run(&applied).await;
    let again = app.client().get("/health/ready").await;

    assert_eq!((without_relay.status, older.status), (200, 503));
    assert_eq!((alive.status, again.status), (200, 200));
    rows.close().await;
    app.finish().await;
}

//! A backup as README says to make one: what was deleted before is not in it, and all else is.

use std::path::Path;

use serde_json::json;

use crate::support::{Api, NOTES, Person, Place, Process, Processes, until, worker};

/// How often a file holds a word.
fn found(file: &Path, word: &str) -> usize {
    let bytes = std::fs::read(file).unwrap_or_default();
    let hits = bytes.windows(word.len());
    hits.filter(|window| *window == word.as_bytes()).count()
}

/// The files of a database: its own, the write-ahead log, and what is shared of that.
fn files(place: &Place) -> [std::path::PathBuf; 3] {
    let database = place.database();
    ["db", "db-wal", "db-shm"].map(|suffix| database.with_extension(suffix))
}

async fn ended(process: &mut Process) {
    process.terminate();
    assert!(process.ended().await.success(), "{}", process.log());
}

#[tokio::test]
async fn a_text_that_was_deleted_is_absent_from_a_backup_and_all_else_is_restored_from_it() {
    let mut app = Processes::start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let token = app.client().token(&ada).await;
    let member = app.client().bearing(&token);
    let note = |word: &str| {
        let content = format!("about the {word}, ").repeat(2000);
        json!({"title": format!("{word}!"), "content": content, "tags": [word]})
    };
    let deleted = member.post(NOTES, &note("zebrafish")).await.field("id");
    let edited = member.post(NOTES, &note("quagga")).await.field("id");
    let files = files(app.place());
    let held = |word: &str| files.iter().map(|file| found(file, word)).sum::<usize>();
    assert!(held("zebrafish") > 0 && held("quagga") > 0);

    let path = format!("{NOTES}{deleted}/?permanent=true");
    assert_eq!(member.request("DELETE", &path).send().await.status, 204);
    let replace = member.request("PUT", &format!("{NOTES}{edited}/"));
    let replace = replace.header("Content-Type", "application/json");
    let replaced = replace.body(note("dodo").to_string()).send().await;
    assert_eq!(replaced.status, 200, "{}", replaced.shown());
    // It empties the write-ahead log when it starts, and every minute.
    ended(&mut app.worker).await;
    app.worker = Process::start(worker(), "worker2", app.place());
    until("the files hold neither", async || {
        (held("zebrafish") + held("quagga") == 0).then_some(())
    })
    .await;

    ended(&mut app.apis[0].process).await;
    ended(&mut app.worker).await;
    let backup = app.place().path().join("backup");
    std::fs::copy(&files[0], &backup).unwrap();
    let in_backup = ["zebrafish", "quagga"].map(|word| found(&backup, word));
    for file in files {
        let _ = std::fs::remove_file(file);
    }
    std::fs::copy(&backup, app.place().database()).unwrap();
    app.apis = vec![Api::start(app.place(), "api2").await];
    app.worker = Process::start(worker(), "worker3", app.place());
    app.worker.logged("the worker runs").await;
    let member = app.client().bearing(&token);
    let listed = member.get(NOTES).await.json();

    assert_eq!(in_backup, [0, 0]);
    assert_eq!(listed["results"][0]["content"], note("dodo")["content"]);
    assert_eq!(listed["count"], 1);
    app.finish().await;
}

//! A backup as docs/operations.md describes it: what was deleted before is not in it, and all else is; and a restore from it.

use std::path::Path;

use serde_json::{Value, json};

use crate::notes_sync::device::Device;
use crate::support::{
    Api, Client, NOTES, Person, Place, Process, Processes, fresh, until, uuid, worker,
};

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
    app.worker.logged("the worker is running").await;
    let member = app.client().bearing(&token);
    let listed = member.get(NOTES).await.json();

    assert_eq!(in_backup, [0, 0]);
    assert_eq!(listed["results"][0]["content"], note("dodo")["content"]);
    assert_eq!(listed["count"], 1);
    app.finish().await;
}

/// One user deletes the account, an operator the other; then programs are killed before and while the notes go.
#[tokio::test]
async fn notes_of_deleted_accounts_are_absent_from_a_backup_after_programs_were_killed() {
    let mut app = Processes::with().apis(2).start().await;
    let people = ["ada", "bob"].map(Person::new);
    let mut members = Vec::new();
    for (person, word) in people.iter().zip(["zebrafish", "quagga"]) {
        app.client().registered(person).await;
        let code = app.code(person, 1).await;
        app.client().verify(person, &code).await;
        let member = app.client().bearing(&app.client().token(person).await);
        let content = format!("about the {word}, ").repeat(2000);
        for n in 0..10 {
            let note = json!({"title": format!("{word} {n}"), "content": content, "tags": [word]});
            member.note(&note).await;
        }
        members.push(member);
    }
    members[0].request_deletion().await;
    let code = app.code(&people[0], 2).await;
    app.worker.kill().await;

    assert_eq!(members[0].delete_account(&code).await.status, 204);
    command(app.place(), &["users", "delete", "bob", "--yes"]).await;
    let mut rows = app.rows().await;
    let kept = rows.number("select count(*) from notes").await;
    rows.close().await;
    for member in members {
        let other_api = member.at(app.apis[1].client.address());
        assert_eq!(member.get(NOTES).await.status, 401);
        assert_eq!(other_api.get(NOTES).await.status, 401);
    }
    app.apis[0].process.kill().await;
    let mut killed = Process::start(worker(), "killed", app.place());
    killed.logged("the worker is running").await;
    killed.kill().await;
    app.apis[0] = Api::start(app.place(), "api again").await;
    app.worker = Process::start(worker(), "worker again", app.place());
    let files = files(app.place());
    let held = |word: &str| files.iter().map(|file| found(file, word)).sum::<usize>();
    until("the files hold neither", async || {
        (held("zebrafish") + held("quagga") == 0).then_some(())
    })
    .await;
    app.client().registered(&people[0]).await;

    assert_eq!(kept, 20, "they follow their users");
    let place = app.finish().await;
    let in_backup = ["zebrafish", "quagga"].map(|word| found(&place.database(), word));
    assert_eq!(in_backup, [0, 0]);
}

/// Runs a command of `smart-notes` on the database of that place to its end.
async fn command(place: &Place, arguments: &[&str]) -> String {
    let program = fresh("smart-notes", "smart-notes-cli");
    let variables = place.variables().iter().map(|(name, value)| (name, value));
    let command = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(place.path())
        .output();
    let output = command.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two devices of a user, with a note of each and one that both know.
async fn two_devices(app: &Processes) -> (Client, [Device; 2]) {
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let member = app.client().bearing(&app.client().token(&ada).await);
    let mut devices = ["the phone", "the laptop"].map(|name| Device::new(member.clone(), name));
    devices[0].edit(&uuid(1), Some(titled("shared")), false);
    for (n, device) in (2..).zip(&mut devices) {
        device.edit(&uuid(n), Some(titled(&format!("own {n}"))), false);
        device.push(false).await;
    }
    sync(&mut devices).await;
    (member, devices)
}

fn titled(title: &str) -> Value {
    json!({"title": title, "content": "", "tags": [], "is_pinned": false, "is_archived": false})
}

async fn sync(devices: &mut [Device; 2]) {
    for device in devices {
        device.push(false).await;
        device.pull(3).await;
    }
}

/// Stops both, copies the database, or puts a copy back as docs/operations.md describes, and starts both.
async fn stopped(app: &mut Processes, round: &str, then: impl AsyncFnOnce(&Place)) {
    ended(&mut app.apis[0].process).await;
    ended(&mut app.worker).await;
    then(app.place()).await;
    app.apis = vec![Api::start(app.place(), &format!("api {round}")).await];
    app.worker = Process::start(worker(), &format!("worker {round}"), app.place());
    app.worker.logged("the worker is running").await;
}

/// A server that is put back to a backup while two devices have gone on: with the last step of a restore, and without.
async fn both_devices_end_with_the_same_notes(after_restore: bool) {
    let mut app = Processes::start().await;
    let (member, mut devices) = two_devices(&app).await;
    let backup = app.place().path().join("backup");
    stopped(&mut app, "backed up", async |place: &Place| {
        std::fs::copy(place.database(), &backup).unwrap();
    })
    .await;
    let at = |app: &Processes, devices: &mut [Device; 2]| {
        let client = app.client().clone();
        for device in devices {
            device.client = device.client.at(client.address());
        }
    };
    at(&app, &mut devices);
    // The lost future: both edit the same note several times, one makes another note, and both hear of it.
    for n in 1..=4 {
        devices[n % 2].edit(&uuid(1), Some(titled(&format!("shared, {n}"))), false);
        sync(&mut devices).await;
    }
    devices[0].edit(&uuid(4), Some(titled("made since")), false);
    sync(&mut devices).await;
    sync(&mut devices).await;
    // Not sent yet when the server is put back.
    devices[0].edit(&uuid(1), Some(titled("of the phone")), false);
    devices[1].edit(&uuid(1), Some(titled("of the laptop")), false);
    devices[1].edit(&uuid(3), Some(titled("own 3, edited")), false);

    stopped(&mut app, "restored", async |place: &Place| {
        for file in files(place) {
            let _ = std::fs::remove_file(file);
        }
        std::fs::copy(&backup, place.database()).unwrap();
        if after_restore {
            command(place, &["after-restore"]).await;
        }
    })
    .await;
    at(&app, &mut devices);
    let member = member.at(app.client().address());
    let path = format!("{NOTES}{}/", uuid(1));
    if after_restore {
        // As many changes as were lost, before any device comes: the same numbers, if they were given again.
        for n in 1..=4 {
            member
                .send("PATCH", &path, &json!({"title": format!("since, {n}")}))
                .await;
        }
    }
    for _ in 0..3 {
        sync(&mut devices).await;
    }

    let doctor = command(app.place(), &["doctor"]).await;
    let mut titles = member.titles(NOTES).await;
    titles.sort();
    let kept = if after_restore { "since, 4" } else { "shared" };
    assert_eq!(
        titles,
        [
            "of the laptop (conflict)",
            "of the phone (conflict)",
            "own 2",
            "own 3, edited",
            kept
        ]
    );
    for device in &devices {
        let notes = device.notes();
        let mut known: Vec<_> = notes
            .values()
            .map(|note| note["title"].as_str().unwrap())
            .collect();
        known.sort_unstable();
        assert_eq!(known, titles);
    }
    let is_told = doctor.contains("as after a restore from a backup (users: 1;");
    assert_eq!(is_told, !after_restore, "{doctor}");
    app.finish().await;
}

#[tokio::test]
async fn after_a_restore_with_its_last_step_devices_end_with_the_same_notes_and_nothing_is_overwritten()
 {
    both_devices_end_with_the_same_notes(true).await;
}

#[tokio::test]
async fn after_a_restore_without_its_last_step_devices_that_come_end_with_the_same_notes_as_well() {
    both_devices_end_with_the_same_notes(false).await;
}

//! A clock that shows less than it has shown before.

use std::fs::File;
use std::time::{Duration, SystemTime};

use domain::processes::ProcessKind;
use jiff::Timestamp;

use super::place::{KEY, Place};

/// Half a minute more than is told, which the test may take.
const AHEAD: Duration = Duration::from_secs(90 * 60 + 30);

/// What limits, codes and sessions make of it: a worker sets it right.
#[tokio::test]
async fn rows_from_the_future_are_counted_by_kind() {
    let place = Place::new().await;
    place.register(Timestamp::now() + AHEAD).await;

    let said = place.doctor("").await;

    let line = said.about("rows dated in the future");
    assert!(
        line.contains("pending registrations (1), codes (1), mails (1)"),
        "{line}"
    );
    assert!(line.contains("a running worker"), "{line}");
}

#[tokio::test]
async fn files_heartbeats_and_mails_from_the_future_is_a_problem() {
    let (files, beats, mails) = (Place::new().await, Place::new().await, Place::new().await);
    let file = File::options()
        .write(true)
        .open(files.path("notes.db"))
        .unwrap();
    file.set_modified(SystemTime::now() + AHEAD).unwrap();
    drop(file);
    beats
        .announces(ProcessKind::Worker, &[KEY], Timestamp::now() + AHEAD)
        .await;
    mails.register(Timestamp::now() + AHEAD).await;

    for (place, words) in [
        (
            files,
            "the database's files were last changed 90 min in the future",
        ),
        (beats, "the last worker heartbeat was 90 min in the future"),
        (mails, "the newest mail was requested 90 min in the future"),
    ] {
        let said = place.doctor("").await;

        said.is_a_problem(words, "timedatectl set-ntp true");
    }
}

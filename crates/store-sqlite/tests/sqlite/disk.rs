//! A disk without room: nothing is half written, and the writer is as before once there is room.
//!
//! The room is a limit on the size of files, which a process may lower and raise for itself; so the
//! test runs itself again as a child, whose limit harms nobody else.

use std::process::{Command, Stdio};

use domain::mail::MailKind;
use domain::store::{Store, StoreError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::Database;
use store_conformance::support::at;
use store_conformance::support::mails::mail;
use store_conformance::support::units::unit;

/// Set for the child.
const CHILD: &str = "SMART_NOTES_TEST_FULL_DISK";

/// The child's part, by its name in this program.
const CHILDS_PART: &str = "sqlite::disk::in_a_child_a_full_disk_refuses_and_recovers";

/// A mail that takes some room.
async fn put_letter(store: &Store, to: &str) -> Result<(), StoreError> {
    let mut mail = mail(MailKind::AlreadyRegistered, to, at(0));
    mail.request_id = "x".repeat(4000);
    let put = unit(move |tx| {
        let mail = mail.clone();
        Box::pin(async move { tx.enqueue(&mail).await })
    });
    store.write(put).await
}

/// Lets no file grow beyond `bytes`; `None` is as much as there is room for.
fn limit_files(bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        maximum: getrlimit(Resource::Fsize).maximum,
    };
    setrlimit(Resource::Fsize, limit).unwrap();
}

#[test]
fn a_full_disk_rolls_back_cleanly_and_writes_go_on_when_there_is_room() {
    let program = std::env::current_exe().unwrap();

    // The signal that comes with the limit would end the process; ignoring it is inherited.
    let child = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(program)
        .args(["--exact", CHILDS_PART, "--ignored", "--nocapture"])
        .env(CHILD, "yes")
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&child.stdout).into_owned()
        + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "lowers a limit of its process; run by `a_full_disk_rolls_back_cleanly_and_writes_go_on_when_there_is_room`"]
async fn in_a_child_a_full_disk_refuses_and_recovers() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let database = Database::new().await;
    let store = database.store();
    put_letter(&store, "first@example.com").await.unwrap();

    limit_files(Some(256 * 1024));
    let mut kept = 1;
    let refused = loop {
        match put_letter(&store, "more@example.com").await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "the limit was never met");
    };
    let again = put_letter(&store, "more@example.com").await.unwrap_err();
    let read_only = (store.check().await, store.writable().await);
    limit_files(None);
    let writable_again = store.writable().await;
    let with_room = put_letter(&store, "room@example.com").await;

    for error in [refused, again] {
        assert!(
            matches!(error, StoreError::Full | StoreError::Backend(_)),
            "{error:?}"
        );
    }
    assert!(matches!(read_only, (Ok(()), Err(_))), "{read_only:?}");
    assert!(writable_again.is_ok(), "{writable_again:?}");
    assert!(with_room.is_ok(), "{with_room:?}");
    assert_eq!(
        database.number("select count(*) from mails").await,
        kept + 1
    );
    assert_eq!(database.number("select count(*) from Jobs").await, kept + 1);
    assert_eq!(database.text("pragma integrity_check").await, "ok");
}

//! A disk without room.
//!
//! Once the room is a limit on the size of files, set from outside to processes that run: no file of theirs may
//! grow. Writes fail then, but not with the word for a full disk. Once there is a file system that is full: a
//! small one in memory, in a namespace of the test's own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::world::{World, skipped};

/// Lets no file of a process grow beyond so many bytes. Returns the limit before.
fn limit_files(process: Pid, bytes: u64) -> Rlimit {
    let limit = Rlimit {
        current: Some(bytes),
        ..getrlimit(Resource::Fsize)
    };
    prlimit(Some(process), Resource::Fsize, limit).unwrap()
}

#[tokio::test]
async fn files_that_may_not_grow_cost_no_answer_and_all_goes_on_when_they_may() {
    let mut world = World::builder()
        .set("SMART_NOTES__LOG__LEVEL", "info") // logs are files too
        .start()
        .await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let log = world.place.database().with_extension("db-wal");
    let room = log.metadata().unwrap().len() + 64 * 1024;
    let processes = [world.api().pid(), world.worker().pid()];
    let before = processes.map(|process| limit_files(process, room));
    world.ledger.more(503, 6).await;
    for (process, limit) in processes.into_iter().zip(before) {
        prlimit(Some(process), Resource::Fsize, limit).unwrap();
    }

    world.ledger.more(201, 3).await;
    world.finish(load).await;
}

/// Where the small file system is; set for the test when it runs itself in there.
const SMALL: &str = "SMART_NOTES_FAULTS_SMALL_DISK";

const NAME: &str =
    "scenarios::disk::a_full_file_system_is_answered_507_and_all_goes_on_when_there_is_room";

#[tokio::test]
async fn a_full_file_system_is_answered_507_and_all_goes_on_when_there_is_room() {
    match std::env::var_os(SMALL) {
        Some(folder) => on_a_small_disk(folder.into()).await,
        None => in_a_namespace_of_its_own(),
    }
}

fn in_a_namespace_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command.env(SMALL, folder.path()).stdin(Stdio::null());
        command
    };
    // Room for the write-ahead log, which is 4 MiB long before it is written back.
    let mount = format!("mount -t tmpfs -o size=32m small \"${SMALL}\"");
    if !unshare(&mount)
        .status()
        .is_ok_and(|status| status.success())
    {
        return skipped("no file system can be mounted here, so none was full");
    }
    let output = unshare(&format!("{mount} && exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

async fn on_a_small_disk(folder: PathBuf) {
    let url = format!("sqlite://{}/notes.db", folder.display());
    let mut world = World::builder().set("DATABASE_URL", &url).start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let filler = folder.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    // Page by page, so that not even one is left.
    while file.write_all(&[0; 4096]).is_ok() {}
    world.ledger.more(507, 6).await;
    let unready = world.client().get("/health/ready").await;
    // Room for a few short writes.
    file.set_len(file.metadata().unwrap().len() - 1024 * 1024)
        .unwrap();
    world.ledger.more(201, 1).await;
    let nearly_full = world.client().get("/health/ready").await;
    drop(file);
    std::fs::remove_file(&filler).unwrap();

    world.ledger.more(201, 3).await;
    let ready = world.client().get("/health/ready").await;
    world.finish(load).await;

    for answer in [unready, nearly_full] {
        assert_eq!(answer.status, 503);
        assert_eq!(answer.field("code"), "disk_full");
        assert_eq!(answer.header("retry-after"), "30");
    }
    assert_eq!(ready.status, 200);
}

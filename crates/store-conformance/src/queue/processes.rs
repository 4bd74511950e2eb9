//! The registry of running processes.

use domain::processes::{Process, ProcessKind, RunningProcess};

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;
use crate::support::people::{keys, keys_of};

fn process(id: &str, kind: ProcessKind) -> Process {
    let mut known = keys().ids();
    known.extend(keys_of("a former key for tests only, long enough").ids());
    Process {
        id: id.to_owned(),
        kind,
        version: "1.2.3".to_owned(),
        keys: known,
        started: at(0),
        remark: Some("it has seen something".to_owned()),
    }
}

pub async fn a_process_is_there_with_its_keys_from_its_first_word_to_its_last<D: Backdoor>() {
    let database = D::new().await;
    let vitals = database.store();
    let (api, worker) = (
        process("api-1", ProcessKind::Api),
        process("worker-1", ProcessKind::Worker),
    );

    vitals.register(&api, at(1), at(-100)).await.unwrap();
    vitals.register(&worker, at(2), at(-100)).await.unwrap();
    vitals.register(&api, at(16), at(-100)).await.unwrap();
    let both = vitals.processes().await.unwrap();
    vitals.deregister("api-1").await.unwrap();
    let one = vitals.processes().await.unwrap();

    let present = |process: &Process, seen| RunningProcess {
        process: process.clone(),
        seen: at(seen),
    };
    assert_eq!(both, [present(&api, 16), present(&worker, 2)]);
    assert_eq!(one, [present(&worker, 2)]);
}

pub async fn one_that_was_killed_stays_until_it_is_forgotten<D: Backdoor>() {
    let database = D::new().await;
    let vitals = database.store();
    let killed = process("worker-1", ProcessKind::Worker);
    let next = process("worker-2", ProcessKind::Worker);
    vitals.register(&killed, at(10), at(0)).await.unwrap();

    vitals.register(&next, at(20), at(10)).await.unwrap();
    let before = vitals.processes().await.unwrap().len();
    vitals.register(&next, at(30), at(11)).await.unwrap();
    let after = vitals.processes().await.unwrap();

    assert_eq!(before, 2);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].process, next);
}

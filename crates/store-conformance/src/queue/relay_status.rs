//! The relay status of workers: posted, read by other processes, and removed with the worker.

use domain::relay::{PostedRelayStatus, RelayState, RelayStatus};

use crate::Backdoor;
use crate::support::at;
use crate::support::calls::Calls as _;

fn works(relay: &str) -> RelayStatus {
    RelayStatus {
        relay: relay.to_owned(),
        state: RelayState::Closed,
        since: at(0),
        reason: None,
        next_probe_at: None,
    }
}

fn out(relay: &str) -> RelayStatus {
    RelayStatus {
        state: RelayState::Open,
        since: at(5),
        reason: Some("connection refused".to_owned()),
        next_probe_at: Some(at(7)),
        ..works(relay)
    }
}

pub async fn the_last_word_of_each_worker_is_read_in_its_order<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    let both = [works("one:25"), works("two:25")];
    queue.post_relays("w1", &both, at(0)).await.unwrap();
    queue.post_relays("w2", &both[..1], at(1)).await.unwrap();

    let changed = [out("one:25"), works("two:25")];
    queue.post_relays("w1", &changed, at(6)).await.unwrap();

    let read = database
        .another_store()
        .await
        .posted_relays()
        .await
        .unwrap();
    let posted = |worker: &str, position, status, updated| PostedRelayStatus {
        worker: worker.to_owned(),
        position,
        status,
        updated,
    };
    assert_eq!(
        read,
        [
            posted("w1", 0, out("one:25"), at(6)),
            posted("w1", 1, works("two:25"), at(6)),
            posted("w2", 0, works("one:25"), at(1)),
        ]
    );
}

pub async fn a_worker_that_leaves_or_is_found_dead_takes_its_word_with_it<D: Backdoor>() {
    let database = D::new().await;
    let queue = database.store();
    for worker in ["left", "dead", "stays"] {
        queue.heartbeat(worker, at(0)).await.unwrap();
        let statuses = [out("one:25")];
        queue.post_relays(worker, &statuses, at(0)).await.unwrap();
    }

    queue.remove_worker("left").await.unwrap();
    queue.rescue(&["dead".to_owned()], at(20)).await.unwrap();

    let workers: Vec<_> = queue.posted_relays().await.unwrap();
    let workers: Vec<_> = workers.iter().map(|posted| &posted.worker).collect();
    assert_eq!(workers, ["stays"]);
}

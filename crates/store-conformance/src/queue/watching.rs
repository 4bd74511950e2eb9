//! The watch: a commit of another process wakes.

use futures_util::future::poll_immediate;
use tokio::time::timeout;

use crate::Backdoor;
use crate::support::mails::notice;
use crate::support::{TIMEOUT, at};

pub async fn a_commit_of_another_handle_wakes<D: Backdoor>() {
    let database = D::new().await;
    let other = database.another_store().await;
    let mut watch = other.watch().await.unwrap();
    let waiting = tokio::spawn(async move { watch.changed().await });

    notice(&database.store(), "ada@example.com", at(0)).await;

    timeout(TIMEOUT, waiting).await.unwrap().unwrap().unwrap();
}

pub async fn a_commit_between_two_calls_is_not_missed<D: Backdoor>() {
    let database = D::new().await;
    let other = database.another_store().await;
    let mut watch = other.watch().await.unwrap();

    for n in 0..5 {
        notice(&database.store(), &format!("ada{n}@example.com"), at(0)).await;
        timeout(TIMEOUT, watch.changed()).await.unwrap().unwrap();
    }
}

pub async fn a_cancelled_call_loses_nothing<D: Backdoor>() {
    let database = D::new().await;
    let other = database.another_store().await;
    let mut watch = other.watch().await.unwrap();
    for _ in 0..50 {
        // Dropped at its first pause, with its statement on the way.
        assert!(poll_immediate(watch.changed()).await.is_none());
    }

    notice(&database.store(), "ada@example.com", at(0)).await;

    timeout(TIMEOUT, watch.changed()).await.unwrap().unwrap();
}

pub async fn what_was_committed_before_the_watch_began_does_not_wake<D: Backdoor>() {
    let database = D::new().await;
    notice(&database.store(), "ada@example.com", at(0)).await;
    let mut watch = database.store().watch().await.unwrap();

    let woken = timeout(std::time::Duration::from_millis(200), watch.changed()).await;

    assert!(woken.is_err(), "nothing was committed since");
}

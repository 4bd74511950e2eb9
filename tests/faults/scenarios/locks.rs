//! Somebody outside has the database's lock, or a read transaction that does not end.

use crate::support::Rows;
use crate::world::World;

#[tokio::test]
async fn while_somebody_holds_the_lock_nothing_is_changed_and_clients_are_told_to_come_back() {
    let mut world = World::builder()
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "300")
        .set("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "5")
        .start()
        .await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let mut outside = Rows::open(&world.place.database()).await;
    outside.run("begin immediate").await;
    let before = outside.all().await;
    world.ledger.more(503, 6).await;
    assert_eq!(outside.all().await, before);
    outside.run("rollback").await;
    outside.close().await;

    world.ledger.more(201, 3).await;
    world.finish(load).await;
}

/// A reader that stays keeps the log from being written back; that must cost room and nothing else.
#[tokio::test]
#[ignore = "long tier"]
async fn a_reader_that_stays_holds_nobody_up() {
    let mut world = World::builder().start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let mut outside = Rows::open(&world.place.database()).await;
    outside.run("begin").await;
    let users = outside.number("select count(*) from users").await;
    world.ledger.more(201, 100).await;
    assert_eq!(outside.number("select count(*) from users").await, users);
    outside.run("rollback").await;
    outside.close().await;

    let evidence = world.finish(load).await;
    assert!(evidence.database.users.len() > usize::try_from(users).unwrap());
}

//! `kill -9` of the worker at the three points of a mail's way that differ: before MAIL, between the
//! final dot and the 250, and between the 250 and the acknowledgement. One mail is under way each time, so that the
//! signal that it has come so far is about that one.

use devmail::{Fault, Stage};

use crate::support::Rows;
use crate::world::{PATIENCE, World};

/// Kills the worker while somebody's mail hangs at a stage, and starts another. Returns how the mail's tries ended.
async fn killed_at(world: &mut World, name: &str, stage: Stage, fault: Fault) -> Vec<String> {
    world.catcher.faults().cut_connections().await.unwrap();
    world.catcher.faults().add(fault.times(1));
    let reached = world.catcher.stages().next(stage);
    let load = world.register([name.to_owned()]);
    tokio::time::timeout(PATIENCE, reached).await.unwrap();

    world.kill_worker().await;
    world.start_worker().await;
    world.through(load).await;
    world.newest_tries().await
}

#[tokio::test]
async fn a_worker_killed_at_each_stage_costs_no_mail_and_doubles_none_without_a_mark() {
    let mut world = World::builder().start().await;

    let before_mail = killed_at(&mut world, "ada", Stage::Hello, Fault::hang(Stage::Hello)).await;
    let unstored = killed_at(
        &mut world,
        "bob",
        Stage::EndOfData,
        Fault::hang(Stage::EndOfData),
    )
    .await;
    let stored = Fault::hang(Stage::EndOfData).storing();
    let stored = killed_at(&mut world, "cyd", Stage::Stored, stored).await;
    let answered = killed_before_the_acknowledgement(&mut world, "dan").await;
    let load = world.people(4, 10);
    let evidence = world.finish(load).await;

    assert_eq!(before_mail, ["worker_died", "delivered"]);
    for tries in [unstored, stored, answered] {
        assert_eq!(tries, ["uncertain", "delivered"]);
    }
    let taken = |name: &str| {
        let to = format!("{name}@example.com");
        evidence.kept.iter().filter(|kept| kept.to == to).count()
    };
    assert_eq!(["ada", "bob", "cyd", "dan"].map(taken), [1, 1, 2, 2]);
}

/// With the lock held elsewhere the acknowledgement can't be committed.
async fn killed_before_the_acknowledgement(world: &mut World, name: &str) -> Vec<String> {
    world
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = world.catcher.stages().next(Stage::EndOfData);
    let load = world.register([name.to_owned()]);
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    let mut outside = Rows::open(&world.place.database()).await;
    outside.run("begin immediate").await;
    let answered = world.catcher.stages().next(Stage::Answered);
    world.catcher.faults().release();
    tokio::time::timeout(PATIENCE, answered).await.unwrap();
    world.kill_worker().await;
    outside.run("rollback").await;
    outside.close().await;
    world.start_worker().await;
    world.through(load).await;
    world.newest_tries().await
}

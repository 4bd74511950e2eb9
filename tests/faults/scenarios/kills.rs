//! `kill -9`, again and again, at random points under load.

use devmail::Stage;

use crate::world::{PATIENCE, World};

const STAGES: [Stage; 9] = [
    Stage::Connect,
    Stage::Hello,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Body,
    Stage::EndOfData,
    Stage::Stored,
    Stage::Answered,
];

async fn the_api_is_killed(times: usize) {
    let mut world = World::builder().start().await;
    let load = world.load(6);

    for _ in 0..times {
        let moves = world.chance.usize(1..=12);
        world.ledger.moves_on(moves).await;
        world.kill_api().await;
        world.start_api().await;
    }
    let evidence = world.finish(load).await;

    let lost = evidence.requests.iter().filter(|one| one.answer.is_none());
    assert!(lost.count() > 0, "no request was under way at any kill");
}

async fn the_worker_is_killed(times: usize) {
    let mut world = World::builder().start().await;
    let load = world.load(6);

    for _ in 0..times {
        let stage = world.chance.choice(STAGES).unwrap();
        let passes = world.chance.u64(1..=6);
        let stages = world.catcher.stages();
        let nth = stages.count(stage) + passes;
        stages.wait(stage, nth, PATIENCE).await.unwrap();
        world.kill_worker().await;
        world.start_worker_soon();
    }
    let evidence = world.finish(load).await;

    let crashed = evidence
        .database
        .mails
        .iter()
        .filter(|mail| mail.crashes > 0);
    assert!(crashed.count() > 0, "no mail was in hand at any kill");
}

#[tokio::test]
async fn the_api_killed_twenty_times_forgets_nothing_that_it_answered() {
    the_api_is_killed(20).await;
}

#[tokio::test]
async fn the_worker_killed_twenty_times_loses_no_mail() {
    the_worker_is_killed(20).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn the_api_killed_two_hundred_times_forgets_nothing_that_it_answered() {
    the_api_is_killed(200).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn the_worker_killed_two_hundred_times_loses_no_mail() {
    the_worker_is_killed(200).await;
}

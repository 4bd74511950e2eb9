//! SIGSTOP past the lease with mails in hand, then SIGCONT: a worker that everybody has given up comes back.

use devmail::{Fault, Stage};
use rustix::process::Signal;

use crate::world::{PATIENCE, World};

/// So many mails hang at each of two stages: one before the mark, one after.
const HANGING: u32 = 3;

#[tokio::test]
async fn a_worker_frozen_past_its_lease_doubles_no_mail_without_a_mark() {
    let mut world = World::builder().start().await;
    let faults = world.catcher.faults();
    for stage in [Stage::Data, Stage::EndOfData] {
        faults.add(Fault::hang(stage).times(HANGING));
    }
    let stages = world.catcher.stages();
    let data = stages.count(Stage::Data) + u64::from(2 * HANGING);
    let dot = stages.count(Stage::EndOfData) + u64::from(HANGING);
    let load = world.load(4);
    let stages = world.catcher.stages();
    stages.wait(Stage::Data, data, PATIENCE).await.unwrap();
    stages.wait(Stage::EndOfData, dot, PATIENCE).await.unwrap();

    let frozen = world.worker().pid();
    world.worker().signal(Signal::STOP);
    world.start_worker().await;
    world.worker().logged("workers died").await;
    // What the relay says now waits for the frozen one until it wakes.
    world.catcher.faults().release();
    world.catcher.faults().clear();
    world.ledger.more(200, 5).await;
    rustix::process::kill_process(frozen, Signal::CONT).unwrap();
    let evidence = world.finish(load).await;

    for outcome in ["worker_died", "uncertain"] {
        let tries = evidence.database.tries.iter();
        let tries = tries.filter(|one| one.outcome == outcome).count();
        assert!(tries >= HANGING as usize, "{tries} × {outcome}");
    }
}

//! A relay that is away: mails wait, no try is counted, and they flow soon after it is back.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::support::Rows;
use crate::world::{PATIENCE, World};

/// From the relay's return to the first mail: 5 s are promised. Waited for three times as long, for the sake of
/// machines that have much else to do.
const FLOWS: Duration = Duration::from_secs(15);

/// The relay refuses connections, then takes them and says nothing, for as many of the worker's probes as asked.
async fn the_relay_is_away(probes: u64) {
    let mut world = World::builder().relay_only().start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let faults = world.catcher.faults();
    faults.refuse_connections().await.unwrap();
    faults.cut_connections().await.unwrap();
    world.worker().logged("the relay is out of order").await;
    world.ledger.more(201, 10).await;
    world.waiting_untried(10).await;
    let accepted = world.catcher.inbox().accepted();

    // Each probe is now something to wait for.
    let faults = world.catcher.faults();
    faults.add(Fault::cut(Stage::Connect));
    faults.accept_connections().await.unwrap();
    let before = tries_after(&world, 1).await;
    let after = tries_after(&world, probes).await;
    assert_eq!(before, after, "only probes go to a relay that is away");
    assert_eq!(world.catcher.inbox().accepted(), accepted);

    world.catcher.faults().clear();
    let flows = world.catcher.inbox().wait_total(accepted + 1, FLOWS).await;
    flows.unwrap();
    world.finish(load).await;
}

/// How often mails were tried, once the worker has knocked so many times more.
async fn tries_after(world: &World, probes: u64) -> i64 {
    let stages = world.catcher.stages();
    let nth = stages.count(Stage::Connect) + probes;
    stages.wait(Stage::Connect, nth, PATIENCE).await.unwrap();
    let mut rows = Rows::open(&world.place.database()).await;
    let tries = rows.number("select count(*) from mail_tries").await;
    rows.close().await;
    tries
}

#[tokio::test]
async fn a_relay_that_is_away_costs_no_try_and_mails_flow_when_it_is_back() {
    the_relay_is_away(2).await;
}

/// A minute: a probe every 2 s, one more or less.
#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_is_away_for_a_minute_costs_no_try_and_mails_flow_when_it_is_back() {
    the_relay_is_away(30).await;
}

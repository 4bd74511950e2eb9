//! A relay that is away: mails wait, no try is counted, and they flow soon after it is back.

use std::time::{Duration, Instant};

use devmail::{Fault, Stage};
use tokio::time::sleep_until;

use crate::support::Rows;
use crate::world::{PATIENCE, World, tell};

/// From the relay's return to the first mail: 5 s are promised. Waited for three times as long, for the sake of
/// machines that have much else to do.
const FLOWS: Duration = Duration::from_secs(15);

/// Takes the relay away while people register, until it is known to be away and nothing is on its way there.
async fn taken_away(world: &mut World) {
    let faults = world.catcher.faults();
    faults.refuse_connections().await.unwrap();
    faults.cut_connections().await.unwrap();
    world.worker().logged("the relay is out of order").await;
    world.ledger.more(201, 10).await;
    world.waiting_untried(10).await;
    world.none_sending().await;
}

async fn tries(world: &World) -> i64 {
    let mut rows = Rows::open(&world.place.database()).await;
    let tries = rows.number("select count(*) from mail_tries").await;
    rows.close().await;
    tries
}

/// How often the worker has to knock for the first mail after the relay's return: once to find it back, once with
/// the mail. One knock follows the other after 3 s at most, which `worker/src/smtp/breaker/tests.rs` holds, so that
/// the first mail comes within 5 s on a machine that has nothing else to do.
const KNOCKS: u64 = 2;

/// The relay comes back, and the first mail is there as soon as was promised.
async fn comes_back(world: &World) {
    let stages = world.catcher.stages();
    // So that no second mail knocks while the knocks are counted.
    world
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let (knocks, mails) = (stages.count(Stage::Connect), stages.count(Stage::EndOfData));
    let back = Instant::now();
    world.catcher.faults().accept_connections().await.unwrap();
    stages
        .wait(Stage::EndOfData, mails + 1, FLOWS)
        .await
        .unwrap();
    let knocks = stages.count(Stage::Connect) - knocks;
    tell(&format!(
        "the first mail came {:.1?} after the relay, at knock {knocks}",
        back.elapsed()
    ));
    world.catcher.faults().release();

    assert_eq!(knocks, KNOCKS);
}

#[tokio::test]
async fn a_relay_that_is_away_for_a_minute_costs_no_try_and_mails_flow_when_it_is_back() {
    let mut world = World::builder().relay_only().start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let away = Instant::now();
    taken_away(&mut world).await;
    load.stop();
    let before = tries(&world).await;
    sleep_until((away + Duration::from_mins(1)).into()).await;
    let late = world.register((0..3).map(|n| format!("late{n}")));
    world.waiting_untried(13).await;
    let after = tries(&world).await;

    assert_eq!(after, before, "only probes go to a relay that is away");
    comes_back(&world).await;
    world.through(late).await;
    world.finish(load).await;
}

/// Who waits for such a code asks for another; its mail is over without a try.
#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_is_away_for_longer_than_codes_live_costs_no_try_either() {
    let mut world = World::builder()
        .relay_only()
        .set("SMART_NOTES__OTP__TTL_SECONDS", "30")
        .start()
        .await;
    let early = (0..).map(|n| format!("early{n}"));
    let early = world.register(early).endless();

    taken_away(&mut world).await;
    early.stop();
    let before = tries(&world).await;
    world.drained().await;
    let expired = world.untried("expired").await;
    let after = tries(&world).await;
    let late = world.register((0..20).map(|n| format!("late{n}")));
    world.waiting_untried(20).await;

    assert!(expired >= 10, "{expired} mails expired without a try");
    assert_eq!(after, before, "only probes go to a relay that is away");
    comes_back(&world).await;
    world.through(late).await;
    world.finish(early).await;
}

/// Connections are taken and closed at once, for two of the worker's probes.
#[tokio::test]
async fn a_relay_that_hangs_up_on_everybody_costs_no_try() {
    let mut world = World::builder().relay_only().start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    world.catcher.faults().add(Fault::cut(Stage::Connect));
    world.catcher.faults().cut_connections().await.unwrap();
    world.worker().logged("the relay is out of order").await;
    world.ledger.more(201, 10).await;
    world.waiting_untried(10).await;
    world.none_sending().await;
    let (before, accepted) = (tries(&world).await, world.catcher.inbox().accepted());
    let stages = world.catcher.stages();
    let knocks = stages.count(Stage::Connect) + 2;
    stages.wait(Stage::Connect, knocks, PATIENCE).await.unwrap();
    let after = tries(&world).await;

    assert_eq!(after, before, "only probes go to a relay that is away");
    assert_eq!(world.catcher.inbox().accepted(), accepted);
    world.catcher.faults().clear();
    let flows = world.catcher.inbox().wait_total(accepted + 1, FLOWS).await;
    flows.unwrap();
    world.finish(load).await;
}

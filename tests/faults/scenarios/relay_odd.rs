//! Relays that are slow, silent, or speak no SMTP. All in the long tier: they are waited for.

use std::time::Duration;

use devmail::{Fault, Stage};

use crate::front::{Front, Manner};
use crate::world::World;

/// The relay takes on those manners until three more connections were treated so.
async fn odd(manner: Manner) {
    let (mut world, front) = Front::of(World::builder().relay_only()).await;

    let accepted = world.catcher.inbox().accepted();
    front.behave(manner);
    let load = world.load(4);
    world.worker().logged("the relay is out of order").await;
    world.ledger.more(201, 10).await;
    front.connections(3).await;
    assert_eq!(world.catcher.inbox().accepted(), accepted);
    front.behave(Manner::Good);

    world.finish(load).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_takes_connections_and_says_nothing_costs_no_mail() {
    odd(Manner::Silent).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_speaks_another_protocol_costs_no_mail() {
    odd(Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_breaks_off_in_its_greeting_costs_no_mail() {
    odd(Manner::Says(b"220 front.te")).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_greets_in_no_known_letters_costs_no_mail() {
    odd(Manner::Says(b"220 \xff\xfe\xc0\x80\r\n")).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_whose_greeting_never_ends_costs_no_mail() {
    odd(Manner::SaysForEver(b"220-and so on\r\n")).await;
}

/// Longer than the lease: who waits for a relay is alive and keeps its mail.
#[tokio::test]
#[ignore = "long tier"]
async fn a_relay_that_is_slow_doubles_no_mail() {
    let mut world = World::builder().relay_only().start().await;
    for stage in [
        Stage::Connect,
        Stage::Hello,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Body,
        Stage::EndOfData,
    ] {
        let slow = Fault::delay(stage, Duration::from_secs(6)).times(4);
        world.catcher.faults().add(slow);
    }

    let load = world.people(4, 20);
    let evidence = world.finish(load).await;

    assert!(evidence.database.mails.iter().all(|mail| mail.crashes == 0));
    let ids: std::collections::HashSet<_> = evidence.kept.iter().map(|one| &one.id).collect();
    assert_eq!(ids.len(), evidence.kept.len(), "some mail came twice");
}

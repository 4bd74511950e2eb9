//! A relay that refuses us: somebody must mend that, and until then mails wait, without a try and without a word in
//! the clear.

use crate::front::{Front, Manner};
use crate::world::World;

/// The relay takes on those manners for a while. Returns what it heard unprotected.
async fn refused(manner: Manner) -> Vec<String> {
    let (mut world, front) = Front::of(World::builder().relay_only()).await;

    let accepted = world.catcher.inbox().accepted();
    front.behave(manner);
    let load = world.register((0..6).map(|n| format!("ada{n}")));
    world.ledger.more(201, 6).await;
    world.worker().logged("the relay refuses us").await;
    front.connections(1).await; // a probe
    world.waiting_untried(6).await;
    assert_eq!(world.catcher.inbox().accepted(), accepted);

    front.behave(Manner::Good);
    world.through(load).await;
    let load = world.people(2, 2);
    world.finish(load).await;
    front.in_the_clear()
}

#[track_caller]
fn assert_nothing_given_away(in_the_clear: &[String]) {
    for command in in_the_clear {
        let harmless = ["EHLO", "STARTTLS", "QUIT"].contains(&command.split(' ').next().unwrap());
        assert!(harmless, "in the clear: {command}");
    }
}

#[tokio::test]
async fn a_relay_that_refuses_the_password_is_given_no_mail() {
    let in_the_clear = refused(Manner::WrongPassword).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_with_a_foreign_certificate_is_given_no_mail() {
    let in_the_clear = refused(Manner::ForeignCertificate).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_without_starttls_is_given_neither_a_password_nor_a_mail() {
    let in_the_clear = refused(Manner::Stripped).await;

    assert_nothing_given_away(&in_the_clear);
}

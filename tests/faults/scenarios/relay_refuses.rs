//! A relay that lets nobody in, for now or until somebody mends that: mails wait meanwhile, without a try and without
//! a word in the clear.

use crate::front::{Front, Manner};
use crate::world::World;

/// What the worker says of a relay that somebody must mend, and of one that may come to itself.
const REFUSES: &str = "the relay refuses us";
const SICK: &str = "the relay is out of order";

/// The relay takes on those manners for a while, and the worker says that of it. Returns what was heard unprotected.
async fn let_in_by_none(manner: Manner, said: &str) -> Vec<String> {
    let (mut world, front) = Front::of(World::builder().relay_only()).await;

    let accepted = world.catcher.inbox().accepted();
    front.behave(manner);
    let load = world.register((0..6).map(|n| format!("ada{n}")));
    world.ledger.more(201, 6).await;
    world.worker().logged(said).await;
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
    let refusal = "535 5.7.8 Username and password not accepted";
    let in_the_clear = let_in_by_none(Manner::Answers("AUTH", refusal), REFUSES).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_that_can_not_check_the_password_now_is_given_no_mail() {
    let later = "454 4.7.0 Temporary authentication failure";
    let in_the_clear = let_in_by_none(Manner::Answers("AUTH", later), SICK).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_with_a_foreign_certificate_is_given_no_mail() {
    let in_the_clear = let_in_by_none(Manner::ForeignCertificate, REFUSES).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_without_starttls_is_given_neither_a_password_nor_a_mail() {
    let in_the_clear = let_in_by_none(Manner::Stripped, REFUSES).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_that_refuses_starttls_is_given_neither_a_password_nor_a_mail() {
    let refusal = "502 5.5.1 Command not implemented";
    let in_the_clear = let_in_by_none(Manner::Answers("STARTTLS", refusal), REFUSES).await;

    assert_nothing_given_away(&in_the_clear);
}

#[tokio::test]
async fn a_relay_that_can_not_start_tls_now_is_given_neither_a_password_nor_a_mail() {
    let later = "454 4.3.0 TLS not available due to temporary reason";
    let in_the_clear = let_in_by_none(Manner::Answers("STARTTLS", later), SICK).await;

    assert_nothing_given_away(&in_the_clear);
}

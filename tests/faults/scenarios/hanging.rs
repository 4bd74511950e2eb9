//! A relay that hangs at some recipients: nobody else's mail waits for theirs, and theirs are not lost.

use devmail::{Fault, Stage};

use crate::world::{PATIENCE, World};

/// More than the worker has connections.
const HANGING: usize = 40;
const OTHERS: usize = 20;

/// Recipients of the domain of the others, which has answered lately: only their own addresses tell them apart.
fn hangs(n: usize) -> String {
    format!("hangs{n}@example.com")
}

async fn hanging_recipients(fault: impl Fn() -> Fault) {
    let mut world = World::builder().relay_only().start().await;
    for n in 0..HANGING {
        world.catcher.faults().add(fault().to(&hangs(n)));
    }
    let rcpts = world.catcher.stages().count(Stage::Rcpt);
    let accepted = world.catcher.inbox().accepted();
    let hanging = world.register((0..HANGING).map(|n| format!("hangs{n}")));
    world.ledger.more(201, HANGING).await;
    let hang = world
        .catcher
        .stages()
        .wait(Stage::Rcpt, rcpts + 8, PATIENCE);
    hang.await.unwrap();

    let others = world.register((0..OTHERS).map(|n| format!("other{n}")));
    let inbox = world.catcher.inbox();
    let came = inbox.wait_total(accepted + OTHERS as u64, PATIENCE).await;
    let states = world.operator(&["jobs", "stats", "--json"]).await;
    world.catcher.faults().clear();
    world.catcher.faults().release();
    world.through(hanging).await;
    let evidence = world.finish(others).await;

    came.unwrap();
    assert!(
        !states.to_string().contains(r#""state":"open""#),
        "{states}"
    );
    for n in 0..HANGING {
        let copies = evidence.kept.iter().filter(|kept| kept.to == hangs(n));
        assert_eq!(copies.count(), 1, "{}", hangs(n));
    }
}

#[tokio::test]
async fn recipients_at_which_the_relay_hangs_hold_up_nobody_else_and_get_their_mail_in_the_end() {
    hanging_recipients(|| Fault::hang(Stage::Rcpt)).await;
}

#[tokio::test]
async fn recipients_at_which_the_relay_breaks_off_hold_up_nobody_else_and_get_their_mail_in_the_end()
 {
    hanging_recipients(|| Fault::reply(Stage::Rcpt, 421, "4.3.2 Busy")).await;
}

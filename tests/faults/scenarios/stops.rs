//! SIGTERM: exit 0 within 30 s, and every request in hand answered.

use devmail::{Fault, Stage};
use futures_util::future::join_all;
use jiff::Timestamp;

use crate::ledger::{Answered, Step};
use crate::support::{Person, Raw};
use crate::world::{PATIENCE, World, ended};

/// A registration whose handler already waits for the body.
struct InHand {
    person: Person,
    request: Raw,
    sent: Timestamp,
}

impl InHand {
    async fn new(world: &World, name: String) -> Self {
        let person = Person::new(&name);
        let mut request = Raw::connect(world.client().address()).await;
        let length = person.form().to_string().len();
        request
            .write(format!(
                "POST /api/auth/register/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
            ))
            .await;
        let sent = world.ledger.sent();
        request.until("100 Continue").await;
        Self {
            person,
            request,
            sent,
        }
    }

    async fn send_body(&mut self) {
        self.request.write(self.person.form().to_string()).await;
    }

    /// Reads the answer and puts it into the ledger.
    async fn answered(mut self, world: &World) {
        let answer = self.request.rest().await;
        let head = answer.rsplit("HTTP/1.1 ").next().unwrap();
        let field = |name: &str| {
            let mut lines = head.lines();
            let line = lines.find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        assert!(head.starts_with("201 "), "{answer}");
        let answer = Answered {
            status: 201,
            request_id: field("x-request-id: "),
            retry_after: String::new(),
        };
        let email = &self.person.email;
        world
            .ledger
            .over(Step::Register, email, self.sent, Some(answer));
    }
}

/// Half of the requests in hand are being hashed and written when the signal comes, the others still read.
#[tokio::test]
async fn sigterm_under_load_answers_every_request_in_hand() {
    let mut world = World::builder().start().await;
    let load = world.load(4);

    for round in 0..3 {
        world.ledger.moves_on(10).await;
        let in_hand = (0..6).map(|n| InHand::new(&world, format!("inhand{round}x{n}")));
        let mut in_hand = join_all(in_hand).await;
        for one in &mut in_hand[..3] {
            one.send_body().await;
        }
        let mut api = world.terminate_api();
        api.logged("stopping").await;
        for one in &mut in_hand[3..] {
            one.send_body().await;
        }
        for one in in_hand {
            one.answered(&world).await;
        }
        ended(api).await;
        world.start_api().await;
        ended(world.terminate_worker()).await;
        world.start_worker().await;
    }

    world.finish(load).await;
}

#[tokio::test]
async fn sigterm_while_the_relay_hangs_at_a_dot_ends_the_worker_in_time() {
    let mut world = World::builder().start().await;
    world
        .catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let at_dot = world.catcher.stages().next(Stage::EndOfData);
    let load = world.register(["ada".to_owned()]);
    tokio::time::timeout(PATIENCE, at_dot).await.unwrap();

    ended(world.terminate_worker()).await;
    let tries = world.newest_tries().await;
    world.start_worker().await;
    let evidence = world.finish(load).await;

    assert_eq!(tries, ["uncertain"], "the only try, on record");
    let taken = evidence
        .kept
        .iter()
        .filter(|kept| kept.to == "ada@example.com");
    assert_eq!(taken.count(), 1, "the hanging one was never stored");
}

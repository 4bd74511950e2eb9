//! More connections than a process can have, and clients that hold theirs without asking for anything.
//! All in the long tier.

use futures_util::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::support::Raw;
use crate::vitals::Vitals;
use crate::world::{PATIENCE, World, skipped, tell};

/// Leaves a process so many file descriptors beyond those it has. Returns the limit before.
fn limit_descriptors(process: Pid, more: usize) -> Rlimit {
    let limit = Rlimit {
        current: Some((Vitals::of(process).descriptors + more) as u64),
        ..getrlimit(Resource::Nofile)
    };
    prlimit(Some(process), Resource::Nofile, limit).unwrap()
}

#[tokio::test]
#[ignore = "long tier"]
async fn an_api_without_file_descriptors_answers_again_when_it_has_some() {
    let mut world = World::builder().start().await;
    let load = world.load(4);
    world.ledger.more(201, 3).await;

    let before = limit_descriptors(world.api().pid(), 2);
    let address = world.client().address();
    let held = join_all((0..20).map(|_| Raw::connect(address))).await;
    world.api_says("could not accept a connection").await;
    prlimit(Some(world.api().pid()), Resource::Nofile, before).unwrap();
    drop(held);

    world.ledger.more(201, 3).await;
    world.finish(load).await;
}

#[tokio::test]
#[ignore = "long tier"]
async fn a_worker_without_file_descriptors_delivers_again_when_it_has_some() {
    let mut world = World::builder().relay_only().start().await;
    world.catcher.faults().cut_connections().await.unwrap();
    let before = limit_descriptors(world.worker().pid(), 0);
    let load = world.load(4);

    world.worker().logged("Too many open files").await;
    let worker = world.worker().pid();
    prlimit(Some(worker), Resource::Nofile, before).unwrap();

    let accepted = world.catcher.inbox().accepted();
    let inbox = world.catcher.inbox();
    inbox.wait_total(accepted + 5, PATIENCE).await.unwrap();
    world.finish(load).await;
}

/// As many connections as the API holds.
const CROWD: usize = 10_000;

/// What each of a crowd does before it does nothing more.
#[derive(Clone, Copy, Debug)]
enum Idle {
    /// Nothing.
    Silent,
    /// Begins a request and never ends its headers.
    Slow,
    /// Is answered once.
    Answered,
}

/// And who says nothing costs next to nothing: hyper's buffers, which take 16 KiB, come with the first byte.
#[tokio::test]
#[ignore = "long tier"]
async fn ten_thousand_idle_connections_keep_nobody_out_and_leave_nothing_behind() {
    let room = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: room.maximum,
        ..room
    };
    if room.maximum.is_some_and(|most| most < CROWD as u64 + 500) {
        return skipped("too few file descriptors for ten thousand connections");
    }
    setrlimit(Resource::Nofile, raised).unwrap();
    let mut world = World::builder().start().await;
    let load = world.load(2);

    let before = Vitals::of(world.api().pid()).memory;
    let mut held = Vec::new();
    for idle in [Idle::Silent, Idle::Slow, Idle::Answered] {
        let crowd = crowd(&world, idle).await;
        held.push(Vitals::of(world.api().pid()).memory.saturating_sub(before));
        tell(&format!(
            "{CROWD} connections, {idle:?}: {} KiB",
            held.last().unwrap()
        ));
        world.ledger.more(201, 5).await;
        drop(crowd);
    }
    world.finish(load).await;

    assert!(held[0] < 4 * CROWD as u64, "{} KiB for silence", held[0]);
}

/// Holds as many connections as the API does.
async fn crowd(world: &World, idle: Idle) -> Vec<Raw> {
    let address = world.client().address();
    let mut held = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        let mut connection = Raw::connect(address).await;
        match idle {
            Idle::Silent => {}
            Idle::Slow => {
                let begun = "POST /api/auth/login/ HTTP/1.1\r\nX-Slow: ";
                connection.write(begun).await;
            }
            Idle::Answered => {
                let request = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
                connection.write(request).await;
                connection.until("\r\n\r\n").await;
            }
        }
        held.push(connection);
    }
    held
}

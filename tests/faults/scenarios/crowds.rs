//! More connections than a process can have, and clients that hold theirs without asking for anything.
//! All in the long tier.

use futures_util::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::support::Raw;
use crate::vitals::Vitals;
use crate::world::{PATIENCE, World, skipped};

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
    world.api_says("a connection could not be accepted").await;
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

/// So many connections that say nothing, and so many that never end their headers: as many as the API holds.
const SILENT: usize = 9_000;
const SLOW: usize = 1_000;

/// The crowd comes twice, and what it leaves behind is looked at after the second time: the first costs the API
/// some 11 KiB of memory a connection, which the system's allocator keeps for the next.
#[tokio::test]
#[ignore = "long tier"]
async fn ten_thousand_idle_connections_keep_nobody_out() {
    let room = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: room.maximum,
        ..room
    };
    if room
        .maximum
        .is_some_and(|most| most < (SILENT + SLOW + 500) as u64)
    {
        return skipped("too few file descriptors for ten thousand connections");
    }
    setrlimit(Resource::Nofile, raised).unwrap();
    let mut world = World::builder().start().await;
    let load = world.load(2);

    a_crowd_comes(&world).await;
    world.look_at_vitals().await;
    a_crowd_comes(&world).await;

    world.finish(load).await;
}

/// Holds as many connections as the API does, while people are served, and lets them go.
async fn a_crowd_comes(world: &World) {
    let address = world.client().address();
    let mut held = Vec::with_capacity(SILENT + SLOW);
    for n in 0..SILENT + SLOW {
        let mut connection = Raw::connect(address).await;
        if n >= SILENT {
            connection
                .write("POST /api/auth/login/ HTTP/1.1\r\nX-Slow: ")
                .await;
        }
        held.push(connection);
    }
    world.ledger.more(201, 5).await;
}

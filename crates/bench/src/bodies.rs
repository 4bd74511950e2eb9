//! How much memory the API takes while strangers send long requests slowly or read no answers, and how soon a user is
//! answered meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::password::{HashCost, Hasher, Password};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use super::greedy;
use crate::drain::most_memory;
use crate::harness::{Harness, PASSWORD};
use crate::http::Client;
use crate::latency::{self, Probe};

/// The arguments of `bodies`.
#[derive(clap::Args)]
pub struct Args {
    /// How many connections send at once
    #[arg(long, default_value_t = 2000)]
    connections: u32,
    /// For how long, in seconds, with each kind of request
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only the kinds whose names contain this
    #[arg(long, default_value = "")]
    only: String,
}

/// Bytes of a body.
const BODY: usize = 2 * 1024 * 1024;

/// Bytes of a head that does not end.
const HEAD: usize = 64 * 1024;

/// Bytes that a connection sends at once, and the pause after them.
const PIECE: usize = 8 * 1024;
const PAUSE: Duration = Duration::from_millis(50);

/// How long a connection waits that reads nothing: after about as long the API closes it.
const UNREAD: Duration = Duration::from_secs(10);

/// Bytes of an answer that a client's system takes unread.
const RECEIVE_BUFFER: u32 = 4096;

/// What each connection sends: a beginning, and so many bytes more.
struct Kind {
    name: &'static str,
    begins: &'static str,
    more: usize,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "no route",
        begins: "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n",
        more: BODY,
    },
    Kind {
        name: "no token",
        begins: "POST /api/notes/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n",
        more: BODY,
    },
    Kind {
        name: "no length",
        begins: "POST /api/notes/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n",
        more: BODY,
    },
    Kind {
        name: "no end of the head",
        begins: "GET /api/notes/ HTTP/1.1\r\nHost: x\r\nX: ",
        more: HEAD,
    },
    Kind {
        name: "no reading",
        begins: "GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
        more: 0,
    },
];

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let connections = usize::try_from(args.connections).unwrap_or(usize::MAX);
    runtime::rlimit::raise(connections);
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    println!("{connections} connections:");
    for kind in KINDS.iter().filter(|kind| kind.name.contains(&args.only)) {
        let harness = Harness::new().await?;
        let api = harness.start_api().await?;
        let token = harness.logged_in(&api, &hash).await?;
        let end = Instant::now() + Duration::from_secs(args.seconds);
        let mut strangers = JoinSet::new();
        for _ in 0..connections {
            strangers.spawn(strange(api.address, kind, end));
        }
        let mut probes = [Probe::me(token)];
        latency::until(end, &Client::new(api.address), &mut probes).await?;
        strangers.join_all().await;
        let memory = most_memory(api.process.id().context("the API has ended")?)?;
        println!("  {:<20} the API's memory {memory} at most", kind.name);
        println!("  {}", probes[0].line());
    }
    Ok(())
}

/// Sends one request after the other, whatever is answered.
async fn strange(address: SocketAddr, kind: &Kind, end: Instant) {
    let piece = [b'x'; PIECE];
    while Instant::now() < end {
        let sending = async {
            let mut stream = greedy::connect(address, RECEIVE_BUFFER).await?;
            stream.write_all(kind.begins.as_bytes()).await?;
            for _ in 0..kind.more / PIECE {
                stream.write_all(&piece).await?;
                sleep(PAUSE).await;
            }
            if kind.more < BODY {
                sleep(UNREAD).await;
            }
            Ok::<_, std::io::Error>(())
        };
        if !matches!(timeout_at(end.into(), sending).await, Ok(Ok(()))) {
            sleep(PAUSE).await;
        }
    }
}

//! How much memory the API takes while strangers send long bodies slowly, and how soon a user is answered meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::password::{HashCost, Hasher, Password};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use super::drain::most_memory;
use super::http::Client;
use super::probe::{self, Probe};
use super::rig::{PASSWORD, Rig};

/// What `bench bodies` is told.
#[derive(clap::Args)]
pub struct Args {
    /// How many connections send at once
    #[arg(long, default_value_t = 2000)]
    connections: u32,
    /// For how long, in seconds, with each kind of body
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Bytes of a body.
const LENGTH: usize = 2 * 1024 * 1024;

/// Bytes that a connection sends at once, and the pause after them.
const PIECE: usize = 8 * 1024;
const PAUSE: Duration = Duration::from_millis(50);

/// The kinds of bodies, each with its head.
const KINDS: [(&str, &str); 3] = [
    (
        "no route",
        "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n",
    ),
    (
        "no token",
        "POST /api/notes/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n",
    ),
    (
        "no length",
        "POST /api/notes/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n",
    ),
];

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let connections = usize::try_from(args.connections).unwrap_or(usize::MAX);
    runtime::descriptors::raise_limit(connections);
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    say!("{connections} connections, each with a body of up to 2 MiB:");
    for (name, head) in KINDS {
        let rig = Rig::new().await?;
        let api = rig.start_api().await?;
        let token = rig.logged_in(&api, &hash).await?;
        let end = Instant::now() + Duration::from_secs(args.seconds);
        let mut strangers = JoinSet::new();
        for _ in 0..connections {
            strangers.spawn(strange(api.address, head, end));
        }
        let mut probes = [Probe::me(token)];
        probe::until(end, &Client::new(api.address), &mut probes).await?;
        strangers.join_all().await;
        let memory = most_memory(api.process.id().context("the API has ended")?)?;
        say!("  {name:<14} the API's memory {memory} at most");
        say!("  {}", probes[0].line());
    }
    Ok(())
}

/// Sends one body after the other, whatever is answered.
async fn strange(address: SocketAddr, head: &'static str, end: Instant) {
    let piece = [b'x'; PIECE];
    while Instant::now() < end {
        let sending = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..LENGTH / PIECE {
                stream.write_all(&piece).await?;
                sleep(PAUSE).await;
            }
            Ok::<_, std::io::Error>(())
        };
        if !matches!(timeout_at(end.into(), sending).await, Ok(Ok(()))) {
            sleep(PAUSE).await;
        }
    }
}

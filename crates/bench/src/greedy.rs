//! What another user waits while one account, several of them, or one client without any, takes what it can get; and
//! what memory the API needs for it.
//!
//! The limits are in force, and everybody shares one network address. The other user asks for its profile, one request
//! after the other. Between two of them, `health/live` tells what part of the time is the machine's: it asks no database.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::password::{HashCost, Hasher, Password};
use hyper::body::Bytes;
use runtime::rlimit;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::harness::{Api, Harness, PASSWORD, log_in_as};
use crate::http::Client;
use crate::isolation::{self, State};
use crate::latency::{self, Probe};

/// The arguments of `greedy`.
#[derive(clap::Args)]
pub struct Args {
    /// How long each attack is, in seconds
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Only attacks whose names contain this
    #[arg(long, default_value = "")]
    only: String,
}

/// The note of which a greedy account has as many as the free plan allows: 600 KB as JSON.
const NOTES: usize = 20;

/// Connections that send bodies without a token.
const CROWD: usize = 2_000;

/// Connections that do not read their answers.
const UNREAD: usize = 256;

/// How long an attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Accounts whose trash is full of long notes.
const FULL: usize = 8;

/// Requests that are sent again and again, over as many connections at once, each over the same ones.
#[derive(Clone)]
struct Attack {
    name: &'static str,
    connections: usize,
    requests: Vec<Bytes>,
    then: Then,
}

/// What becomes of a connection that has sent its request.
#[derive(Clone, Copy)]
enum Then {
    /// It is closed at once, and the next follows so much later.
    HangUp(Duration),
    /// It reads the answer to its end.
    Read,
    /// It stays as it is.
    Stay,
    /// It reads a little of the answer now and then, so that it is not taken for dead.
    Sip,
}

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    rlimit::raise(CROWD);
    let harness = Harness::limited().await?;
    let api = harness.start_api().await?;
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    let client = Client::new(api.address);
    for name in ["greedy", "other"] {
        harness.user(name, &hash).await?;
    }
    let greedy = log_in_as(&client, "greedy").await?;
    let other = log_in_as(&client, "other").await?;
    let note = fill(&client, &greedy).await?;
    let mut full = Vec::new();
    for n in 0..FULL {
        let name = format!("full{n}");
        let user = harness.user(&name, &hash).await?;
        isolation::fill_with_long(&harness, user, State::Trashed).await?;
        full.push(log_in_as(&client, &name).await?);
    }
    println!("another user's profile meanwhile, and the most memory of the API:");
    for attack in [&attacks(&greedy, &note)[..], &by_several(&full)].concat() {
        if attack.name.contains(&args.only) {
            measure(&attack, &api, &other, Duration::from_secs(args.seconds)).await?;
        }
    }
    Ok(())
}

/// Gives the account its notes; the `id` of one.
async fn fill(client: &Client, token: &str) -> anyhow::Result<String> {
    let note = json!({"title": "Long", "content": "\u{1}".repeat(100_000)});
    let mut id = String::new();
    for _ in 0..NOTES {
        let (status, answer) = client.post_as(token, "/api/notes/", &note).await?;
        anyhow::ensure!(status == 201, "a note was answered {status}");
        answer["id"]
            .as_str()
            .context("a note without an id")?
            .clone_into(&mut id);
    }
    Ok(id)
}

fn attacks(token: &str, note: &str) -> [Attack; 11] {
    let stale = json!({"op": "delete", "id": note, "base_version": 0});
    let batch = json!({"edits": vec![stale; 100]}).to_string();
    let nested = format!(r#"{{"title":{}"#, "[".repeat(2 * 1024 * 1024 - 64));
    let list = get("/api/notes/?page_size=20", token);
    let hang_up = |name, request: &Bytes, a_second| Attack {
        name,
        connections: 1,
        requests: vec![request.clone()],
        then: Then::HangUp(Duration::from_secs(1) / a_second),
    };
    let read = |name, connections, request| Attack {
        name,
        connections,
        requests: vec![request],
        then: Then::Read,
    };
    [
        read("nothing", 0, Bytes::new()),
        hang_up("lists, hung up, 15 a second", &list, 15),
        hang_up("lists, hung up, 200 a second", &list, 200),
        read("lists, read, 32 at once", 32, list.clone()),
        read(
            "batches of stale deletes, 8",
            8,
            post("/api/notes/batch/", token, &batch),
        ),
        Attack {
            name: "answers not read, batches",
            connections: UNREAD,
            requests: vec![post("/api/notes/batch/", token, &batch)],
            then: Then::Sip,
        },
        Attack {
            name: "answers not read, lists",
            connections: UNREAD,
            requests: vec![list.clone()],
            then: Then::Sip,
        },
        read("exports, 8 at once", 8, get("/api/auth/export/", token)),
        read(
            "searches, 32 at once",
            32,
            get("/api/notes/?search=a+b+c+d+e&ordering=title", token),
        ),
        read(
            "nested JSON of 2 MiB, 4",
            4,
            post("/api/notes/", token, &nested),
        ),
        Attack {
            name: "bodies without a token, 2000",
            connections: CROWD,
            requests: vec![unfinished()],
            then: Then::Stay,
        },
    ]
}

/// Attacks by accounts whose trash is full.
fn by_several(tokens: &[String]) -> [Attack; 4] {
    let read = |name, accounts, connections, path| {
        let of = |token: &String| get(path, token);
        Attack {
            name,
            connections,
            requests: tokens.iter().take(accounts).map(of).collect(),
            then: Then::Read,
        }
    };
    let trash = "/api/notes/?trashed=true&page_size=100";
    let search = "/api/notes/?trashed=true&search=milk+yellow+nowhere";
    [
        read("trashed lists, 2 accounts, 16", 2, 16, trash),
        read("trashed lists, 8 accounts, 32", FULL, 32, trash),
        read("searches in trash, 8 accounts", FULL, 32, search),
        read("exports, 8 accounts, 16", FULL, 16, "/api/auth/export/"),
    ]
}

fn get(path: &str, token: &str) -> Bytes {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nConnection: close\r\n\r\n").into()
}

fn post(path: &str, token: &str, body: &str) -> Bytes {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// A body of two megabytes, half of which is sent.
fn unfinished() -> Bytes {
    let half = "x".repeat(1024 * 1024);
    format!(
        "POST /api/notes/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{half}",
        2 * half.len()
    )
    .into()
}

async fn measure(attack: &Attack, api: &Api, other: &str, time: Duration) -> anyhow::Result<()> {
    let client = Client::new(api.address);
    let mut probes = [Probe::me(other.to_owned()), Probe::live()];
    api.forget_most_memory()?;
    let end = Instant::now() + time;
    let mut attackers = JoinSet::new();
    for request in attack.requests.iter().cycle().take(attack.connections) {
        let (address, request, then) = (api.address, request.clone(), attack.then);
        attackers.spawn(async move {
            let mut sent = 0_u64;
            while Instant::now() < end {
                let next = tokio::time::Instant::now();
                // What the server does not take is what it is attacked for.
                let patience = match then {
                    Then::Sip => end.saturating_duration_since(Instant::now()),
                    _ => PATIENCE,
                };
                let attempt = timeout(patience, once(address, &request, then, end)).await;
                sent += u64::from(matches!(attempt, Ok(Ok(()))));
                if let Then::HangUp(pause) = then {
                    sleep_until(next + pause).await;
                }
            }
            sent
        });
    }
    let watched = latency::until(end, &client, &mut probes).await;
    let sent: u64 = attackers.join_all().await.into_iter().sum();
    let memory = api.most_memory()?;
    let [profile, live] = &mut probes;
    match watched {
        Ok(()) => {
            println!("  {:<30} {}", attack.name, profile.line());
            println!("  {:<30} {}", "", live.line());
        }
        Err(refused) => println!("  {:<30} {refused}", attack.name),
    }
    println!("  {:<30} {sent} attempts, {memory}", "");
    Ok(())
}

async fn once(
    address: SocketAddr,
    request: &[u8],
    then: Then,
    end: Instant,
) -> std::io::Result<()> {
    let mut stream = match then {
        // An answer is to stay with the server.
        Then::Sip => connect(address, 4096).await?,
        _ => TcpStream::connect(address).await?,
    };
    match then {
        Then::HangUp(_) => {
            stream.write_all(request).await?;
            // Long enough for it to be read.
            sleep(Duration::from_millis(2)).await;
        }
        Then::Read => {
            stream.write_all(request).await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        Then::Stay => {
            let sent = stream.write_all(request).await;
            let left = end.saturating_duration_since(Instant::now());
            // Until it is closed, or the time is over.
            let _ = timeout(left, stream.read(&mut [0; 64])).await;
            sent?;
        }
        Then::Sip => {
            stream.write_all(request).await?;
            let mut sip = [0; 2048];
            while Instant::now() < end && stream.read(&mut sip).await? > 0 {
                sleep(Duration::from_secs(3)).await;
            }
        }
    }
    Ok(())
}

/// A connection whose system takes so many bytes of an answer unread.
pub async fn connect(address: SocketAddr, receive_buffer: u32) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.connect(address).await
}

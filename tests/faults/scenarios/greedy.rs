//! An account that takes what it can get: others are served meanwhile, and everything is as before afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Client, Raw};
use crate::world::World;

const PASSWORD: &str = "an example passphrase";

/// A user who is logged in.
async fn user(world: &World, name: &str) -> (Client, String) {
    let file = world.place.path().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let (file, email) = (file.to_str().unwrap(), format!("{name}@example.com"));
    let create = [
        "users",
        "create",
        "--json",
        "--username",
        name,
        "--email",
        &email,
    ];
    let made = [&create[..], &["--password-file", file]].concat();
    world.operator(&made).await;
    let answer = world.client().login(name, PASSWORD).await;
    let token = answer.field("token");
    (world.client().bearing(&token), token)
}

/// As many notes as the free plan allows, each as long as it may be; one of them.
async fn fill(client: &Client) -> Value {
    let note = json!({"title": "Long", "content": "\u{1}".repeat(100_000)});
    let mut last = Value::Null;
    for _ in 0..20 {
        let answer = client.post("/api/notes/", &note).await;
        assert_eq!(answer.status, 201, "{}", answer.shown());
        last = answer.json();
    }
    last
}

/// How often an attacker does the same to fill what a process keeps.
const WARM: usize = 3;

/// Asks for a long list and hangs up, 15 times a second.
async fn hang_up(address: SocketAddr, token: String, times: usize) {
    let request = format!(
        "GET /api/notes/?page_size=20 HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\r\n"
    );
    for _ in 0..times {
        let mut raw = Raw::connect(address).await;
        raw.write(&request).await;
        drop(raw);
        sleep(Duration::from_secs(1) / 15).await;
    }
}

/// Takes what an account can get, over many connections, so often.
fn attack(greedy: &Client, token: &str, note: &Value, times: usize) -> JoinSet<()> {
    let stale = json!({"op": "delete", "id": note["id"], "base_version": 0});
    let batch = json!({"edits": vec![stale; 100]});
    let mut attackers = JoinSet::new();
    attackers.spawn(hang_up(greedy.address(), token.to_owned(), times));
    for _ in 0..10 {
        let (client, batch) = (greedy.clone(), batch.clone());
        attackers.spawn(async move {
            for _ in 0..times {
                client.post("/api/notes/batch/", &batch).await;
                client.get("/api/auth/export/").await;
                client.get("/api/notes/?search=a&page_size=100").await;
            }
        });
    }
    attackers
}

/// What it takes the first time fills caches: SQLite has 2 MiB for each of nine connections.
#[tokio::test]
async fn a_greedy_account_keeps_nobody_out_and_leaves_nothing_behind() {
    let mut world = World::builder().start().await;
    let (greedy, token) = user(&world, "greedy").await;
    let (other, _) = user(&world, "other").await;
    let note = fill(&greedy).await;
    attack(&greedy, &token, &note, WARM).join_all().await;
    world.is_warm().await;
    let load = world.load(2);

    let mut attackers = attack(&greedy, &token, &note, usize::MAX);
    world.ledger.more(201, 3).await;
    let mut statuses = Vec::new();
    for n in 0..20 {
        let note = json!({"title": format!("Note {n}")});
        statuses.push(other.post("/api/notes/", &note).await.status);
        statuses.push(other.me_status().await);
        statuses.push(world.client().get("/health/ready").await.status);
    }
    attackers.shutdown().await;
    let evidence = world.finish(load).await;

    assert_eq!(statuses, [201, 200, 200].repeat(20));
    let refused = evidence
        .requests
        .iter()
        .filter_map(|one| one.answer.as_ref());
    assert_eq!(refused.filter(|answer| answer.status >= 500).count(), 0);
}

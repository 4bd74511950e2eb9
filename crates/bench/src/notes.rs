//! How many lists and how many durable new notes the API answers a second, beside bare handlers; and how soon at a
//! steady pace.
//!
//! Load and server share the machine's cores. The two servers take turns in short slices of one measurement, so that
//! whatever else the machine does falls on both.

use std::time::Duration;

use anyhow::Context;
use domain::password::{HashCost, Hasher, Password};
use hyper::Method;
use hyper::body::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::process::Child;

use crate::harness::{Api, Harness, PASSWORD, free_address, log_in_as, own_program};
use crate::http::Client;
use crate::load::{self, Call};
use crate::stats::percentile;

/// The arguments of `notes`.
#[derive(clap::Args)]
pub struct Args {
    /// How many slices of each kind
    #[arg(long, default_value_t = 5)]
    slices: u32,
    /// How long a slice is, in seconds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How many connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests a second at the steady pace
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pace: u32,
}

/// Notes in the list.
const LISTED: u32 = 20;

/// What each note says.
const CONTENT: &str =
    "Two litres of milk, bread, and the small yellow pears if they have any left.";

/// The four requests that are compared: the bare one and ours, of each kind.
struct Calls {
    lists: [Call; 2],
    creates: [Call; 2],
}

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let harness = Harness::new().await?;
    let api = harness.start_api().await?;
    let (calls, _baseline) = set_up(&harness, &api).await?;
    let slice = Duration::from_secs(args.seconds);
    let bar = ProgressBar::new(u64::from(args.slices) * 4 + 2).with_style(
        ProgressStyle::with_template("slices {wide_bar} {pos}/{len}")?,
    );
    let (mut lists, mut creates) = ([0; 2], [0; 2]);
    for _ in 0..args.slices {
        for (answers, pair) in [(&mut lists, &calls.lists), (&mut creates, &calls.creates)] {
            for (answers, call) in answers.iter_mut().zip(pair) {
                *answers += load::flat_out(call, args.connections, slice).await?;
                bar.inc(1);
            }
        }
    }
    let steady = Duration::from_secs(args.seconds * u64::from(args.slices));
    let mut paced = Vec::new();
    for call in [&calls.lists[1], &calls.creates[1]] {
        paced.push(load::steady(std::slice::from_ref(call), args.pace, 8, steady).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = args.seconds * u64::from(args.slices);
    println!("{} connections:", args.connections);
    compare(&format!("lists of {LISTED} notes"), lists, seconds);
    compare("new notes, each durable", creates, seconds);
    println!("at {} requests a second:", args.pace);
    for (name, times) in ["lists", "new notes"].iter().zip(&paced) {
        println!(
            "  {name:<10} p50 {:.2} ms   p99 {:.2} ms   ({} requests)",
            percentile(times, 0.5),
            percentile(times, 0.99),
            times.len()
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand answers")]
fn compare(what: &str, [bare, ours]: [u64; 2], seconds: u64) {
    let a_second = |answers: u64| answers as f64 / seconds as f64;
    println!("  {what}:");
    println!("    bare handler  {:>7.0} a second", a_second(bare));
    println!(
        "    the API       {:>7.0} a second: {:.1} % of it",
        a_second(ours),
        a_second(ours) / a_second(bare) * 100.0
    );
}

/// A reader with a list, a writer without a limit, and the same for the bare server.
async fn set_up(harness: &Harness, api: &Api) -> anyhow::Result<(Calls, Child)> {
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    let client = Client::new(api.address);
    let mut tokens = Vec::new();
    for name in ["reader", "writer"] {
        harness.user(name, &hash).await?;
        tokens.push(log_in_as(&client, name).await?);
    }
    let note = |title: &str| Bytes::from(json!({"title": title, "content": CONTENT}).to_string());
    let call = |server, method, path: &str, token: Option<&String>, body, status| Call {
        server,
        method,
        path: path.to_owned(),
        token: token.cloned(),
        body,
        status,
    };
    for n in 0..LISTED {
        let body = note(&format!("Note {n}"));
        let create = call(
            api.address,
            Method::POST,
            "/api/notes/",
            Some(&tokens[0]),
            body,
            201,
        );
        create.send().await?;
    }
    let bare = free_address()?;
    let baseline = own_program()?
        .args(["baseline", "--listen", &bare.to_string()])
        .arg("--database")
        .arg(harness.folder().join("baseline.db"))
        .args(["--token", &tokens[0], "--content", CONTENT])
        .args(["--notes", &LISTED.to_string()])
        .args(["--readers", &harness.settings.database.readers.to_string()])
        .kill_on_drop(true)
        .spawn()
        .context("the bare server can't be started")?;
    let nothing = Bytes::new;
    let calls = Calls {
        lists: [
            call(
                bare,
                Method::GET,
                "/notes/",
                Some(&tokens[0]),
                nothing(),
                200,
            ),
            call(
                api.address,
                Method::GET,
                "/api/notes/",
                Some(&tokens[0]),
                nothing(),
                200,
            ),
        ],
        creates: [
            call(bare, Method::POST, "/notes/", None, note("Milk"), 201),
            call(
                api.address,
                Method::POST,
                "/api/notes/",
                Some(&tokens[1]),
                note("Milk"),
                201,
            ),
        ],
    };
    calls.lists[0].until_answered().await?;
    Ok((calls, baseline))
}

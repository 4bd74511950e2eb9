//! What listing, searching and following one's own few notes costs beside a million of others', and beside accounts
//! full of long ones, as many times what it costs beside a thousand; and how long a search through thousands of one's
//! own, and an export of a full account, take.
//!
//! Requests to the servers take turns, so that whatever else the machine does falls on both.

use std::time::Instant;

use anyhow::ensure;
use async_trait::async_trait;
use domain::clock::{Clock, SystemClock};
use domain::id::UserId;
use domain::notes::port::{NewNote, NoteOwner};
use domain::notes::{Draft, create};
use domain::password::{HashCost, Hasher, Password, PasswordHash};
use domain::plans::{NoteLimits, StorageLimits};
use domain::store::{StoreError, Tx, Write};
use indicatif::{ProgressBar, ProgressStyle};

use crate::harness::{Api, Harness, PASSWORD, log_in_as};
use crate::http::Client;
use crate::stats::percentile;

/// The arguments of `isolation`.
#[derive(clap::Args)]
pub struct Args {
    /// How many notes others have in the one database
    #[arg(long, default_value_t = 1_000)]
    few: u32,
    /// How many notes others have in the other database
    #[arg(long, default_value_t = 1_000_000)]
    many: u32,
    /// How many others have as many long notes as the free plan's storage holds, in a third database
    #[arg(long, default_value_t = 6)]
    full: u32,
    /// How many notes the one user has who searches through many
    #[arg(long, default_value_t = 5_000)]
    own: u32,
    /// How many requests of each kind
    #[arg(long, default_value_t = 500)]
    rounds: u32,
}

/// Notes of the user whose costs are compared.
const OWN_FEW: u32 = 20;

/// Notes of each of the others.
const EACH: u32 = 1_000;

/// Notes in one transaction.
const BATCH: usize = 500;

/// Notes of an account that is full of long ones, and the words of each: some 95,000 characters.
const LONG: u32 = 330;
const LONG_WORDS: u32 = 14_000;

/// Words that notes are made of.
const WORDS: [&str; 24] = [
    "milk", "bread", "yellow", "pears", "market", "Saturday", "letter", "Crème", "garden", "train",
    "ticket", "mother", "winter", "harbour", "number", "paper", "window", "river", "engine",
    "copper", "Zürich", "lantern", "music", "salt",
];

/// What is asked, by whoever has few notes and by whoever has many.
const PATHS: [(&str, &str); 5] = [
    ("list", "/api/notes/"),
    ("by title", "/api/notes/?ordering=title"),
    ("search", "/api/notes/?search=yell"),
    ("changes", "/api/notes/changes/"),
    ("profile", "/api/auth/me/"),
];

/// How often an export is asked for.
const EXPORTS: u32 = 5;

/// Searches through many notes of one's own: a word that each has, one that a tenth has, one that none has.
const SEARCHES: [(&str, &str); 3] = [
    ("a word of all notes", "/api/notes/?search=milk"),
    ("of a tenth", "/api/notes/?search=tenth"),
    ("two words, of none", "/api/notes/?search=milk+nowhere"),
];

/// Measures and prints.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let hash = Hasher::new(HashCost::FLOOR)?.hash(&Password::new(PASSWORD));
    let beside_few = Place::new(args.few, 0, args.own, &hash).await?;
    let beside_many = Place::new(args.many, 0, args.own, &hash).await?;
    let beside_full = Place::new(args.few, args.full, args.own, &hash).await?;
    println!("medians of {} requests, in milliseconds:", args.rounds);
    println!(
        "  with {OWN_FEW} notes of one's own   beside {:>9}   beside {:>9}   times as much   beside {:>2} full   times as much",
        args.few, args.many, args.full
    );
    for (name, path) in PATHS {
        let places = [&beside_few, &beside_many, &beside_full];
        let [few, many, full] = compare(args.rounds, path, places).await?;
        println!(
            "  {name:<28} {few:>12.3} {many:>18.3} {:>15.2} {full:>16.3} {:>15.2}",
            many / few,
            full / few
        );
    }
    println!(
        "  searching through {} of one's own, beside {}:",
        args.own, args.many
    );
    for (name, path) in SEARCHES {
        let mut times = Vec::new();
        for _ in 0..args.rounds.min(200) {
            times.push(beside_many.time(path, &beside_many.rich).await?);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "  {name:<28} p50 {:.1}   p99 {:.1}",
            percentile(&times, 0.5),
            percentile(&times, 0.99)
        );
    }
    if let Some(full) = &beside_full.full {
        let mut times = Vec::new();
        for _ in 0..EXPORTS {
            times.push(beside_full.time("/api/auth/export/", full).await?);
        }
        times.sort_by(f64::total_cmp);
        let median = percentile(&times, 0.5);
        println!("  an export of {LONG} long notes   p50 {median:.0}");
    }
    Ok(())
}

/// A database with a server.
struct Place {
    /// Its files.
    _harness: Harness,
    client: Client,
    /// The token of the user with few notes.
    poor: String,
    /// The token of the user with many.
    rich: String,
    /// That of one whose account is full, if there are any.
    full: Option<String>,
    _api: Api,
}

impl Place {
    async fn new(others: u32, full: u32, own: u32, hash: &PasswordHash) -> anyhow::Result<Self> {
        let harness = Harness::new().await?;
        let poor = harness.user("poor", hash).await?;
        let rich = harness.user("rich", hash).await?;
        // Half of the own notes lie before the others', half after them.
        fill(&harness, poor, OWN_FEW / 2, 10).await?;
        fill(&harness, rich, own / 2, 300).await?;
        let bar = ProgressBar::new(others.into()).with_style(ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {eta}",
        )?);
        bar.set_message("others' notes");
        let mut left = others;
        while left > 0 {
            let some = left.min(EACH);
            let user = harness.user(&format!("other{left}"), hash).await?;
            fill(&harness, user, some, 10).await?;
            left -= some;
            bar.inc(some.into());
        }
        for n in 0..full {
            let user = harness.user(&format!("full{n}"), hash).await?;
            bar.set_message("long notes");
            fill_with_long(&harness, user, State::Live).await?;
        }
        bar.finish_and_clear();
        fill(&harness, poor, OWN_FEW - OWN_FEW / 2, 10).await?;
        fill(&harness, rich, own - own / 2, 300).await?;
        let api = harness.start_api().await?;
        let client = Client::new(api.address);
        Ok(Self {
            poor: log_in_as(&client, "poor").await?,
            rich: log_in_as(&client, "rich").await?,
            full: match full {
                0 => None,
                _ => Some(log_in_as(&client, "full0").await?),
            },
            client,
            _harness: harness,
            _api: api,
        })
    }

    async fn time(&self, path: &str, token: &str) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let (status, answer) = self.client.get(path, Some(token)).await?;
        ensure!(status == 200, "{path} was answered {status}: {answer}");
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }
}

/// The medians of a request to each.
async fn compare<const N: usize>(
    rounds: u32,
    path: &str,
    places: [&Place; N],
) -> anyhow::Result<[f64; N]> {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (times, place) in times.iter_mut().zip(places) {
            times.push(place.time(path, &place.poor).await?);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        percentile(&times, 0.5)
    }))
}

/// Adds notes of so many words.
async fn fill(harness: &Harness, user: UserId, notes: u32, words: u32) -> anyhow::Result<()> {
    fill_as(harness, user, notes, words, State::Live).await
}

/// Fills an account with long notes.
pub(super) async fn fill_with_long(
    harness: &Harness,
    user: UserId,
    state: State,
) -> anyhow::Result<()> {
    fill_as(harness, user, LONG, LONG_WORDS, state).await
}

/// Where notes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Trashed,
}

async fn fill_as(
    harness: &Harness,
    user: UserId,
    notes: u32,
    words: u32,
    state: State,
) -> anyhow::Result<()> {
    add(harness, user, (0..notes).map(|n| text(n, words)), state).await
}

/// Adds notes with these titles and contents.
pub(super) async fn add(
    harness: &Harness,
    user: UserId,
    texts: impl Iterator<Item = (String, String)>,
    state: State,
) -> anyhow::Result<()> {
    let mut notes = texts.map(|(title, content)| new_note(user, title, content));
    loop {
        let notes: Vec<_> = notes.by_ref().take(BATCH).collect();
        let count = notes.len();
        if count == 0 {
            return Ok(());
        }
        let add = AddNotes { user, notes, state };
        let added = harness.database.store.write(add).await?;
        ensure!(added == count, "not all notes were added");
    }
}

/// The title and the content of a note of so many words.
fn text(n: u32, length: u32) -> (String, String) {
    let word = |i: u32| WORDS[((n * 7 + i * (n % 5 + 1)) % 24) as usize];
    let mut content: Vec<&str> = (0..length).map(word).collect();
    content.push("milk yellow");
    if n.is_multiple_of(10) {
        content.push("tenth");
    }
    (format!("Note {n} {}", word(3)), content.join(" "))
}

fn new_note(user: UserId, title: String, content: String) -> NewNote {
    let draft = Draft {
        title,
        content,
        ..Draft::default()
    };
    let limits = NoteLimits {
        free: u32::MAX,
        premium: None,
        storage: StorageLimits::default(),
    };
    create::new_note(
        NoteOwner::User(user),
        None,
        draft,
        limits,
        SystemClock.now(),
    )
}

struct AddNotes {
    user: UserId,
    notes: Vec<NewNote>,
    state: State,
}

#[async_trait]
impl Write for AddNotes {
    /// How many were added.
    type Out = usize;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<usize, StoreError> {
        let mut added = 0;
        for note in &self.notes {
            added += usize::from(tx.insert_note(note).await?.is_some());
            if self.state == State::Trashed {
                let NewNote { note, .. } = note;
                tx.trash_note(self.user, note.id, note.created).await?;
            }
        }
        Ok(added)
    }
}

//! The feed while it is written, by several writers at several processes.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{path, short};
use crate::support::{Client, Person, Processes, grant_premium, upsert, uuid};

/// One of the writers: what it was told of its own notes, in its order.
struct Writer {
    client: Client,
    number: u64,
    random: fastrand::Rng,
    /// The version of each note, and whether it is there, in the trash (`Some(false)`), or gone.
    notes: BTreeMap<u64, (i64, Option<bool>)>,
    /// Each write: the note, its version.
    log: Vec<(String, i64)>,
}

impl Writer {
    fn new(client: Client, number: u64, seed: u64) -> Self {
        Self {
            client,
            number,
            random: fastrand::Rng::with_seed(seed ^ number),
            notes: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    async fn step(&mut self, n: usize) {
        let note = self.number * 1000 + self.random.u64(0..6);
        let (version, state) = self.notes.get(&note).copied().unwrap_or((0, None));
        let body = json!({"title": format!("writer {} step {n}", self.number)});
        let (version, state) = match (state, self.random.u8(0..4)) {
            (None, 0) => (self.put(note, &body, 201).await, Some(true)),
            (None, _) | (Some(true), 0) => {
                let base = if state.is_none() { None } else { Some(version) };
                let result = self
                    .client
                    .batch(&[upsert(&uuid(note), base, &body)])
                    .await
                    .remove(0);
                let version = result["note"]["version"].as_i64();
                (version.unwrap_or_else(|| panic!("{result}")), Some(true))
            }
            (Some(_), 1) => (self.put(note, &body, 200).await, Some(true)),
            (Some(true), _) | (Some(false), 0) => {
                let (query, state) = match state {
                    Some(true) => ("", Some(false)),
                    _ => ("?permanent=true", None),
                };
                self.client.delete(&format!("{}{query}", path(note))).await;
                (version + 1, state)
            }
            (Some(false), _) => {
                let answer = self
                    .client
                    .post_empty(&format!("{}restore/", path(note)))
                    .await;
                assert_eq!(answer.status, 200, "{}", answer.shown());
                (answer.json()["version"].as_i64().unwrap(), Some(true))
            }
        };
        self.notes.insert(note, (version, state));
        self.log.push((uuid(note), version));
    }

    async fn put(&self, note: u64, body: &Value, status: u16) -> i64 {
        let answer = self.client.send("PUT", &path(note), body).await;
        assert_eq!(answer.status, status, "{}", answer.shown());
        answer.json()["version"].as_i64().unwrap()
    }
}

/// A cursor that was read while a change was being committed does not pass it by.
#[tokio::test]
async fn a_reader_of_the_feed_misses_nothing_that_four_writers_at_two_processes_write_meanwhile() {
    const STEPS: usize = 60;
    let app = Processes::with().apis(2).start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let mut rows = app.rows().await;
    grant_premium(&mut rows, "ada").await;
    rows.close().await;
    let token = app.client().token(&ada).await;
    let clients: Vec<_> = app
        .apis
        .iter()
        .map(|api| api.client.bearing(&token))
        .collect();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let under_way = AtomicUsize::new(4);

    let writers = (0..4).map(|n| {
        let mut writer = Writer::new(clients[n % 2].clone(), n as u64 + 1, seed);
        let under_way = &under_way;
        async move {
            for n in 0..STEPS {
                writer.step(n).await;
            }
            under_way.fetch_sub(1, Ordering::Relaxed);
            writer
        }
    });
    let readers = (0..2).map(|n| {
        let (client, under_way) = (clients[n].clone(), &under_way);
        async move {
            let (mut told, mut cursor) = (Vec::new(), None);
            loop {
                let over = under_way.load(Ordering::Relaxed) == 0;
                let (changes, next) = client.changes_after(cursor.as_deref(), 3).await;
                let none = changes.is_empty();
                told.extend(short(&changes));
                cursor = Some(next);
                if over && none {
                    return told;
                }
            }
        }
    });
    let (writers, readers) = tokio::join!(join_all(writers), join_all(readers));

    let (anew, _) = clients[0].changes_after(None, 100).await;
    let anew: HashMap<_, _> = short(&anew)
        .into_iter()
        .map(|(id, version, _)| (id, version))
        .collect();
    let mut place = HashMap::new();
    let mut last = HashMap::new();
    for writer in &writers {
        for (n, (id, version)) in writer.log.iter().enumerate() {
            place.insert((id.clone(), *version), (writer.number, n));
            last.insert(id.clone(), *version);
        }
    }
    assert_eq!(anew, last);
    for seen in readers {
        let mut at = HashMap::new();
        let mut known = HashMap::new();
        for (id, version, _) in &seen {
            let (writer, n) = place[&(id.clone(), *version)];
            let before = at.insert(writer, n);
            assert!(
                before.is_none_or(|before| before < n),
                "a writer's writes are out of order"
            );
            known.insert(id.clone(), *version);
        }
        assert_eq!(known, last, "something was missed");
        let often = seen.len();
        assert!(
            often > known.len(),
            "the reader only came when all was over: {often}"
        );
    }
    app.finish().await;
}

//! A random walk of two devices and of somebody who edits at the server, and what must hold after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::device::{Device, Known, written};
use crate::support::{Client, NOTES, Rows, TestApp, deletion, upsert, uuid};

/// The texts that are kept: those in the trash are, too.
const KEPT: &str = "select content from notes";

/// The running system with two devices of one user, and what was written and what was given up so far.
pub struct Walk {
    app: TestApp,
    random: fastrand::Rng,
    devices: [Device; 2],
    direct: Client,
    rows: Rows,
    /// Whether a backup was made.
    backed_up: bool,
    /// How many texts and notes were made.
    made: u64,
    /// Every text that was written.
    texts: BTreeSet<String>,
    /// Texts that somebody had before their eyes when they wrote another in its place, or deleted it for good.
    given_up: BTreeSet<String>,
    /// How often each kind of step was taken, to see that none is idle.
    pub steps: BTreeMap<&'static str, u32>,
}

impl Walk {
    pub async fn start(seed: u64) -> Self {
        let app = TestApp::start().await;
        let direct = app.premium("ada").await;
        let rows = app.rows().await;
        Self {
            devices: ["the phone", "the laptop"].map(|name| Device::new(direct.clone(), name)),
            random: fastrand::Rng::with_seed(seed),
            app,
            direct,
            rows,
            backed_up: false,
            made: 0,
            texts: BTreeSet::new(),
            given_up: BTreeSet::new(),
            steps: BTreeMap::new(),
        }
    }

    /// Takes a step.
    pub async fn step(&mut self) {
        let device = self.random.usize(0..2);
        let step = match self.random.u8(0..42) {
            0..=15 => self.edit_offline(device),
            16..=19 => {
                let lost = self.random.u8(0..3) == 0;
                self.devices[device].push(lost).await;
                match lost {
                    false => "push",
                    true if self.random.bool() => {
                        let unsent = self.unsent(device);
                        self.devices[device].fold();
                        self.gives_up_what_was(&unsent, device);
                        "push, answer lost, folded"
                    }
                    true => "push, answer lost",
                }
            }
            20..=25 => self.pull(device).await,
            26..=27 => {
                // Time passes, so that orders by time are not all ties.
                self.app.clock.advance(std::time::Duration::from_millis(1));
                "time"
            }
            40 => self.back_up().await,
            41 => self.restore().await,
            _ => self.edit_directly().await,
        };
        *self.steps.entry(step).or_default() += 1;
    }

    async fn back_up(&mut self) -> &'static str {
        self.rows.back_up_notes().await;
        self.backed_up = true;
        "backup"
    }

    /// Puts the server back to the backup, as docs/operations.md describes. What only the server had since then is lost.
    async fn restore(&mut self) -> &'static str {
        if !self.backed_up {
            return self.back_up().await;
        }
        self.rows.restore_notes().await;
        // What was given before was given earlier.
        self.app.clock.advance(std::time::Duration::from_secs(1));
        self.app.after_restore().await;
        let mut kept: BTreeSet<_> = self.rows.texts(KEPT).await.into_iter().collect();
        let unsent = self.devices.iter().flat_map(Device::unsent);
        kept.extend(unsent.map(str::to_owned));
        let lost = self.texts.difference(&kept).cloned();
        let lost: Vec<_> = lost.collect();
        self.given_up.extend(lost);
        "back to the backup"
    }

    /// A note's content that was never written before, with some other things of it.
    fn new_text(&mut self) -> Value {
        self.made += 1;
        let text = format!("text {}", self.made);
        self.texts.insert(text.clone());
        let title = ["", "a title", "another title"][self.random.usize(0..3)];
        let tags = vec!["tag"; self.random.usize(0..2)];
        let pinned = self.random.bool();
        json!({"title": title, "content": text, "tags": tags, "is_pinned": pinned, "is_archived": false})
    }

    fn gives_up(&mut self, note: &Value) {
        let text = note["content"].as_str().unwrap();
        self.given_up.insert(text.to_owned());
    }

    /// The texts that a device has yet to send.
    fn unsent(&self, device: usize) -> BTreeSet<String> {
        let unsent = self.devices[device].unsent();
        unsent.map(str::to_owned).collect()
    }

    /// Texts that were a device's alone are gone with the edits that it sends no more.
    fn gives_up_what_was(&mut self, unsent: &BTreeSet<String>, device: usize) {
        let left = self.unsent(device);
        self.given_up.extend(unsent.difference(&left).cloned());
    }

    /// Of some notes those that a device has yet to send edits of, half of the time: where two sides meet.
    fn contested<T>(&mut self, mut notes: Vec<T>, id: impl Fn(&T) -> &str) -> Vec<T> {
        let is_contested = |note: &T| {
            self.devices
                .iter()
                .any(|device| device.has_unsent(id(note)))
        };
        if self.random.bool() && notes.iter().any(is_contested) {
            notes.retain(is_contested);
        }
        notes
    }

    fn one_of<T: Clone>(&mut self, some: &[T]) -> Option<T> {
        (!some.is_empty()).then(|| some[self.random.usize(0..some.len())].clone())
    }

    fn edit_offline(&mut self, device: usize) -> &'static str {
        let notes = self.devices[device].notes().into_iter().collect();
        let notes = self.contested(notes, |(id, _)| id);
        let (kind, on_top) = (self.random.u8(0..10), self.random.bool());
        let chosen = self
            .one_of(&notes)
            .filter(|(id, _)| self.devices[device].may_edit(id));
        let Some((id, note)) = chosen.filter(|_| kind > 1) else {
            let note = self.new_text();
            let id = uuid(1_000_000 + self.made);
            self.devices[device].edit(&id, Some(note), false);
            return "new offline";
        };
        let (new, step) = match kind {
            2..=6 => (self.new_text(), "edit offline"),
            7 => {
                let mut pinned = note.clone();
                pinned["is_pinned"] = (note["is_pinned"] == false).into();
                self.devices[device].edit(&id, Some(pinned), on_top);
                return "pin offline";
            }
            8 => {
                self.devices[device].edit(&id, Some(note), on_top);
                return "write the same offline";
            }
            _ => {
                // What reaches the server is deleted into the trash there.
                let unsent = self.unsent(device);
                self.devices[device].edit(&id, None, on_top);
                self.gives_up_what_was(&unsent, device);
                return "delete offline";
            }
        };
        self.gives_up(&note);
        self.devices[device].edit(&id, Some(new), on_top);
        step
    }

    /// Somebody reads a list at the server and does something to a note in it.
    async fn edit_directly(&mut self) -> &'static str {
        let kind = self.random.u8(0..10);
        let query = if kind > 7 {
            "?trashed=true&page_size=100"
        } else {
            "?page_size=100"
        };
        let list = self.direct.get(&format!("{NOTES}{query}")).await.json();
        let notes = list["results"].as_array().unwrap().clone();
        let notes = self.contested(notes, |note| note["id"].as_str().unwrap());
        let Some(note) = self.one_of(&notes).filter(|_| kind > 0) else {
            let mut note = self.new_text();
            self.made += 1;
            note["id"] = uuid(2_000_000 + self.made).into();
            self.direct.note(&note).await;
            return "new at the server";
        };
        let id = note["id"].as_str().unwrap();
        let version = note["version"].as_i64().unwrap();
        let path = format!("{NOTES}{id}/");
        let (method, target, step) = match kind {
            1..=2 => ("PUT", path, "put"),
            3 => ("PATCH", path, "patch"),
            4 => ("DELETE", path, "trash"),
            5 => (
                "DELETE",
                format!("{path}?permanent=true"),
                "delete for good",
            ),
            6..=7 => {
                let edit = if kind == 6 {
                    self.gives_up(&note);
                    upsert(id, Some(version), &self.new_text())
                } else {
                    deletion(id, Some(version))
                };
                let result = self.direct.batch(&[edit]).await.remove(0);
                let status = result["status"].as_str().unwrap();
                assert!(["updated", "deleted"].contains(&status), "{result}");
                return "batch";
            }
            8 => ("POST", format!("{path}restore/"), "restore"),
            _ => (
                "DELETE",
                format!("{path}?permanent=true"),
                "empty the trash",
            ),
        };
        let body = match method {
            "PUT" | "PATCH" => self.new_text(),
            _ => Value::Null,
        };
        if !["trash", "restore"].contains(&step) {
            self.gives_up(&note);
        }
        let expecting = self.direct.with("If-Match", &format!("\"{version}\""));
        let answer = expecting.send(method, &target, &body).await;
        assert!(
            [200, 204].contains(&answer.status),
            "{method} {target}: {}",
            answer.shown()
        );
        step
    }

    /// Lets a device read the feed to its end, and holds what it was told against the rows.
    async fn pull(&mut self, device: usize) -> &'static str {
        let page_size = self.random.u32(1..=7);
        let since = self.devices[device].last_change;
        let (told, began_anew) = self.devices[device].pull(page_size).await;
        assert!(self.backed_up || !began_anew);
        let since = if began_anew { 0 } else { since };

        let rows = "select id, version, change from notes union all select id, version, change from note_tombstones";
        let query = format!("select id from ({rows}) where change > {since} order by change");
        assert_eq!(
            told,
            self.rows.texts(&query).await,
            "the order of commits, and nothing missed"
        );
        let newest = self.rows.number("select last_change from note_books").await;
        self.devices[device].last_change = newest;
        let versions = self
            .rows
            .texts(&format!(
                "select id || ' ' || version from ({rows}) order by id"
            ))
            .await;
        let known = self.devices[device].known.iter();
        let known: Vec<_> = known
            .map(|(id, (version, _))| format!("{id} {version}"))
            .collect();
        assert_eq!(known, versions);
        "pull"
    }

    /// Lets both devices send and read until there is nothing new, and checks what must hold then.
    pub async fn end(mut self) {
        for _ in 0..10 {
            for device in 0..2 {
                self.devices[device].push(false).await;
                self.pull(device).await;
            }
            if self.devices.iter().all(Device::is_quiet) {
                break;
            }
        }
        for device in 0..2 {
            assert!(self.devices[device].is_quiet());
            self.pull(device).await;
        }
        let server = self.server().await;
        for device in &self.devices {
            let live = device.known.iter().filter(|(_, (_, note))| note.is_some());
            let live: BTreeMap<_, Known> = live
                .map(|(id, known)| (id.clone(), known.clone()))
                .collect();
            assert_eq!(live, server);
            let shown = server
                .iter()
                .map(|(id, (_, note))| (id.clone(), written(note.as_ref().unwrap())));
            assert_eq!(device.notes(), shown.collect());
        }
        let kept = self.rows.texts(KEPT).await;
        let lost: Vec<_> = self
            .texts
            .difference(&self.given_up)
            .filter(|text| !kept.contains(text))
            .collect();
        assert!(lost.is_empty(), "nobody gave these up: {lost:?}");
        let live = self.rows.number("select live from note_books").await;
        assert_eq!(usize::try_from(live), Ok(server.len()));
        self.rows.close().await;
        self.app.finish().await;
    }

    /// The live notes as the list has them.
    async fn server(&self) -> BTreeMap<String, Known> {
        let mut all = BTreeMap::new();
        let mut path = format!("{NOTES}?page_size=100&ordering=created_at");
        loop {
            let page = self.direct.get(&path).await.json();
            for note in page["results"].as_array().unwrap() {
                let id = note["id"].as_str().unwrap().to_owned();
                all.insert(id, (note["version"].as_i64().unwrap(), Some(note.clone())));
            }
            if page["next"].is_null() {
                assert_eq!(page["count"], all.len());
                return all;
            }
            path = crate::support::target_of(&page["next"]);
        }
    }
}

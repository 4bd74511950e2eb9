//! A device that keeps the notes itself: what it knows of the server, and its own edits over it until they are sent.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{CHANGES, Client, deletion, upsert};

/// What of a note its owner writes.
const WRITTEN: [&str; 5] = ["title", "content", "tags", "is_pinned", "is_archived"];

/// What of a note its owner writes.
pub fn written(note: &Value) -> Value {
    let members = WRITTEN
        .iter()
        .map(|name| ((*name).to_owned(), note[*name].clone()));
    Value::Object(members.collect())
}

/// A note as the server has it: its version and itself, unless it is deleted.
pub type Known = (i64, Option<Value>);

/// An edit that was not answered yet.
#[derive(Debug, Clone)]
struct Edit {
    base: Option<i64>,
    /// What was written; `None`: it was deleted.
    note: Option<Value>,
    /// Whether it, or one that it was folded from, may have reached the server.
    sent: bool,
}

impl Edit {
    fn sent(&self, id: &str) -> Value {
        match &self.note {
            Some(note) => upsert(id, self.base, note),
            None => deletion(id, self.base),
        }
    }
}

/// The most edits of a note that are sent at once.
const ON_TOP: usize = 3;

/// A device.
pub struct Device {
    pub client: Client,
    /// How its batches name it.
    name: String,
    /// The versions that the feed has told.
    told: BTreeMap<String, i64>,
    /// The server's notes, as far as it was told.
    pub known: BTreeMap<String, Known>,
    /// Edits by note, each on top of the one before.
    pending: BTreeMap<String, Vec<Edit>>,
    /// A batch whose answer was lost. It is sent again as it was.
    in_flight: Option<Vec<Value>>,
    cursor: Option<String>,
    /// The number of the last change that it has seen, as the rows have it.
    pub last_change: i64,
}

impl Device {
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
            told: BTreeMap::new(),
            known: BTreeMap::new(),
            pending: BTreeMap::new(),
            in_flight: None,
            cursor: None,
            last_change: 0,
        }
    }

    /// The notes as somebody sees them who uses it.
    pub fn notes(&self) -> BTreeMap<String, Value> {
        let mut notes = BTreeMap::new();
        for (id, (_, note)) in &self.known {
            if let Some(note) = note {
                notes.insert(id.clone(), written(note));
            }
        }
        for (id, edits) in &self.pending {
            match &edits.last().unwrap().note {
                Some(note) => notes.insert(id.clone(), note.clone()),
                None => notes.remove(id),
            };
        }
        notes
    }

    /// Whether a note can be edited now: not while an edit of it is on its way.
    pub fn may_edit(&self, id: &str) -> bool {
        let mut in_flight = self.in_flight.iter().flatten();
        !in_flight.any(|edit| edit["id"] == id)
    }

    /// Whether there are edits of a note that wait to be sent.
    pub fn has_unsent(&self, id: &str) -> bool {
        self.pending.contains_key(id)
    }

    /// Writes a note, or deletes it, without a network. What was not sent yet is edited further where it lies, or has
    /// an edit of its own on top of it, of the version that it will make.
    pub fn edit(&mut self, id: &str, note: Option<Value>, on_top: bool) {
        if let Some(pending) = self.pending.get_mut(id) {
            let base = pending.last().unwrap().base.map_or(1, |base| base + 1);
            if pending[0].base.is_none() && note.is_none() && !pending[0].sent {
                // It never left the device.
                self.pending.remove(id);
            } else if on_top && pending.len() < ON_TOP {
                let base = Some(base);
                let sent = false;
                pending.push(Edit { base, note, sent });
            } else {
                pending.last_mut().unwrap().note = note;
            }
            return;
        }
        // A deleted note is only written again under another identifier.
        let base = self.known.get(id).map(|(version, _)| *version);
        let edit = Edit {
            base,
            note,
            sent: false,
        };
        self.pending.insert(id.to_owned(), vec![edit]);
    }

    /// Every text that it has yet to send, or to hear of.
    pub fn unsent(&self) -> impl Iterator<Item = &str> {
        let pending = self.pending.values().flatten();
        let pending = pending.filter_map(|edit| edit.note.as_ref());
        let in_flight = self.in_flight.iter().flatten().map(|edit| &edit["note"]);
        let notes = pending.chain(in_flight);
        notes.filter_map(|note| note["content"].as_str())
    }

    /// Gives up on an answer: what was sent waits again, folded into one edit for each note, to be edited further.
    pub fn fold(&mut self) {
        for edit in self.in_flight.take().into_iter().flatten() {
            let note = edit.get("note").cloned();
            let id = edit["id"].as_str().unwrap().to_owned();
            if let Some(folded) = self.pending.get_mut(&id) {
                folded[0].note = note;
                continue;
            }
            let edit = Edit {
                base: edit["base_version"].as_i64(),
                note,
                sent: true,
            };
            self.pending.insert(id, vec![edit]);
        }
    }

    /// Whether there is nothing to send.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty() && self.in_flight.is_none()
    }

    /// Sends its edits. If the answer is lost, it does not know what came of them.
    pub async fn push(&mut self, answer_is_lost: bool) {
        let edits = self.in_flight.take().unwrap_or_else(|| {
            let pending = std::mem::take(&mut self.pending);
            let sent = pending.iter().take(100 / ON_TOP);
            let edits = sent.flat_map(|(id, edits)| edits.iter().map(|edit| edit.sent(id)));
            let edits = edits.collect();
            self.pending = pending.into_iter().skip(100 / ON_TOP).collect();
            edits
        });
        if edits.is_empty() {
            return;
        }
        let results = self.client.batch_from(Some(&self.name), &edits).await;
        assert_eq!(results.len(), edits.len());
        if answer_is_lost {
            self.in_flight = Some(edits);
            return;
        }
        for (edit, result) in edits.iter().zip(&results) {
            assert_eq!(
                edit["id"], result["id"],
                "results are in the order of edits"
            );
            self.learn_result(edit, result);
        }
    }

    fn learn_result(&mut self, edit: &Value, result: &Value) {
        let deleting = edit["op"] == "delete";
        match result["status"].as_str().unwrap() {
            "created" | "updated" | "unchanged" if !deleting => self.learn_note(&result["note"]),
            // The feed tells the version.
            "deleted" | "unchanged" if deleting => {}
            "conflict" => {
                self.learn_note(&result["note"]);
                // None, too, of an edit that is sent again after its copy was deleted for good.
                if let Some(copy) = result.get("copy") {
                    assert!(!deleting, "{result}");
                    self.learn_note(copy);
                }
            }
            _ => panic!("{edit} came to {result}"),
        }
    }

    fn learn_note(&mut self, note: &Value) {
        let id = note["id"].as_str().unwrap();
        let version = note["version"].as_i64().unwrap();
        let live = note.get("trashed_at").is_none().then(|| note.clone());
        self.learn(id, version, live);
    }

    fn learn(&mut self, id: &str, version: i64, note: Option<Value>) {
        let known = self.known.get(id).map_or(0, |(version, _)| *version);
        // An answer that is older than what the feed has told meanwhile says nothing new.
        if version >= known {
            self.known.insert(id.to_owned(), (version, note));
        }
    }

    /// Reads the feed to its end, from the beginning if the server says so, or does not tell what it has answered
    /// before: then it was put back to a backup. Returns which notes it told of, in its order, and whether it began anew.
    pub async fn pull(&mut self, page_size: u32) -> (Vec<String>, bool) {
        let begins_anew = match &self.cursor {
            Some(cursor) => {
                let path = format!("{CHANGES}?page_size=1&cursor={cursor}");
                self.client.get(&path).await.status == 410
            }
            None => false,
        };
        if begins_anew {
            self.forget();
        }
        let told = self.read(page_size).await;
        let is_told = |(id, (version, _)): (&String, &Known)| self.told.get(id) >= Some(version);
        if self.known.iter().all(is_told) {
            return (told, begins_anew);
        }
        assert!(
            !begins_anew,
            "what is read from the beginning is everything"
        );
        self.forget();
        (self.read(page_size).await, true)
    }

    fn forget(&mut self) {
        self.cursor = None;
        self.last_change = 0;
        self.known.clear();
        self.told.clear();
    }

    async fn read(&mut self, page_size: u32) -> Vec<String> {
        let (changes, cursor) = self
            .client
            .changes_after(self.cursor.as_deref(), page_size)
            .await;
        self.cursor = Some(cursor);
        let mut told = Vec::new();
        for change in changes {
            let id = change["id"].as_str().unwrap();
            let version = change["version"].as_i64().unwrap();
            let before = self.told.insert(id.to_owned(), version).unwrap_or(0);
            assert!(version >= before, "{change} is older than {before}");
            self.learn(id, version, change.get("note").cloned());
            told.push(id.to_owned());
        }
        told
    }
}

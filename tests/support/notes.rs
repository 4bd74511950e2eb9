//! What tests of notes do often.

use serde_json::{Value, json};

use super::{Answer, Client, Person, Rows, TestApp};

/// Where notes are.
pub const NOTES: &str = "/api/notes/";

/// Where edits are sent that were made offline.
pub const BATCH: &str = "/api/notes/batch/";

/// Where the feed of changes is.
pub const CHANGES: &str = "/api/notes/changes/";

/// An identifier of a note: the n-th.
pub fn uuid(n: u64) -> String {
    format!("0190a0b0-c0d0-7e00-8f00-{n:012x}")
}

/// An edit that was made offline: a note as it was written.
pub fn upsert(id: &str, base: Option<i64>, note: &Value) -> Value {
    json!({"op": "upsert", "id": id, "base_version": base, "note": note})
}

/// An edit that was made offline: a note that was deleted.
pub fn deletion(id: &str, base: Option<i64>) -> Value {
    json!({"op": "delete", "id": id, "base_version": base})
}

impl Client {
    /// Makes a note and returns it.
    #[track_caller]
    pub fn note(&self, note: &Value) -> impl Future<Output = Value> + use<> {
        let (client, note) = (self.clone(), note.clone());
        async move {
            let answer = client.post(NOTES, &note).await;
            assert_eq!(answer.status, 201, "{}", answer.shown());
            answer.json()
        }
    }

    /// Makes a note with that title and returns its path.
    #[track_caller]
    pub fn note_path(&self, title: &str) -> impl Future<Output = String> + use<> {
        let made = self.note(&json!({"title": title}));
        async move { path_of(&made.await) }
    }

    /// Sends edits that were made offline, and returns what came of each.
    #[track_caller]
    pub fn batch(&self, edits: &[Value]) -> impl Future<Output = Vec<Value>> + use<> {
        self.batch_from(None, edits)
    }

    /// The same from a device that says which it is.
    #[track_caller]
    pub fn batch_from(
        &self,
        device: Option<&str>,
        edits: &[Value],
    ) -> impl Future<Output = Vec<Value>> + use<> {
        let (client, batch) = (self.clone(), json!({"device": device, "edits": edits}));
        async move {
            let answer = client.post(BATCH, &batch).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
            let results = answer.json()["results"].take();
            serde_json::from_value(results).unwrap()
        }
    }

    /// Everything that the feed has after a cursor, and the cursor after it.
    #[track_caller]
    pub fn changes_after(
        &self,
        cursor: Option<&str>,
        page_size: u32,
    ) -> impl Future<Output = (Vec<Value>, String)> + use<> {
        let (client, mut cursor) = (self.clone(), cursor.map(str::to_owned));
        async move {
            let mut changes = Vec::new();
            loop {
                let mut path = format!("{CHANGES}?page_size={page_size}");
                if let Some(cursor) = &cursor {
                    path = format!("{path}&cursor={cursor}");
                }
                let answer = client.get(&path).await;
                assert_eq!(answer.status, 200, "{}", answer.shown());
                let page = answer.json();
                changes.extend(page["changes"].as_array().unwrap().iter().cloned());
                let next = page["cursor"].as_str().unwrap().to_owned();
                if page["has_more"] == false {
                    return (changes, next);
                }
                cursor = Some(next);
            }
        }
    }

    /// Deletes a note: into the trash, and from there for good.
    #[track_caller]
    pub fn delete(&self, path: &str) -> impl Future<Output = ()> + use<> {
        let deletion = self.request("DELETE", path).send();
        async move {
            let answer = deletion.await;
            assert_eq!(answer.status, 204, "{}", answer.shown());
        }
    }

    /// The titles of a list, in its order.
    #[track_caller]
    pub fn titles(&self, path: &str) -> impl Future<Output = Vec<String>> + use<> {
        let (client, path) = (self.clone(), path.to_owned());
        async move {
            let answer = client.get(&path).await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
            titles_of(&answer)
        }
    }
}

/// Where a note is.
#[track_caller]
pub fn path_of(note: &Value) -> String {
    format!("{NOTES}{}/", note["id"].as_str().unwrap())
}

/// The titles of a page, in its order.
#[track_caller]
pub fn titles_of(answer: &Answer) -> Vec<String> {
    let page = answer.json();
    let results = page["results"].as_array().unwrap();
    let titles = results.iter().map(|note| note["title"].as_str().unwrap());
    titles.map(str::to_owned).collect()
}

/// A URL's path and query.
#[track_caller]
pub fn target_of(url: &Value) -> String {
    let url = url.as_str().unwrap();
    let (_, rest) = url.split_once("://").unwrap();
    rest[rest.find('/').unwrap()..].to_owned()
}

/// Grants somebody premium without end, so that they may have any number of notes.
pub async fn grant_premium(rows: &mut Rows, name: &str) {
    let grant = "insert into plan_grants (user_id, source, until_at, granted_at)
                 select id, 'operator', null, 0 from users";
    rows.run(&format!("{grant} where username_key = '{name}'"))
        .await;
}

impl TestApp {
    /// A user with premium.
    pub async fn premium(&self, name: &str) -> Client {
        let client = self.member(&Person::new(name)).await;
        let mut rows = self.rows().await;
        grant_premium(&mut rows, name).await;
        rows.close().await;
        client
    }
}

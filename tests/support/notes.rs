//! What tests of notes do often.

use serde_json::{Value, json};

use super::{Answer, Client};

/// Where notes are.
pub const NOTES: &str = "/api/notes/";

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

//! `GET /api/notes/changes/`: what became of the notes, in the order of commits, and never less than everything.

mod feed;
mod starting_over;
mod writers;

use serde_json::{Value, json};

use crate::support::{Client, NOTES, uuid};

fn path(n: u64) -> String {
    format!("{NOTES}{}/", uuid(n))
}

/// What a change says, short: the note, its version, and whether it is deleted.
fn short(changes: &[Value]) -> Vec<(String, i64, bool)> {
    let short = changes.iter().map(|change| {
        let deleted = change["deleted"].as_bool().unwrap();
        assert_eq!(change.get("note").is_none(), deleted, "{change}");
        let id = change["id"].as_str().unwrap().to_owned();
        (id, change["version"].as_i64().unwrap(), deleted)
    });
    short.collect()
}

/// Makes so many notes, from number 1 on.
async fn make(client: &Client, count: u64) {
    for n in 1..=count {
        client
            .note(&json!({"id": uuid(n), "title": format!("note {n}")}))
            .await;
    }
}

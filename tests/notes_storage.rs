//! The plan's budget of bytes, those in the trash included: never a byte too many, by whatever route and at whatever
//! moment, and what makes nothing longer is never refused.

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use crate::support::{Client, NOTES, Person, Processes, TestApp, path_of, upsert, uuid};

const LIMIT: u64 = 1 << 20;

const REFUSED: &str = "The free plan stores 1 MiB of notes, those in the trash included. \
                       Delete some for good (empty the trash), or change to a plan that stores more.";

/// The routes by which a note can grow, or another one be made.
const ROUTES: [&str; 8] = [
    "a new note",
    "a note put where there is none",
    "a note put over a live one",
    "a note put over one in the trash",
    "a change of a live one",
    "an edit that makes a note",
    "an edit of a live one",
    "the copy of an edit in conflict",
];

/// A long note: 50 of them are too many.
fn long(title: &str) -> Value {
    json!({"title": title, "content": "word ".repeat(6000)})
}

/// The n-th note of a route: identifiers are given once, whoever asks.
fn id(route: usize, n: u64) -> String {
    uuid(1000 * route as u64 + n)
}

/// Writes the n-th long note by a route: whether there was room. Whatever else is answered fails the test. The notes
/// 1 to 50 are live and short, 101 to 150 in the trash and short, and note 200 is live and in its second version.
fn write(client: Client, route: usize, n: u64) -> BoxFuture<'static, bool> {
    Box::pin(async move {
        let note = long(&format!("long {n}"));
        let id = |n| id(route, n);
        let path = |n| format!("{NOTES}{}/", id(n));
        let edit = match route {
            0 => return has_room(&client.post(NOTES, &note).await),
            1 => return has_room(&client.send("PUT", &path(300 + n), &note).await),
            2 => return has_room(&client.send("PUT", &path(n), &note).await),
            3 => return has_room(&client.send("PUT", &path(100 + n), &note).await),
            4 => return has_room(&client.send("PATCH", &path(n), &note).await),
            5 => upsert(&id(300 + n), None, &note),
            6 => upsert(&id(n), Some(1), &note),
            _ => upsert(&id(200), Some(1), &note),
        };
        let result = client.batch(&[edit]).await.remove(0);
        match result["status"].as_str().unwrap() {
            "created" | "updated" | "conflict" => true,
            "error" => {
                assert_eq!(result["code"], "storage_limit_reached", "{result}");
                false
            }
            _ => panic!("{result}"),
        }
    })
}

fn has_room(answer: &crate::support::Answer) -> bool {
    if answer.status == 403 {
        let refusal = answer.json();
        assert_eq!(refusal["code"], "storage_limit_reached", "{refusal}");
        return false;
    }
    assert!([200, 201].contains(&answer.status), "{}", answer.shown());
    true
}

/// What the writes of a route start from.
async fn prepare(client: &Client, route: usize) {
    let id = |n| id(route, n);
    for first in [1, 101] {
        let edits: Vec<_> = (first..first + 50)
            .map(|n| upsert(&id(n), None, &json!({"title": "short"})))
            .collect();
        client.batch(&edits).await;
    }
    let trash: Vec<_> = (101..151)
        .map(|n| json!({"op": "delete", "id": id(n)}))
        .collect();
    client.batch(&trash).await;
    let note = json!({"id": id(200), "title": "edited elsewhere"});
    let made = path_of(&client.note(&note).await);
    client
        .send("PATCH", &made, &json!({"content": "here"}))
        .await;
}

#[tokio::test]
async fn fifty_notes_at_once_at_two_processes_never_exceed_the_budget_by_any_route() {
    let app = Processes::with()
        .limited()
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1000")
        .set("SMART_NOTES__NOTES__FREE_STORAGE_MIB", "1")
        .apis(2)
        .start()
        .await;

    for (route, name) in ROUTES.iter().enumerate() {
        let person = Person::new(&format!("ada{route}"));
        app.client().registered(&person).await;
        let code = app.code(&person, 1).await;
        app.client().verify(&person, &code).await;
        let token = app.client().token(&person).await;
        let client = app.client().bearing(&token);
        prepare(&client, route).await;

        let writes = (1..=50).map(|n| {
            let client = app.apis[(n % 2) as usize].client.bearing(&token);
            write(client, route, n)
        });
        let written = join_all(writes).await;

        let plan = client.get("/api/subscription/").await.json();
        let written = written.iter().filter(|written| **written).count() as u64;
        assert_eq!(plan["storage_limit"], LIMIT, "{name}");
        let used = plan["storage_used"].as_u64().unwrap();
        assert!(used <= LIMIT, "{name}: {used}");
        // One more would have been too many: none was refused that had room.
        assert!(used > LIMIT - 40_000, "{name}: {used} by {written} notes");
        assert!((20..50).contains(&written), "{name}: {written}");
    }
    app.finish().await;
}

/// Fills the budget with live notes, and returns the path of one of them.
async fn fill(client: &Client) -> String {
    let mut last = None;
    loop {
        let answer = client.post(NOTES, &long("filling")).await;
        match answer.status {
            201 => last = Some(path_of(&answer.json())),
            _ => return last.expect("one note fits"),
        }
    }
}

fn small_budget() -> crate::support::Builder {
    TestApp::with()
        .limited()
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1000")
        .set("SMART_NOTES__NOTES__FREE_STORAGE_MIB", "1")
}

#[tokio::test]
async fn the_trash_counts_and_only_deleting_for_good_makes_room() {
    let app = small_budget().start().await;
    let session = app.member(&Person::new("ada")).await;
    let note = fill(&session).await;
    let used = session.get("/api/subscription/").await.json()["storage_used"].take();

    let refused = session.post(NOTES, &long("one more")).await;
    let trashed = session.request("DELETE", &note).send().await;
    let still_refused = session.post(NOTES, &long("one more")).await;
    let gone = session
        .request("DELETE", &format!("{note}?permanent=true"))
        .send()
        .await;
    let written = session.post(NOTES, &long("one more")).await;

    assert_eq!((refused.status, still_refused.status), (403, 403));
    assert_eq!(
        refused.json(),
        json!({
            "error": REFUSED, "code": "storage_limit_reached",
            "limit": LIMIT, "used": used, "plan": "free",
        })
    );
    assert_eq!(
        (trashed.status, gone.status, written.status),
        (204, 204, 201)
    );
    app.finish().await;
}

#[tokio::test]
async fn over_the_budget_everything_works_that_makes_no_note_longer() {
    let app = small_budget().start().await;
    let session = app.member(&Person::new("ada")).await;
    let note = fill(&session).await;
    let mut rows = app.rows().await;
    // As after a change of plan, or a lower setting.
    rows.run("update note_books set bytes = bytes * 2").await;
    rows.close().await;

    let pinned = session
        .send("PATCH", &note, &json!({"is_pinned": true}))
        .await;
    let longer = session
        .send(
            "PATCH",
            &note,
            &json!({"title": "a longer title than before"}),
        )
        .await;
    let shorter = session
        .send("PATCH", &note, &json!({"content": "word"}))
        .await;
    let replaced = session.send("PUT", &note, &json!({"title": "t"})).await;
    session.delete(&note).await;
    let restored = session.post_empty(&format!("{note}restore/")).await;
    let refused = session.post(NOTES, &json!({"title": "new"})).await;

    assert_eq!(longer.json()["code"], "storage_limit_reached");
    assert_eq!(
        [
            pinned.status,
            shorter.status,
            replaced.status,
            restored.status
        ],
        [200; 4]
    );
    assert_eq!(refused.status, 403);
    let mut rows = app.rows().await;
    rows.run("update note_books set bytes = 0").await;
    rows.close().await;
    assert_eq!(
        session.post(NOTES, &json!({"title": "new"})).await.status,
        201
    );
    app.finish().await;
}

/// A word may be several times as long when search has decomposed it (U+FDFA, NFKD): that counts, too.
#[tokio::test]
async fn what_search_keeps_of_a_note_counts() {
    let app = small_budget().start().await;
    let session = app.member(&Person::new("ada")).await;

    let note = session
        .note(&json!({"title": "\u{fdfa}".repeat(200)}))
        .await;

    let used = session.get("/api/subscription/").await.json()["storage_used"].take();
    assert!(used.as_u64().unwrap() > 512 + 2 * 200 * 3, "{used}");
    session
        .delete(&format!("{}?permanent=true", path_of(&note)))
        .await;
    let left = session.get("/api/subscription/").await.json()["storage_used"].take();
    assert_eq!(left, 0);
    app.finish().await;
}

#[tokio::test]
async fn where_limits_are_lifted_any_number_of_bytes_is_kept() {
    let app = TestApp::with()
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1000")
        .set("SMART_NOTES__NOTES__FREE_STORAGE_MIB", "1")
        .start()
        .await;
    let session = app.member(&Person::new("ada")).await;

    for _ in 0..40 {
        session.note(&long("long")).await;
    }

    let plan = session.get("/api/subscription/").await.json();
    assert_eq!(plan["storage_limit"], Value::Null);
    assert!(plan["storage_used"].as_u64().unwrap() > LIMIT);
    app.finish().await;
}

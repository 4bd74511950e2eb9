//! `GET /api/notes/changes/`: what became of the notes, in the order of commits, and never less than everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    BATCH, CHANGES, Client, NOTES, Person, Processes, TestApp, deletion, grant_premium, path_of,
    upsert, uuid,
};

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

#[tokio::test]
async fn the_feed_has_every_note_as_it_is_under_its_last_change() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 6).await;
    ada.send("PATCH", &path(2), &json!({"content": "newer"}))
        .await;
    ada.delete(&path(3)).await;
    ada.delete(&path(4)).await;
    ada.delete(&path(4)).await;
    ada.delete(&path(5)).await;
    ada.post_empty(&format!("{}restore/", path(5))).await;
    ada.send("PATCH", &path(1), &json!({"content": "newest"}))
        .await;

    let (changes, _) = ada.changes_after(None, 100).await;

    let expected = [
        (uuid(6), 1, false),
        (uuid(2), 2, false),
        (uuid(3), 2, true),
        (uuid(4), 3, true),
        (uuid(5), 3, false),
        (uuid(1), 2, false),
    ];
    assert_eq!(short(&changes), expected);
    for change in changes.iter().filter(|change| change["deleted"] == false) {
        assert_eq!(
            ada.get(&path_of(&change["note"])).await.json(),
            change["note"]
        );
        assert_eq!(change["note"]["version"], change["version"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn after_a_cursor_come_the_changes_since_and_nothing_twice() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 3).await;
    let (_, cursor) = ada.changes_after(None, 2).await;

    let (nothing, same) = ada.changes_after(Some(&cursor), 2).await;
    ada.send("PATCH", &path(1), &json!({"title": "one"})).await;
    ada.batch(&[
        upsert(&uuid(2), Some(1), &json!({"title": "two"})),
        upsert(&uuid(3), None, &json!({"title": "in conflict"})),
        deletion(&uuid(1), Some(2)),
    ])
    .await;
    let (changes, next) = ada.changes_after(Some(&cursor), 2).await;
    let (again, _) = ada.changes_after(Some(&cursor), 1).await;
    let (rest, _) = ada.changes_after(Some(&next), 2).await;

    assert_eq!((nothing, same), (vec![], cursor.clone()));
    let copy = changes[1]["note"].clone();
    assert_eq!(
        (&copy["conflict_of"], &copy["title"]),
        (&json!(uuid(3)), &json!("in conflict (conflict)"))
    );
    let copy = copy["id"].as_str().unwrap().to_owned();
    assert_eq!(
        short(&changes),
        [(uuid(2), 2, false), (copy, 1, false), (uuid(1), 3, true)]
    );
    assert_eq!((again, rest), (changes, vec![]));
    app.finish().await;
}

#[tokio::test]
async fn a_note_deleted_for_good_or_made_again_never_falls_back_in_its_version() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 1).await;
    let (_, mut cursor) = ada.changes_after(None, 100).await;
    let mut seen = Vec::new();

    for step in 0..8 {
        match step {
            0 | 3 => ada.delete(&path(1)).await,
            1 | 6 => ada.delete(&format!("{}?permanent=true", path(1))).await,
            2 => drop(ada.note(&json!({"id": uuid(1), "title": "again"})).await),
            4 => drop(ada.post_empty(&format!("{}restore/", path(1))).await),
            5 => drop(ada.send("PUT", &path(1), &json!({"title": "put"})).await),
            _ => drop(
                ada.batch(&[upsert(&uuid(1), Some(1), &json!({"title": "merged"}))])
                    .await,
            ),
        }
        let (changes, next) = ada.changes_after(Some(&cursor), 100).await;
        assert_eq!(changes.len(), 1, "step {step}");
        let (_, version, deleted) = short(&changes).remove(0);
        seen.push((version, deleted));
        cursor = next;
    }

    let expected = [
        (2, true),
        (3, true),
        (4, false),
        (5, true),
        (6, false),
        (7, false),
        (8, true),
        (9, false),
    ];
    assert_eq!(seen, expected);
    app.finish().await;
}

#[tokio::test]
async fn what_was_refused_or_said_nothing_new_is_not_in_the_feed() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    make(&ada, 20).await;
    ada.send("PATCH", &path(2), &json!({"content": "2"})).await;
    let (_, cursor) = ada.changes_after(None, 100).await;
    let same = json!({"id": uuid(1), "title": "note 1"});
    let other = json!({"title": "other"});

    let stale = ada.with("If-Match", "\"9\"");
    let statuses = [
        ada.post(NOTES, &same).await.status,
        ada.post(NOTES, &json!({"id": uuid(1), "title": "other"}))
            .await
            .status,
        ada.post(NOTES, &other).await.status,
        ada.send("PUT", &path(1), &same).await.status,
        ada.send("PATCH", &path(1), &json!({})).await.status,
        ada.send("PATCH", &path(1), &json!({"title": "note 1"}))
            .await
            .status,
        ada.send("PATCH", &path(1), &json!({"title": 1}))
            .await
            .status,
        ada.send("PATCH", &path(1), &json!({"title": ""}))
            .await
            .status,
        ada.send("PATCH", &path(30), &other).await.status,
        ada.post_empty(&format!("{}restore/", path(1))).await.status,
        stale.send("PUT", &path(1), &other).await.status,
        stale.send("DELETE", &path(1), &other).await.status,
        eve.send("PATCH", &path(1), &other).await.status,
        eve.send("DELETE", &path(1), &other).await.status,
    ];
    ada.batch(&[
        upsert(&uuid(1), Some(1), &json!({"title": "note 1"})),
        upsert(&uuid(2), Some(1), &other),
        upsert(&uuid(30), None, &other),
        deletion(&uuid(2), Some(1)),
        deletion(&uuid(30), None),
    ])
    .await;

    assert_eq!(
        statuses,
        [
            200, 409, 403, 200, 200, 200, 400, 400, 404, 200, 412, 412, 404, 404
        ]
    );
    assert_eq!(
        ada.changes_after(Some(&cursor), 100).await,
        (vec![], cursor)
    );
    assert_eq!(eve.changes_after(None, 100).await.0, Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn pages_of_any_size_make_the_same_feed() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    make(&ada, 30).await;
    for n in (1..=30).step_by(3) {
        ada.delete(&path(n)).await;
        if n % 2 == 0 {
            ada.delete(&path(n)).await;
        }
    }
    let (all, end) = ada.changes_after(None, 100).await;

    for size in [1, 2, 7, 29, 30, 31] {
        assert_eq!(ada.changes_after(None, size).await.0, all, "{size}");
    }
    let first = ada.get(CHANGES).await.json();
    assert_eq!(first["changes"].as_array().unwrap()[..], all[..20]);
    assert_eq!(first["has_more"], true);
    let whole = ada.get(&format!("{CHANGES}?page_size=30")).await.json();
    assert_eq!(whole["has_more"], false);
    assert_eq!(
        ada.changes_after(whole["cursor"].as_str(), 1).await.0,
        Vec::<Value>::new()
    );
    assert_eq!(
        ada.changes_after(Some(&end), 1).await.0,
        Vec::<Value>::new()
    );
    app.finish().await;
}

#[tokio::test]
async fn a_cursor_of_another_user_or_none_at_all_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    make(&ada, 2).await;
    let (_, own) = ada.changes_after(None, 1).await;
    let (_, others) = eve.changes_after(None, 1).await;
    let list = ada.get("/api/notes/?page_size=1").await.json()["next"].to_string();
    let list = list
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();

    let half = own[..own.len() / 2].to_owned();
    for bad in [
        others,
        list,
        half,
        "x".to_owned(),
        "0".to_owned(),
        "e30".to_owned(),
        "%00".to_owned(),
        "A".repeat(5000),
    ] {
        let answer = ada.get(&format!("{CHANGES}?cursor={bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.json()["cursor"].is_array(), "{}", answer.shown());
    }
    for size in ["0", "101", "x", "-1"] {
        let answer = ada.get(&format!("{CHANGES}?page_size={size}")).await;
        answer.assert_refused("page_size", "Must be a number from 1 to 100.");
    }
    app.finish().await;
}

/// Forgets the tombstones of everything up to now, as a sweep does after their time.
async fn forget_tombstones(app: &TestApp) {
    let mut rows = app.rows().await;
    rows.run("update note_books set forgotten_change = coalesce((select max(change) from note_tombstones where note_tombstones.user_id = note_books.user_id), forgotten_change)").await;
    rows.run("delete from note_tombstones").await;
    rows.close().await;
}

#[tokio::test]
async fn who_has_not_heard_of_a_deletion_that_is_forgotten_must_start_over() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 4).await;
    let (_, before) = ada.changes_after(None, 100).await;
    let (_, half) = ada.changes_after(Some(&before), 100).await;
    ada.delete(&format!("{}?permanent=true", path(1))).await;
    let (_, after) = ada.changes_after(Some(&half), 100).await;
    ada.send("PATCH", &path(2), &json!({"title": "newer"}))
        .await;
    forget_tombstones(&app).await;

    let late = ada.get(&format!("{CHANGES}?cursor={before}")).await;
    let (changes, _) = ada.changes_after(Some(&after), 100).await;
    let (anew, _) = ada.changes_after(None, 1).await;

    assert_eq!(late.status, 410);
    assert_eq!(late.json()["code"], "cursor_expired");
    assert_eq!(short(&changes), [(uuid(2), 2, false)]);
    assert_eq!(
        short(&anew),
        [
            (uuid(3), 1, false),
            (uuid(4), 1, false),
            (uuid(2), 2, false)
        ]
    );
    app.finish().await;
}

/// Who starts over begins among changes that are older than the forgotten ones, and has nothing to forget yet.
#[tokio::test]
async fn who_starts_over_gets_to_the_end_however_old_the_notes_are() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    make(&ada, 30).await;
    for n in 21..=30 {
        ada.delete(&format!("{}?permanent=true", path(n))).await;
    }
    forget_tombstones(&app).await;
    let first = ada.get(&format!("{CHANGES}?page_size=5")).await.json();
    let cursor = first["cursor"].as_str().unwrap();

    let (rest, _) = ada.changes_after(Some(cursor), 5).await;
    // What is deleted while somebody starts over concerns them.
    ada.delete(&format!("{}?permanent=true", path(1))).await;
    let (heard, _) = ada.changes_after(Some(cursor), 5).await;
    forget_tombstones(&app).await;
    let late = ada.get(&format!("{CHANGES}?cursor={cursor}")).await;

    assert_eq!(
        short(&rest),
        (6..=20).map(|n| (uuid(n), 1, false)).collect::<Vec<_>>()
    );
    assert_eq!(heard.last().unwrap()["deleted"], true);
    assert_eq!(late.status, 410);
    app.finish().await;
}

/// A backup that is put back knows less than its readers.
#[tokio::test]
async fn a_cursor_from_beyond_the_newest_change_must_start_over() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 4).await;
    let (_, end) = ada.changes_after(None, 100).await;
    let middle = ada.get(&format!("{CHANGES}?page_size=1")).await.json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut rows = app.rows().await;
    rows.run("delete from notes where change > 2").await;
    rows.run("update note_books set last_change = 2, live = 2")
        .await;
    rows.close().await;

    for cursor in [end, middle] {
        assert_eq!(
            ada.get(&format!("{CHANGES}?cursor={cursor}")).await.status,
            410
        );
    }
    app.finish().await;
}

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
                self.client.delete(&path(note)).await;
                (
                    version + 1,
                    if state == Some(true) {
                        Some(false)
                    } else {
                        None
                    },
                )
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

#[tokio::test]
async fn a_batch_is_seen_edit_by_edit_in_its_order() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let edits: Vec<_> = (0..100)
        .map(|n| upsert(&uuid(n), None, &json!({"title": n.to_string()})))
        .collect();

    let answer = ada.post(BATCH, &json!({"edits": edits})).await;
    assert_eq!(answer.status, 200);
    let (changes, _) = ada.changes_after(None, 33).await;

    let ids: Vec<_> = short(&changes).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, (0..100).map(uuid).collect::<Vec<_>>());
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 100);
    app.finish().await;
}

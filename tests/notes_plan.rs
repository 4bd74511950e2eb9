//! The plan's limit: never one note too many, by whatever route and at whatever moment, and nothing else refused.

use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use crate::support::{
    Api, Client, NOTES, Person, Processes, TestApp, deletion, grant_premium, path_of, upsert, uuid,
};

const REFUSED: &str =
    "The free plan holds 20 notes. Delete some, or change to a plan that holds more.";

fn refusal(used: u64) -> Value {
    json!({"error": REFUSED, "code": "note_limit_reached", "limit": 20, "used": used, "plan": "free"})
}

fn note(title: &str) -> Value {
    json!({"title": title})
}

fn path(n: u64) -> String {
    format!("{NOTES}{}/", uuid(n))
}

/// One more note by one of six routes: whether there is one more. Whatever else is answered than a note or the plan's
/// refusal fails the test. The notes 100… are in the trash, and note 1 is live and in its second version.
fn one_more(client: Client, route: u64, round: u64, n: u64) -> BoxFuture<'static, bool> {
    Box::pin(async move {
        let title = format!("one more, {round} {n}");
        let answer = match route {
            0 => client.post(NOTES, &note(&title)).await,
            1 => client.send("PUT", &path(1000 + n), &note(&title)).await,
            2 => {
                client
                    .post_empty(&format!("{}restore/", path(100 + n)))
                    .await
            }
            3 => client.send("PUT", &path(100 + n), &note(&title)).await,
            _ => {
                let edit = match route {
                    4 => upsert(&uuid(2000 + n), None, &note(&title)),
                    _ => upsert(&uuid(1), Some(1), &note(&title)),
                };
                let result = client.batch(&[edit]).await.remove(0);
                return match result["status"].as_str().unwrap() {
                    "created" | "conflict" => true,
                    "error" => {
                        assert_eq!(result["code"], "note_limit_reached", "{result}");
                        false
                    }
                    _ => panic!("{result}"),
                };
            }
        };
        if answer.status == 403 {
            assert_eq!(answer.json(), refusal(20));
        } else {
            assert!([200, 201].contains(&answer.status), "{}", answer.shown());
        }
        answer.status != 403
    })
}

#[tokio::test]
async fn of_fifty_notes_by_every_route_at_two_processes_one_finds_the_last_place() {
    let app = Processes::with().apis(2).start().await;
    let ada = Person::new("ada");
    let challenge = app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify_with(&ada, &code, &challenge).await;
    let token = app.client().token(&ada).await;
    let client = app.client().bearing(&token);
    for n in 100..150 {
        client
            .note(&json!({"id": uuid(n), "title": "one more, trashed"}))
            .await;
        client.delete(&path(n)).await;
    }
    for n in 1..=19 {
        client
            .note(&json!({"id": uuid(n), "title": "one of the first"}))
            .await;
    }
    client
        .send("PATCH", &path(1), &json!({"content": "newer"}))
        .await;

    for round in 0..6 {
        let attempts = (0..50).map(|n| {
            let client = app.apis[(n % 2) as usize].client.bearing(&token);
            // Another route is first each time.
            one_more(client, (n + round) % 6, round, n)
        });
        let made = join_all(attempts).await;

        let page = client.get("/api/notes/?page_size=100").await.json();
        let notes = page["results"].as_array().unwrap();
        let more: Vec<_> = notes
            .iter()
            .filter(|note| note["title"] != "one of the first")
            .collect();
        assert_eq!(
            made.iter().filter(|made| **made).count(),
            1,
            "round {round}"
        );
        assert_eq!(
            (&page["count"], notes.len(), more.len()),
            (&json!(20), 20, 1)
        );
        client.delete(&path_of(more[0])).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_full_plan_refuses_every_route_that_makes_a_note_in_the_same_words() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    ada.note(&json!({"id": uuid(100), "title": "trashed"}))
        .await;
    ada.delete(&path(100)).await;
    for n in 1..=20 {
        // What is put away counts, what is in the trash does not.
        ada.note(&json!({"id": uuid(n), "title": "t", "is_archived": n % 2 == 0}))
            .await;
    }
    let before = app.rows().await.of_notes().await;

    for answer in [
        ada.post(NOTES, &note("new")).await,
        ada.post(NOTES, &json!({"id": uuid(21), "title": "new"}))
            .await,
        ada.send("PUT", &path(22), &note("new")).await,
        ada.send("PUT", &path(100), &note("new")).await,
        ada.post_empty(&format!("{}restore/", path(100))).await,
    ] {
        assert_eq!((answer.status, answer.json()), (403, refusal(20)));
    }

    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

async fn everything_but_creating_works(ada: &Client) {
    let made = json!({"id": uuid(1), "title": "t 1"});
    assert_eq!(ada.post(NOTES, &made).await.status, 200, "an equal repeat");
    assert_eq!(
        ada.post(NOTES, &json!({"id": uuid(1), "title": "other"}))
            .await
            .status,
        409
    );
    assert_eq!(ada.get(&path(1)).await.status, 200);
    assert_eq!(
        ada.send("PATCH", &path(1), &note("changed")).await.status,
        200
    );
    assert_eq!(ada.send("PUT", &path(1), &note("t 1")).await.status, 200);
    assert_eq!(
        ada.post_empty(&format!("{}restore/", path(1))).await.status,
        200
    );
    let results = ada
        .batch(&[
            upsert(&uuid(2), Some(1), &note("merged")),
            upsert(&uuid(3), None, &note("t 3")),
            deletion(&uuid(4), None),
        ])
        .await;
    let statuses: Vec<_> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["updated", "unchanged", "deleted"]);
    ada.delete(&path(5)).await;
    ada.delete(&path(5)).await;
    assert_eq!(
        ada.changes_after(None, 100).await.0.len() as u64,
        ada.get(NOTES).await.json()["count"].as_u64().unwrap() + 2
    );
}

#[tokio::test]
async fn after_a_downgrade_everything_is_there_and_works_but_creating() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    for n in 1..=25 {
        ada.note(&json!({"id": uuid(n), "title": format!("t {n}")}))
            .await;
    }
    let all = ada.get("/api/notes/?page_size=100").await.json();
    let mut rows = app.rows().await;
    rows.run("delete from plan_grants").await;

    let refused = ada.post(NOTES, &note("new")).await;
    assert_eq!((refused.status, refused.json()), (403, refusal(25)));
    assert_eq!(ada.get("/api/notes/?page_size=100").await.json(), all);
    everything_but_creating_works(&ada).await;
    let refused = ada.post_empty(&format!("{}restore/", path(4))).await;
    assert_eq!((refused.status, refused.json()), (403, refusal(23)));
    for n in 6..=8 {
        ada.delete(&path(n)).await;
    }
    assert_eq!(
        ada.post(NOTES, &note("new")).await.status,
        403,
        "20 are still too many"
    );
    ada.delete(&path(9)).await;
    assert_eq!(ada.post(NOTES, &note("new")).await.status, 201);
    // Granted again, everything fits once more.
    grant_premium(&mut rows, "ada").await;
    assert_eq!(
        ada.post_empty(&format!("{}restore/", path(4))).await.status,
        200
    );
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_grant_holds_until_it_ends() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    for client in [&ada, &bob] {
        for n in 0..20 {
            client.note(&note(&n.to_string())).await;
        }
    }
    let mut rows = app.rows().await;
    let until = 1_800_000_000_i64 * 1_000_000 + 60_000_000;
    rows.run(&format!(
        "insert into plan_grants (user_id, source, until_at, granted_at)
         select id, 'stripe', {until}, 0 from users where username_key = 'ada'"
    ))
    .await;
    rows.close().await;

    let during = ada.post(NOTES, &note("21")).await.status;
    let others = bob.post(NOTES, &note("21")).await.status;
    app.advance(60).await;
    let after = ada.post(NOTES, &note("22")).await;

    assert_eq!((during, others), (201, 403));
    assert_eq!((after.status, after.json()), (403, refusal(21)));
    app.finish().await;
}

#[tokio::test]
async fn a_lower_limit_after_a_restart_takes_nothing_away() {
    let mut app = Processes::start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let token = app.client().token(&ada).await;
    let client = app.client().bearing(&token);
    for n in 1..=8 {
        client
            .note(&json!({"id": uuid(n), "title": format!("t {n}")}))
            .await;
    }

    app.apis[0].process.kill().await;
    app.place_mut().set("SMART_NOTES__NOTES__FREE_LIMIT", "1");
    app.apis = vec![Api::start(app.place(), "again").await];

    let client = app.client().bearing(&token);
    let refused = client.post(NOTES, &note("new")).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.json(),
        json!({
            "error": "The free plan holds 1 note. Delete some, or change to a plan that holds more.",
            "code": "note_limit_reached", "limit": 1, "used": 8, "plan": "free",
        })
    );
    everything_but_creating_works(&client).await;
    assert_eq!(client.get(NOTES).await.json()["count"], 6);
    app.finish().await;
}

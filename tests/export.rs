//! The export is sent piece by piece, and is whole or broken off.

use serde_json::{Value, json};

use crate::support::{Client, Person, Raw, TestApp, path_of, uuid};

const EXPORT: &str = "/api/auth/export/";

fn ada() -> Person {
    Person::new("ada")
}

/// A user with so many long notes, some of them in the trash, and a record of much that happened.
async fn with_much(app: &TestApp) -> (Client, Vec<String>) {
    let ada = app.member(&ada()).await;
    let mut ids = Vec::new();
    for n in 1..=6 {
        let content = format!("{n} {}", "\u{1}\"é".repeat(10_000));
        ada.note(&json!({"id": uuid(n), "title": "long", "content": content}))
            .await;
        ids.push(uuid(n));
    }
    for n in [2, 3] {
        ada.delete(&format!("/api/notes/{}/", uuid(n))).await;
        ids.retain(|id| *id != uuid(n));
        ids.push(uuid(n));
    }
    let mut rows = app.rows().await;
    rows.run(
        "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 450)
         insert into audit (at, event, user_id, request_id, client)
         select 1700000000000000 + n / 3, 'test_' || n, users.id, 'r', '192.0.2.1' from users, numbers",
    )
    .await;
    rows.close().await;
    (ada, ids)
}

#[tokio::test]
async fn an_export_in_pieces_is_one_document_with_everything_in_its_order() {
    let app = TestApp::start().await;
    let (ada, ids) = with_much(&app).await;

    let answer = ada.get(EXPORT).await;

    let document = answer.json();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), serde_json::to_string(&document).unwrap());
    let keys: Vec<_> = document.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "exported_at",
            "profile",
            "subscription",
            "grants",
            "sessions",
            "known_clients",
            "notes",
            "security_events",
            "payment_events",
            "mails"
        ]
    );
    let notes = document["notes"].as_array().unwrap();
    let exported: Vec<_> = notes
        .iter()
        .map(|note| note["id"].as_str().unwrap())
        .collect();
    assert_eq!(exported, ids);
    assert_eq!(notes[0], ada.get(&path_of(&notes[0])).await.json());
    let events = document["security_events"].as_array().unwrap();
    let ours = |event: &&Value| event["event"].as_str().unwrap().starts_with("test_");
    let ours: Vec<_> = events.iter().filter(ours).collect();
    assert_eq!(ours.len(), 450);
    for (n, event) in ours.iter().enumerate() {
        assert_eq!(event["event"], format!("test_{}", 450 - n));
    }
    app.finish().await;
}

#[tokio::test]
async fn an_export_of_next_to_nothing_has_empty_lists() {
    let app = TestApp::start().await;
    let ada = app.member(&ada()).await;
    let mut rows = app.rows().await;
    rows.run("delete from audit").await;
    rows.close().await;

    let document = ada.get(EXPORT).await.json();

    assert_eq!(document["notes"], json!([]));
    assert_eq!(document["security_events"], json!([]));
    assert_eq!(document["payment_events"], json!([]));
    app.finish().await;
}

/// What Stripe tells names the customer, with address and phone (GDPR, article 15).
#[tokio::test]
async fn an_export_holds_what_payment_services_told_about_the_user_and_nobody_else() {
    let app = TestApp::with().paid().start().await;
    let ada = app.member(&ada()).await;
    let bob = app.member(&Person::new("bob")).await;
    let checkout = |user: &str| {
        json!({
            "object": "checkout.session", "client_reference_id": user, "customer": format!("cus_of_{user}"),
            "customer_details": {"name": "A Name \u{1}", "phone": "+1555"},
        })
    };
    let now = app.second();
    app.stripe("evt_1", now, "checkout.session.completed", checkout("1"))
        .await;
    app.stripe("evt_2", now, "checkout.session.completed", checkout("2"))
        .await;
    for n in 3..30 {
        let invoice = json!({"object": "invoice", "customer": "cus_of_1"});
        app.stripe(&format!("evt_{n}"), now, "invoice.paid", invoice)
            .await;
    }
    app.revenuecat(json!({
        "id": "rc", "type": "SUBSCRIPTION_PAUSED", "app_user_id": "1", "event_timestamp_ms": now * 1000,
    }))
    .await;

    let document = ada.get(EXPORT).await.json();

    let events = document["payment_events"].as_array().unwrap();
    let ids: Vec<_> = events.iter().map(|event| &event["id"]).collect();
    assert_eq!(
        (ids[0], ids[1], ids[28], ids.len()),
        (&json!("rc"), &json!("evt_1"), &json!("evt_29"), 29)
    );
    let body: Value = serde_json::from_str(events[1]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["data"]["object"], checkout("1"));
    assert_eq!(
        (
            &events[1]["source"],
            &events[1]["type"],
            &events[1]["effect"]
        ),
        (
            &json!("stripe"),
            &json!("checkout.session.completed"),
            &json!("whose it is was noted")
        )
    );
    assert_eq!(events[0]["made_at"], "2027-01-15T08:00:00Z");
    let others = bob.get(EXPORT).await.json();
    assert_eq!(others["payment_events"].as_array().unwrap().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn an_export_holds_the_grants_clients_and_mails_of_the_user_and_nobody_else() {
    let app = TestApp::start().await;
    app.member(&Person::new("bob")).await;
    let ada = app.member(&ada()).await;
    let mut rows = app.rows().await;
    rows.run(
        "insert into plan_grants (user_id, source, until_at, granted_at)
         values (2, 'operator', null, 0), (1, 'stripe', 1, 0)",
    )
    .await;
    rows.run(
        "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 450)
         insert into mails (id, kind, recipient, recipient_key, user_id, request_id, state, created_at, finished_at)
         select printf('01J%023d', id * 1000 + n), 'test_' || n, email, email_key, id, 'r', 'delivered', n / 3, n
         from users, numbers",
    )
    .await;

    let document = ada.get(EXPORT).await.json();

    rows.run("delete from mails where kind like 'test_%'").await;
    rows.close().await;
    let grant =
        json!([{"source": "operator", "until": null, "granted_at": "1970-01-01T00:00:00Z"}]);
    assert_eq!(document["grants"], grant);
    let clients = document["known_clients"].as_array().unwrap();
    assert_eq!(
        clients[..],
        [json!({"ip": "127.0.0.1", "last_seen_at": "2027-01-15T08:00:00Z"})]
    );
    let mails = document["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 451);
    assert_eq!(mails[0]["kind"], "verify_email");
    assert_eq!(
        (&mails[1]["kind"], &mails[450]["kind"]),
        (&json!("test_450"), &json!("test_1"))
    );
    assert!(mails.iter().all(|mail| mail["to"] == "ada@example.com"));
    app.finish().await;
}

#[tokio::test]
async fn a_failure_on_the_way_breaks_an_export_off() {
    let app = TestApp::start().await;
    with_much(&app).await;
    let mut rows = app.rows().await;
    let broken = format!("update notes set tags = 'none' where id = '{}'", uuid(6));
    rows.run(&broken).await;
    let mut connection = Raw::connect(app.client.address()).await;

    let token = app.client.token(&ada()).await;
    let head = format!("GET {EXPORT} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\r\n");
    connection.write(head).await;
    let answer = connection.rest().await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains(&uuid(1)) && !answer.contains(&uuid(6)));
    assert!(!answer.ends_with("0\r\n\r\n"));
    rows.run("update notes set tags = '[]'").await;
    rows.close().await;
    app.finish().await;
}

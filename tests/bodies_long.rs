//! Long bodies: read only for who may send one, to where one may be sent.

use serde_json::json;

use tokio::task::JoinSet;

use crate::support::{Client, NOTES, Person, Raw, TestApp};

const MIB: usize = 1024 * 1024;

/// The head of a request whose body has so many bytes.
fn head(request: &str, length: usize, more: &str) -> String {
    format!(
        "{request} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
}

/// A system that waits for bodies longer than a test does for an answer.
async fn patient() -> TestApp {
    let patient = TestApp::with().set("SMART_NOTES__HTTP__BODY_TIMEOUT_SECONDS", "3600");
    patient.start().await
}

/// Requests without a good token, and what is answered whatever their bodies say.
const REFUSED: [(&str, u16); 8] = [
    ("POST /api/notes/", 401),
    ("PUT /api/notes/", 401),
    ("POST /api/notes/batch/", 401),
    (
        "PATCH /api/notes/0190a0b0-c0d0-7e00-8f00-000000000001/",
        401,
    ),
    ("POST /nope", 404),
    ("PUT /api/auth/login/", 405),
    ("POST /api/auth/login/", 413),
    ("PATCH /api/auth/me/", 401),
];

#[tokio::test]
async fn a_long_body_that_nobody_wants_is_answered_before_it_comes() {
    let app = patient().await;

    for (request, status) in REFUSED {
        for more in ["", "Expect: 100-continue\r\n"] {
            let mut connection = Raw::connect(app.client.address()).await;
            connection.write(head(request, 2 * MIB, more)).await;
            let answer = connection.until("\r\n\r\n").await;

            let begins = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&begins), "{request} {more}: {answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        }
    }
    app.finish().await;
}

/// Closed at once, the connection would be reset under the answer.
#[tokio::test]
async fn a_client_that_sends_its_long_body_all_the_same_hears_the_answer() {
    let app = TestApp::start().await;

    for (request, status) in REFUSED {
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(head(request, 2 * MIB, "")).await;
        connection.until("\r\n\r\n").await;
        for _ in 0..20 {
            connection.write("x".repeat(MIB / 10)).await;
        }
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(head(request, 2 * MIB, "")).await;
        connection.write("x".repeat(2 * MIB)).await;
        let answer = connection.rest().await;

        let begins = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begins), "{request}: {answer}");
        assert!(answer.ends_with('}'), "{answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_body_without_a_length_is_read_for_64_kib_before_the_token_is_asked_for() {
    let app = patient().await;
    let mut connection = Raw::connect(app.client.address()).await;

    connection
        .write("POST /api/notes/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    connection.write(chunk.repeat(3)).await;
    let answer = connection.until("}").await;

    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    app.finish().await;
}

#[tokio::test]
async fn a_long_body_is_read_for_who_has_a_token_in_whatever_pieces_it_comes() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let content = "\u{1}".repeat(100_000);
    let body = json!({"title": "long", "content": content}).to_string();
    assert!(body.len() > 600_000);
    let middle = body.len() / 2;

    let with_length = ada.post_raw(NOTES, "application/json", body.clone()).await;
    let request = ada.request("POST", NOTES);
    let request = request.header("Content-Type", "application/json");
    let in_chunks = request
        .chunks(&[&body[..middle], &body[middle..]])
        .send()
        .await;

    for answer in [with_length, in_chunks] {
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["content"], content);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_document_that_nests_too_deep_or_has_too_many_values_is_told_the_limit() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let deep = format!(r#"{{"title":{}"#, "[".repeat(MIB));
    let half = format!(r#"{{"title":{}"\ud800""#, r#"{"a":"#.repeat(MIB / 5));
    let many = format!(r#"{{"title":[{}0]}}"#, "0,".repeat(MIB - 100));
    let form = "a=&".repeat(MIB / 2);

    for (media, body, told) in [
        (
            "application/json",
            deep,
            "values nest deeper than 32 levels",
        ),
        (
            "application/json",
            half,
            "values nest deeper than 32 levels",
        ),
        ("application/json", many, "more than 20000 values"),
        (
            "application/x-www-form-urlencoded",
            form,
            "more than 20000 fields",
        ),
    ] {
        let answer = ada.post_raw(NOTES, media, body).await;

        assert_eq!(
            (answer.status, answer.field("code")),
            (400, "parse_error".to_owned())
        );
        assert!(answer.field("detail").contains(told), "{}", answer.shown());
    }
    app.finish().await;
}

/// So many clients that send all but the end of a body, as far as it is read.
fn unfinished(app: &TestApp, count: usize, head: &str, length: usize) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let (address, head) = (app.client.address(), head.to_owned());
        clients.spawn(async move {
            let mut raw = Raw::connect(address).await;
            raw.write(head).await;
            raw.write("x".repeat(length - 100)).await;
            std::future::pending::<()>().await;
        });
    }
    clients
}

async fn writes_long_notes(user: &Client) {
    for _ in 0..20 {
        let note = json!({"title": "long", "content": "y".repeat(70_000)});
        assert_eq!(user.post(NOTES, &note).await.status, 201);
    }
}

#[tokio::test]
async fn unfinished_bodies_of_one_user_delay_nobody_else_behind_the_address() {
    let app = patient().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let token = format!("Authorization: Token {}\r\n", app.client.token(&ada).await);
    let bob = app.member(&Person::new("bob")).await;

    let head = head("POST /api/notes/", 2 * MIB, &token);
    let _held = unfinished(&app, 20, &head, 2 * MIB);

    writes_long_notes(&bob).await;
    app.finish().await;
}

#[tokio::test]
async fn unfinished_bodies_of_strangers_take_no_room_of_users() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__BODY_TIMEOUT_SECONDS", "3600")
        .set("SMART_NOTES__HTTP__BODY_LIMIT_BYTES", "4194304")
        .start()
        .await;
    let ada = app.member(&Person::new("ada")).await;

    let head = head("POST /api/auth/login/", 4 * MIB, "");
    let _held = unfinished(&app, 12, &head, 4 * MIB);

    writes_long_notes(&ada).await;
    app.finish().await;
}

/// So many users, each with two bodies of 2 MiB of which so much is sent.
async fn half_sent(app: &TestApp, users: usize, length: usize) -> Vec<JoinSet<()>> {
    let mut clients = Vec::new();
    for n in 0..users {
        let user = Person::new(&format!("user{n}"));
        app.verified(&user).await;
        let token = format!("Authorization: Token {}\r\n", app.client.token(&user).await);
        let head = head("POST /api/notes/", 2 * MIB, &token);
        clients.push(unfinished(app, 2, &head, length + 100));
    }
    clients
}

#[tokio::test]
async fn bodies_that_are_announced_and_do_not_come_keep_nobody_waiting() {
    let app = patient().await;
    let bob = app.member(&Person::new("bob")).await;

    let _held = half_sent(&app, 13, 0).await;

    writes_long_notes(&bob).await;
    app.finish().await;
}

/// They could not arrive in time any more.
#[tokio::test]
async fn bodies_that_stop_half_way_give_their_room_to_one_that_waits() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__BODY_TIMEOUT_SECONDS", "60")
        .start()
        .await;
    let bob = app.member(&Person::new("bob")).await;

    let _held = half_sent(&app, 13, 60 * 1024).await;

    writes_long_notes(&bob).await;
    app.finish().await;
}

/// Each chunk costs more than what it brings.
#[tokio::test]
async fn a_body_in_many_tiny_chunks_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let long = json!({"title": "long", "content": "y".repeat(100_000)}).to_string();
    let few = json!({"title": "few"}).to_string();

    for (body, size, status) in [(&few, 1, 201), (&long, 100, 201), (&long, 1, 400)] {
        let request = ada.request("POST", NOTES);
        let request = request.header("Content-Type", "application/json");
        let chunks: Vec<&str> = (0..body.len())
            .step_by(size)
            .map(|from| &body[from..body.len().min(from + size)])
            .collect();
        let answer = request.chunks(&chunks).send().await;

        assert_eq!(answer.status, status, "{}", answer.shown());
        if status == 400 {
            assert_eq!(answer.field("code"), "chunks_too_small");
        }
    }
    app.finish().await;
}

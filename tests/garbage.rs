//! Bodies that nobody means: each is refused, none is answered 5xx, and none changes a row.

use serde_json::json;

use crate::http::ROUTES;
use crate::support::{Answer, Person, TestApp};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=x";

/// A system with an account, a registration that waits for its code, and nothing under way.
async fn inhabited() -> TestApp {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    app.client.registered(&Person::new("bob")).await;
    app.settled().await;
    app
}

/// Sends every body to every route; the answers are 4xx (or 2xx where the route answers everybody alike).
async fn assert_harmless(app: &TestApp, media: &str, bodies: &[Vec<u8>]) -> Vec<Answer> {
    let mut rows = app.rows().await;
    let before = rows.but_the_record().await;
    let mut answers = Vec::new();
    for route in ROUTES {
        for body in bodies {
            let answer = app.client.post_raw(route, media, body.clone()).await;
            let start = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            assert!(answer.status < 500, "{route} {start:?}: {}", answer.shown());
            assert_eq!(answer.header("content-type"), "application/json");
            answers.push(answer);
        }
    }
    assert_eq!(rows.but_the_record().await, before);
    rows.close().await;
    answers
}

#[tokio::test]
async fn malformed_json_is_a_parse_error() {
    let app = inhabited().await;
    let deep_list = "[".repeat(60_000);
    let deep_object = r#"{"a":"#.repeat(13_000);
    let bodies: Vec<Vec<u8>> = [
        "{",
        "}",
        "{'a':1}",
        "{\"a\":1,}",
        "{a:1}",
        "nonsense",
        " ",
        "\n",
        "{} {}",
        "{\"a\":}",
        "{\"a\" 1}",
        "NaN",
        "{\"login\":NaN}",
        "{\"login\":Infinity}",
        "{\"login\":-Infinity}",
        "{\"login\":01}",
        "{\"login\":+1}",
        "{\"login\":.5}",
        "{\"login\":1e999}",
        "{\"login\":\"\\ud800\"",
        "{\"login\":\"\\ud800\\x\"}",
        "{\"login\":\"\\ud8\"}",
        "{\"login\":\"\\x41\"}",
        "{\"login\":\"\\u12\"}",
        "{\"login\":\"a\nb\"}",
        "{\"login\":\"\0\"}",
        "\0",
        "{\"login\":\"ada\"",
        "// comment\n{}",
        "{\"login\":tru}",
        &deep_list,
        &deep_object,
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .chain([
        b"{\"email\":\"\xff\"}".to_vec(),
        b"{\"email\":\"\xc3\"}".to_vec(),
        b"{\"email\":\"\xed\xa0\x80\"}".to_vec(),
        b"\xfe\xff\x00{\x00}".to_vec(),
    ])
    .collect();

    let answers = assert_harmless(&app, JSON, &bodies).await;

    for answer in answers {
        assert_eq!(
            (answer.status, answer.field("code")),
            (400, "parse_error".to_owned())
        );
        assert!(answer.field("detail").starts_with("JSON parse error"));
    }
    app.finish().await;
}

#[tokio::test]
async fn nesting_of_any_depth_is_harmless() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__BODY_LIMIT_BYTES", "4000000")
        .start()
        .await;
    let nested = |open: &str, middle: &str, close: &str| {
        let body = [
            open.repeat(100_000),
            middle.to_owned(),
            close.repeat(100_000),
        ]
        .concat();
        body.into_bytes()
    };

    let bodies = [
        nested("[", "", ""),
        nested("[", "", "]"),
        nested(r#"{"a":"#, "1", "}"),
    ];
    let answers = assert_harmless(&app, JSON, &bodies).await;

    assert!(answers.iter().all(|answer| answer.status == 400));
    app.finish().await;
}

#[tokio::test]
async fn odd_values_in_every_field_are_harmless() {
    let app = inhabited().await;
    let values = [
        "null",
        "true",
        "0",
        "-0",
        "1",
        "1.5",
        "1e308",
        "-1",
        "18446744073709551616",
        "[]",
        "[[]]",
        "{}",
        "{\"a\":{}}",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\u202e\"",
        "\"\\uffff\"",
        "\"\\r\\n\"",
        "\"@\"",
        "\"a@\"",
        "\"@example.com\"",
        "\"' or 1=1 --\"",
        "\"%s%n\"",
        "\"\u{1F980}\"",
        "\"nobody@example.com\"",
    ];
    let huge = [
        "9".repeat(5000),
        format!("\"{}\"", "x".repeat(60_000)),
        format!("\"{}@example.com\"", "é".repeat(20_000)),
    ];
    let mut bodies = Vec::new();
    for value in values
        .iter()
        .copied()
        .chain(huge.iter().map(String::as_str))
    {
        // Without a password nothing can be registered, whatever the other fields are.
        bodies.push(format!(r#"{{"username":{value},"email":{value},"otp":{value},"challenge":{value},"login":{value},"confirm_password":{value}}}"#).into_bytes());
    }

    assert_harmless(&app, JSON, &bodies).await;

    app.finish().await;
}

/// A few thousand bytes changed at random, the same in every run.
#[tokio::test]
async fn bodies_with_changed_bytes_are_harmless() {
    let app = inhabited().await;
    let seed = json!({
        "username": "eve", "email": "eve@example.com", "otp": "123456", "login": "ada",
        "challenge": "0123456789abcdef", "confirm_password": "x",
    });
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let bodies: Vec<Vec<u8>> = (0..250)
        .map(|_| {
            let mut body = seed.to_string().into_bytes();
            for _ in 0..=random(6) {
                let at = random(body.len());
                match random(4) {
                    0 => body.truncate(at.max(1)),
                    1 => drop(body.remove(at)),
                    2 => body.insert(at, b"\0\"\\{}[],:\xff"[random(10)]),
                    _ => body[at] = u8::try_from(random(256)).unwrap(),
                }
                if body.is_empty() {
                    body.push(b'{');
                }
            }
            body
        })
        .collect();

    assert_harmless(&app, JSON, &bodies).await;
    assert_harmless(&app, FORM, &bodies[..50]).await;
    assert_harmless(&app, PARTS, &bodies[..50]).await;

    app.finish().await;
}

#[tokio::test]
async fn odd_forms_are_harmless() {
    let app = inhabited().await;
    let many = (0..2000).fold(String::new(), |form, n| form + &format!("f{n}=x&"));

    let forms = [
        "&",
        "=",
        "&&==&&",
        "%",
        "%zz=%",
        "login=%ff%00&email=%ff",
        "login[]=x",
        "a=b;c=d",
        "+=+",
        &many,
    ];
    let forms = forms.map(|form| form.as_bytes().to_vec());
    assert_harmless(&app, FORM, &forms).await;

    app.finish().await;
}

#[tokio::test]
async fn odd_multipart_is_harmless() {
    let app = inhabited().await;
    let head = "--x\r\nContent-Disposition: form-data; name=\"email\"";

    let bodies = [
        "--x--".to_owned(),
        "--x\r\n".to_owned(),
        format!("{head}\r\n\r\n\0\r\n--x--\r\n"),
        format!("{head}\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nabc\r\n--x--\r\n"),
        format!("{head}\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nabc\r\n--x--\r\n"),
        format!("{head}; name=\"otp\"\r\n\r\nabc\r\n--x--\r\n"),
        "--x\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nabc\r\n--x--\r\n".to_owned(),
        "--x\r\nContent-Disposition: attachment\r\n\r\nabc\r\n--x--\r\n".to_owned(),
        format!("--x\r\n{}: y\r\n\r\nabc\r\n--x--\r\n", "X".repeat(50_000)),
        format!(
            "{}--x--\r\n",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n".repeat(900)
        ),
    ]
    .map(String::into_bytes);
    assert_harmless(&app, PARTS, &bodies).await;

    let no_utf8 = [
        format!("{head}\r\n\r\n").as_bytes(),
        b"\xff\xfe\r\n--x--\r\n",
    ]
    .concat();
    assert_harmless(&app, PARTS, &[no_utf8]).await;
    app.finish().await;
}

/// A route never reads what it was not asked for: a body of another type is not looked into.
#[tokio::test]
async fn a_body_under_a_wrong_type_is_harmless() {
    let app = inhabited().await;
    let json = json!({"email": "bob@example.com", "otp": "000000", "login": "ada"}).to_string();

    assert_harmless(&app, FORM, &[json.clone().into_bytes()]).await;
    assert_harmless(&app, PARTS, &[json.into_bytes()]).await;
    assert_harmless(&app, JSON, &[b"email=bob@example.com".to_vec()]).await;

    app.finish().await;
}

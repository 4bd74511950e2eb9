//! What `register/` says about each field. The rows are those that existing clients know.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

const FIELDS: [&str; 4] = ["username", "email", "password", "confirm_password"];

const ANOTHERS: &str = "A username that is a mail address must be your own address.";

/// Registers somebody with one field changed; `None` leaves it out.
async fn with(app: &TestApp, field: &str, value: Option<Value>) -> Answer {
    let mut form = Person::new("ada").form();
    match value {
        Some(value) => form[field] = value,
        None => drop(form.as_object_mut().unwrap().remove(field)),
    }
    app.client.post("/api/auth/register/", &form).await
}

#[tokio::test]
async fn a_missing_field_is_required() {
    let app = TestApp::start().await;

    for field in FIELDS {
        with(&app, field, None)
            .await
            .assert_refused(field, "This field is required.");
    }
    app.finish().await;
}

#[tokio::test]
async fn null_is_refused() {
    let app = TestApp::start().await;

    for field in FIELDS {
        let answer = with(&app, field, Some(Value::Null)).await;
        answer.assert_refused(field, "This field may not be null.");
    }
    app.finish().await;
}

#[tokio::test]
async fn nothing_but_white_space_is_blank() {
    let app = TestApp::start().await;

    for field in FIELDS {
        for blank in ["", "   ", "\t\n"] {
            let answer = with(&app, field, Some(json!(blank))).await;
            answer.assert_refused(field, "This field may not be blank.");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_value_that_is_no_text_is_refused() {
    let app = TestApp::start().await;

    for value in [
        json!(true),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({"a": 1}),
    ] {
        for field in ["username", "password", "confirm_password"] {
            let answer = with(&app, field, Some(value.clone())).await;
            answer.assert_refused(field, "Not a valid string.");
        }
        let answer = with(&app, "email", Some(value)).await;
        answer.assert_refused("email", "Enter a valid email address.");
    }
    let number = with(&app, "email", Some(json!(123))).await;
    number.assert_refused("email", "Enter a valid email address.");
    app.finish().await;
}

#[tokio::test]
async fn a_number_is_taken_as_a_text() {
    let app = TestApp::start().await;
    let mut form = Person::new("ada").form();
    form["username"] = json!(1_234_567_890);
    form["password"] = json!(83_650_174_926_u64);
    form["confirm_password"] = json!("83650174926");

    let answer = app.client.post("/api/auth/register/", &form).await;

    assert_eq!(answer.status, 201, "{}", answer.shown());
    assert_eq!(
        app.client.login("1234567890", "83650174926").await.status,
        403
    );
    app.finish().await;
}

#[tokio::test]
async fn a_nul_character_is_refused() {
    let app = TestApp::start().await;

    for field in ["username", "password", "confirm_password", "email"] {
        let answer = with(&app, field, Some(json!("a\0b@example.com"))).await;
        answer.assert_refused(field, "Null characters are not allowed.");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_name_of_other_characters_is_refused() {
    let app = TestApp::start().await;

    for name in [
        "a b", "a/b", "a!", "a<b", "a'b", "a;b", "😀", "a\tb", "a\r\nb",
    ] {
        let answer = with(&app, "username", Some(json!(name))).await;
        answer.assert_refused("username",
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_name_has_at_most_150_characters() {
    let app = TestApp::start().await;

    let longest = with(&app, "username", Some(json!("é".repeat(150)))).await;
    let longer = with(&app, "username", Some(json!("x".repeat(151)))).await;

    assert_eq!(longest.status, 201);
    longer.assert_refused(
        "username",
        "Ensure this field has no more than 150 characters.",
    );
    app.finish().await;
}

#[tokio::test]
async fn names_of_every_script_are_taken() {
    let app = TestApp::start().await;

    for (n, name) in [
        "a.b+c-d_e@f",
        "é名",
        "9lives",
        "x@example",
        "हिन्दी",
        "বাংলা",
        "ภาษาไทย",
        "مُحَمَّد",
    ]
    .iter()
    .enumerate()
    {
        let person = Person::new(name).at(&format!("u{n}@example.com"));
        app.client.registered(&person).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let app = TestApp::start().await;
    let long_label = format!("a@{}.com", "b".repeat(64));

    for address in [
        "nope",
        "a@b",
        "a@b.c",
        "a b@example.com",
        "@example.com",
        "a@",
        "a@b..com",
        ".a@example.com",
        "a.@example.com",
        "a@-b.com",
        "a@b.com.",
        "a@b_c.com",
        "<a@example.com>",
        "a@1.2.3.4",
        "a@example.c1",
        "ü@example.com",
        "a@example.com,b@example.com",
        "a@example.com\r\nBcc: x@example.com",
        "a%example.com@example.org",
        "example.com!a@example.org",
        "\"a%example.com\"@example.org",
        &long_label,
    ] {
        let answer = with(&app, "email", Some(json!(address))).await;
        answer.assert_refused("email", "Enter a valid email address.");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_address_has_at_most_254_characters() {
    let app = TestApp::start().await;

    let longer = with(
        &app,
        "email",
        Some(json!(format!("{}@example.com", "x".repeat(243)))),
    )
    .await;

    longer.assert_refused(
        "email",
        "Ensure this field has no more than 254 characters.",
    );
    app.finish().await;
}

#[tokio::test]
async fn unusual_addresses_are_mailed() {
    let app = TestApp::start().await;

    for (n, (typed, mailbox)) in [
        ("o'r+tag@example.com", "o'r+tag@example.com"),
        ("u@Bücher.example", "u@xn--bcher-kva.example"),
        ("A_b-@SUB.example.com", "A_b-@sub.example.com"),
    ]
    .iter()
    .enumerate()
    {
        let answer = app
            .client
            .register(&Person::new(&format!("u{n}")).at(typed))
            .await;

        assert_eq!(answer.field("email"), *typed);
        assert_eq!(app.mail(mailbox, 1).await.envelope_to, [*mailbox]);
    }
    app.finish().await;
}

#[tokio::test]
async fn white_space_around_name_and_address_is_trimmed() {
    let app = TestApp::start().await;

    let answer = app
        .client
        .register(&Person::new("  ada ").at(" ada@example.com  "))
        .await;

    assert_eq!(
        (answer.status, answer.field("email")),
        (201, "ada@example.com".to_owned())
    );
    assert_eq!(
        app.client
            .login("ada", crate::support::PASSWORD)
            .await
            .status,
        403
    );
    app.finish().await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let form = json!({"username": "a b", "email": "bad", "password": ""});

    let several = app.client.post("/api/auth/register/", &form).await;
    let none = app.client.post("/api/auth/register/", &json!({})).await;

    assert_snapshot!(several.shown(), @r#"400 {"username":["Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."],"email":["Enter a valid email address."],"password":["This field may not be blank."],"confirm_password":["This field is required."]}"#);
    assert_snapshot!(none.shown(), @r#"400 {"username":["This field is required."],"email":["This field is required."],"password":["This field is required."],"confirm_password":["This field is required."]}"#);
    app.finish().await;
}

#[tokio::test]
async fn different_passwords_are_told_only_if_nothing_else_is_wrong() {
    let app = TestApp::start().await;
    let mut form = Person::new("ada").form();
    form["confirm_password"] = json!("correct horse battery!");

    let different = app.client.post("/api/auth/register/", &form).await;
    form["email"] = json!("bad");
    let both = app.client.post("/api/auth/register/", &form).await;

    assert_snapshot!(different.shown(), @r#"400 {"non_field_errors":["Passwords do not match."]}"#);
    assert_snapshot!(both.shown(), @r#"400 {"email":["Enter a valid email address."]}"#);
    app.finish().await;
}

#[tokio::test]
async fn a_form_is_taken_like_json() {
    let app = TestApp::start().await;
    let form = "username=ada&email=ada%40example.com&password=correct+horse&confirm_password=correct+horse";

    let answer = app
        .client
        .post_raw(
            "/api/auth/register/",
            "application/x-www-form-urlencoded",
            form,
        )
        .await;
    let wrong = app
        .client
        .post_raw(
            "/api/auth/register/",
            "application/x-www-form-urlencoded",
            "username=",
        )
        .await;

    assert_eq!(answer.status, 201);
    assert_eq!(app.client.login("ada", "correct horse").await.status, 403);
    assert_snapshot!(wrong.shown(), @r#"400 {"username":["This field may not be blank."],"email":["This field is required."],"password":["This field is required."],"confirm_password":["This field is required."]}"#);
    app.finish().await;
}

/// Else who logs in with an address could mean an account that only has it for a name: what its owner is answered would
/// tell whether the address has an account of its own (OWASP ASVS 5.0 6.3.8).
#[tokio::test]
async fn a_username_that_is_an_address_is_ones_own() {
    let app = TestApp::start().await;
    app.verified(&Person::new("bob")).await;

    for name in [
        "bob@example.com",
        "BOB@Example.com",
        "ｂob@example.com",
        "eve@example.com",
        "bob@bücher.example",
    ] {
        with(&app, "username", Some(json!(name)))
            .await
            .assert_refused("username", ANOTHERS);
    }
    for (name, email) in [
        ("ada@example.com", "ada@example.com"),
        ("ADA2@example.com", "ada2@EXAMPLE.com"),
        ("ada3@xn--bcher-kva.example", "ada3@bücher.example"),
        ("ada@home", "ada4@example.com"),
        ("@ada", "ada5@example.com"),
    ] {
        let person = Person::new(name).at(email);
        assert_eq!(app.client.register(&person).await.status, 201, "{name}");
    }
    app.finish().await;
}

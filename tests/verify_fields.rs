//! What `verify-otp/` says about each field, and in which shapes it takes a code.

use serde_json::json;

use crate::support::{Person, TestApp};

/// Clients may send a code as a JSON number, which has lost its leading zeros.
#[tokio::test]
async fn a_number_stands_for_its_six_digits() {
    let app = TestApp::start().await;
    for n in 0..400 {
        let person = Person::new(&format!("ada{n}"));
        let (_, code) = app.registered(&person, 1).await;
        if !code.starts_with('0') {
            continue;
        }
        let number: u32 = code.parse().unwrap();
        let body = json!({"email": person.email, "otp": number});

        let answer = app.client.post("/api/auth/verify-otp/", &body).await;

        assert_eq!(answer.status, 200, "{code}");
        return app.finish().await;
    }
    panic!("a tenth of all codes begins with 0");
}

/// Programs that know floating-point numbers only write a code so.
#[tokio::test]
async fn a_whole_number_with_a_fraction_of_zero_is_a_code() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;
    let number: u32 = code.parse().unwrap();
    let body = format!(r#"{{"email":"{}","otp":{number}.0}}"#, ada.email);

    let answer = app
        .client
        .post_raw("/api/auth/verify-otp/", "application/json", body)
        .await;

    assert_eq!(answer.status, 200, "{}", answer.shown());
    app.finish().await;
}

#[tokio::test]
async fn white_space_and_case_around_address_and_code_are_ignored() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    let typed = ada.at("  ADA@Example.COM ");
    let answer = app.client.verify(&typed, &format!(" {code} ")).await;

    assert_eq!(answer.status, 200);
    app.finish().await;
}

/// However keyboards and mail programs give it; none of these costs a try.
#[tokio::test]
async fn a_code_is_taken_in_every_spelling() {
    let app = TestApp::start().await;
    let in_digits_from = |zero: u32, code: &str| -> String {
        let digits = code.chars().filter_map(|c| c.to_digit(10));
        digits
            .filter_map(|digit| char::from_u32(zero + digit))
            .collect()
    };

    for (n, spelling) in [
        |code: &str| format!("{} {}", &code[..3], &code[3..]),
        |code: &str| format!("{}-{}", &code[..3], &code[3..]),
        |code: &str| format!("{}\u{2011}{}", &code[..3], &code[3..]),
        |code: &str| format!("{}\u{a0}{}", &code[..3], &code[3..]),
        |code: &str| format!("\u{202a}{code}\u{202c}"),
        |code: &str| format!("\u{feff}\u{200b}{code}\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let person = Person::new(&format!("ada{n}"));
        let (_, code) = app.registered(&person, 1).await;

        let answer = app.client.verify(&person, &spelling(&code)).await;

        assert_eq!(answer.status, 200, "{:?}", spelling("123456"));
    }
    for zero in [0xFF10, 0x660, 0x6F0, 0x966] {
        let person = Person::new(&format!("bob{zero}"));
        let (_, code) = app.registered(&person, 1).await;

        let answer = app
            .client
            .verify(&person, &in_digits_from(zero, &code))
            .await;

        assert_eq!(answer.status, 200, "{zero:x}");
    }
    app.finish().await;
}

#[tokio::test]
async fn other_routes_take_a_code_in_every_spelling_too() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let spelled = |code: &str| format!("\u{200f}{} - {}", &code[..2], &code[2..]);
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    let reset = json!({"email": ada.email, "otp": spelled(&code), "new_password": "An0ther!pass"});

    let reset = app
        .client
        .post("/api/auth/password-reset-confirm/", &reset)
        .await;
    let session = app
        .client
        .logged_in(&ada.clone().password("An0ther!pass"))
        .await;
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    let deleted = session.delete_account(&spelled(&code)).await;

    assert_eq!((reset.status, deleted.status), (200, 204));
    app.finish().await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let app = TestApp::start().await;
    let email = ["Enter a valid email address."];
    let long = ["Ensure this field has no more than 6 characters."];
    let (required, blank) = (
        ["This field is required."],
        ["This field may not be blank."],
    );
    let (nothing, no_text) = (["This field may not be null."], ["Not a valid string."]);

    for (body, errors) in [
        (json!({}), json!({"email": required, "otp": required})),
        (json!({"email": "a@example.com"}), json!({"otp": required})),
        (json!({"otp": "123456"}), json!({"email": required})),
        (
            json!({"email": "", "otp": " "}),
            json!({"email": blank, "otp": blank}),
        ),
        (
            json!({"email": "a@example.com", "otp": "\u{200b} - "}),
            json!({"otp": blank}),
        ),
        (
            json!({"email": "a@example.com", "otp": "123-456 7"}),
            json!({"otp": long}),
        ),
        (
            json!({"email": null, "otp": null}),
            json!({"email": nothing, "otp": nothing}),
        ),
        (
            json!({"email": "bad", "otp": "123456"}),
            json!({"email": email}),
        ),
        (
            json!({"email": 5, "otp": "1234567"}),
            json!({"email": email, "otp": long}),
        ),
        (
            json!({"email": "a@example.com", "otp": []}),
            json!({"otp": no_text}),
        ),
        (
            json!({"email": "a@example.com", "otp": true}),
            json!({"otp": no_text}),
        ),
        (
            json!({"email": "a@example.com", "otp": 1_234_567}),
            json!({"otp": long}),
        ),
        (
            json!({"email": "a@example.com", "otp": "12345é7"}),
            json!({"otp": long}),
        ),
    ] {
        let answer = app.client.post("/api/auth/verify-otp/", &body).await;

        assert_eq!((answer.status, answer.json()), (400, errors), "{body}");
    }
    app.finish().await;
}

#[tokio::test]
async fn odd_numbers_are_no_codes() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;

    for odd in [
        "-1",
        "-12345",
        "1.5",
        "1e3",
        "0.1",
        "1e400",
        "123456789012345678901234567890",
    ] {
        let body = format!(r#"{{"email":"ada@example.com","otp":{odd}}}"#);
        let answer = app
            .client
            .post_raw("/api/auth/verify-otp/", "application/json", body)
            .await;

        assert_eq!(answer.status, 400, "{odd}: {}", answer.shown());
    }
    app.finish().await;
}

//! `/api/openapi.json` and `/api/docs`: what is described is what is served. That live answers fit the schemas is
//! checked by schemathesis, see docs/testing.md.

use serde_json::Value;

use crate::support::{Place, TestApp};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn described(app: &TestApp) -> Value {
    app.client.get("/api/openapi.json").await.json()
}

/// A described method is answered by its handler; every other by 405, or 401 where a token is needed.
#[tokio::test]
async fn each_path_has_the_described_methods_and_no_others() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .paid()
        .start()
        .await;
    let document = described(&app).await;

    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let request = app.client.request(&method.to_uppercase(), path);
            let answer = request.send().await;
            let closed = item
                .as_object()
                .unwrap()
                .values()
                .all(|it| it["security"] != serde_json::json!([]));
            let status = answer.status.to_string();
            match item.get(method) {
                None => assert_eq!(
                    answer.status,
                    if closed { 401 } else { 405 },
                    "{method} {path}"
                ),
                Some(operation) => {
                    assert_ne!(answer.status, 405, "{method} {path}");
                    assert!(
                        operation["responses"].get(&status).is_some(),
                        "{method} {path} {status}"
                    );
                }
            }
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn the_document_is_that_of_the_command_and_names_its_version() {
    let app = TestApp::start().await;
    let settings = Place::new().settings();

    let document = described(&app).await;

    assert_eq!(document, smart_notes_api::openapi::document(&settings));
    assert_eq!(document["openapi"], "3.1.0");
    app.finish().await;
}

#[tokio::test]
async fn the_document_says_how_long_a_password_may_be_on_this_server() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__PASSWORD_MIN_LENGTH", "12")
        .set("SMART_NOTES__ACCOUNTS__PASSWORD_MAX_LENGTH", "100")
        .start()
        .await;

    let document = described(&app).await;

    for name in ["FirstPassword", "NewPassword"] {
        let schema = &document["components"]["schemas"][name];
        assert_eq!(
            (&schema["minLength"], &schema["maxLength"]),
            (&12.into(), &100.into())
        );
    }
    app.finish().await;
}

/// Each file that the page names comes from here, and its policy forbids it to load others.
#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;

    let page = app.client.get("/api/docs").await;

    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    assert!(!page.text().contains("//"), "{}", page.text());
    let links = page
        .text()
        .split(['"'])
        .filter(|text| text.starts_with("docs/"));
    let mut files = 0;
    for link in links {
        let file = app.client.get(&format!("/api/{link}")).await;
        assert_eq!(file.status, 200, "{link}");
        assert!(!file.body.is_empty(), "{link}");
        files += 1;
    }
    assert_eq!(files, 5);
    assert_eq!(app.client.get("/api/docs/unknown.js").await.status, 404);
    app.finish().await;
}

//! Answers of notes' routes are held against their descriptions, member by member.

use serde_json::{Value, json};

use crate::support::{
    Answer, BATCH, CHANGES, Client, NOTES, Person, TestApp, deletion, path_of, upsert, uuid,
};

/// What does not fit, if something does not: a value against a schema of the document. Types, members, items, numbers
/// and alternatives are looked at; patterns and formats schemathesis looks at.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let schema = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference}"));
        return misfit(document, schema, value);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        if let Some(misfit) = misfit(document, part, value) {
            return Some(misfit);
        }
    }
    if let Some(either) = schema["oneOf"].as_array() {
        let fitting = either
            .iter()
            .filter(|schema| misfit(document, schema, value).is_none());
        if fitting.count() != 1 {
            return Some(format!("not exactly one of {schema} fits {value}"));
        }
    }
    let types: Vec<_> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind(value)],
    };
    let is = |kind: &str| types.contains(&kind);
    let whole = value.is_i64() && is("integer");
    if !whole && !is(kind(value)) {
        return Some(format!("{value} is none of {types:?}"));
    }
    if value.as_i64() < schema["minimum"].as_i64() && value.is_i64() {
        return Some(format!("{value} is less than {}", schema["minimum"]));
    }
    match value {
        Value::Array(items) => items
            .iter()
            .find_map(|item| misfit(document, &schema["items"], item)),
        Value::Object(members) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let mut missing = required.filter(|name| value.get(name.as_str().unwrap()).is_none());
            if let Some(missing) = missing.next() {
                return Some(format!("{missing} is missing in {value}"));
            }
            members.iter().find_map(|(name, member)| {
                let known = schema["properties"].get(name);
                let rest = &schema["additionalProperties"];
                match known.or(rest.is_object().then_some(rest)) {
                    Some(schema) => misfit(document, schema, member),
                    None => (rest == false).then(|| format!("{name} is not described")),
                }
            })
        }
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Asserts that an answer is one that its operation describes, with its body and its headers.
#[track_caller]
fn assert_described(document: &Value, method: &str, path: &str, answer: &Answer) {
    let operation = &document["paths"][path][method.to_lowercase()];
    let mut response = &operation["responses"][answer.status.to_string()];
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    assert!(response.is_object(), "{method} {path}: {}", answer.shown());
    match response["content"]
        .as_object()
        .and_then(|content| content.values().next())
    {
        None => assert_eq!(answer.text(), "", "{method} {path} {}", answer.status),
        Some(content) => {
            let misfit = misfit(document, &content["schema"], &answer.json());
            assert_eq!(misfit, None, "{method} {path}: {}", answer.shown());
        }
    }
}

/// A client whose answers are held against the document.
struct Held {
    document: Value,
    client: Client,
}

impl Held {
    /// A user of that system.
    async fn by(app: &TestApp) -> Self {
        Self {
            document: app.client.get("/api/openapi.json").await.json(),
            client: app.member(&Person::new("ada")).await,
        }
    }

    async fn ask(&self, expected: u16, method: &str, path: &str, body: &Value) -> Answer {
        let bare = path.split('?').next().unwrap();
        let described = match bare.trim_matches('/').split('/').collect::<Vec<_>>()[2..] {
            [] => NOTES.to_owned(),
            [known @ ("changes" | "batch")] => format!("{NOTES}{known}/"),
            [_] => format!("{NOTES}{{id}}/"),
            [_, action] => format!("{NOTES}{{id}}/{action}/"),
            _ => panic!("{path}"),
        };
        let answer = self.client.send(method, path, body).await;
        assert_eq!(
            answer.status,
            expected,
            "{method} {path}: {}",
            answer.shown()
        );
        assert_described(&self.document, method, &described, &answer);
        answer
    }
}

/// The system with a plan that is soon full.
async fn few_notes() -> TestApp {
    let app = TestApp::with();
    app.set("SMART_NOTES__NOTES__FREE_LIMIT", "3").start().await
}

#[tokio::test]
async fn every_answer_about_one_note_is_described() {
    let app = few_notes().await;
    let held = Held::by(&app).await;
    let nothing = json!({});
    let note = json!({"id": uuid(1), "title": "Milk", "content": "and bread", "tags": ["shop"]});
    let path = path_of(&held.ask(201, "POST", NOTES, &note).await.json());
    held.ask(200, "POST", NOTES, &note).await;
    held.ask(409, "POST", NOTES, &json!({"id": uuid(1), "title": "x"}))
        .await;
    held.ask(400, "POST", NOTES, &json!({"id": 1, "title": 1}))
        .await;

    held.ask(200, "GET", &path, &nothing).await;
    held.ask(400, "GET", &format!("{NOTES}x/"), &nothing).await;
    held.ask(404, "GET", &format!("{NOTES}{}/", uuid(2)), &nothing)
        .await;
    held.ask(200, "PATCH", &path, &json!({"content": "and butter"}))
        .await;
    held.ask(200, "PUT", &path, &json!({"title": "Milk"})).await;
    held.ask(400, "PUT", &path, &json!({"title": [], "tags": "x"}))
        .await;
    held.ask(400, "PATCH", &path, &json!({"title": ""})).await;
    app.finish().await;
}

#[tokio::test]
async fn every_answer_about_many_notes_is_described() {
    let app = few_notes().await;
    let held = Held::by(&app).await;
    let nothing = json!({});
    let note = json!({"id": uuid(1), "title": "Milk", "content": "and bread", "tags": ["shop"]});
    let path = path_of(&held.ask(201, "POST", NOTES, &note).await.json());
    held.ask(200, "PUT", &path, &json!({"title": "Bread"}))
        .await;
    held.ask(200, "PUT", &path, &json!({"title": "Milk"})).await;
    let batch = json!({"edits": [
        upsert(&uuid(1), Some(1), &json!({"title": "in conflict"})),
        upsert(&uuid(2), None, &json!({"title": "third"})),
        upsert(&uuid(3), None, &json!({"title": "too many"})),
        upsert(&uuid(1), Some(3), &json!({"title": "written"})),
        deletion(&uuid(2), Some(7)),
        deletion(&uuid(4), None),
        upsert("no id", None, &json!({"title": 1})),
        null,
    ]});
    let results = held.ask(200, "POST", BATCH, &batch).await.json();
    let statuses: Vec<_> = (0..8)
        .map(|n| results["results"][n]["status"].clone())
        .collect();
    assert_eq!(
        json!(statuses),
        json!([
            "conflict",
            "created",
            "error",
            "updated",
            "conflict",
            "unchanged",
            "error",
            "error"
        ])
    );
    held.ask(400, "POST", BATCH, &nothing).await;
    held.ask(403, "POST", NOTES, &json!({"title": "too many"}))
        .await;
    held.ask(
        403,
        "PUT",
        &format!("{NOTES}{}/", uuid(9)),
        &json!({"title": "x"}),
    )
    .await;
    held.ask(204, "DELETE", &path, &nothing).await;
    held.ask(404, "DELETE", &format!("{NOTES}{}/", uuid(9)), &nothing)
        .await;
    held.ask(200, "POST", &format!("{path}restore/"), &nothing)
        .await;
    held.ask(
        404,
        "POST",
        &format!("{NOTES}{}/restore/", uuid(9)),
        &nothing,
    )
    .await;
    held.ask(204, "DELETE", &format!("{NOTES}{}/", uuid(2)), &nothing)
        .await;
    held.ask(201, "POST", NOTES, &json!({"title": "in the gap"}))
        .await;
    held.ask(
        403,
        "POST",
        &format!("{NOTES}{}/restore/", uuid(2)),
        &nothing,
    )
    .await;
    for query in [
        "",
        "?page_size=1",
        "?search=conflict",
        "?search=-",
        "?trashed=true",
        "?ordering=title&page_size=2",
    ] {
        held.ask(200, "GET", &format!("{NOTES}{query}"), &nothing)
            .await;
    }
    held.ask(400, "GET", &format!("{NOTES}?cursor=x"), &nothing)
        .await;
    held.ask(200, "GET", CHANGES, &nothing).await;
    held.ask(400, "GET", &format!("{CHANGES}?page_size=0"), &nothing)
        .await;
    let feed = held
        .ask(200, "GET", &format!("{CHANGES}?page_size=1"), &nothing)
        .await
        .field("cursor");
    held.client
        .send("PATCH", &path, &json!({"title": "later"}))
        .await;
    let mut rows = app.rows().await;
    rows.run("update note_books set forgotten_change = last_change")
        .await;
    rows.close().await;
    held.ask(410, "GET", &format!("{CHANGES}?cursor={feed}"), &nothing)
        .await;
    app.finish().await;
}

#[tokio::test]
async fn every_answer_to_a_condition_and_to_nobody_is_described() {
    let app = few_notes().await;
    let held = Held::by(&app).await;
    let nothing = json!({});
    let note = json!({"id": uuid(1), "title": "Milk", "content": "and bread", "tags": ["shop"]});
    let path = path_of(&held.ask(201, "POST", NOTES, &note).await.json());
    held.ask(200, "PATCH", &path, &json!({"title": "Bread"}))
        .await;

    let stale = Held {
        client: held.client.with("If-Match", "\"1\""),
        document: held.document.clone(),
    };
    stale.ask(412, "PATCH", &path, &json!({"title": "x"})).await;
    stale
        .ask(
            412,
            "PUT",
            &format!("{NOTES}{}/", uuid(9)),
            &json!({"title": "x"}),
        )
        .await;
    stale.ask(412, "DELETE", &path, &nothing).await;
    stale
        .ask(412, "POST", &format!("{path}restore/"), &nothing)
        .await;
    let known = Held {
        client: held.client.with("If-None-Match", "*"),
        ..stale
    };
    known.ask(304, "GET", &path, &nothing).await;
    let nobody = Held {
        client: app.client.clone(),
        ..known
    };
    for (method, path) in [
        ("GET", NOTES),
        ("POST", BATCH),
        ("GET", CHANGES),
        ("DELETE", &path),
    ] {
        nobody.ask(401, method, path, &nothing).await;
    }
    app.finish().await;
}

/// A check that can't fail is worse than none.
#[test]
fn what_is_not_described_is_noticed() {
    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": {"type": "integer", "minimum": 1}, "b": {"oneOf": [{"type": "null"}, {"$ref": "#/b"}]},
            "c": {"type": "array", "items": {"type": ["string", "null"]}},
        },
    });
    let document = json!({"b": {"type": "boolean"}});

    for fitting in [
        json!({"a": 1}),
        json!({"a": 2, "b": null, "c": ["x", null]}),
        json!({"a": 1, "b": true}),
    ] {
        assert_eq!(misfit(&document, &schema, &fitting), None);
    }
    for misfitting in [
        json!([]),
        json!({}),
        json!({"a": "1"}),
        json!({"a": 0}),
        json!({"a": 1.5}),
        json!({"a": null}),
        json!({"a": 1, "b": 1}),
        json!({"a": 1, "c": [1]}),
        json!({"a": 1, "d": 1}),
    ] {
        assert!(
            misfit(&document, &schema, &misfitting).is_some(),
            "{misfitting}"
        );
    }
}

//! `/api/webhooks/revenuecat/`: transactions, whatever the types of the events that tell of them: until when they are good
//! ([`periods`]), and whose they are ([`owners`]).

mod owners;
mod periods;

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp};

const HOUR: i64 = 3600;

async fn app() -> TestApp {
    TestApp::with().paid().start().await
}

/// The first two users.
async fn two_users(app: &TestApp) -> [Client; 2] {
    [
        app.member(&Person::new("ada")).await,
        app.member(&Person::new("bob")).await,
    ]
}

/// Sends an event about a transaction of the first user, made so many hours after the beginning, with other fields in
/// the place of these.
async fn tell(app: &TestApp, kind: &str, made: i64, fields: Value) {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    let id = TOLD.fetch_add(1, Ordering::Relaxed).to_string();
    let event = json!({
        "id": id, "type": kind, "app_user_id": "1", "original_app_user_id": "1",
        "aliases": ["1"], "event_timestamp_ms": millis(app, made), "original_transaction_id": "t",
        "product_id": "notes.pro", "entitlement_ids": ["pro"], "environment": "PRODUCTION",
    });
    app.revenuecat(and(event, fields)).await;
}

/// The customer of an event.
fn of(user: &str) -> Value {
    json!({"app_user_id": user, "original_app_user_id": user, "aliases": [user]})
}

/// The fields of both.
fn and(one: Value, other: Value) -> Value {
    let mut both = one;
    if let Value::Object(other) = other {
        both.as_object_mut().unwrap().extend(other);
    }
    both
}

fn millis(app: &TestApp, hours: i64) -> i64 {
    (app.second() + hours * HOUR) * 1000
}

/// That the period ends so many hours after the beginning.
fn until(app: &TestApp, hours: i64) -> Value {
    json!({"expiration_at_ms": millis(app, hours)})
}

/// The plan, and in how many hours it ends.
async fn plan(app: &TestApp, session: &Client) -> String {
    let shown = session.get("/api/subscription/").await.json();
    let end = shown["premium_until"].as_str().map(|until| {
        let until: jiff::Timestamp = until.parse().unwrap();
        (until.as_second() - app.second()) / HOUR
    });
    let plan = shown["plan"].as_str().unwrap();
    end.map_or(plan.to_owned(), |hours| format!("{plan} for {hours} h"))
}

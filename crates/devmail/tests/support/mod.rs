//! What the tests share: a catcher, and clients so plain that they can misbehave.
//!
//! Apart from the tests because each of them is its own program.

pub mod http;
pub mod smtp;

use std::future::Future;
use std::time::Duration;

use smart_notes_devmail::{Catcher, Config};

/// Longer than anything here takes: only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A catcher with a web inbox, on free ports.
pub async fn start() -> Catcher {
    start_with(|_| {}).await
}

/// As [`start`], with some choices changed.
pub async fn start_with(change: impl FnOnce(&mut Config)) -> Catcher {
    let mut config = Config {
        http: Some("127.0.0.1:0".parse().unwrap()),
        ..Config::default()
    };
    change(&mut config);
    Catcher::start(config).await.unwrap()
}

/// The outcome of a future that must end.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.expect("it ends well within the patience of a test")
}

/// A mail with a subject, a code and both kinds of text.
pub fn mail(to: &str, subject: &str, code: &str) -> String {
    format!(
        "From: Smart Notes <notes@example.com>\r\nTo: Ada <{to}>\r\nSubject: {subject}\r\n\
         Message-ID: <one@example.com>\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\nYour OTP code is: {code}\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Your OTP code is: <b>{code}</b></p>\r\n\
         --b--\r\n"
    )
}

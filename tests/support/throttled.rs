//! What a limit answers, and that it lifts when it says so.

use super::{Answer, TestApp};

/// Asserts a 429 whose body, `Retry-After` and `RateLimit` say that many seconds, the body in the words clients know.
#[track_caller]
pub fn assert_throttled(answer: &Answer, seconds: u64) {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
    let body = format!(r#"429 {{"detail":"{detail}","code":"throttled"}}"#);
    assert_eq!(answer.shown(), body);
    assert_eq!(answer.header("retry-after"), seconds.to_string());
    let left = answer.header("ratelimit");
    assert!(left.ends_with(&format!(";r=0;t={seconds}")), "{left}");
    let (limit, _) = left.split_once(';').unwrap_or_default();
    let policy = answer.header("ratelimit-policy");
    assert!(policy.starts_with(&format!("{limit};q=")), "{policy}");
}

/// Asserts that a request is refused until so many seconds from now, to the second; returns the answer after.
pub async fn assert_lifted_after(
    app: &TestApp,
    seconds: u64,
    again: impl AsyncFn() -> Answer,
) -> Answer {
    assert_throttled(&again().await, seconds);
    if seconds > 1 {
        app.advance(seconds - 1).await;
        assert_throttled(&again().await, 1);
    }
    app.advance(1).await;
    let answer = again().await;
    assert_ne!(answer.status, 429, "{}", answer.shown());
    answer
}

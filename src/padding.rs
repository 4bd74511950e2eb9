//! Gives responses a fixed time, so that it reveals nothing (OWASP ASVS 5.0 6.3.8).
//!
//! Requests for known and unknown addresses take about the same time, because both write the same
//! rows. The remaining microseconds could be measured over many requests. So a response is sent a
//! fixed time after its request, unless it took longer, as every password check does.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::sleep;

/// The minimum time of a response: a few times that of a commit.
const LEAST: Duration = Duration::from_millis(20);

/// Responds to a request after at least [`LEAST`].
pub async fn pad(request: Request, next: Next) -> Response {
    let (answer, ()) = tokio::join!(next.run(request), sleep(LEAST));
    answer
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    /// What an answer takes whose handler takes so long, by the paused clock.
    async fn takes(handler: Duration) -> Duration {
        let router = Router::new()
            .route("/", get(async move || sleep(handler).await))
            .layer(from_fn(pad));
        let begun = Instant::now();
        router.oneshot(Request::new(Body::empty())).await.unwrap();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn quick_answers_take_the_same_and_slow_ones_their_own_time() {
        let [quick, quicker, slow] = [3, 1, 50].map(Duration::from_millis);

        assert_eq!(takes(quick).await, LEAST);
        assert_eq!(takes(quicker).await, LEAST);
        assert_eq!(takes(slow).await, slow);
    }
}

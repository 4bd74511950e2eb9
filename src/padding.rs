//! Answers whose time tells nothing (OWASP ASVS 5.0 6.3.8).
//!
//! What is known of an address and what is not takes about as long: both write the same rows. The microseconds that are
//! left could be told apart over many requests. So an answer is sent a fixed time after its request, unless it took
//! longer by itself, as every password does.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::sleep;

/// What an answer takes at least: a few times what a commit takes.
const LEAST: Duration = Duration::from_millis(20);

/// Answers a request, but not before it has been there for [`LEAST`].
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

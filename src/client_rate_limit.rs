//! Limits the rate of anonymous requests of one client before they cost anything.
//!
//! Counted in the memory of this process, because it protects this process: limits that must
//! survive restarts and be shared are in `domain::limits`. Requests to public routes count, and
//! requests to protected routes with a missing or wrong token; a request with a valid token never
//! does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use domain::client::ClientKey;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use runtime::settings::Limits;

use crate::error::{ApiError, Throttle};
use crate::request::RequestContext;

/// The interval at which idle clients are removed. Between two sweeps there is at most one entry
/// for each allowed or refused request, so the throughput of the process bounds the memory.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The rate limit of anonymous requests. Cheap to clone; `None` if limits are disabled.
#[derive(Clone)]
pub struct ClientRateLimit(Option<Arc<Clients>>);

struct Clients {
    limiter: DefaultKeyedRateLimiter<ClientKey>,
    clock: DefaultClock,
    burst: NonZeroU32,
    /// Seconds until a used-up burst is available again.
    refill: u64,
    swept: Mutex<Instant>,
    /// The limited clients, each with the end of its limit.
    cut: Mutex<HashMap<ClientKey, Instant>>,
}

impl ClientRateLimit {
    /// The rate limit of these settings.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let rate = NonZeroU32::new(limits.requests_per_second_per_client);
        let burst = NonZeroU32::new(limits.request_burst_per_client);
        let clients = rate
            .zip(burst)
            .filter(|_| limits.enabled)
            .map(|(rate, burst)| Clients {
                limiter: DefaultKeyedRateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
                clock: DefaultClock::default(),
                burst,
                refill: burst.get().div_ceil(rate.get()).into(),
                swept: Mutex::new(Instant::now()),
                cut: Mutex::default(),
            });
        Self(clients.map(Arc::new))
    }

    /// Counts an anonymous request.
    ///
    /// # Errors
    ///
    /// [`ApiError::Throttled`] if the client has made too many.
    pub fn count(&self, client: &ClientKey) -> Result<(), ApiError> {
        let Some(clients) = &self.0 else {
            return Ok(());
        };
        clients.sweep();
        clients.limiter.check_key(client).map_err(|until| {
            let wait = until.wait_time_from(clients.clock.now());
            clients.cut().insert(client.clone(), Instant::now() + wait);
            ApiError::Throttled(Throttle {
                limit: "requests",
                quota: clients.burst.get(),
                window: clients.refill,
                seconds: Throttle::whole_seconds(wait),
            })
        })
    }

    /// Whether another anonymous request of the client would be refused. Counts nothing.
    #[must_use]
    pub fn cuts(&self, client: &ClientKey) -> bool {
        let Some(clients) = &self.0 else {
            return false;
        };
        let cut = clients.cut();
        cut.get(client).is_some_and(|until| *until > Instant::now())
    }
}

impl Clients {
    fn cut(&self) -> MutexGuard<'_, HashMap<ClientKey, Instant>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes clients whose burst is available again. Returns at once if another thread is doing
    /// so.
    fn sweep(&self) {
        let Ok(mut swept) = self.swept.try_lock() else {
            return;
        };
        if swept.elapsed() >= SWEEP_EVERY {
            let now = Instant::now();
            *swept = now;
            self.cut().retain(|_, until| *until > now);
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

/// Passes an anonymous request on, or answers 429.
pub async fn pass(
    Extension(limit): Extension<ClientRateLimit>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(context) = request.extensions().get::<RequestContext>() {
        limit.count(&context.actor.client)?;
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(rate: u32, burst: u32) -> Clients {
        let quota = Quota::per_second(NonZeroU32::new(rate).unwrap());
        let burst = NonZeroU32::new(burst).unwrap();
        Clients {
            limiter: DefaultKeyedRateLimiter::keyed(quota.allow_burst(burst)),
            clock: DefaultClock::default(),
            burst,
            refill: 1,
            swept: Mutex::new(Instant::now()),
            cut: Mutex::default(),
        }
    }

    #[test]
    fn clients_that_have_been_quiet_are_forgotten() {
        let clients = clients(1_000_000, 1);
        for last in 0..10_000_u32 {
            let address = std::net::Ipv4Addr::from_bits(last).into();
            clients.limiter.check_key(&ClientKey::of(address)).unwrap();
        }
        *clients.swept.lock().unwrap() -= SWEEP_EVERY;
        std::thread::sleep(Duration::from_millis(2));

        clients.sweep();

        assert_eq!(clients.limiter.len(), 0);
    }

    #[test]
    fn one_client_is_cut_and_another_is_not() {
        let limit = ClientRateLimit(Some(Arc::new(clients(1, 2))));
        let flooding = ClientKey::of("192.0.2.1".parse().unwrap());
        let other = ClientKey::of("192.0.2.2".parse().unwrap());

        let answers = [(); 3].map(|()| limit.count(&flooding).is_ok());

        assert_eq!(answers, [true, true, false]);
        assert!(limit.count(&other).is_ok());
    }
}

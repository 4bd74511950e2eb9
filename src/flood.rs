//! A flood of anonymous requests from one client is cut before it costs anything.
//!
//! Counted in the memory of this process, because it protects this process: what must survive restarts and
//! be shared is in `domain::limits`. Requests to public routes count, and those to protected ones
//! whose token is missing or wrong; a request with a good token never does.

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
use crate::request::Origin;

/// How often clients that have been quiet are forgotten. Between two sweeps there is at most one entry
/// for each request that was let through or cut, which bounds the memory by the process's own throughput.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How many anonymous requests each client may make; cheap to clone, and lifted where the limits are.
#[derive(Clone)]
pub struct Flood(Option<Arc<Clients>>);

struct Clients {
    limiter: DefaultKeyedRateLimiter<ClientKey>,
    clock: DefaultClock,
    burst: NonZeroU32,
    /// In how many seconds a spent burst is there again.
    refill: u64,
    swept: Mutex<Instant>,
    /// Those that were cut, each until when.
    cut: Mutex<HashMap<ClientKey, Instant>>,
}

impl Flood {
    /// The limit of the settings.
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
    /// [`ApiError::Throttled`] when the client has made too many.
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

    /// Whether another anonymous request of the client would be cut. Counts nothing.
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

    /// Forgets clients whose burst is whole again. Whoever finds another at it goes on.
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

/// Lets an anonymous request pass, or answers 429.
pub async fn pass(
    Extension(flood): Extension<Flood>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(origin) = request.extensions().get::<Origin>() {
        flood.count(&origin.actor.client)?;
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
        let flood = Flood(Some(Arc::new(clients(1, 2))));
        let flooding = ClientKey::of("192.0.2.1".parse().unwrap());
        let other = ClientKey::of("192.0.2.2".parse().unwrap());

        let answers = [(); 3].map(|()| flood.count(&flooding).is_ok());

        assert_eq!(answers, [true, true, false]);
        assert!(flood.count(&other).is_ok());
    }
}

//! What handlers share: made once at start, cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use domain::accounts::CodePolicy;
use domain::accounts::login::SessionPolicy;
use domain::accounts::register::RegisterPolicy;
use domain::clock::Clock;
use domain::otp::KeyRing;
use domain::password::{LengthRule, Password, PasswordHash};
use domain::store::Store;
use domain::token::SessionToken;
use runtime::hashing::HashPool;
use runtime::settings::{Http, Settings};

use crate::StartError;

/// The state of the API.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The threads that hash passwords.
    pub hashing: HashPool,
    /// The keys that codes are derived with.
    pub keys: Arc<KeyRing>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What is checked for a login that nobody has, so that it takes as long.
    pub dummy: PasswordHash,
    /// The rules of the settings.
    pub rules: Rules,
    /// How long after its arrival a request's write may begin: a lock may still have to be waited for.
    pub write_within: Duration,
    /// How requests are read.
    pub http: Arc<Http>,
}

/// The rules of the settings, in the domain's words.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How registrations and codes live and die.
    pub register: RegisterPolicy,
    /// How long passwords may be.
    pub password: LengthRule,
    /// How long sessions last.
    pub session: SessionPolicy,
}

impl AppState {
    /// The state for these settings.
    pub async fn new(
        settings: &Settings,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let hashing = HashPool::new(&settings.accounts)?;
        let nobodys = Password::new(SessionToken::generate().expose());
        let dummy = hashing.hash(nobodys).await?;
        let keys = &settings.secret_keys;
        Ok(Self {
            store,
            hashing,
            keys: Arc::new(KeyRing::new(&keys.current, &keys.fallbacks)),
            clock,
            dummy,
            rules: Rules::of(settings),
            write_within: settings
                .http
                .request_timeout
                .saturating_sub(settings.database.busy_timeout),
            http: Arc::new(settings.http.clone()),
        })
    }
}

impl Rules {
    fn of(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            register: RegisterPolicy {
                codes: CodePolicy {
                    life: settings.otp.ttl,
                    max_tries: settings.otp.max_tries,
                },
                lapse: settings.accounts.registration_lapse,
                live_attempts: limits.enabled.then_some(limits.live_attempts_per_address),
                reveal_registered: settings.accounts.reveal_registered_emails,
            },
            password: LengthRule {
                min: settings.accounts.password_min_length,
                max: settings.accounts.password_max_length,
            },
            session: SessionPolicy {
                max: settings.accounts.session_max,
            },
        }
    }
}

impl FromRef<AppState> for Arc<Http> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.http)
    }
}

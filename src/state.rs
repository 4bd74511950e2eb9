//! What handlers share: made once at start, cheap to clone.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use domain::accounts::CodePolicy;
use domain::accounts::code::{CodeRequest, SubmittedCode};
use domain::accounts::dummy::Dummies;
use domain::accounts::login::SessionPolicy;
use domain::accounts::register::RegisterPolicy;
use domain::clock::Clock;
use domain::email::EmailAddress;
use domain::limits::{Limits, Rate, RecordRefusal, Refusal};
use domain::otp::{KeyRing, TypedCode};
use domain::password::{LengthRule, Password, PasswordHash};
use domain::plans::NoteLimits;
use domain::store::Store;
use domain::token::SessionToken;
use jiff::Timestamp;
use runtime::hashing::{HashPool, NotHashed};
use runtime::settings::{Http, Payments, Settings};

use crate::StartError;
use crate::access_log::AccessLog;
use crate::auth::bearers::Bearers;
use crate::buffer::Budgets;
use crate::dummies::CurrentDummies;
use crate::error::ApiError;
use crate::flood::Flood;
use crate::in_flight::InFlight;
use crate::meters::Meters;
use crate::request::Origin;
use crate::route::Switches;
use crate::unsent::Unsent;
use crate::writes::Writes;

/// The state of the API. Each request takes it several times over, so that it is shared as one.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the state of the API is made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The threads that hash passwords.
    pub hashing: HashPool,
    /// The keys that codes are derived with.
    pub keys: Arc<KeyRing>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What is checked for a login that nobody has, so that it takes as long.
    pub dummies: Arc<CurrentDummies>,
    /// The rules of the settings.
    pub rules: Rules,
    /// How long after its arrival a request's write may begin: a lock may still have to be waited for.
    pub write_within: Duration,
    /// How many anonymous requests each client may make.
    pub flood: Flood,
    /// How often each user may write.
    pub writes: Writes,
    /// How many requests of each user are answered at once.
    pub in_flight: InFlight,
    /// Whose tokens have been seen.
    pub bearers: Bearers,
    /// How requests are read.
    pub http: Arc<Http>,
    /// How much of their bodies is held in memory.
    pub(crate) bodies: Budgets,
    /// How much of long answers is.
    pub(crate) unsent: Unsent,
    /// What holds for payment services.
    pub payments: Arc<Payments>,
    /// What is measured of requests.
    pub meters: Meters,
    /// What is logged of them.
    pub access_log: AccessLog,
}

/// The rules of the settings, in the domain's words.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How registrations and codes live and die.
    pub register: RegisterPolicy,
    /// Every limit; `None` when they are lifted.
    pub limits: Option<Limits>,
    /// How long passwords may be.
    pub password: LengthRule,
    /// How long sessions last.
    pub session: SessionPolicy,
    /// How many notes a user may have, and how many bytes.
    pub notes: NoteLimits,
    /// Which routes are there that may be missing.
    pub switches: Switches,
}

impl AppState {
    /// The state for these settings.
    pub async fn new(
        settings: &Settings,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let hashing = HashPool::new(settings)?;
        let nobodys = Password::new(SessionToken::generate().expose());
        let keys = &settings.secret_keys;
        let dummies = Dummies::new(
            &keys.current,
            hashing.hash(&hashing.slot()?, nobodys).await?,
        );
        Ok(Self(Arc::new(Parts {
            store,
            hashing,
            keys: Arc::new(KeyRing::new(&keys.current, &keys.fallbacks)),
            clock,
            dummies: Arc::new(CurrentDummies::new(dummies)),
            rules: Rules::of(settings),
            write_within: settings
                .http
                .request_timeout
                .saturating_sub(settings.database.busy_timeout),
            flood: Flood::new(&settings.limits),
            writes: Writes::new(&settings.limits),
            in_flight: InFlight::new(&settings.limits),
            bearers: Bearers::default(),
            http: Arc::new(settings.http.clone()),
            bodies: Budgets::new(settings.http.body_limit_bytes, settings.http.body_timeout),
            unsent: Unsent::default(),
            payments: Arc::new(settings.payments.clone()),
            meters: Meters::new(settings),
            access_log: AccessLog::default(),
        })))
    }
}

impl Rules {
    /// Those of these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let limits = limits(&settings.limits);
        Self {
            limits,
            register: RegisterPolicy {
                codes: CodePolicy {
                    life: settings.otp.ttl,
                    max_tries: settings.otp.max_tries,
                },
                lapse: settings.accounts.registration_lapse,
                live_registrations: limits
                    .map(|_| settings.limits.pending_registrations_per_address),
                limits,
                reveal_registered: settings.accounts.reveal_registered_emails,
            },
            notes: settings.note_limits(),
            switches: Switches {
                otp_login: settings.accounts.otp_login,
                stripe: settings.payments.stripe_secret.is_some(),
                revenuecat: settings.payments.revenuecat_secret.is_some(),
            },
            password: LengthRule {
                min: settings.accounts.password_min_length,
                max: settings.accounts.password_max_length,
            },
            session: SessionPolicy {
                idle: settings.accounts.session_idle,
                max: settings.accounts.session_max,
            },
        }
    }
}

/// The limits of the settings; `None` when they are lifted.
fn limits(settings: &runtime::settings::Limits) -> Option<Limits> {
    settings.enabled.then_some(Limits {
        code_mails_a_minute: Rate::a_minute(settings.code_mails_per_minute),
        code_mails_an_hour: Rate::an_hour(settings.code_mails_per_hour),
        code_requests: Rate::a_minute(settings.code_requests_per_minute),
        registrations: Rate::an_hour(settings.registrations_per_hour),
        wrong_codes: Rate::an_hour(settings.wrong_codes_per_hour),
        client_logins: Rate::an_hour(settings.refused_logins_per_client_and_hour),
        account_logins: Rate::an_hour(settings.refused_logins_per_account_and_hour),
        free_logins: settings.refused_logins_without_pause,
    })
}

impl AppState {
    /// Hashes a password that a request brings.
    ///
    /// # Errors
    ///
    /// Too many passwords wait to be hashed, in all or of this client.
    pub async fn hashed(
        &self,
        password: Password,
        origin: &Origin,
    ) -> Result<PasswordHash, NotHashed> {
        let slot = self.hashing.slot_of(&origin.actor.client)?;
        self.hashing.hash(&slot, password).await
    }

    /// The answer to a request that a limit refuses before anything is hashed for it. Recorded as if the use case had
    /// refused it; `email`: whom that keeps from a mail.
    pub async fn refuse_early(
        &self,
        origin: &Origin,
        refusal: Refusal,
        email: Option<&EmailAddress>,
        now: Timestamp,
    ) -> ApiError {
        let record = RecordRefusal {
            actor: origin.actor.clone(),
            email: email.map(|email| email.key().clone()),
            limit: refusal.limit,
            now,
        };
        match self.store.write_by(&origin.ticket, record).await {
            Ok(()) => ApiError::throttled(refusal, now),
            Err(error) => error.into(),
        }
    }

    /// A request for a code, with what holds for it.
    #[must_use]
    pub fn code_request(&self, origin: &Origin) -> CodeRequest {
        CodeRequest::new(
            origin.actor.clone(),
            self.keys.current().clone(),
            self.rules.register.codes,
            self.rules.limits,
            self.clock.now(),
        )
    }

    /// A code that a request brings, with what it is checked with.
    #[must_use]
    pub fn submitted_code(&self, code: &str, origin: &Origin) -> SubmittedCode {
        SubmittedCode {
            code: TypedCode::new(code),
            keys: Arc::clone(&self.keys),
            policy: self.rules.register.codes,
            limits: self.rules.limits,
            actor: origin.actor.clone(),
            now: self.clock.now(),
        }
    }
}

impl FromRef<AppState> for Arc<Http> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.http)
    }
}

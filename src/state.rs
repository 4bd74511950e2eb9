//! The shared state of all handlers: created once at start, cheap to clone.

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
use crate::client_rate_limit::ClientRateLimit;
use crate::dummies::CurrentDummies;
use crate::error::ApiError;
use crate::in_flight::InFlight;
use crate::metrics::RequestMetrics;
use crate::request::RequestContext;
use crate::route::Features;
use crate::unsent::Unsent;
use crate::writes::Writes;

/// The state of the API. Each request clones it several times, so it is a single `Arc`.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

impl Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The parts of the state.
pub struct Inner {
    /// The store of the database.
    pub store: Store,
    /// The pool of threads that hash passwords.
    pub hashing: HashPool,
    /// The keys for deriving codes.
    pub keys: Arc<KeyRing>,
    /// The source of the time.
    pub clock: Arc<dyn Clock>,
    /// The dummy hashes for unknown logins, so that they take as long.
    pub dummies: Arc<CurrentDummies>,
    /// The policies from the settings.
    pub policies: Policies,
    /// How long after its arrival a request's write may start; it may then still wait for a lock.
    pub write_within: Duration,
    /// The rate limit of anonymous requests.
    pub client_rate_limit: ClientRateLimit,
    /// The rate limits of users' writes.
    pub writes: Writes,
    /// The requests in flight of each user.
    pub in_flight: InFlight,
    /// The recently seen tokens.
    pub bearers: Bearers,
    /// The HTTP settings.
    pub http: Arc<Http>,
    /// The memory budgets of request bodies.
    pub(crate) bodies: Budgets,
    /// The memory of unsent responses.
    pub(crate) unsent: Unsent,
    /// The settings of payment services.
    pub payments: Arc<Payments>,
    /// The metrics of requests.
    pub metrics: RequestMetrics,
    /// The access log.
    pub access_log: AccessLog,
}

/// The settings as policies of the domain.
#[derive(Clone, Copy, Debug)]
pub struct Policies {
    /// The policy of registrations and codes.
    pub register: RegisterPolicy,
    /// The limits; `None` if they are disabled.
    pub limits: Option<Limits>,
    /// The length rule of passwords.
    pub password: LengthRule,
    /// The lifetimes of sessions.
    pub session: SessionPolicy,
    /// The limits of notes and storage of each plan.
    pub notes: NoteLimits,
    /// The optional routes that are enabled.
    pub features: Features,
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
        Ok(Self(Arc::new(Inner {
            store,
            hashing,
            keys: Arc::new(KeyRing::new(&keys.current, &keys.fallbacks)),
            clock,
            dummies: Arc::new(CurrentDummies::new(dummies)),
            policies: Policies::of(settings),
            write_within: settings
                .http
                .request_timeout
                .saturating_sub(settings.database.busy_timeout),
            client_rate_limit: ClientRateLimit::new(&settings.limits),
            writes: Writes::new(&settings.limits),
            in_flight: InFlight::new(&settings.limits),
            bearers: Bearers::default(),
            http: Arc::new(settings.http.clone()),
            bodies: Budgets::new(settings.http.body_limit_bytes, settings.http.body_timeout),
            unsent: Unsent::default(),
            payments: Arc::new(settings.payments.clone()),
            metrics: RequestMetrics::new(settings),
            access_log: AccessLog::default(),
        })))
    }
}

impl Policies {
    /// The policies of these settings.
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
            features: Features {
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

/// The limits of the settings; `None` if they are disabled.
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
    /// Hashes a password from a request.
    ///
    /// # Errors
    ///
    /// Too many passwords wait to be hashed, in total or from this client.
    pub async fn hashed(
        &self,
        password: Password,
        context: &RequestContext,
    ) -> Result<PasswordHash, NotHashed> {
        let slot = self.hashing.slot_of(&context.actor.client)?;
        self.hashing.hash(&slot, password).await
    }

    /// The response to a request that a limit refuses before anything is hashed. Recorded as if the
    /// use case had refused it; `email` is the address that gets no mail because of it.
    pub async fn refuse_early(
        &self,
        context: &RequestContext,
        refusal: Refusal,
        email: Option<&EmailAddress>,
        now: Timestamp,
    ) -> ApiError {
        let record = RecordRefusal {
            actor: context.actor.clone(),
            email: email.map(|email| email.key().clone()),
            limit: refusal.limit,
            now,
        };
        match self.store.write_by(&context.ticket, record).await {
            Ok(()) => ApiError::throttled(refusal, now),
            Err(error) => error.into(),
        }
    }

    /// A request for a code, with its policies.
    #[must_use]
    pub fn code_request(&self, context: &RequestContext) -> CodeRequest {
        CodeRequest::new(
            context.actor.clone(),
            self.keys.current().clone(),
            self.policies.register.codes,
            self.policies.limits,
            self.clock.now(),
        )
    }

    /// A submitted code, with the data for checking it.
    #[must_use]
    pub fn submitted_code(&self, code: &str, context: &RequestContext) -> SubmittedCode {
        SubmittedCode {
            code: TypedCode::new(code),
            keys: Arc::clone(&self.keys),
            policy: self.policies.register.codes,
            limits: self.policies.limits,
            actor: context.actor.clone(),
            now: self.clock.now(),
        }
    }
}

impl FromRef<AppState> for Arc<Http> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.http)
    }
}

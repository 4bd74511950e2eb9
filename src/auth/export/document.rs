//! What an export holds.

use domain::audit::Recorded;
use domain::client::ClientKey;
use domain::payments::PaymentRecord;
use domain::plans::Grant;
use domain::queue::MailRecord;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::me::Profile;
use crate::auth::sessions::SessionEntry;
use crate::notes::NoteBody;
use crate::subscription::Subscription;

/// Everything held about the user: no token, no hash, no code.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    pub(super) exported_at: Timestamp,
    /// Who one is.
    pub(super) profile: Profile,
    /// What one may use, and does.
    pub(super) subscription: Subscription,
    /// Who granted premium, also what is over.
    pub(super) grants: Vec<PremiumGrant>,
    /// The sessions that have not ended.
    pub(super) sessions: Vec<SessionEntry>,
    /// From where the user has logged in lately, the newest first.
    pub(super) known_clients: Vec<KnownClient>,
    /// The notes, those in the trash last. One that changes while this is read may stand there as it was and as it is.
    pub(super) notes: Vec<NoteBody>,
    /// What happened to the account, newest first, as far back as it is kept.
    pub(super) security_events: Vec<SecurityEvent>,
    /// What payment services told about the user, by service, then in the order in which it came.
    pub(super) payment_events: Vec<PaymentEvent>,
    /// The mails about the user and to the user's address, newest first, as far back as they are kept.
    pub(super) mails: Vec<SentMail>,
}

/// Premium, as it was granted.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PremiumGrant {
    /// Who granted it: `operator`, `stripe` or `revenuecat`.
    pub(super) source: &'static str,
    /// When it ends; `null`: never.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub(super) until: Option<Timestamp>,
    /// When it was granted, or last changed.
    #[schema(value_type = String, format = DateTime)]
    pub(super) granted_at: Timestamp,
}

impl From<Grant> for PremiumGrant {
    fn from(grant: Grant) -> Self {
        Self {
            source: grant.source.as_str(),
            until: grant.until,
            granted_at: grant.granted,
        }
    }
}

/// A client that the account knows.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownClient {
    /// Its network address, or the network of an IPv6 address.
    pub(super) ip: String,
    /// When the user last logged in from there.
    #[schema(value_type = String, format = DateTime)]
    pub(super) last_seen_at: Timestamp,
}

impl From<(ClientKey, Timestamp)> for KnownClient {
    fn from((client, last_seen_at): (ClientKey, Timestamp)) -> Self {
        Self {
            ip: client.to_string(),
            last_seen_at,
        }
    }
}

/// A mail.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SentMail {
    /// Its id, which its Message-ID begins with.
    pub(super) id: String,
    /// What it is about, as a stable word.
    pub(super) kind: String,
    /// The address that it goes to.
    pub(super) to: String,
    /// What became of it, as a stable word.
    pub(super) state: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
    /// When nothing more was to be done.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub(super) finished_at: Option<Timestamp>,
}

impl From<MailRecord> for SentMail {
    fn from(mail: MailRecord) -> Self {
        Self {
            id: mail.id.to_string(),
            kind: mail.kind,
            to: mail.to,
            state: mail.state,
            created_at: mail.created,
            finished_at: mail.finished,
        }
    }
}

/// Something that happened to the account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    /// What, as a stable word.
    pub(super) event: String,
    /// The network address it came from.
    pub(super) ip: Option<String>,
    /// What the client called itself.
    pub(super) user_agent: Option<String>,
}

impl From<Recorded> for SecurityEvent {
    fn from(event: Recorded) -> Self {
        Self {
            at: event.at,
            event: event.event,
            ip: event.client,
            user_agent: event.user_agent,
        }
    }
}

/// What a payment service told.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentEvent {
    /// Which service: `stripe` or `revenuecat`.
    pub(super) source: String,
    /// The service's name for the event.
    pub(super) id: String,
    /// What the service calls this kind of event.
    pub(super) r#type: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub(super) received_at: Timestamp,
    /// When it was made, by the service's clock.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub(super) made_at: Option<Timestamp>,
    /// What came of it when it was received, in words.
    pub(super) effect: String,
    /// The event as it came, which is JSON in a text; empty if it is not kept.
    pub(super) body: String,
}

impl From<PaymentRecord> for PaymentEvent {
    fn from(event: PaymentRecord) -> Self {
        Self {
            source: event.place.source,
            id: event.id,
            r#type: event.kind,
            received_at: event.received,
            made_at: event.made,
            effect: event.did,
            body: event.body,
        }
    }
}

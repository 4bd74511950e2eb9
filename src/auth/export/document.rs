//! The contents of an export.

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

/// All data about the user, except tokens, hashes and codes.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// When the export was created.
    #[schema(value_type = String, format = DateTime)]
    pub(super) exported_at: Timestamp,
    /// The profile of the user.
    pub(super) profile: Profile,
    /// The plan and its usage.
    pub(super) subscription: Subscription,
    /// The grants of premium, including expired ones.
    pub(super) grants: Vec<PremiumGrant>,
    /// The sessions that have not ended.
    pub(super) sessions: Vec<SessionEntry>,
    /// Clients from which the user has logged in recently, newest first.
    pub(super) known_clients: Vec<KnownClient>,
    /// The notes, those in the trash last. A note that changes during the export may appear in both
    /// versions.
    pub(super) notes: Vec<NoteBody>,
    /// The security events of the account, newest first, as far back as they are kept.
    pub(super) security_events: Vec<SecurityEvent>,
    /// The payment events of the user, by service, then in the order of arrival.
    pub(super) payment_events: Vec<PaymentEvent>,
    /// The mails about the user and to the user's address, newest first, as far back as they are kept.
    pub(super) mails: Vec<SentMail>,
}

/// A grant of premium.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PremiumGrant {
    /// The source of the grant: `operator`, `stripe` or `revenuecat`.
    pub(super) source: &'static str,
    /// When it ends; `null` means never.
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

/// A known client of the account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownClient {
    /// The network address, or the network of an IPv6 address.
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

/// A mail about the user.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SentMail {
    /// The id, which is the start of the Message-ID.
    pub(super) id: String,
    /// The kind of mail, as a stable word.
    pub(super) kind: String,
    /// The recipient's address.
    pub(super) to: String,
    /// The state of the mail, as a stable word.
    pub(super) state: String,
    /// When it was requested.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
    /// When its state became final.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub(super) finished_at: Option<Timestamp>,
}

impl From<MailRecord> for SentMail {
    fn from(mail: MailRecord) -> Self {
        Self {
            id: mail.id.to_string(),
            kind: mail.kind.to_string(),
            to: mail.to,
            state: mail.state.to_string(),
            created_at: mail.created,
            finished_at: mail.finished,
        }
    }
}

/// A security event of the account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecurityEvent {
    /// When it happened, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    /// The event, as a stable word.
    pub(super) event: String,
    /// The network address of the client.
    pub(super) ip: Option<String>,
    /// The user agent of the client.
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

/// An event of a payment service.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentEvent {
    /// The service: `stripe` or `revenuecat`.
    pub(super) source: String,
    /// The service's id of the event.
    pub(super) id: String,
    /// The service's type of the event.
    pub(super) r#type: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub(super) received_at: Timestamp,
    /// When it was created, by the service's clock.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub(super) made_at: Option<Timestamp>,
    /// The effect of the event, in words.
    pub(super) effect: String,
    /// The event as received, as JSON in a text; empty if it is not stored.
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

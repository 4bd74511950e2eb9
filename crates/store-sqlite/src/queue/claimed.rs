//! What a handler needs to know of the mails that were claimed, in one statement.

use std::error::Error;

use domain::mail::Lane;
use domain::operator::Suppression;
use domain::otp::CodeSeed;
use domain::queue::{ChallengeTimes, Claim, Claimed, JobId, MailChallenge};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::json;
use crate::challenges::{form, owner};
use crate::error::{store_error, unreadable};
use crate::executor::{micros, time};
use crate::operator::SuppressionRow;

/// Everything the handlers need, in one statement.
pub(super) async fn claimed_mails(
    connection: &mut SqliteConnection,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<Vec<Result<Claimed, JobId>>, StoreError> {
    let ids = json(jobs)?;
    let at = micros(now);
    let rows = sqlx::query_as!(
        ClaimedRow,
        r#"select mails.id, mails.claim_no, mails.kind, mails.recipient, mails.request_id,
                  mails.created_at, mails.deadline_at, mails.tries, mails.cut_offs,
                  challenges.id as "challenge_id?", challenges.registration_id as "registration_id?",
                  challenges.user_id as "challenge_user_id?", challenges.no_account as "no_account?",
                  challenges.decoy as "decoy?",
                  open_tries.tries as "open_tries?",
                  iif(challenges.registration_id is not null, challenges.tries,
                      (select min(holders.tries)
                       from challenges as live join challenge_holders as holders on holders.challenge_id = live.id
                       where live.user_id = challenges.user_id and live.purpose = challenges.purpose
                         and live.used_at is null and live.ended_at is null and live.expires_at > ?2)
                  ) as "held_tries?: i64",
                  challenges.purpose as "purpose?", challenges.generation as "generation?",
                  challenges.nonce as "nonce?", challenges.key_id as "key_id?",
                  challenges.long_code as "long_code?",
                  challenges.expires_at as "expires_at?", challenges.superseded_at, challenges.used_at,
                  challenges.ended_at, coalesce(registrations.username, users.username) as "username?: String",
                  suppressions.since_at as "since_at?", suppressions.until_at as "until_at?",
                  suppressions.mail_id as "refused_mail?", suppressions.relay as "relay?",
                  suppressions.code as "code?", suppressions.enhanced as "enhanced?",
                  suppressions.text as "text?"
           from json_each(?1) as claimed
           cross join mails on mails.id = claimed.value
           left join challenges on challenges.id = mails.challenge_id
           left join open_tries
                on open_tries.email_key = challenges.email_key and open_tries.purpose = challenges.purpose
           left join registrations on registrations.id = challenges.registration_id
           left join users on users.id = challenges.user_id
           left join suppressions
                on suppressions.recipient_key = mails.recipient_key and suppressions.until_at > ?2
           where +mails.state = 'sending'"#,
        ids,
        at
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let job = JobId(row.id.clone());
            row.read(now).map_err(|error| {
                let (id, error) = (&job.0, &error as &dyn Error);
                tracing::error!(mail.id = id, error, "a mail can't be read");
                job
            })
        })
        .collect())
}

/// A claimed mail with its challenge, as columns.
struct ClaimedRow {
    id: String,
    claim_no: i64,
    kind: String,
    recipient: String,
    request_id: String,
    created_at: i64,
    deadline_at: Option<i64>,
    tries: i64,
    cut_offs: i64,
    challenge_id: Option<String>,
    registration_id: Option<String>,
    challenge_user_id: Option<i64>,
    no_account: Option<String>,
    decoy: Option<i64>,
    open_tries: Option<i64>,
    held_tries: Option<i64>,
    purpose: Option<String>,
    generation: Option<i64>,
    nonce: Option<Vec<u8>>,
    key_id: Option<String>,
    long_code: Option<i64>,
    expires_at: Option<i64>,
    superseded_at: Option<i64>,
    used_at: Option<i64>,
    ended_at: Option<i64>,
    username: Option<String>,
    since_at: Option<i64>,
    until_at: Option<i64>,
    refused_mail: Option<String>,
    relay: Option<String>,
    code: Option<i64>,
    enhanced: Option<String>,
    text: Option<String>,
}

impl ClaimedRow {
    fn read(self, now: Timestamp) -> Result<Claimed, StoreError> {
        Ok(Claimed {
            claim: Claim {
                mail: self.id.parse().map_err(unreadable)?,
                number: u32::try_from(self.claim_no).map_err(unreadable)?,
            },
            kind: self.kind.parse().map_err(unreadable)?,
            challenge: self.challenge(now)?,
            suppressed: self.suppressed()?,
            to: self.recipient,
            request_id: self.request_id,
            created: time(self.created_at),
            deadline: self.deadline_at.map(time),
            tries: u32::try_from(self.tries).unwrap_or(u32::MAX),
            uncertain_attempts: u32::try_from(self.cut_offs).unwrap_or(u32::MAX),
            lane: Lane::Main,
        })
    }

    fn suppressed(&self) -> Result<Option<Suppression>, StoreError> {
        let (Some(since_at), Some(until_at), Some(mail_id)) =
            (self.since_at, self.until_at, &self.refused_mail)
        else {
            return Ok(None);
        };
        let row = SuppressionRow {
            since_at,
            until_at,
            mail_id: mail_id.clone(),
            relay: self.relay.clone().unwrap_or_default(),
            code: self.code,
            enhanced: self.enhanced.clone(),
            text: self.text.clone().unwrap_or_default(),
        };
        row.read().map(Some)
    }

    fn challenge(&self, now: Timestamp) -> Result<Option<MailChallenge>, StoreError> {
        let owner = owner(
            self.registration_id.as_deref(),
            self.challenge_user_id,
            self.no_account.as_deref(),
        )?;
        let (Some(id), Some(owner), Some(purpose), Some(key), Some(nonce)) = (
            &self.challenge_id,
            owner,
            &self.purpose,
            &self.key_id,
            &self.nonce,
        ) else {
            return Ok(None);
        };
        Ok(Some(MailChallenge {
            id: id.parse().map_err(unreadable)?,
            seed: CodeSeed {
                key: key.clone().into(),
                purpose: purpose.parse().map_err(unreadable)?,
                subject: owner.subject(),
                generation: self.generation.unwrap_or(0),
                nonce: nonce.as_slice().try_into().map_err(unreadable)?,
                form: form(self.long_code.unwrap_or(0)),
            },
            username: self.username.clone().unwrap_or_default(),
            open_tries: tries(self.open_tries.unwrap_or(0)),
            held_tries: self.held_tries.map(tries),
            life: ChallengeTimes {
                decoy: self.decoy == Some(1),
                used: self.used_at.is_some(),
                ended: self.ended_at.is_some(),
                superseded: self.superseded_at.is_some(),
                expires: time(self.expires_at.unwrap_or(0)),
            }
            .life(now),
        }))
    }
}

fn tries(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}

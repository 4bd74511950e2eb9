//! The fence: which claims may still write.
//!
//! A worker whose lease was lost may come back with results. Only the newest claim of a mail that is still being sent
//! settles it or gets a permit. One look tells for all claims of a batch; the statements that follow in its transaction
//! need no condition of their own.
//!
//! The answer is one row. Each row that a statement returns is handed from `SQLite`'s thread to another, which
//! costs more than what stands in it.

use std::collections::{HashMap, HashSet};

use domain::id::MailId;
use domain::queue::port::{ClaimState, Fence};
use domain::queue::{ChallengeTimes, Claim, Outcome};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::json;
use crate::error::{store_error, unreadable};
use crate::executor::{micros, time};

/// The mails that may be settled, and those of them whose address is to be forgotten.
#[derive(Deserialize)]
struct Settling {
    mails: Vec<String>,
    forgetting: Vec<String>,
}

/// Looks at all settlements and permits of a batch.
///
/// A `+` before a column keeps `SQLite` from its index: many mails may share a state, and each would be
/// compared with each of the claims. By the id, each claim finds its mail at once.
pub(super) async fn fence(
    connection: &mut SqliteConnection,
    settlements: &[Outcome],
    permits: &[Claim],
    now: Timestamp,
) -> Result<Fence, StoreError> {
    if settlements.is_empty() && permits.is_empty() {
        return Ok(Fence::default());
    }
    let settling = claim_rows(settlements.iter().map(|settlement| settlement.claim))?;
    let permits = claim_rows(permits.iter().copied())?;
    let at = micros(now);
    let row = sqlx::query!(
        r#"select
             (select json_object('mails', json_group_array(mails.id),
                  'forgetting', json_group_array(mails.id) filter (where mails.forget_as is not null))
              from jsonb_each(?1) as j cross join mails on mails.id = j.value ->> 'mail'
              where mails.claim_no = j.value ->> 'claim' and +mails.state = 'sending') as "settling!: String",
             (select json_group_array(mails.id)
              from jsonb_each(?2) as j cross join mails on mails.id = j.value ->> 'mail'
              where mails.claim_no = j.value ->> 'claim' and +mails.state = 'sending'
                and (mails.challenge_id is null or exists (
                        select 1 from challenges
                        where challenges.id = mails.challenge_id and challenges.used_at is null
                          and challenges.ended_at is null and challenges.superseded_at is null
                          and challenges.decoy = 0 and challenges.expires_at > ?3))) as "permits!: String""#,
        settling,
        permits,
        at
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let settling: Settling = serde_json::from_str(&row.settling).map_err(unreadable)?;
    let permits: Vec<String> = serde_json::from_str(&row.permits).map_err(unreadable)?;
    Ok(Fence {
        settling: mail_ids(&settling.mails)?,
        forgetting: mail_ids(&settling.forgetting)?,
        permits: mail_ids(&permits)?,
    })
}

fn mail_ids(ids: &[String]) -> Result<HashSet<MailId>, StoreError> {
    let ids = ids.iter().map(|id| id.parse().map_err(unreadable));
    ids.collect()
}

/// What the rows of claimed mails say now.
pub(super) async fn claim_states(
    connection: &mut SqliteConnection,
    claims: &[Claim],
) -> Result<HashMap<Claim, ClaimState>, StoreError> {
    let rows = claim_rows(claims.iter().copied())?;
    let rows = sqlx::query!(
        r#"select j.value ->> 'claim' as "claimed!: u32", mails.id, mails.claim_no as "claim_no: u32", mails.state,
                  mails.reason is not null as "has_reason!: bool", challenges.decoy as "decoy?: bool",
                  challenges.used_at, challenges.ended_at, challenges.superseded_at,
                  challenges.expires_at as "expires_at?"
           from jsonb_each(?) as j cross join mails on mails.id = j.value ->> 'mail'
           left join challenges on challenges.id = mails.challenge_id"#,
        rows
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            let claim = Claim {
                mail: row.id.parse().map_err(unreadable)?,
                number: row.claimed,
            };
            let state = ClaimState {
                state: row.state.into(),
                number: row.claim_no,
                has_reason: row.has_reason,
                challenge: row.expires_at.map(|expires| ChallengeTimes {
                    decoy: row.decoy == Some(true),
                    used: row.used_at.is_some(),
                    ended: row.ended_at.is_some(),
                    superseded: row.superseded_at.is_some(),
                    expires: time(expires),
                }),
            };
            Ok((claim, state))
        })
        .collect()
}

/// A claim as the statements read it.
#[derive(Serialize)]
struct ClaimRow {
    mail: String,
    claim: u32,
}

/// Claims as the statements read them.
fn claim_rows(claims: impl Iterator<Item = Claim>) -> Result<String, StoreError> {
    let rows: Vec<ClaimRow> = claims
        .map(|claim| ClaimRow {
            mail: claim.mail.to_string(),
            claim: claim.number,
        })
        .collect();
    json(&rows)
}

//! The fence: which claims may still write.
//!
//! A worker that had been given up may come back with results. Only the newest claim of a mail that is still
//! being sent settles it or is marked. One look tells for all claims of a turn; the statements that follow in its
//! transaction need no condition of their own.
//!
//! The answer is one row. Each row that a statement returns is handed from `SQLite`'s thread to another, which
//! costs more than what stands in it.

use std::collections::HashSet;

use domain::queue::{Claim, Loss, Settlement, Turn};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::access::micros;
use crate::error::{store_error, unreadable};

/// What the fence lets through.
pub(super) struct Fence {
    settling: HashSet<String>,
    marking: HashSet<String>,
}

impl Fence {
    /// Looks at all settlements and marks of a turn.
    ///
    /// A `+` before a column keeps `SQLite` from its index: many mails may share a state, and each would be
    /// compared with each of the claims. By the id, each claim finds its mail at once.
    pub(super) async fn look(
        connection: &mut SqliteConnection,
        turn: &Turn,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        if turn.settlements.is_empty() && turn.marks.is_empty() {
            return Ok(Self {
                settling: HashSet::new(),
                marking: HashSet::new(),
            });
        }
        let settling = claim_rows(turn.settlements.iter().map(|settlement| settlement.claim))?;
        let marking = claim_rows(turn.marks.iter().copied())?;
        let at = micros(now);
        let row = sqlx::query!(
            r#"select
                 (select json_group_array(mails.id)
                  from jsonb_each(?1) as j cross join mails on mails.id = j.value ->> 'mail'
                  where mails.claim_no = j.value ->> 'claim' and +mails.state = 'sending') as "settling!: String",
                 (select json_group_array(mails.id)
                  from jsonb_each(?2) as j cross join mails on mails.id = j.value ->> 'mail'
                  where mails.claim_no = j.value ->> 'claim' and +mails.state = 'sending'
                    and (mails.challenge_id is null or exists (
                            select 1 from challenges
                            where challenges.id = mails.challenge_id and challenges.used_at is null
                              and challenges.ended_at is null and challenges.superseded_at is null
                              and challenges.decoy = 0 and challenges.expires_at > ?3))) as "marking!: String""#,
            settling,
            marking,
            at
        )
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
        Ok(Self {
            settling: serde_json::from_str(&row.settling).map_err(unreadable)?,
            marking: serde_json::from_str(&row.marking).map_err(unreadable)?,
        })
    }

    /// Whether a settlement is not too late.
    pub(super) fn lets_settle(&self, settlement: &Settlement) -> bool {
        (self.settling).contains(&settlement.claim.mail.to_string())
    }

    /// Whether the final dot may be written: the claim is the newest and its code lives.
    pub(super) fn lets_mark(&self, claim: Claim) -> bool {
        self.marking.contains(&claim.mail.to_string())
    }
}

/// Why claims that the fence stopped are void. A cancellation raises the number of the claim that it voids by one.
pub(super) async fn losses(
    connection: &mut SqliteConnection,
    void: Vec<Claim>,
) -> Result<Vec<(Claim, Loss)>, StoreError> {
    if void.is_empty() {
        return Ok(Vec::new());
    }
    let rows = claim_rows(void.iter().copied())?;
    let cancelled = sqlx::query_scalar!(
        r#"select json_group_array(mails.id) as "cancelled!: String"
           from jsonb_each(?) as j cross join mails on mails.id = j.value ->> 'mail'
           where mails.claim_no = (j.value ->> 'claim') + 1 and +mails.state = 'cancelled'"#,
        rows
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let cancelled: HashSet<String> = serde_json::from_str(&cancelled).map_err(unreadable)?;
    let loss = |claim: Claim| {
        if cancelled.contains(&claim.mail.to_string()) {
            (claim, Loss::Cancelled)
        } else {
            (claim, Loss::Taken)
        }
    };
    Ok(void.into_iter().map(loss).collect())
}

/// A claim as the statements read it.
#[derive(Serialize)]
struct ClaimRow {
    mail: String,
    claim: u32,
}

/// Claims as the statements read them.
pub(super) fn claim_rows(claims: impl Iterator<Item = Claim>) -> Result<String, StoreError> {
    let rows: Vec<ClaimRow> = claims
        .map(|claim| ClaimRow {
            mail: claim.mail.to_string(),
            claim: claim.number,
        })
        .collect();
    serde_json::to_string(&rows).map_err(unreadable)
}

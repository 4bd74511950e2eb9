//! The ports of the queue: each method is one of the statements beside.

use std::collections::HashMap;

use async_trait::async_trait;
use domain::email::EmailKey;
use domain::id::{MailId, UserId};
use domain::mail::{MailKind, MailState};
use domain::otp::KeyId;
use domain::queue::maintain::{Latest, MissingKey};
use domain::queue::port::{
    ClaimState, DueJobs, Fence, LockedMail, LostAttempt, MailChange, OpenMail, QueueRows, ReadQueue,
};
use domain::queue::retention::Cutoffs;
use domain::queue::{Claim, Claimed, JobId, Keys, Outcome};
use domain::store::StoreError;
use jiff::Timestamp;

use super::{change, claim, claimed, due_jobs, fence, hold, maintain, settle};
use crate::error::store_error;
use crate::executor::{ConnectionGuard, Executor};
use crate::{clock_skew, operator, retention};

#[async_trait]
impl<C: ConnectionGuard> ReadQueue for Executor<C> {
    async fn overdue_mails(
        &mut self,
        now: Timestamp,
        notices_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenMail>, StoreError> {
        maintain::overdue_mails(&mut self.0, now, notices_before, limit).await
    }

    async fn skewed_mails(
        &mut self,
        latest: &Latest,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(MailId, MailState)>, StoreError> {
        maintain::skewed_mails(&mut self.0, latest, now, limit).await
    }

    async fn missing_keys(
        &mut self,
        rank: i64,
        held: &[KeyId],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<MissingKey>, StoreError> {
        maintain::missing_keys(&mut self.0, rank, held, now, limit).await
    }

    async fn foreign_jobs(&mut self, ranks: &[i64], limit: u32) -> Result<Vec<JobId>, StoreError> {
        maintain::foreign_jobs(&mut self.0, ranks, limit).await
    }

    async fn open_mails(
        &mut self,
        user: UserId,
        to: &EmailKey,
    ) -> Result<Vec<OpenMail>, StoreError> {
        maintain::open_mails(&mut self.0, user, to).await
    }
}

#[async_trait]
impl<C: ConnectionGuard> QueueRows for Executor<C> {
    async fn fence(
        &mut self,
        settlements: &[Outcome],
        permits: &[Claim],
        now: Timestamp,
    ) -> Result<Fence, StoreError> {
        fence::fence(&mut self.0, settlements, permits, now).await
    }

    async fn claim_states(
        &mut self,
        claims: &[Claim],
    ) -> Result<HashMap<Claim, ClaimState>, StoreError> {
        fence::claim_states(&mut self.0, claims).await
    }

    async fn settle(&mut self, worker: &str, settlements: &[&Outcome]) -> Result<(), StoreError> {
        settle::settle(&mut self.0, worker, settlements).await
    }

    async fn suppress(&mut self, refusals: &[&Outcome]) -> Result<(), StoreError> {
        settle::suppress(&mut self.0, refusals).await
    }

    async fn forget_addresses(&mut self, mails: &[JobId]) -> Result<(), StoreError> {
        change::forget_addresses(&mut self.0, mails).await
    }

    async fn forget_mails(
        &mut self,
        user: UserId,
        to: &EmailKey,
        forget_as: &str,
    ) -> Result<(), StoreError> {
        let to = to.as_str();
        // What is not over now forgets the address when it is.
        sqlx::query!(
            "update mails set
                 recipient = iif(finished_at is null, recipient, ''),
                 recipient_key = iif(finished_at is null, recipient_key, ?1),
                 forget_as = iif(finished_at is null, ?1, forget_as)
             where recipient_key = ?2 or user_id = ?3",
            forget_as,
            to,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        operator::forget(&mut self.0, to).await
    }

    async fn record_permits(&mut self, claims: &[Claim]) -> Result<(), StoreError> {
        settle::record_permits(&mut self.0, claims).await
    }

    async fn wake(&mut self, mails: &[MailId], now: Timestamp) -> Result<(), StoreError> {
        settle::wake(&mut self.0, mails, now).await
    }

    async fn change_mails(
        &mut self,
        changes: &[MailChange],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        change::change_mails(&mut self.0, changes, now).await
    }

    async fn paused_kinds(&mut self) -> Result<Vec<String>, StoreError> {
        hold::paused_kinds(&mut self.0).await
    }

    async fn hold_jobs(
        &mut self,
        kinds: &[String],
        rank: i64,
        most: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        hold::hold_jobs(&mut self.0, kinds, rank, most, now.as_second()).await
    }

    async fn due_jobs(&mut self, due: &DueJobs<'_>) -> Result<Vec<JobId>, StoreError> {
        due_jobs::due_jobs(&mut self.0, due).await
    }

    async fn untried_jobs(
        &mut self,
        kind: MailKind,
        limit: u32,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Vec<JobId>, StoreError> {
        due_jobs::untried(&mut self.0, kind, limit, keys, now).await
    }

    async fn lock_jobs(
        &mut self,
        worker: &str,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        claim::lock_jobs(&mut self.0, worker, jobs, now).await
    }

    async fn begin_attempts(&mut self, jobs: &[JobId]) -> Result<u64, StoreError> {
        claim::begin_attempts(&mut self.0, jobs).await
    }

    async fn claimed_mails(
        &mut self,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<Vec<Result<Claimed, JobId>>, StoreError> {
        claimed::claimed_mails(&mut self.0, jobs, now).await
    }

    async fn set_foreign_aside(
        &mut self,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        claim::set_foreign_aside(&mut self.0, jobs, now).await
    }

    async fn locked_mails(&mut self, workers: &[String]) -> Result<Vec<LockedMail>, StoreError> {
        change::locked_mails(&mut self.0, workers).await
    }

    async fn record_lost_attempts(&mut self, attempts: &[LostAttempt]) -> Result<(), StoreError> {
        change::record_lost_attempts(&mut self.0, attempts).await
    }

    async fn unlock_foreign_jobs(
        &mut self,
        workers: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        change::unlock_foreign_jobs(&mut self.0, workers, now).await
    }

    async fn purge(&mut self, cutoffs: &Cutoffs) -> Result<u64, StoreError> {
        retention::purge(&mut self.0, cutoffs).await
    }

    async fn redate_rows(&mut self, ahead: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        clock_skew::redate(&mut self.0, ahead, now).await
    }
}

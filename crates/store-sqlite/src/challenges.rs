//! Challenges' rows and the counters of wrong tries. Single use and the number of tries are each
//! decided by one conditional `update`.

use async_trait::async_trait;
use domain::accounts::{Challenge, NewChallenge};
use domain::email::EmailKey;
use domain::id::{ChallengeId, RegistrationId};
use domain::otp::{CodeSeed, Purpose};
use domain::store::{Challenges, StoreError};
use domain::token::SecretHash;
use jiff::Timestamp;

use crate::access::{Access, Connected, micros, time};
use crate::error::{store_error, unreadable};

#[async_trait]
impl<C: Connected> Challenges for Access<C> {
    async fn insert_challenge(&mut self, challenge: &NewChallenge) -> Result<(), StoreError> {
        let id = challenge.id.to_string();
        let attempt = challenge.attempt.to_string();
        let purpose = challenge.seed.purpose.as_str();
        let email = challenge.email_key.as_str();
        let nonce = challenge.seed.nonce.as_slice();
        let key = challenge.seed.key.as_str();
        let handle = challenge.handle.as_ref().map(SecretHash::as_bytes);
        let (now, expires) = (micros(challenge.now), micros(challenge.expires));
        sqlx::query!(
            "insert into challenges
                 (id, registration_id, purpose, email_key, generation, nonce, key_id, handle_hash,
                  created_at, expires_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            attempt,
            purpose,
            email,
            challenge.seed.generation,
            nonce,
            key,
            handle,
            now,
            expires
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn challenges_of(
        &mut self,
        attempt: RegistrationId,
        now: Timestamp,
    ) -> Result<Vec<Challenge>, StoreError> {
        let (attempt, now) = (attempt.to_string(), micros(now));
        let rows = sqlx::query!(
            "select id, purpose, generation, nonce, key_id, created_at, expires_at, superseded_at, tries
             from challenges
             where registration_id = ?1 and used_at is null and ended_at is null and expires_at > ?2
             order by generation desc",
            attempt,
            now
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(Challenge {
                    id: row.id.parse().map_err(unreadable)?,
                    seed: seed(
                        &row.key_id,
                        &row.purpose,
                        &attempt,
                        row.generation,
                        &row.nonce,
                    )?,
                    created: time(row.created_at),
                    expires: time(row.expires_at),
                    superseded: row.superseded_at.is_some(),
                    tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    async fn generations(&mut self, attempt: RegistrationId) -> Result<i64, StoreError> {
        let attempt = attempt.to_string();
        sqlx::query_scalar!(
            r#"select coalesce(max(generation), 0) as "n!: i64" from challenges where registration_id = ?"#,
            attempt
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn attempt_of_handle(
        &mut self,
        handle: &SecretHash,
    ) -> Result<Option<(RegistrationId, ChallengeId)>, StoreError> {
        let handle = handle.as_bytes();
        let row = sqlx::query!(
            r#"select id, registration_id as "attempt!" from challenges
               where handle_hash = ? and registration_id is not null"#,
            handle
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        row.map(|row| {
            Ok((
                row.attempt.parse().map_err(unreadable)?,
                row.id.parse().map_err(unreadable)?,
            ))
        })
        .transpose()
    }

    async fn count_try(&mut self, challenge: ChallengeId, max: u32) -> Result<bool, StoreError> {
        let (id, max) = (challenge.to_string(), i64::from(max));
        let counted = sqlx::query!(
            "update challenges set tries = tries + 1 where id = ? and tries < ?",
            id,
            max
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(counted.rows_affected() == 1)
    }

    async fn uncount_try(&mut self, challenge: ChallengeId) -> Result<(), StoreError> {
        let id = challenge.to_string();
        sqlx::query!(
            "update challenges set tries = tries - 1 where id = ? and tries > 0",
            id
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn count_open_try(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        max: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (email, purpose) = (email.as_str(), purpose.as_str());
        let (max, now) = (i64::from(max), micros(now));
        let counted = sqlx::query!(
            "insert into open_tries (email_key, purpose, tries, counted_at) values (?1, ?2, 1, ?3)
             on conflict (email_key, purpose) do update
             set tries = tries + 1, counted_at = excluded.counted_at where tries < ?4",
            email,
            purpose,
            now,
            max
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(counted.rows_affected() == 1)
    }

    async fn count_nothing(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (email, purpose, now) = (email.as_str(), purpose.as_str(), micros(now));
        sqlx::query!(
            "insert into open_tries (email_key, purpose, tries, counted_at) values (?, ?, 0, ?)
             on conflict (email_key, purpose) do update set counted_at = excluded.counted_at",
            email,
            purpose,
            now
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn open_tries(&mut self, email: &EmailKey, purpose: Purpose) -> Result<u32, StoreError> {
        let (email, purpose) = (email.as_str(), purpose.as_str());
        let tries = sqlx::query_scalar!(
            "select tries from open_tries where email_key = ? and purpose = ?",
            email,
            purpose
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(u32::try_from(tries.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    async fn reset_open_tries(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        let (email, purpose) = (email.as_str(), purpose.as_str());
        sqlx::query!(
            "delete from open_tries where email_key = ? and purpose = ?",
            email,
            purpose
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn use_challenge(
        &mut self,
        challenge: ChallengeId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, now) = (challenge.to_string(), micros(now));
        let used = sqlx::query!(
            "update challenges set used_at = ?1
             where id = ?2 and used_at is null and ended_at is null and expires_at > ?1",
            now,
            id
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(used.rows_affected() == 1)
    }

    async fn supersede_challenges(
        &mut self,
        attempt: RegistrationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (attempt, now) = (attempt.to_string(), micros(now));
        sqlx::query!(
            "update challenges set superseded_at = ?1
             where registration_id = ?2 and superseded_at is null and used_at is null and ended_at is null",
            now,
            attempt
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}

/// A stored challenge's seed. The attempt is its subject.
pub(crate) fn seed(
    key: &str,
    purpose: &str,
    attempt: &str,
    generation: i64,
    nonce: &[u8],
) -> Result<CodeSeed, StoreError> {
    Ok(CodeSeed {
        key: key.to_owned().into(),
        purpose: purpose.parse().map_err(unreadable)?,
        subject: attempt.to_owned(),
        generation,
        nonce: nonce.try_into().map_err(unreadable)?,
    })
}

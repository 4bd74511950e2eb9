//! Challenges' rows and the counters of wrong tries. Single use and the number of tries are each
//! decided by one conditional `update`.

use async_trait::async_trait;
use domain::accounts::{Challenge, NewChallenge, Owner};
use domain::email::EmailKey;
use domain::id::{ChallengeId, RegistrationId, UserId};
use domain::otp::{CodeForm, CodeSeed, Purpose};
use domain::store::{Challenges, StoreError};
use domain::token::SecretHash;
use jiff::Timestamp;

use crate::access::{Access, Connected, micros, time};
use crate::error::{store_error, unreadable};

#[async_trait]
impl<C: Connected> Challenges for Access<C> {
    async fn insert_challenge(&mut self, challenge: &NewChallenge) -> Result<(), StoreError> {
        let id = challenge.id.to_string();
        let (attempt, user) = columns(challenge.owner);
        let purpose = challenge.seed.purpose.as_str();
        let email = challenge.email_key.as_str();
        let nonce = challenge.seed.nonce.as_slice();
        let key = challenge.seed.key.as_str();
        let handle = challenge.handle.as_ref().map(SecretHash::as_bytes);
        let (now, expires) = (micros(challenge.now), micros(challenge.expires));
        let long = challenge.seed.form == CodeForm::Long;
        sqlx::query!(
            "insert into challenges
                 (id, registration_id, user_id, purpose, email_key, generation, nonce, key_id, handle_hash,
                  created_at, expires_at, target, long_code)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            attempt,
            user,
            purpose,
            email,
            challenge.seed.generation,
            nonce,
            key,
            handle,
            now,
            expires,
            challenge.target,
            long
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn challenges_of(
        &mut self,
        owner: Owner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Vec<Challenge>, StoreError> {
        let (attempt, user) = columns(owner);
        let (subject, now, kind) = (owner.subject(), micros(now), purpose.as_str());
        let rows = sqlx::query!(
            "select id, generation, nonce, key_id, created_at, expires_at, superseded_at, tries, target,
                    long_code
             from challenges
             where (registration_id = ?1 or user_id = ?2) and purpose = ?3
               and used_at is null and ended_at is null and expires_at > ?4
             order by generation desc",
            attempt,
            user,
            kind,
            now
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(Challenge {
                    id: row.id.parse().map_err(unreadable)?,
                    seed: CodeSeed {
                        key: row.key_id.into(),
                        purpose,
                        subject: subject.clone(),
                        generation: row.generation,
                        nonce: row.nonce.as_slice().try_into().map_err(unreadable)?,
                        form: form(row.long_code),
                    },
                    created: time(row.created_at),
                    expires: time(row.expires_at),
                    superseded: row.superseded_at.is_some(),
                    tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
                    target: row.target,
                })
            })
            .collect()
    }

    async fn generations(&mut self, owner: Owner, purpose: Purpose) -> Result<i64, StoreError> {
        let (attempt, user) = columns(owner);
        let purpose = purpose.as_str();
        sqlx::query_scalar!(
            r#"select coalesce(max(generation), 0) as "n!: i64" from challenges
               where (registration_id = ?1 or user_id = ?2) and purpose = ?3"#,
            attempt,
            user,
            purpose
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn challenges_since(
        &mut self,
        owner: Owner,
        purpose: Purpose,
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        let (attempt, user) = columns(owner);
        let (purpose, since) = (purpose.as_str(), micros(since));
        sqlx::query_scalar!(
            r#"select count(*) as "n!: u32" from challenges
               where (registration_id = ?1 or user_id = ?2) and purpose = ?3 and created_at > ?4"#,
            attempt,
            user,
            purpose,
            since
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

    async fn end_challenges(&mut self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        let now = micros(now);
        sqlx::query!(
            "update challenges set ended_at = ?
             where user_id = ? and used_at is null and ended_at is null",
            now,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn supersede_challenges(
        &mut self,
        owner: Owner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (attempt, user) = columns(owner);
        let (purpose, now) = (purpose.as_str(), micros(now));
        sqlx::query!(
            "update challenges set superseded_at = ?1
             where (registration_id = ?2 or user_id = ?3) and purpose = ?4
               and superseded_at is null and used_at is null and ended_at is null",
            now,
            attempt,
            user,
            purpose
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}

/// The form that the column names.
pub(crate) fn form(long_code: i64) -> CodeForm {
    if long_code == 1 {
        CodeForm::Long
    } else {
        CodeForm::Short
    }
}

/// An owner as the two columns, one of which is empty.
pub(crate) fn columns(owner: Owner) -> (Option<String>, Option<i64>) {
    match owner {
        Owner::Attempt(id) => (Some(id.to_string()), None),
        Owner::User(id) => (None, Some(id.0)),
    }
}

/// The owner that the two columns name.
pub(crate) fn owner(attempt: Option<&str>, user: Option<i64>) -> Result<Option<Owner>, StoreError> {
    match (attempt, user) {
        (Some(attempt), _) => Ok(Some(Owner::Attempt(attempt.parse().map_err(unreadable)?))),
        (None, Some(user)) => Ok(Some(Owner::User(UserId(user)))),
        (None, None) => Ok(None),
    }
}

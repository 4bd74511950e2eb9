//! Challenges' rows and the counters of wrong tries. Single use and the number of tries are each
//! decided by one conditional `update`.

use async_trait::async_trait;
use domain::accounts::{Challenge, ChallengeOwner, NewChallenge};
use domain::email::EmailKey;
use domain::id::{ChallengeId, RegistrationId, UserId};
use domain::otp::{CodeForm, CodeSeed, Purpose};
use domain::store::{Challenges, StoreError};
use domain::token::SecretHash;
use jiff::Timestamp;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};

#[async_trait]
impl<C: ConnectionGuard> Challenges for Executor<C> {
    async fn insert_challenge(&mut self, challenge: &NewChallenge) -> Result<(), StoreError> {
        let id = challenge.id.to_string();
        let (attempt, user, no_account) = columns(&challenge.owner);
        let purpose = challenge.seed.purpose.as_str();
        let email = challenge.email_key.as_str();
        let nonce = challenge.seed.nonce.as_slice();
        let key = challenge.seed.key.as_str();
        let handle = challenge.token.as_ref().map(SecretHash::as_bytes);
        let (now, expires) = (micros(challenge.now), micros(challenge.expires));
        let long = challenge.seed.form == CodeForm::Long;
        sqlx::query!(
            "insert into challenges
                 (id, registration_id, user_id, no_account, decoy, purpose, email_key, generation, nonce, key_id,
                  handle_hash, created_at, expires_at, target, long_code)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            attempt,
            user,
            no_account,
            challenge.decoy,
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
        owner: &ChallengeOwner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Vec<Challenge>, StoreError> {
        let (attempt, user, no_account) = columns(owner);
        let (subject, now, kind) = (owner.subject(), micros(now), purpose.as_str());
        let rows = sqlx::query!(
            "select id, generation, nonce, key_id, created_at, expires_at, superseded_at, tries, decoy, target,
                    long_code
             from challenges
             where (registration_id = ?1 or user_id = ?2 or no_account = ?3) and purpose = ?4
               and used_at is null and ended_at is null and expires_at > ?5
             order by generation desc",
            attempt,
            user,
            no_account,
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
                    decoy: row.decoy == 1,
                    target: row.target,
                })
            })
            .collect()
    }

    async fn generations(
        &mut self,
        owner: &ChallengeOwner,
        purpose: Purpose,
    ) -> Result<i64, StoreError> {
        let (attempt, user, no_account) = columns(owner);
        let purpose = purpose.as_str();
        sqlx::query_scalar!(
            r#"select coalesce(max(generation), 0) as "n!: i64" from challenges
               where (registration_id = ?1 or user_id = ?2 or no_account = ?3) and purpose = ?4"#,
            attempt,
            user,
            no_account,
            purpose
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn registration_of_token(
        &mut self,
        handle: &SecretHash,
    ) -> Result<Option<RegistrationId>, StoreError> {
        let handle = handle.as_bytes();
        let attempt = sqlx::query_scalar!(
            r#"select registration_id as "attempt!" from challenges
               where handle_hash = ? and registration_id is not null"#,
            handle
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        attempt.map(|id| id.parse().map_err(unreadable)).transpose()
    }

    async fn insert_holder(
        &mut self,
        token: &SecretHash,
        challenge: ChallengeId,
    ) -> Result<(), StoreError> {
        let (token, challenge) = (token.as_bytes(), challenge.to_string());
        sqlx::query!(
            "insert into challenge_holders (token_hash, challenge_id) values (?, ?)",
            token,
            challenge
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn challenge_of_holder(
        &mut self,
        token: &SecretHash,
    ) -> Result<Option<ChallengeId>, StoreError> {
        let token = token.as_bytes();
        let challenge = sqlx::query_scalar!(
            "select challenge_id from challenge_holders where token_hash = ?",
            token
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        challenge
            .map(|id| id.parse().map_err(unreadable))
            .transpose()
    }

    async fn count_holder_try(&mut self, token: &SecretHash, max: u32) -> Result<bool, StoreError> {
        let (token, max) = (token.as_bytes(), i64::from(max));
        let counted = sqlx::query!(
            "update challenge_holders set tries = tries + 1 where token_hash = ? and tries < ?",
            token,
            max
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(counted.rows_affected() == 1)
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
             where id = ?2 and used_at is null and ended_at is null and decoy = 0 and expires_at > ?1",
            now,
            id
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(used.rows_affected() == 1)
    }

    async fn end_challenges(
        &mut self,
        user: UserId,
        purpose: Option<Purpose>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (now, purpose) = (micros(now), purpose.map(Purpose::as_str));
        sqlx::query!(
            "update challenges set ended_at = ?1
             where user_id = ?2 and (?3 is null or purpose = ?3)
               and used_at is null and ended_at is null",
            now,
            user.0,
            purpose
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn supersede_challenges(
        &mut self,
        owner: &ChallengeOwner,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (attempt, user, no_account) = columns(owner);
        let (purpose, now) = (purpose.as_str(), micros(now));
        sqlx::query!(
            "update challenges set superseded_at = ?1
             where (registration_id = ?2 or user_id = ?3 or no_account = ?4) and purpose = ?5
               and superseded_at is null and used_at is null and ended_at is null",
            now,
            attempt,
            user,
            no_account,
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

/// An owner as the three columns, of which two are empty.
fn columns(owner: &ChallengeOwner) -> (Option<String>, Option<i64>, Option<&str>) {
    match owner {
        ChallengeOwner::Registration(id) => (Some(id.to_string()), None, None),
        ChallengeOwner::User(id) => (None, Some(id.0), None),
        ChallengeOwner::NoAccount(email) => (None, None, Some(email.as_str())),
    }
}

/// The owner that the three columns name.
pub(crate) fn owner(
    attempt: Option<&str>,
    user: Option<i64>,
    no_account: Option<&str>,
) -> Result<Option<ChallengeOwner>, StoreError> {
    match (attempt, user, no_account) {
        (Some(attempt), ..) => Ok(Some(ChallengeOwner::Registration(
            attempt.parse().map_err(unreadable)?,
        ))),
        (None, Some(user), _) => Ok(Some(ChallengeOwner::User(UserId(user)))),
        (None, None, Some(email)) => Ok(Some(ChallengeOwner::NoAccount(email.to_owned().into()))),
        (None, None, None) => Ok(None),
    }
}

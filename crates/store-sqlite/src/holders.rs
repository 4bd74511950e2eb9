//! Who holds a challenge: read by requests before they write.

use domain::email::EmailKey;
use domain::otp::Purpose;
use domain::store::StoreError;
use domain::token::SecretHash;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::store_error;
use crate::executor::micros;

/// How many tries the holder of a token has made. Those of a registration's are counted for its newest code.
pub(crate) async fn tries_of_holder(
    connection: &mut SqliteConnection,
    token: &SecretHash,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let (token, email, now) = (token.as_bytes(), email.as_str(), micros(now));
    let kind = purpose.as_str();
    let tries = if purpose == Purpose::VerifyEmail {
        sqlx::query_scalar!(
            "select newest.tries from challenges as given
             join registrations on registrations.id = given.registration_id
             join challenges as newest on newest.registration_id = registrations.id
             where given.handle_hash = ?1 and (registrations.ended_at is null or registrations.decoy = 1)
               and newest.email_key = ?2 and newest.purpose = ?3
               and newest.expires_at > ?4
             order by newest.generation desc limit 1",
            token,
            email,
            kind,
            now
        )
        .fetch_optional(connection)
        .await
    } else {
        sqlx::query_scalar!(
            "select holders.tries from challenge_holders as holders
             join challenges on challenges.id = holders.challenge_id
             where holders.token_hash = ?1 and challenges.email_key = ?2 and challenges.purpose = ?3
               and challenges.expires_at > ?4",
            token,
            email,
            kind,
            now
        )
        .fetch_optional(connection)
        .await
    };
    let tries = tries.map_err(store_error)?;
    Ok(tries.map(|tries| u32::try_from(tries).unwrap_or(u32::MAX)))
}

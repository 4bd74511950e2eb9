//! Suppressed addresses' rows.

use domain::operator::Suppression;
use domain::store::StoreError;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::time;

/// A suppression's columns.
pub(crate) struct SuppressionRow {
    pub(crate) since_at: i64,
    pub(crate) until_at: i64,
    pub(crate) mail_id: String,
    pub(crate) relay: String,
    pub(crate) code: Option<i64>,
    pub(crate) enhanced: Option<String>,
    pub(crate) text: String,
}

impl SuppressionRow {
    pub(crate) fn read(self) -> Result<Suppression, StoreError> {
        Ok(Suppression {
            since: time(self.since_at),
            until: time(self.until_at),
            mail: self.mail_id.parse().map_err(unreadable)?,
            relay: self.relay,
            code: self.code.and_then(|code| u16::try_from(code).ok()),
            enhanced: self.enhanced,
            text: self.text,
        })
    }
}

/// Removes the suppression of an address whose account is gone.
pub(crate) async fn forget(
    connection: &mut SqliteConnection,
    recipient_key: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from suppressions where recipient_key = ?",
        recipient_key
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

//! The user that an operator names by number, address or username.

use domain::accounts::User;
use domain::clock::{Clock, SystemClock};
use domain::email::EmailAddress;
use domain::id::UserId;
use domain::store::Reader;
use domain::username::NameKey;

use crate::Error;

/// The user that a number, address or username identifies. An address is never taken for a username, though a username
/// may look like one.
pub async fn find(reader: &mut dyn Reader, text: &str) -> Result<User, Error> {
    let text = text.trim();
    let email = EmailAddress::parse(text).ok();
    let found = match (&email, text.parse().map(UserId)) {
        (Some(email), _) => reader.user_by_email(email.key()).await?,
        (None, Err(_)) => named(reader, text).await?,
        (None, Ok(number)) => {
            let by_number = reader.user(number).await?;
            let by_name = named(reader, text).await?;
            if let (Some(one), Some(other)) = (&by_number, &by_name)
                && one.id != other.id
            {
                return Err(Error::not_found(format!(
                    "`{text}` is the number of one user and the username of another ({}): pass the email address instead",
                    other.id
                )));
            }
            by_number.or(by_name)
        }
    };
    found.ok_or_else(|| {
        let hint = if email.is_some() {
            "`smart-notes users verify` creates one from a pending registration; a user whose username looks like an address is found by number"
        } else {
            "`smart-notes users list` lists all users"
        };
        Error::not_found(format!("no user `{text}`: {hint}"))
    })
}

async fn named(reader: &mut dyn Reader, name: &str) -> Result<Option<User>, Error> {
    let account = reader
        .login_account(None, &NameKey::of(name), None, SystemClock.now())
        .await?;
    match account.user {
        Some(user) => Ok(reader.user(user.id).await?),
        None => Ok(None),
    }
}

/// A user in a sentence: number, username, masked address.
#[must_use]
pub fn describe(user: &User) -> String {
    format!(
        "user {} ({}, {})",
        user.id,
        user.username,
        domain::email::mask(&user.email)
    )
}

//! `users disable`, `enable`, `logout` and `delete`.

use std::sync::Arc;

use anyhow::bail;
use domain::accounts::User;
use domain::accounts::admin::{LogOut, RemoveUser, SetActive};
use domain::clock::{Clock, SystemClock};
use domain::id::MailId;
use domain::otp::KeyRing;
use domain::store::Store;
use operator::Error;
use operator::users::{describe, find};
use runtime::settings::Settings;

use super::{UserArg, actor};

async fn user(whom: &UserArg, store: &Store) -> anyhow::Result<User> {
    let mut reader = store.reader().await?;
    Ok(find(reader.as_mut(), &whom.user).await?)
}

/// Disables or enables a user.
pub async fn set_active(whom: &UserArg, active: bool, store: &Store) -> anyhow::Result<()> {
    let user = user(whom, store).await?;
    let change = SetActive {
        user: user.id,
        active,
        actor: actor(),
        now: SystemClock.now(),
    };
    let word = if active { "enabled" } else { "disabled" };
    if store.write(change).await? {
        say!("{word} {}", describe(&user));
    } else {
        say!("{} is already {word}", describe(&user));
    }
    Ok(())
}

/// Ends every session of a user.
pub async fn log_out(whom: &UserArg, store: &Store) -> anyhow::Result<()> {
    let user = user(whom, store).await?;
    let log_out = LogOut {
        user: user.id,
        actor: actor(),
        now: SystemClock.now(),
    };
    let ended = store.write(log_out).await?;
    say!("logged out {}; sessions ended: {ended}", describe(&user));
    Ok(())
}

/// Deletes an account.
pub async fn delete(
    whom: &UserArg,
    yes: bool,
    settings: &Settings,
    store: &Store,
) -> anyhow::Result<()> {
    let user = user(whom, store).await?;
    if !yes {
        bail!(
            "this deletes {} with everything that belongs to it, and can't be undone. \
             Confirm with --yes; `smart-notes users disable` only disables the user",
            describe(&user)
        );
    }
    let keys = &settings.secret_keys;
    let removal = RemoveUser {
        user: user.id,
        keys: Arc::new(KeyRing::new(&keys.current, &keys.fallbacks)),
        mail: MailId::generate(),
        actor: actor(),
        now: SystemClock.now(),
    };
    if !store.write(removal).await? {
        return Err(Error::not_found(format!("{} was deleted meanwhile", describe(&user))).into());
    }
    say!(
        "deleted {}; a notice is mailed to the address",
        describe(&user)
    );
    Ok(())
}

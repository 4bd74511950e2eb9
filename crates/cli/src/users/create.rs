//! `users create` and `users verify`: the two ways to create a user without a code.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, bail};
use domain::accounts::admin::{CreateUser, Creation, Verification, VerifyRegistration};
use domain::clock::{Clock, SystemClock};
use domain::email::{self, EmailAddress};
use domain::password::{Attribute, LengthRule, Password};
use domain::store::Store;
use domain::username::{NameKey, Username};
use operator::Error;
use runtime::hashing::HashPool;
use runtime::settings::Settings;
use serde_json::json;

use super::{CreateArgs, actor};

/// Creates a user.
pub async fn create(args: &CreateArgs, settings: &Settings, store: &Store) -> anyhow::Result<()> {
    let username = Username::parse(&args.username)
        .with_context(|| format!("`{}` is not a valid username", args.username))?;
    let email = EmailAddress::parse(&args.email)
        .with_context(|| format!("`{}` is not a valid address", args.email))?;
    let text = password_text(args.password_file.as_deref())?;
    let password = valid_password(&text, settings, &username, &email)?;
    let hashing = HashPool::new(settings)?;
    let password = hashing.hash(&hashing.slot()?, password).await?;
    let creation = CreateUser {
        username,
        email,
        password,
        actor: actor(),
        now: SystemClock.now(),
    };
    match store.write(creation).await? {
        Creation::NameTaken => {
            return Err(Error::refused(format!(
                "the username `{}` belongs to a user or a pending registration: choose another one",
                args.username
            ))
            .into());
        }
        Creation::EmailTaken => {
            return Err(Error::refused(format!(
                "a user with this address exists: see `smart-notes users show {}`",
                args.email
            ))
            .into());
        }
        Creation::Done(user) if args.json => say!("{}", json!({ "id": user })),
        Creation::Done(user) => say!(
            "created user {user} ({}, {})",
            args.username,
            email::mask(&args.email)
        ),
    }
    Ok(())
}

/// The password, without one line break at its end, which editors and `echo` add.
fn password_text(file: Option<&Path>) -> anyhow::Result<String> {
    let mut text = String::new();
    match file {
        Some(file) => {
            text = std::fs::read_to_string(file)
                .with_context(|| format!("the password can't be read from {}", file.display()))?;
        }
        None if std::io::stdin().is_terminal() => bail!(
            "no password: it is not read from a terminal, which would show it. \
             Pipe it to the standard input, or pass a file with --password-file"
        ),
        None => {
            std::io::stdin()
                .read_to_string(&mut text)
                .context("the password can't be read from the standard input")?;
        }
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The password, if it meets the rules of the API.
fn valid_password(
    text: &str,
    settings: &Settings,
    username: &Username,
    email: &EmailAddress,
) -> anyhow::Result<Password> {
    let rule = LengthRule {
        min: settings.accounts.password_min_length,
        max: settings.accounts.password_max_length,
    };
    let account = [
        (Attribute::Username, username.as_str()),
        (Attribute::Email, email.as_typed()),
    ];
    Password::choose(text, rule, &account).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the password is refused: {}", faults.join(" "))
    })
}

/// Creates a user from a pending registration.
pub async fn verify(email: &str, username: Option<&str>, store: &Store) -> anyhow::Result<()> {
    let address =
        EmailAddress::parse(email).with_context(|| format!("`{email}` is not a valid address"))?;
    let verification = VerifyRegistration {
        email: address,
        name: username.map(NameKey::of),
        actor: actor(),
        now: SystemClock.now(),
    };
    match store.write(verification).await? {
        Verification::Done(user) => say!("{} is verified: user {user}", email::mask(email)),
        Verification::Verified(user) => {
            return Err(
                Error::refused(format!("the address is already verified: user {user}")).into(),
            );
        }
        Verification::Nobody => {
            return Err(Error::not_found(format!(
                "no pending registration with this address{}. It may have lapsed: \
                 have it registered again, or create a user with `smart-notes users create`",
                username.map_or_else(String::new, |name| format!(" and the username `{name}`"))
            ))
            .into());
        }
        Verification::NameTaken => {
            return Err(Error::refused(
                "another user has taken the username meanwhile: have it registered again with another one",
            ).into());
        }
        Verification::Several(attempts) => {
            let names: Vec<_> = attempts
                .iter()
                .map(|(id, name)| format!("  {id}  {name}"))
                .collect();
            return Err(Error::not_found(format!(
                "several clients have pending registrations with this address, and one may be a stranger's, \
                 whose password would become valid. Ask the owner for the username and pass it with --username. \
                 Newest first:\n{}",
                names.join("\n")
            )).into());
        }
    }
    Ok(())
}

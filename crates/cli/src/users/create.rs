//! `users create` and `users verify`: the two ways to a user without a code.

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

/// Makes a user.
pub async fn create(args: &CreateArgs, settings: &Settings, store: &Store) -> anyhow::Result<()> {
    let username = Username::parse(&args.username)
        .with_context(|| format!("`{}` can't be a username", args.username))?;
    let email = EmailAddress::parse(&args.email)
        .with_context(|| format!("`{}` can't be an address", args.email))?;
    let text = password_text(args.password_file.as_deref())?;
    let password = chosen(&text, settings, &username, &email)?;
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
                "the username `{}` is taken by a user, or held by a registration for a while: choose another",
                args.username
            )).into());
        }
        Creation::EmailTaken => {
            return Err(Error::refused(format!(
                "a user has the address already: `smart-notes users show {}` shows who",
                args.email
            ))
            .into());
        }
        Creation::Done(user) if args.json => say!("{}", json!({ "id": user })),
        Creation::Done(user) => say!(
            "made user {user} ({}, {})",
            args.username,
            email::mask(&args.email)
        ),
    }
    Ok(())
}

/// The password as typed, but for one line break at its end, which editors and `echo` add.
fn password_text(file: Option<&Path>) -> anyhow::Result<String> {
    let mut text = String::new();
    match file {
        Some(file) => {
            text = std::fs::read_to_string(file)
                .with_context(|| format!("the password can't be read from {}", file.display()))?;
        }
        None if std::io::stdin().is_terminal() => bail!(
            "the password is not asked for at the terminal, which would show it. \
             Pipe it in, or give a file with --password-file"
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

/// The password, if the rules of the API allow it.
fn chosen(
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

/// Makes a user of a registration.
pub async fn verify(email: &str, username: Option<&str>, store: &Store) -> anyhow::Result<()> {
    let address = EmailAddress::parse(email).with_context(|| format!("`{email}` is no address"))?;
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
                Error::refused(format!("the address is verified already: user {user}")).into(),
            );
        }
        Verification::Nobody => {
            return Err(Error::not_found(format!(
                "no registration with this address{} waits for its code. It may have lapsed: \
                 have it registered again, or make a user with `smart-notes users create`",
                username.map_or_else(String::new, |name| format!(" and the name `{name}`"))
            ))
            .into());
        }
        Verification::NameTaken => {
            return Err(Error::refused(
                "somebody else has the registration's name by now: have it registered again with another",
            ).into());
        }
        Verification::Several(attempts) => {
            let names: Vec<_> = attempts
                .iter()
                .map(|(id, name)| format!("  {id}  {name}"))
                .collect();
            return Err(Error::not_found(format!(
                "registrations of several clients wait with this address, and one may be a stranger's, \
                 whose password would be good then. Ask the owner for the name, and give it with --username. \
                 Newest first:\n{}",
                names.join("\n")
            )).into());
        }
    }
    Ok(())
}

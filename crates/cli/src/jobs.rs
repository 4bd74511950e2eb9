//! `smart-notes jobs`: what is in the mail queue, and the story of one mail. No code is ever shown:
//! there is none in the database.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::email::{self, EmailAddress};
use domain::mail::MailState;
use domain::queue::{MailFilter, MailRecord, MailStory, TryRecord};
use jiff::Timestamp;
use runtime::database::{Database, Role};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use serde_json::{Value, json};

use crate::table;

/// What `jobs` can do.
#[derive(Subcommand)]
pub enum Command {
    /// List mails, newest first
    List {
        /// Only mails in this state
        #[arg(long, value_parser = states())]
        state: Option<MailState>,
        /// Only mails to this address, in any spelling
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Only the mail that this request caused: what the client saw as `X-Request-Id`
        #[arg(long, value_name = "ID")]
        request: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Show addresses as they are
        #[arg(long)]
        reveal: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one mail: from its request to its end, with every try
    Show {
        /// The mail's id, or the beginning of it
        id: String,
        /// Show addresses as they are
        #[arg(long)]
        reveal: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Takes the states' words, so that the help and a complaint name them all.
fn states() -> impl TypedValueParser<Value = MailState> {
    PossibleValuesParser::new(MailState::ALL.map(MailState::as_str))
        .try_map(|word| word.parse::<MailState>())
}

/// Runs a command.
pub async fn run(command: Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let mut view = database.store.view().await?;
    match command {
        Command::List {
            state,
            to,
            request,
            limit,
            reveal,
            json,
        } => {
            let to = to
                .map(|address| {
                    EmailAddress::parse(&address)
                        .with_context(|| format!("`{address}` can't be looked for"))
                })
                .transpose()?;
            let filter = MailFilter {
                state,
                to: to.map(|address| address.key().clone()),
                request,
                limit,
            };
            list(&view.mails(&filter).await?, Reveal(reveal), json);
        }
        Command::Show { id, reveal, json } => {
            let stories = view.mail(&id).await?;
            match stories.as_slice() {
                [story] => show(story, Reveal(reveal), json),
                [] => bail!("there is no mail whose id begins with `{id}`"),
                _ => bail!("several mails' ids begin with `{id}`: give more of it"),
            }
        }
    }
    drop(view);
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Whether addresses are shown as they are.
#[derive(Clone, Copy)]
struct Reveal(bool);

impl Reveal {
    fn address(self, address: &str) -> String {
        if self.0 {
            address.to_owned()
        } else {
            email::mask(address)
        }
    }
}

fn list(mails: &[MailRecord], reveal: Reveal, as_json: bool) {
    if as_json {
        let mails: Vec<Value> = mails.iter().map(|mail| mail_json(mail, reveal)).collect();
        say!("{:#}", Value::Array(mails));
        return;
    }
    if mails.is_empty() {
        say!("no mails");
        return;
    }
    let rows = mails.iter().map(|mail| {
        vec![
            mail.id.to_string(),
            mail.state.clone(),
            mail.kind.clone(),
            reveal.address(&mail.to),
            mail.tries.to_string(),
            moment(mail.created),
        ]
    });
    say!(
        "{}",
        table::of(["ID", "STATE", "KIND", "TO", "TRIES", "ASKED FOR"], rows)
    );
}

fn show(story: &MailStory, reveal: Reveal, as_json: bool) {
    let mail = &story.mail;
    if as_json {
        let mut value = mail_json(mail, reveal);
        value["tries"] = json!(story.tries);
        say!("{value:#}");
        return;
    }
    say!(
        "mail {}: {} to {}",
        mail.id,
        mail.kind,
        reveal.address(&mail.to)
    );
    say!(
        "  {}  asked for by request {}",
        moment(mail.created),
        mail.request_id
    );
    for attempt in &story.tries {
        say!("  {}  {}", moment(attempt.started), sentence(attempt));
    }
    say!("  {}", last_line(mail));
}

/// How things stand: since when, or when there is more to tell.
fn last_line(mail: &MailRecord) -> String {
    let reason = mail
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let when = mail
        .finished
        .map_or_else(|| format!("{:24}", "now"), moment);
    let next = match (mail.finished, mail.again_at) {
        (None, Some(at)) => format!(", the next try is at {}", moment(at)),
        _ => String::new(),
    };
    format!("{when}  {}{next}{reason}", mail.state)
}

/// What a try came to, in a line.
fn sentence(attempt: &TryRecord) -> String {
    let relay = if attempt.relay.is_empty() {
        "no relay"
    } else {
        &attempt.relay
    };
    let reused = if attempt.reused {
        ", open connection"
    } else {
        ""
    };
    let code = attempt
        .code
        .map_or_else(String::new, |code| format!("{code} "));
    format!(
        "{} at {} ({relay}{reused}, {} ms): {code}{}",
        attempt.outcome, attempt.stage, attempt.duration_ms, attempt.text
    )
}

fn mail_json(mail: &MailRecord, reveal: Reveal) -> Value {
    json!({
        "id": mail.id,
        "state": mail.state,
        "reason": mail.reason,
        "kind": mail.kind,
        "to": reveal.address(&mail.to),
        "request_id": mail.request_id,
        "created_at": mail.created,
        "again_at": mail.again_at,
        "finished_at": mail.finished,
        "attempts": mail.tries,
    })
}

fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_when_the_next_try_is() {
        let at = "2026-11-22T19:38:30Z".parse().unwrap();
        let mail = MailRecord {
            id: domain::id::MailId::generate(),
            kind: "verify_email".to_owned(),
            state: "waiting".to_owned(),
            reason: Some("451 come back".to_owned()),
            to: "ada@example.com".to_owned(),
            request_id: "request".to_owned(),
            created: at,
            again_at: Some(at),
            finished: None,
            tries: 1,
        };

        assert_eq!(
            last_line(&mail),
            format!(
                "{:24}  waiting, the next try is at 2026-11-22 19:38:30.000Z: 451 come back",
                "now"
            )
        );
    }
}

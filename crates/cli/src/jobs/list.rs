//! `jobs list`.

use anyhow::{Context, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::clock::{Clock, SystemClock};
use domain::email::EmailAddress;
use domain::id::{MailId, UserId};
use domain::mail::{MailKind, MailState};
use domain::queue::{MailFilter, MailRecord};
use domain::store::Reader;
use jiff::{SpanRelativeTo, Timestamp};
use operator::jobs::{Holds, MailPage, Reveal, find, own_reason, state};
use operator::{to_millis, users};
use runtime::database::Database;
use runtime::settings::Settings;

use super::kinds;
use crate::table;

/// The arguments of `list`.
#[derive(clap::Args)]
pub struct Args {
    /// Only mails in this state
    #[arg(long, value_parser = states())]
    state: Option<MailState>,
    /// Only mails of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<MailKind>,
    /// Only mails to this address, in any spelling
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Only mails about this user or to the user's address: number, address or username
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only the mails of this request: the `X-Request-Id` of its answer
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only mails requested since then: a time like 2026-11-22T20:31:00Z, or a span before now, like 15m, 12h or 7d
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only mails older than this one, to get the next page
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Show addresses in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Parses a state, so that the help and an error list them all.
fn states() -> impl TypedValueParser<Value = MailState> {
    PossibleValuesParser::new(MailState::ALL.map(MailState::as_str))
        .try_map(|word| word.parse::<MailState>())
}

/// Prints a page of mails.
pub async fn run(args: &Args, settings: &Settings, database: &Database) -> anyhow::Result<u8> {
    let mut reader = database.store.reader().await?;
    let filter = args.filter(reader.as_mut()).await?;
    drop(reader);
    let page = MailPage::read(filter, settings, database).await?;
    let reveal = Reveal(args.reveal);
    if args.json {
        say!("{:#}", page.json(reveal));
        return Ok(0);
    }
    if page.mails.is_empty() {
        say!("no mails");
    } else {
        say!("{}", mail_table(&page.mails, &page.holds, reveal));
    }
    if let Some(last) = page.mails.last().filter(|_| page.more) {
        say!("next page: {}", args.next_page(last.id));
    }
    for hold in page.holds.all() {
        say!("{hold}");
    }
    Ok(0)
}

/// Mails as a table.
pub fn mail_table(mails: &[MailRecord], holds: &Holds, reveal: Reveal) -> String {
    let rows = mails.iter().map(|mail| {
        [
            mail.id.to_string(),
            state(mail, holds),
            mail.kind.to_string(),
            reveal.address(&mail.to),
            mail.tries.to_string(),
            to_millis(mail.created),
        ]
    });
    let columns = ["ID", "STATE", "KIND", "TO", "ATTEMPTS", "REQUESTED"];
    let reasons: Vec<_> = mails.iter().map(own_reason).collect();
    if reasons.iter().all(Option::is_none) {
        return table::of(columns, rows.map(Vec::from));
    }
    let [id, state, kind, to, attempts, requested] = columns;
    let rows = rows.zip(reasons).map(|(row, reason)| {
        let mut row = Vec::from(row);
        row.extend(reason);
        row
    });
    table::of([id, state, kind, to, attempts, requested, "REASON"], rows)
}

impl Args {
    async fn filter(&self, reader: &mut dyn Reader) -> anyhow::Result<MailFilter> {
        let to = self.to.as_deref().map(address).transpose()?;
        Ok(MailFilter {
            state: self.state,
            kind: self.kind,
            to: to.map(|address| address.key().clone()),
            user: self.whose(reader).await?,
            request: self.request.clone(),
            since: self.since.as_deref().map(since).transpose()?,
            before: self.before_which(reader).await?,
            limit: self.limit,
        })
    }

    async fn whose(
        &self,
        reader: &mut dyn Reader,
    ) -> anyhow::Result<Option<(UserId, domain::email::EmailKey)>> {
        let Some(user) = &self.user else {
            return Ok(None);
        };
        let user = users::find(reader, user).await?;
        Ok(Some((user.id, user.email_key)))
    }

    async fn before_which(&self, reader: &mut dyn Reader) -> anyhow::Result<Option<MailId>> {
        match &self.before {
            Some(id) => Ok(Some(find(reader, id).await?.mail.id)),
            None => Ok(None),
        }
    }

    /// The command that shows the next page, after a mail.
    fn next_page(&self, last: MailId) -> String {
        let mut command = "smart-notes jobs list".to_owned();
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                command = format!("{command} --{name} {value}");
            }
        };
        add("state", self.state.map(MailState::as_str));
        add("kind", self.kind.map(MailKind::as_str));
        // This line may be pasted elsewhere: it shows no address that is masked in the table.
        let masked = |typed: &Option<String>| -> Option<String> {
            let typed = typed.as_deref()?;
            Some(
                if self.reveal || !typed.contains('@') {
                    typed
                } else {
                    "ADDRESS"
                }
                .to_owned(),
            )
        };
        add("to", masked(&self.to).as_deref());
        add("user", masked(&self.user).as_deref());
        add("request", self.request.as_deref());
        add("since", self.since.as_deref());
        let limit = (self.limit != 20).then(|| self.limit.to_string());
        add("limit", limit.as_deref());
        add("before", Some(&last.to_string()));
        if self.reveal {
            command.push_str(" --reveal");
        }
        command
    }
}

/// Parses an address of the command line.
pub fn address(typed: &str) -> anyhow::Result<EmailAddress> {
    EmailAddress::parse(typed).with_context(|| format!("`{typed}` is not a valid address"))
}

/// Parses a time of the command line, or how long ago it was.
fn since(typed: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = typed.parse::<Timestamp>() {
        return Ok(time);
    }
    let unreadable = || {
        anyhow!(
            "`{typed}` is not a time: write one like 2026-11-22T20:31:00Z, or a span before now, like 15m, 12h or 7d"
        )
    };
    let span: jiff::Span = typed.parse().map_err(|_| unreadable())?;
    let ago = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| unreadable())?;
    if ago.is_negative() {
        bail!("`{typed}` is in the future");
    }
    SystemClock.now().checked_sub(ago).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_a_timestamp_or_a_span_before_now() {
        let exact = since("2026-11-22T20:31:00Z").unwrap();
        let week = since("7d").unwrap();
        let now = SystemClock.now();

        assert_eq!(exact.to_string(), "2026-11-22T20:31:00Z");
        let expected = now - Duration::from_hours(7 * 24);
        assert!(expected.duration_since(week).abs() < jiff::SignedDuration::from_mins(1));
        for wrong in ["yesterday", "-1h", "", "99999999d"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}

//! The part of Mailpit's search that test clients use.
//!
//! Separate from the handlers because it is a small language: words and `"phrases"`, each alone or
//! after `to:`, `from:`, `subject:` or `message-id:`. A mail must match all terms,
//! case-insensitive. Other filters of Mailpit are refused, because ignoring one would return too
//! many mails.

use super::super::Problem;
use crate::mail::Mail;
use crate::parsed::Mailbox;

/// Filters of Mailpit that are not supported.
const UNSUPPORTED: [&str; 11] = [
    "tag",
    "is",
    "has",
    "before",
    "after",
    "cc",
    "bcc",
    "reply-to",
    "addressed",
    "larger",
    "smaller",
];

/// The terms of a search; a mail must match all of them.
pub(super) struct Search(Vec<Term>);

struct Term {
    place: Place,
    /// The search text in lower case.
    wanted: String,
}

#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    To,
    From,
    Subject,
    MessageId,
}

impl Search {
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let terms = split(query)?
            .iter()
            .map(|word| Term::parse(word))
            .collect::<Result<Vec<_>, _>>()?;
        if terms.is_empty() {
            return Err(Problem::Bad(
                "query is missing, such as query=to:ada@example.com".to_owned(),
            ));
        }
        Ok(Self(terms))
    }

    pub(super) fn finds(&self, mail: &Mail) -> bool {
        self.0.iter().all(|term| term.is_in(mail))
    }
}

impl Term {
    fn parse(word: &str) -> Result<Self, Problem> {
        if word.starts_with(['-', '!']) {
            return Err(Problem::Bad(format!(
                "exclusion, as in {word}, is not supported"
            )));
        }
        let (key, value) = word.split_once(':').unwrap_or_default();
        let (place, value) = match key.to_lowercase().as_str() {
            "to" => (Place::To, value),
            "from" => (Place::From, value),
            "subject" => (Place::Subject, value),
            "message-id" => (Place::MessageId, value),
            key if UNSUPPORTED.contains(&key) => {
                return Err(Problem::Bad(format!("the filter {key}: is not supported")));
            }
            _ => (Place::Anywhere, word),
        };
        let wanted = value.replace('"', "").to_lowercase();
        if wanted.is_empty() {
            return Err(Problem::Bad(format!("no search text in {word:?}")));
        }
        Ok(Self { place, wanted })
    }

    fn is_in(&self, mail: &Mail) -> bool {
        let parsed = mail.parsed();
        let has = |text: &str| text.to_lowercase().contains(&self.wanted);
        let names = |mailboxes: &[Mailbox]| {
            mailboxes
                .iter()
                .any(|one| has(&one.address) || has(&one.name))
        };
        let to = || names(&parsed.to) || mail.envelope_to.iter().any(|address| has(address));
        let from = || names(&parsed.from) || has(&mail.envelope_from);
        let subject = || mail.subject().is_some_and(has);
        match self.place {
            Place::To => to(),
            Place::From => from(),
            Place::Subject => subject(),
            Place::MessageId => mail.message_id().is_some_and(has),
            Place::Anywhere => to() || from() || subject() || mail.text().is_some_and(has),
        }
    }
}

/// Splits at white space outside quotation marks, which stay in their word.
fn split(query: &str) -> Result<Vec<String>, Problem> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in query.chars() {
        quoted ^= character == '"';
        match words.last_mut() {
            Some(word) if quoted || !character.is_whitespace() => word.push(character),
            _ => words.push(String::new()),
        }
    }
    if quoted {
        return Err(Problem::Bad("unclosed quotation mark".to_owned()));
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

//! Mail addresses: validation, comparison, and masking in logs.

use std::fmt;

/// The longest address accepted, in characters (RFC 5321, section 4.5.3.1.3: a path of 256 with its angle brackets).
pub const MAX_LENGTH: usize = 254;

/// An address as its owner typed it, together with the forms that rules need.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress {
    typed: String,
    mailbox: String,
    key: EmailKey,
}

/// The form in which addresses compare: lower case, domain in ASCII (IDNA).
///
/// Accounts are told apart by spelling: `"ada"@example.com`, `ada+x@example.com` and `ada@example.com` are three. They may
/// lead to one mailbox ([`EmailAddress::mailbox_key`]), but stored keys would clash if this form folded more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailKey(String);

/// The reason why a text is not an accepted address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Not of the shape `local@domain` that Django's validator accepts, or an address literal.
    #[error("not a mail address")]
    Invalid,
    /// More than [`MAX_LENGTH`] characters.
    #[error("a mail address has at most {MAX_LENGTH} characters")]
    TooLong,
}

impl EmailAddress {
    /// Reads an address, ignoring surrounding white space.
    ///
    /// Accepts what Django's `EmailValidator` accepts (the clients of the service this one
    /// replaces rely on that), but for address literals such as `user@[127.0.0.1]`: nobody's
    /// mailbox is found that way, and a stranger could make the relay talk to inner hosts.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let typed = text.trim();
        if typed.chars().count() > MAX_LENGTH {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = typed.rsplit_once('@').ok_or(EmailError::Invalid)?;
        if !is_local_part(local) {
            return Err(EmailError::Invalid);
        }
        let domain = ascii_domain(domain).ok_or(EmailError::Invalid)?;
        let mailbox = format!("{local}@{domain}");
        if mailbox.len() > MAX_LENGTH {
            return Err(EmailError::TooLong);
        }
        Ok(Self {
            typed: typed.to_owned(),
            mailbox,
            key: EmailKey(format!("{}@{domain}", local.to_ascii_lowercase())),
        })
    }

    /// As typed, without surrounding white space: what its owner sees.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The address a mail is sent to: the local part as typed, the domain in ASCII.
    #[must_use]
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// Whether the local part names another host to pass the mail on to: `ada%example.com@relay.example`, or
    /// `example.com!ada@relay.example` (RFC 5321, appendix F.2; RFC 1123, section 5.2.16).
    ///
    /// Some relays still do: they would spread one mailbox over any number of spellings, and hosts that only the relay
    /// reaches could be mailed to. An account that has such an address keeps it; a new one is refused.
    #[must_use]
    pub fn names_a_route(&self) -> bool {
        let local = self.mailbox.rsplit_once('@').map_or("", |(local, _)| local);
        local.contains(['%', '!'])
    }

    /// The mailbox in the form that budgets are counted for: without quotes (RFC 5321, section 4.1.2: they change
    /// nothing), without a `+tag`, and at Gmail without the dots, all of which lead to one inbox.
    #[must_use]
    pub fn mailbox_key(&self) -> String {
        let (local, domain) = self.key.0.rsplit_once('@').unwrap_or((&self.key.0, ""));
        let local = local.trim_matches('"');
        let local = local.split('+').next().unwrap_or(local);
        match domain {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
            _ => format!("{local}@{domain}"),
        }
    }

    /// The form in which addresses compare.
    #[must_use]
    pub fn key(&self) -> &EmailKey {
        &self.key
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({})", mask(&self.typed))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(&self.typed))
    }
}

impl EmailKey {
    /// The key as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for EmailKey {
    /// A key read back from a store.
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

impl fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailKey({})", mask(&self.0))
    }
}

/// An address for logs and reports: the first character of its local part, and its domain.
///
/// ```
/// assert_eq!(domain::email::mask("alice@example.com"), "a•••@example.com");
/// ```
#[must_use]
pub fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first = local.chars().next().map(String::from).unwrap_or_default();
            format!("{first}•••@{domain}")
        }
        None => "•••".to_owned(),
    }
}

/// A dot-atom, or the same in quotes, of 64 characters at most (RFC 5321, sections 4.1.2 and 4.5.3.1.1).
/// Signs that need their quotes are refused: hardly a mailbox has them, and relays and programs
/// differ in what they make of them.
fn is_local_part(local: &str) -> bool {
    if local.len() > 64 {
        return false;
    }
    let quoted = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match quoted {
        Some(inner) => is_dot_atom(inner),
        None => is_dot_atom(local),
    }
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
    })
}

/// The domain in lower-case ASCII, if it is one that Django's validator takes.
fn ascii_domain(domain: &str) -> Option<String> {
    if domain.ends_with('.') {
        return None;
    }
    let ascii = idna::domain_to_ascii(domain).ok()?;
    if ascii == "localhost" {
        return Some(ascii);
    }
    let (_, top) = ascii.rsplit_once('.')?;
    let labels_fit = ascii.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    let top_fits = top.starts_with("xn--")
        || (top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'));
    (labels_fit && top_fits).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_compare_equal() {
        let typed = EmailAddress::parse("  Alice.B@EXAMPLE.com ").unwrap();
        let lower = EmailAddress::parse("alice.b@example.com").unwrap();

        assert_eq!(typed.key(), lower.key());
        assert_eq!(typed.as_typed(), "Alice.B@EXAMPLE.com");
        assert_eq!(typed.mailbox(), "Alice.B@example.com");
    }

    #[test]
    fn an_international_domain_is_mailed_in_ascii() {
        let address = EmailAddress::parse("u@bücher.example").unwrap();

        assert_eq!(address.mailbox(), "u@xn--bcher-kva.example");
        assert_eq!(address.as_typed(), "u@bücher.example");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "nope",
            "a@b",
            "a@b.c",
            "a b@example.com",
            "@example.com",
            "a@",
            "a@b..com",
            ".a@example.com",
            "a.@example.com",
            "a@-b.com",
            "a@b.com.",
            "a@b_c.com",
            "<a@example.com>",
            "a@1.2.3.4",
            "a@example.c1",
            "ü@example.com",
            "a@example.com,b@example.com",
            "a@[127.0.0.1]",
            "a@[::1]",
            "a@example.com\r\nBcc: x@example.com",
            "a\u{0}@example.com",
            "\"a b\"@example.com",
            "\"\"@example.com",
        ] {
            assert_eq!(
                EmailAddress::parse(text),
                Err(EmailError::Invalid),
                "{text:?}"
            );
        }
        let long_label = format!("a@{}.com", "b".repeat(64));
        assert_eq!(EmailAddress::parse(&long_label), Err(EmailError::Invalid));
    }

    #[test]
    fn unusual_but_valid_addresses_are_taken() {
        for text in [
            "a+b.c@example.com",
            "o'r@example.com",
            "\"ab\"@example.com",
            "u@localhost",
            "A_b-@sub.example.com",
        ] {
            assert!(EmailAddress::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn an_address_of_255_characters_is_too_long() {
        let domain = [["x"; 62].concat(), ["y"; 62].concat(), ["z"; 61].concat()].join(".");
        let long = format!("{}@{domain}.com", "a".repeat(63));
        assert_eq!(long.len(), 255);

        assert_eq!(EmailAddress::parse(&long), Err(EmailError::TooLong));
        assert!(EmailAddress::parse(&long[1..]).is_ok());
    }

    #[test]
    fn spellings_that_reach_one_inbox_share_a_budget() {
        let key = |text: &str| EmailAddress::parse(text).unwrap().mailbox_key();

        assert_eq!(key("A.lice+news@gmail.com"), key("alice@googlemail.com"));
        assert_eq!(key("alice+a@example.com"), key("Alice@Example.com"));
        assert_ne!(key("a.lice@example.com"), key("alice@example.com"));
        for spelling in [
            "\"alice\"@example.com",
            "\"ALICE+x\"@example.com",
            "alice@ｅxample。com",
        ] {
            assert_eq!(key(spelling), key("alice@example.com"), "{spelling}");
        }
        assert_eq!(key("\"a.lice+x\"@gmail.com"), key("alice@gmail.com"));
    }

    /// RFC 5321, appendix F.2; RFC 1123, section 5.2.16.
    #[test]
    fn a_local_part_that_names_another_host_is_known_as_a_route() {
        let routed = |text: &str| EmailAddress::parse(text).unwrap().names_a_route();

        for text in [
            "alice%example.com@relay.example",
            "example.com!alice@relay.example",
            "\"alice%example.com\"@relay.example",
            "a!b%c@localhost",
        ] {
            assert!(routed(text), "{text}");
        }
        for text in ["alice@example.com", "o'r+x=y/z@example.com"] {
            assert!(!routed(text), "{text}");
        }
    }

    #[test]
    fn quotes_tell_accounts_apart() {
        let quoted = EmailAddress::parse("\"alice\"@example.com").unwrap();
        let plain = EmailAddress::parse("alice@example.com").unwrap();

        assert_ne!(quoted.key(), plain.key());
    }

    #[test]
    fn an_address_that_no_relay_takes_is_refused() {
        let long_local = format!("{}@example.com", "x".repeat(65));
        assert_eq!(EmailAddress::parse(&long_local), Err(EmailError::Invalid));
        for text in [
            "\"a@b\"@example.com",
            "\"a,b\"@example.com",
            "\"<x>\"@example.com",
        ] {
            assert_eq!(
                EmailAddress::parse(text),
                Err(EmailError::Invalid),
                "{text}"
            );
        }
        let wide = format!("u@{}.example", "ü".repeat(60));
        assert!(
            EmailAddress::parse(&wide).is_err(),
            "its ASCII form is too long"
        );
    }

    #[test]
    fn debug_and_display_hide_the_local_part() {
        let address = EmailAddress::parse("alice@example.com").unwrap();

        assert_eq!(
            format!("{address} {address:?}"),
            "a•••@example.com EmailAddress(a•••@example.com)"
        );
    }
}

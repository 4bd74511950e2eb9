//! The header `Forwarded` (RFC 7239), as far as it names clients, and what they call this server.
//!
//! Our own reading, because the crates for it split a line at every comma and semicolon, those in quotes too: a
//! client whose `Host` is `x;for=192.0.2.1` would name its own address in what the proxy writes of it. For the
//! same reason a line that breaks the grammar anywhere names nobody: where one of its quotes was opened by the
//! client, no part of it is the proxy's for sure.

use std::collections::BTreeMap;
use std::net::IpAddr;

const BLANK: [char; 2] = [' ', '\t'];

/// What a line of a header says of the proxies on the way and the client, in its order; `None` stands for whoever
/// it gives no address of.
pub type Hops = Vec<Option<IpAddr>>;

/// Whom a line's elements name: none by `unknown`, by an obfuscated name or without a `for`, and none at all by a
/// line against the grammar.
pub fn hops(line: &str) -> Hops {
    elements(line).unwrap_or_else(|| vec![None])
}

fn elements(line: &str) -> Option<Hops> {
    let elements = split(line, ',')?;
    let written = elements.into_iter().filter(|element| !element.is_empty());
    written
        .map(|element| client(element).map(|client| node(&client)))
        .collect()
}

/// What an element says of its client; nothing said is an empty text. `None` if it is against the grammar.
fn client(element: &str) -> Option<String> {
    Some(parameters(element)?.remove("for").unwrap_or_default())
}

/// What a line says of the request as the outermost proxy got it: this parameter of its first element.
pub fn outermost(line: &str, parameter: &str) -> Option<String> {
    let elements = split(line, ',')?;
    parameters(elements.first()?)?.remove(parameter)
}

/// The parameters of an element by their names, in lower case. `None` if it is against the grammar: each stands in it
/// once.
fn parameters(element: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let pairs = split(element, ';')?;
    for pair in pairs.into_iter().filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.to_ascii_lowercase(), value_of(value)?);
        if !is_token(&name) || parameters.insert(name, value).is_some() {
            return None;
        }
    }
    Some(parameters)
}

/// Splits where the separator stands outside quotes, and takes the white space off. `None` if a quote is left open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, sign) in text.char_indices() {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if sign == separator && !quoted => {
                parts.push(text[start..at].trim_matches(BLANK));
                start = at + sign.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim_matches(BLANK));
    (!quoted).then_some(parts)
}

/// A token as it is, or a quoted string without its quotes and backslashes (RFC 7230 section 3.2.6).
fn value_of(written: &str) -> Option<String> {
    let Some(opened) = written.strip_prefix('"') else {
        return is_token(written).then(|| written.to_owned());
    };
    let mut signs = opened.strip_suffix('"')?.chars();
    let mut value = String::new();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => value.push(signs.next()?),
            '"' => return None,
            _ => value.push(sign),
        }
    }
    Some(value)
}

fn is_token(text: &str) -> bool {
    let of_tokens = |sign: u8| sign.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&sign);
    !text.is_empty() && text.bytes().all(of_tokens)
}

/// The address of a node (RFC 7239 section 6): an IPv6 one stands in brackets, a port may follow.
fn node(written: &str) -> Option<IpAddr> {
    let (address, port) = if let Some(bracketed) = written.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        (IpAddr::V6(address.parse().ok()?), port)
    } else {
        let (address, port) = written.split_at(written.find(':').unwrap_or(written.len()));
        (IpAddr::V4(address.parse().ok()?), port)
    };
    let whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    whole.then(|| address.to_canonical())
}

/// Up to five digits, or an obfuscated name.
fn is_port(text: &str) -> bool {
    let of_names = |sign: u8| sign.is_ascii_alphanumeric() || b"._-".contains(&sign);
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(of_names),
        None => (1..=5).contains(&text.len()) && text.bytes().all(|sign| sign.is_ascii_digit()),
    }
}

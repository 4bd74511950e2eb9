//! Parses the header `Forwarded` (RFC 7239): the clients, and the name that they use for this
//! server.
//!
//! A separate parser, because the crates for it split a line at every comma and semicolon, even in
//! quotes: a client with the `Host` `x;for=192.0.2.1` could forge its address in the proxy's line.
//! For the same reason, a line with a syntax error names no address: if the client opened a quote,
//! no part of the line can be attributed to the proxy.

use std::collections::BTreeMap;
use std::net::IpAddr;

const BLANK: [char; 2] = [' ', '\t'];

/// The addresses of the client and the proxies in a header line, in its order; `None` if a hop has
/// no address.
pub type Hops = Vec<Option<IpAddr>>;

/// The addresses in the elements of a line. An element with `unknown`, an obfuscated name or no
/// `for` has none; a line with a syntax error has no elements.
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

/// The client of an element, empty if missing. `None` on a syntax error.
fn client(element: &str) -> Option<String> {
    Some(parameters(element)?.remove("for").unwrap_or_default())
}

/// A parameter of the first element of a line, which describes the request that the outermost proxy
/// received.
pub fn outermost(line: &str, parameter: &str) -> Option<String> {
    let elements = split(line, ',')?;
    parameters(elements.first()?)?.remove(parameter)
}

/// The parameters of an element by lower-case name. `None` on a syntax error, including a repeated
/// parameter.
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

/// Splits at separators outside quotes and trims white space. `None` if a quote is not closed.
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

/// A token unchanged, or a quoted string without its quotes and backslashes (RFC 7230 section
/// 3.2.6).
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

/// The address of a node (RFC 7239 section 6): IPv6 in brackets, optionally followed by a port.
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

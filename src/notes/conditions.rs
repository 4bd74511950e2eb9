//! `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2).
//!
//! An entity tag is a version, and a weak one is as precise: proxies that compress a response turn
//! `"1"` into `W/"1"` (nginx), `"1-gzip"` (Apache) or `"1--gzip"` (Jetty), and clients leave out
//! the quotes. So both headers use weak comparison, and all of these forms are read as the original
//! tag.

use axum::http::{HeaderMap, HeaderName, header};
use domain::notes::condition::{Condition, Versions};

/// The condition of a request on its note.
pub fn condition(headers: &HeaderMap) -> Condition {
    Condition {
        one_of: versions(headers, &header::IF_MATCH),
        none_of: versions(headers, &header::IF_NONE_MATCH),
    }
}

/// The versions in all lines of a header. A foreign tag is not a version.
fn versions(headers: &HeaderMap, name: &HeaderName) -> Option<Versions> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut named = Vec::new();
    for line in lines {
        let tags = line.to_str().unwrap_or_default().split(',').map(str::trim);
        for tag in tags {
            if tag == "*" {
                return Some(Versions::Any);
            }
            named.extend(version(tag));
        }
    }
    Some(Versions::These(named))
}

/// The codings that proxies append to a tag.
const CODINGS: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

/// The version of a tag with exactly this server's number format: `"01"` is another tag.
fn version(tag: &str) -> Option<i64> {
    let tag = tag
        .strip_prefix("W/")
        .or_else(|| tag.strip_prefix("w/"))
        .unwrap_or(tag);
    let opaque = match tag.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => tag,
    };
    let opaque = match opaque.split_once('-') {
        Some((sent, coding)) if CODINGS.contains(&coding.trim_start_matches('-')) => sent,
        _ => opaque,
    };
    let version = opaque.parse::<i64>().ok()?;
    (version.to_string() == opaque).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_lists_and_on_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_MATCH, "\"1\", \"x\" ,\"3\"".parse().unwrap());
        headers.append(header::IF_MATCH, "W/\"4\"".parse().unwrap());
        headers.append(header::IF_NONE_MATCH, "W/\"4\", 5".parse().unwrap());

        let condition = condition(&headers);

        assert_eq!(condition.one_of, Some(Versions::These(vec![1, 3, 4])));
        assert_eq!(condition.none_of, Some(Versions::These(vec![4, 5])));
    }

    #[test]
    fn a_version_is_known_in_the_tags_that_proxies_and_clients_make_of_ours() {
        for tag in [
            "\"12\"",
            "W/\"12\"",
            "w/\"12\"",
            "12",
            "W/12",
            "\"12-gzip\"",
            "W/\"12-br\"",
            "\"12--gzip\"",
        ] {
            assert_eq!(version(tag), Some(12), "{tag}");
        }
        for tag in [
            "\"012\"",
            "\"+12\"",
            "\"12",
            "12\"",
            "\"12 \"",
            "\"12-x\"",
            "\"12-\"",
            "\"\"",
            "x",
            "W/",
            "\"-gzip\"",
        ] {
            assert_eq!(version(tag), None, "{tag}");
        }
    }

    #[test]
    fn a_star_stands_for_every_version_and_no_header_for_no_condition() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, "*".parse().unwrap());

        let condition = condition(&headers);

        assert_eq!(condition.one_of, None);
        assert_eq!(condition.none_of, Some(Versions::Any));
    }
}

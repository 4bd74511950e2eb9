//! `If-Match` and `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2).

use axum::http::{HeaderMap, HeaderName, header};
use domain::notes::condition::{Condition, Versions};

/// What a request expects of the note it is about.
pub fn condition(headers: &HeaderMap) -> Condition {
    Condition {
        // Compared strongly: a weak tag is nobody's.
        one_of: versions(headers, &header::IF_MATCH, |tag| tag),
        none_of: versions(headers, &header::IF_NONE_MATCH, |tag| {
            tag.strip_prefix("W/").unwrap_or(tag)
        }),
    }
}

/// The versions that a header names, on all of its lines. A tag that is none of ours is no version.
fn versions(
    headers: &HeaderMap,
    name: &HeaderName,
    strength: fn(&str) -> &str,
) -> Option<Versions> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut named = Vec::new();
    for line in lines {
        let tags = line.to_str().unwrap_or_default().split(',').map(str::trim);
        for tag in tags {
            if tag == "*" {
                return Some(Versions::Any);
            }
            named.extend(version(strength(tag)));
        }
    }
    Some(Versions::These(named))
}

/// The version of a tag that is exactly as we write it: `"01"` is another one.
fn version(tag: &str) -> Option<i64> {
    let opaque = tag.strip_prefix('"')?.strip_suffix('"')?;
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

        assert_eq!(condition.one_of, Some(Versions::These(vec![1, 3])));
        assert_eq!(condition.none_of, Some(Versions::These(vec![4])));
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

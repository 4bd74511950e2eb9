//! Whether a request can be told from others on its connection, and whom it is for (RFC 9112, sections 3.2 and 6.1).
//!
//! A proxy in front that reads a message otherwise than we do can be made to pass on one request inside another. hyper
//! refuses most such messages by itself: differing lengths, a length that is no number, a `Transfer-Encoding` that does
//! not end in `chunked` or comes with HTTP/1.0. With `Transfer-Encoding` and `Content-Length` together it goes by the
//! former and closes the connection, as section 6.3 asks for. What it lets pass is refused here.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};

use crate::error::ApiError;

/// Refuses a request in HTTP/1.1 that does not name its host exactly once, and one in another transfer coding than
/// `chunked` alone.
pub fn check(head: &Parts) -> Result<(), ApiError> {
    if head.version < Version::HTTP_11 {
        return Ok(());
    }
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !is_chunked || codings.next().is_some() {
            return Err(ApiError::TransferCoding);
        }
    }
    if names_its_host(&head.headers) {
        Ok(())
    } else {
        Err(ApiError::Malformed {
            detail:
                "A request in HTTP/1.1 needs one header Host with a host and no more than a port."
                    .to_owned(),
            code: "invalid_host",
        })
    }
}

/// An empty name is one: that of a host that has none (section 3.2).
fn names_its_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let of_hosts =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    host.as_bytes().iter().all(of_hosts)
}

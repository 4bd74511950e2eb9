//! Checks the framing and the Host of a request (RFC 9112, sections 3.2 and 6.1).
//!
//! If a proxy and this server parse a message differently, a client can smuggle one request inside
//! another. hyper refuses most such messages: differing lengths, an invalid length, a
//! `Transfer-Encoding` that does not end in `chunked` or comes with HTTP/1.0. With both
//! `Transfer-Encoding` and `Content-Length`, it uses the former and closes the connection, as
//! section 6.3 requires. The remaining cases are refused here.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};

use crate::error::ApiError;

/// Refuses an HTTP/1.1 request without exactly one Host, and one with a transfer coding other than
/// `chunked`.
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
        Err(ApiError::UnreadableBody {
            detail:
                "A request in HTTP/1.1 needs one header Host with a host and no more than a port."
                    .to_owned(),
            code: "invalid_host",
        })
    }
}

/// Whether there is exactly one valid Host. An empty value is valid, for a host without a name
/// (section 3.2).
fn names_its_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let of_hosts =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    host.as_bytes().iter().all(of_hosts)
}

//! The check of the Host field.
//!
//! The only protection of the inbox against DNS rebinding: any web page can make its own name
//! resolve to 127.0.0.1 and would then read one-time codes as same-origin. Its requests still carry
//! that name in Host.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{header, uri::Authority};
use axum::middleware::Next;
use axum::response::Response;

use super::{Problem, Site};

/// Refuses requests whose Host is not this machine.
pub(super) async fn check(
    State(site): State<Site>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let mut fields = request.headers().get_all(header::HOST).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(Problem::Bad(
            "a request needs exactly one Host field".to_owned(),
        ));
    };
    let text = String::from_utf8_lossy(field.as_bytes());
    let authority: Option<Authority> = text.parse().ok();
    if authority.is_some_and(|authority| is_own(authority.host(), site.address)) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::Host(text.into_owned()))
    }
}

/// Whether the host (without port) is this machine. DNS rebinding needs a name, so a listener on
/// all addresses accepts any address, but no foreign name.
fn is_own(host: &str, bound: SocketAddr) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => {
            ip == bound.ip() || bound.ip().is_unspecified() || ["127.0.0.1", "::1"].contains(&bare)
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let bound = "192.0.2.7:8025".parse().unwrap();

        for own in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "192.0.2.7"] {
            assert!(is_own(own, bound), "{own}");
        }
        for foreign in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "192.0.2.8",
            "",
        ] {
            assert!(!is_own(foreign, bound), "{foreign}");
        }
    }

    #[test]
    fn a_site_that_listens_everywhere_takes_addresses_but_no_foreign_name() {
        let bound = "0.0.0.0:8025".parse().unwrap();

        assert!(is_own("192.0.2.8", bound));
        assert!(!is_own("example.com", bound));
    }
}

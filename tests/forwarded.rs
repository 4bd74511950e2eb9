//! Who the client is behind a proxy (OWASP ASVS 5.0 4.1.3): what the proxy's header says, of all that stands in
//! it only what the proxy itself has added, and of the two headers there are only the one that it writes.

use crate::support::{Client, Person, TestApp};

/// The address of this proxy's own connection, which is what is left where its header says nothing.
const PROXY: &str = "127.0.0.1";

/// A system behind a proxy that writes `Forwarded` (RFC 7239).
async fn behind_a_forwarding_proxy() -> TestApp {
    TestApp::with()
        .behind_a_proxy()
        .set("SMART_NOTES__HTTP__FORWARDED_HEADER", "forwarded")
        .start()
        .await
}

/// The client of somebody's registration, as it was counted.
async fn counted_as(app: &TestApp, client: &Client, name: &str) -> String {
    client.registered(&Person::new(name)).await;
    let mut rows = app.rows().await;
    let found = format!("select client from registrations where username = '{name}'");
    let mut found = rows.texts(&found).await;
    rows.close().await;
    found.remove(0)
}

/// Asserts for each header, given as its lines, whom a request with it is counted for.
async fn assert_counted(app: &TestApp, header: &str, expected: &[(&[&str], &str)]) {
    for (n, (lines, client)) in expected.iter().enumerate() {
        let request = lines
            .iter()
            .fold(app.client.clone(), |client, line| client.with(header, line));

        let counted = counted_as(app, &request, &format!("ada{n}")).await;

        assert_eq!(counted, *client, "{lines:?}");
    }
}

/// The forms that RFC 7239 gives, section 4 and 6: the parameter among others and in any case, quoted, with a
/// port, IPv6 in brackets. Of an IPv6 address the /64 counts.
#[tokio::test]
async fn each_form_of_an_address_is_read() {
    let app = behind_a_forwarding_proxy().await;

    assert_counted(
        &app,
        "Forwarded",
        &[
            (&["for=203.0.113.7"], "203.0.113.7"),
            (&["For=\"203.0.113.7:4711\""], "203.0.113.7"),
            (&["for=\"203.0.113.7:_port\""], "203.0.113.7"),
            (&["for=\"\\203.0.113.7\""], "203.0.113.7"),
            (
                &["proto=https ; FOR=203.0.113.7;by=\"[::1]:80\""],
                "203.0.113.7",
            ),
            (&["for=\"[2001:db8:1:2::3]\""], "2001:db8:1:2::/64"),
            (&["for=\"[2001:DB8:1:2::3]:47011\""], "2001:db8:1:2::/64"),
            (&["for=\"[::ffff:203.0.113.7]\""], "203.0.113.7"),
        ],
    )
    .await;
    app.finish().await;
}

/// Several proxies write several elements, in one line or in lines of their own; the walk begins at the last.
#[tokio::test]
async fn the_last_element_that_is_no_proxys_is_the_client() {
    let app = behind_a_forwarding_proxy().await;

    assert_counted(
        &app,
        "Forwarded",
        &[
            (&["for=192.0.2.1, for=203.0.113.7"], "203.0.113.7"),
            (&["for=203.0.113.7,for=127.0.0.1"], "203.0.113.7"),
            (&["for=203.0.113.7", "for=127.0.0.1"], "203.0.113.7"),
            (
                &["for=192.0.2.1", "for=203.0.113.7, for=127.0.0.1"],
                "203.0.113.7",
            ),
            (&["for=192.0.2.1, , for=203.0.113.7,"], "203.0.113.7"),
            (&["for=127.0.0.1"], PROXY),
        ],
    )
    .await;
    app.finish().await;
}

/// Whatever a client sends ends up to the left of what the proxy adds, or in the proxy's quotes.
#[tokio::test]
async fn what_a_client_makes_up_is_not_believed() {
    let app = behind_a_forwarding_proxy().await;

    assert_counted(
        &app,
        "Forwarded",
        &[
            (
                &["for=127.0.0.1, for=192.0.2.1", "for=203.0.113.7"],
                "203.0.113.7",
            ),
            (
                &["for=192.0.2.1", "garbage\"", "for=203.0.113.7"],
                "203.0.113.7",
            ),
            // Its `Host`, which the proxy quotes.
            (
                &["for=203.0.113.7;host=\"x, for=192.0.2.1\""],
                "203.0.113.7",
            ),
            (&["for=203.0.113.7;host=\"x;for=192.0.2.1\""], "203.0.113.7"),
            (
                &["for=203.0.113.7;host=\"\\\", for=192.0.2.1\""],
                "203.0.113.7",
            ),
            // A quote that it opens, to swallow what the proxy adds to its line.
            (&["for=192.0.2.1;x=\", for=203.0.113.7"], PROXY),
            (
                &["for=192.0.2.1;x=\", for=\"[2001:db8::7]\";by=\"[::1]\""],
                PROXY,
            ),
            (&["for=192.0.2.1", "for=203.0.113.7;x=\""], PROXY),
        ],
    )
    .await;
    app.finish().await;
}

/// Where a trusted proxy names no address, or nothing that can be read, its own counts.
#[tokio::test]
async fn what_names_no_address_leaves_the_last_one_known() {
    let app = behind_a_forwarding_proxy().await;

    assert_counted(
        &app,
        "Forwarded",
        &[
            (&["for=unknown"], PROXY),
            (&["for=\"_hidden\""], PROXY),
            (&["for=_SEVKISEK"], PROXY),
            (&["for=203.0.113.7, for=unknown"], PROXY),
            (&["for=203.0.113.7", "for=_hidden, for=127.0.0.1"], PROXY),
            (&["for=203.0.113.7, proto=https"], PROXY),
            (&[""], PROXY),
            (&["203.0.113.7"], PROXY),
            (&["for"], PROXY),
            (&["for="], PROXY),
            (&["for=\""], PROXY),
            (&["for=203.0.113.7:4711"], PROXY),
            (&["for=203.0.113.7.9"], PROXY),
            (&["for=\"203.0.113.7:\""], PROXY),
            (&["for=\"203.0.113.7:123456\""], PROXY),
            (&["for=\"203.0.113.7:_\""], PROXY),
            (&["for=\"203.0.113.7\"x"], PROXY),
            (&["for=[2001:db8::7]"], PROXY),
            (&["for=\"2001:db8::7\""], PROXY),
            (&["for=\"[2001:db8::7\""], PROXY),
            (&["for=\"[203.0.113.7]\""], PROXY),
            (&["for=203.0.113.7;for=203.0.113.8"], PROXY),
            (&["for = 203.0.113.7"], PROXY),
            (&["for=203.0.113.7;é=1"], PROXY),
        ],
    )
    .await;
    app.finish().await;
}

/// A proxy passes on the header that it does not write, as the client made it up.
#[tokio::test]
async fn only_the_header_of_the_setting_is_read() {
    let (forwarded, x_forwarded) = (
        behind_a_forwarding_proxy().await,
        TestApp::with().behind_a_proxy().start().await,
    );

    for (app, believed, header, other) in [
        (forwarded, "203.0.113.7", "Forwarded", "X-Forwarded-For"),
        (x_forwarded, "192.0.2.1", "X-Forwarded-For", "Forwarded"),
    ] {
        let values = [
            ("Forwarded", "for=203.0.113.7"),
            ("X-Forwarded-For", "192.0.2.1"),
        ];
        let with = |client: &Client, name: &str| {
            let (_, value) = values.iter().find(|(header, _)| *header == name).unwrap();
            client.with(name, value)
        };
        let both = with(&with(&app.client, other), header);

        assert_eq!(counted_as(&app, &both, "ada").await, believed);
        let one = with(&app.client, other);
        assert_eq!(counted_as(&app, &one, "bob").await, PROXY);
        app.finish().await;
    }
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_is_believed() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__TRUSTED_PROXIES", "192.0.2.0/24")
        .set("SMART_NOTES__HTTP__FORWARDED_HEADER", "forwarded")
        .start()
        .await;

    assert_counted(&app, "Forwarded", &[(&["for=203.0.113.7"], "127.0.0.1")]).await;
    app.finish().await;
}

/// A line that is no text hides nothing: what stands before it was brought by the client.
#[tokio::test]
async fn a_line_of_other_bytes_uncovers_none_before_it() {
    let app = TestApp::with().behind_a_proxy().start().await;

    assert_counted(
        &app,
        "X-Forwarded-For",
        &[
            (&["192.0.2.1", "é"], PROXY),
            (&["192.0.2.1", "é, 203.0.113.7"], "203.0.113.7"),
        ],
    )
    .await;
    app.finish().await;
}

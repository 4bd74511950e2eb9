//! What the sender's domain says in DNS.

use super::nameserver::Nameserver;
use super::place::{Place, Said};

const SPF: (&str, &str) = ("mail.notes.test", "v=spf1 include:spf.relay.test -all");

async fn with(texts: &[(&str, &str)]) -> Said {
    let server = Nameserver::with(texts).await;
    ask(&server).await
}

async fn ask(server: &Nameserver) -> Said {
    let place = Place::new().await;
    let place = place.with(
        "SMART_NOTES__SMTP__FROM",
        "Notes <no-reply@mail.notes.test>",
    );
    place
        .doctor(&format!("--nameserver {}", server.address))
        .await
}

#[tokio::test]
async fn one_spf_and_one_dmarc_record_are_ok_the_latter_also_at_a_parent_domain() {
    for name in ["_dmarc.mail.notes.test", "_dmarc.notes.test"] {
        let said = with(&[
            SPF,
            ("mail.notes.test", "another text"),
            (name, "v=DMARC1; p=reject"),
        ])
        .await;

        said.is_ok("SPF of mail.notes.test: v=spf1 include:spf.relay.test -all");
        let at = name.strip_prefix("_dmarc.").unwrap();
        said.is_ok(&format!("DMARC of {at}: v=DMARC1; p=reject"));
        assert_eq!(said.code, 0);
    }
}

#[tokio::test]
async fn missing_records_are_warnings_with_the_record_to_add() {
    let said = with(&[("mail.notes.test", "no such record")]).await;

    said.is_a_warning("mail.notes.test has no SPF record", "v=spf1 ");
    said.is_a_warning(
        "mail.notes.test has no DMARC record",
        "_dmarc.mail.notes.test",
    );
}

/// RFC 7208 section 4.5, RFC 7489 section 6.6.3.
#[tokio::test]
async fn two_records_of_a_kind_count_as_none_and_is_a_problem() {
    let dmarc = "_dmarc.mail.notes.test";
    let said = with(&[
        SPF,
        SPF,
        (dmarc, "v=DMARC1; p=none"),
        (dmarc, "v=DMARC1; p=reject"),
    ])
    .await;

    said.is_a_problem("has 2 SPF records", "merge them into one");
    said.is_a_problem("has 2 DMARC records", "merge them into one");
}

#[tokio::test]
async fn an_spf_record_for_every_host_is_a_warning() {
    let said = with(&[("mail.notes.test", "v=spf1 +all")]).await;

    said.is_a_warning("allows every host to send for it", "-all");
}

/// Without a network the records are unknown, which is not a problem of this machine's settings.
#[tokio::test]
async fn a_name_server_that_does_not_answer_is_a_warning() {
    let silent = Nameserver::silent().await;

    let said = ask(&silent).await;

    said.is_a_warning("mail.notes.test could not be looked up", "--nameserver");
    said.is_a_warning(
        "_dmarc.mail.notes.test could not be looked up",
        "--nameserver",
    );
}

//! A relay that quotes the mail in its reply: the code lives, and must stand in no record.

use devmail::{Fault, Stage};

use crate::harness::{Harness, PATIENCE, process};

const ADA: &str = "ada.lovelace@example.com";

/// Everything that the processes have written: what they said, the database, and what is on its way there.
fn written(harness: &Harness) -> Vec<u8> {
    let folder = harness.path();
    let folder = folder.parent().unwrap();
    let mut written = process::said(folder).into_bytes();
    for file in ["notes.db", "notes.db-wal"] {
        written.extend(std::fs::read(folder.join(file)).unwrap_or_default());
    }
    written
}

fn holds(written: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    let mut places = written.windows(text.len());
    places.any(|place| place.eq_ignore_ascii_case(text))
}

#[tokio::test]
async fn a_relay_that_quotes_the_mail_puts_neither_its_code_nor_the_address_on_record() {
    let harness = Harness::in_real_time(&[("SMART_NOTES__LOG__LEVEL", "trace")]).await;
    let worker = harness.spawn();
    let first = harness.register(ADA).await;
    harness.reaches(first, "delivered").await;
    let mail = harness
        .catcher
        .inbox()
        .wait_for(ADA, 1, PATIENCE)
        .await
        .unwrap();
    let code = mail.code().unwrap();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let encoded = code.bytes().map(|digit| format!("={digit:02X}"));
    let encoded = encoded.collect::<Vec<_>>().concat();

    for (stage, reply) in [
        (Stage::Data, 450),
        (Stage::EndOfData, 450),
        (Stage::EndOfData, 250),
        (Stage::EndOfData, 554),
    ] {
        harness.catcher.faults().clear();
        let quote = format!(
            "5.7.1 spam to ada.lovelace=40example.com, ada.lovelace at example.com: \
             Your code is {code} {spaced} {encoded} {}",
            "z".repeat(430)
        );
        harness
            .catcher
            .faults()
            .add(Fault::reply(stage, reply, &quote));
        let again = harness.ask_again(ADA).await;
        harness.has_attempts(again, 1).await;
    }
    assert!(worker.stop().await.success());
    let written = written(&harness);

    assert!(holds(&written, "Your code is [code] [code] [code]"));
    for secret in [&code, &spaced, &encoded] {
        assert!(!holds(&written, secret), "{secret}");
    }
    for address in ["ada.lovelace=40", "ada.lovelace at"] {
        assert!(!holds(&written, address), "{address}");
    }
}

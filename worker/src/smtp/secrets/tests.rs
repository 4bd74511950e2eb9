//! What is struck out of a reply, spelling by spelling.

use super::*;

fn struck(text: &str) -> String {
    let secrets = Secrets::of_codes(["123456", "0A1B-2C3D-4E5F"]);
    let to: Address = "john.doe@example.com".parse().unwrap();
    secrets.strike(Some(&to), text)
}

#[test]
fn a_code_is_struck_out_in_every_spelling_that_servers_and_filters_use() {
    for spelling in [
        "123456",
        "123 456",
        "123-456",
        "1 2 3 4 5 6",
        "123\u{a0}456",
        "12=\r\n3456",
        "=31=32=33=34=35=36",
        "123=20456",
        "123=C2=A0456",
        "%31%32%33456",
        "&#49;&#x32;3456",
        "\\x31\\x32\\x33456",
        "0A1B2C3D4E5F",
        "0a1b2c3d4e5f",
        "0A1B-2C3D-4E5F",
        "0a1b 2c3d 4e5f",
    ] {
        let text = struck(&format!("5.7.1 spam: Your code is {spelling}, it works"));

        assert_eq!(
            text, "5.7.1 spam: Your code is [code], it works",
            "{spelling}"
        );
    }
}

#[test]
fn a_code_in_base64_is_struck_out_wherever_it_begins() {
    for before in ["", "a", "ab", "abc"] {
        let line = format!("{before}Your code is 123-456!");
        for engine in [
            base64::engine::general_purpose::STANDARD,
            base64::engine::general_purpose::URL_SAFE_NO_PAD,
        ] {
            let encoded = engine.encode(&line);
            for skipped in 0..4 {
                let text = struck(&format!("spam: {}", &encoded[skipped..]));

                assert!(
                    text.starts_with("spam: [code]"),
                    "{encoded} {skipped}: {text}"
                );
            }
        }
    }
}

#[test]
fn a_code_that_the_end_cuts_off_is_struck_out_and_other_numbers_stay() {
    let other = "2.0.0 queued as 4F98765432, id=1rABCD-123457-XY, 12345 6 bytes of 1234";

    assert_eq!(struck("your code is 1234"), "your code is [code]");
    assert_eq!(struck("your code is 0a1b-2c3"), "your code is [code]");
    assert_eq!(struck("your code is 123"), "your code is 123");
    assert_eq!(
        struck(other),
        "2.0.0 queued as 4F98765432, id=1rABCD-123457-XY, [code] bytes of [code]"
    );
    assert_eq!(Secrets::default().strike(None, other), other);
}

#[test]
fn the_recipients_address_is_masked_whatever_stands_for_its_at() {
    for spelling in [
        "john.doe@example.com",
        "John.Doe=40Example.COM",
        "john=2Edoe%40example.com",
        "john.doe&#64;example.com",
        "john.doe at example.com",
        "john.doe (at) example.com",
        "john.doe[at]example.com",
        "john.doe @ example.com",
        "john.doe=example.com",
    ] {
        let text = struck(&format!("no mailbox <{spelling}> here"));

        assert_eq!(text, "no mailbox <j…@example.com> here", "{spelling}");
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode("<john.doe@example.com>");
    assert_eq!(struck(&format!("no {encoded}")), "no [address]==");
    let other = "user unknown at example.com; see data at example.com";
    assert_eq!(struck(other), other);
}

#[test]
fn the_relays_password_is_struck_out_as_it_is_and_as_auth_sends_it() {
    let login = Login::new("ada", "tr0ub4dor");

    for sent in ["tr0ub4dor", "AGFkYQB0cjB1YjRkb3I=", "dHIwdWI0ZG9y"] {
        assert_eq!(
            login.strike(&format!("535 no `{sent}`")),
            "535 no `[password]`"
        );
    }
    assert_eq!(Login::new("ada", "a").strike("535 alas"), "535 alas");
}

#[test]
fn debug_shows_no_code() {
    let secrets = Secrets::of_codes(["123456"]);

    assert_eq!(format!("{secrets:?}"), "1 secrets");
}

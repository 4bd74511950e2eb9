//! What every kind of mail looks like, and what no mail may contain.

use std::time::{Duration, SystemTime};

use domain::mail::MailKind;
use mail_parser::{HeaderValue, Message, MessageParser, MimeHeaders as _};
use smart_notes_worker::mail::{BuildError, Code, Content, Outgoing, build};

fn outgoing(content: Content) -> Outgoing {
    Outgoing {
        from: "Smart Notes <no-reply@example.com>".parse().unwrap(),
        to: "someone@example.test".parse().unwrap(),
        message_id: String::from("<01JD0000000000000000000000@example.com>"),
        date: SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000),
        content,
    }
}

fn raw(content: Content) -> String {
    String::from_utf8(build(&outgoing(content)).unwrap().1).unwrap()
}

fn parsed(raw: &str) -> Message<'_> {
    MessageParser::default().parse(raw).unwrap()
}

fn text(raw: &str) -> String {
    parsed(raw).body_text(0).unwrap().replace("\r\n", "\n")
}

fn html(raw: &str) -> String {
    parsed(raw).body_html(0).unwrap().replace("\r\n", "\n")
}

fn verify_email(change: impl FnOnce(&mut Code)) -> Content {
    let mut context = Code::sample();
    change(&mut context);
    Content::Code(MailKind::VerifyEmail, context)
}

/// One of each kind without a code.
fn notices() -> impl Iterator<Item = Content> {
    Content::samples()
        .into_iter()
        .filter(|content| matches!(content, Content::Notice(_)))
}

#[test]
fn every_kind_renders_from_its_sample() {
    for content in Content::samples() {
        let kind = content.kind();
        let raw = raw(content);

        let subject = parsed(&raw).subject().unwrap().to_owned();
        insta::assert_snapshot!(
            format!("{kind}_text"),
            format!("Subject: {subject}\n\n{}", text(&raw))
        );
        insta::assert_snapshot!(format!("{kind}_html"), html(&raw));
    }
}

/// Where the digits count only for clients that keep their challenge, the long code stands below them.
#[test]
fn a_mail_with_both_codes_says_when_the_long_one_is_for() {
    let raw = raw(Content::Code(
        MailKind::ResetPassword,
        Code {
            long_code: Some(String::from("0123456789AB")),
            ..Code::sample()
        },
    ));

    insta::assert_snapshot!("both_codes_text", text(&raw));
    insta::assert_snapshot!("both_codes_html", html(&raw));
}

#[test]
fn a_whole_message_on_the_wire() {
    let raw = raw(Content::Notice(MailKind::AlreadyRegistered));

    insta::assert_snapshot!("whole_message", raw.replace("\r\n", "\n"));
}

#[test]
fn the_line_with_the_code_is_the_first_of_the_text_and_of_the_html() {
    let mut kinds = 0;
    for content in Content::samples() {
        let Content::Code(kind, _) = content else {
            continue;
        };
        let raw = raw(content);

        let line = "Your OTP code is: 123456";
        let lines = |text: &str| text.lines().filter(|found| *found == line).count();
        assert_eq!((lines(&text(&raw)), lines(&raw)), (1, 1), "{kind:?}");
        assert_eq!(text(&raw).lines().next(), Some(line), "{kind:?}");
        // What notifications and lists of mails show: the first text of the body, which is hidden in the mail itself.
        let html = html(&raw);
        let body = html.split("<body").nth(1).unwrap();
        let shown = body.split(['>', '<']).map(str::trim);
        let first = shown.skip(1).step_by(2).find(|text| !text.is_empty());
        assert_eq!(first, Some(line), "{kind:?}");
        kinds += 1;
    }
    assert_eq!(kinds, 5);
}

#[test]
fn the_code_is_in_no_header() {
    let raw = raw(verify_email(|context| {
        context.code = String::from("987654");
    }));

    let (headers, _) = raw.split_once("\r\n\r\n").unwrap();
    assert!(!headers.contains("987654"), "{headers}");
    let message = parsed(&raw);
    assert!(!message.subject().unwrap().contains("987654"));
    for part in &message.parts {
        assert!(!format!("{:?}", part.headers).contains("987654"));
    }
}

#[test]
fn the_code_is_in_no_debug_output() {
    let mail = outgoing(verify_email(|context| {
        context.code = String::from("987654");
    }));

    let shown = format!("{mail:?} {:?} {:#?}", mail.content, mail);

    assert!(!shown.contains("987654"), "{shown}");
    assert!(!shown.contains("someone"), "{shown}");
}

#[test]
fn only_mails_with_a_code_speak_of_one() {
    for notice in notices() {
        let raw = raw(notice);

        for part in [&raw, &text(&raw), &html(&raw)] {
            assert!(!part.contains("Your OTP code is"));
            assert!(!part.to_lowercase().contains("otp"));
        }
    }
}

#[test]
fn how_long_the_code_lives_is_said_in_minutes() {
    let ten = raw(verify_email(|_| ()));
    let one = raw(verify_email(|context| {
        context.minutes_valid = 1;
    }));

    assert!(text(&ten).contains("10 minutes") && html(&ten).contains("10 minutes"));
    assert!(text(&one).contains("1 minute and") && html(&one).contains("1 minute and"));
}

#[test]
fn values_are_escaped_in_html_and_stay_within_their_line() {
    let name = "<a href=\"https://example.test\">\r\nYour OTP code is: 000000";

    let raw = raw(verify_email(|context| {
        context.username_masked = name.into();
    }));

    assert!(!html(&raw).contains("<a "));
    assert!(html(&raw).contains("&lt;a href="));
    let codes = |line: &str| line.starts_with("Your OTP code is:");
    assert_eq!(text(&raw).lines().filter(|line| codes(line)).count(), 1);
}

#[test]
fn no_mail_holds_a_link_an_image_or_a_table() {
    for content in Content::samples() {
        let raw = raw(content);
        let html = html(&raw).to_lowercase();

        for bad in ["href", "src=", "<img", "<table", "url(", "http"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
        assert!(!text(&raw).contains("://"));
    }
}

#[test]
fn the_headers_are_those_of_an_automatic_message() {
    let raw = raw(verify_email(|_| ()));
    let message = parsed(&raw);

    let from = message.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Smart Notes"));
    assert_eq!(from.address(), Some("no-reply@example.com"));
    let to = message.to().unwrap().first().unwrap();
    assert_eq!(
        (to.name(), to.address()),
        (None, Some("someone@example.test"))
    );
    assert_eq!(
        message.message_id(),
        Some("01JD0000000000000000000000@example.com")
    );
    assert_eq!(message.date().unwrap().to_timestamp(), 1_750_000_000);
    let header = |name: &'static str| match message.header(name) {
        Some(HeaderValue::Text(value)) => value.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("X-Auto-Response-Suppress"), "All");
    let content_type = message.content_type().unwrap();
    assert_eq!(content_type.ctype(), "multipart");
    assert_eq!(content_type.subtype(), Some("alternative"));
}

#[test]
fn a_message_is_seven_bit_with_short_lines_ended_by_crlf() {
    let odd = verify_email(|context| context.username_masked = "ж\r你\u{1F600}".repeat(400));
    for content in Content::samples().into_iter().chain([odd]) {
        let raw = raw(content);

        assert!(raw.is_ascii());
        assert!(!raw.replace("\r\n", "").contains(['\r', '\n', '\0']));
        assert!(raw.lines().all(|line| line.len() <= 998));
        assert!(!raw.contains("base64"));
    }
}

#[test]
fn the_same_mail_is_the_same_bytes() {
    let mail = outgoing(verify_email(|_| ()));

    assert_eq!(build(&mail).unwrap().1, build(&mail).unwrap().1);
}

#[test]
fn the_envelope_names_sender_and_recipient() {
    let (envelope, _) = build(&outgoing(verify_email(|_| ()))).unwrap();

    assert_eq!(envelope.from.to_string(), "no-reply@example.com");
    assert_eq!(envelope.to.to_string(), "someone@example.test");
    assert!(!format!("{envelope:?}").contains("someone"));
}

#[test]
fn what_cannot_stand_in_a_header_is_an_error_and_no_panic() {
    let mail = || outgoing(Content::Notice(MailKind::AlreadyRegistered));
    let ids = [
        "",
        "a@b",
        "<ab>",
        "<@b>",
        "<a@>",
        "<a@b>\r\nBcc: x@example.test",
        "<a b@c>",
    ];
    for id in ids {
        let built = build(&Outgoing {
            message_id: id.into(),
            ..mail()
        });

        assert!(matches!(built, Err(BuildError::MessageId)), "{id}");
    }
    for name in ["a\rb", "a\nBcc: x@example.test", "a\0b"] {
        let mut bad = mail();
        bad.from.name = Some(name.into());

        assert!(matches!(build(&bad), Err(BuildError::From)), "{name:?}");
    }
    let bad = Outgoing {
        to: "jürgen@example.test".parse().unwrap(),
        ..mail()
    };
    assert!(matches!(build(&bad), Err(BuildError::To)));
}

#[test]
fn a_sender_name_outside_ascii_is_encoded() {
    let mut mail = outgoing(Content::Notice(MailKind::AlreadyRegistered));
    mail.from.name = Some(String::from("Notizen für alle"));

    let raw = String::from_utf8(build(&mail).unwrap().1).unwrap();

    assert!(raw.is_ascii());
    let message = parsed(&raw);
    let from = message.from().unwrap().first().unwrap();
    assert_eq!(from.name(), Some("Notizen für alle"));
}

//! Mails over real sockets: which are stored, which are refused, and which errors are survived.

use crate::support::smtp::{Client, deliver};
use crate::support::{PATIENCE, mail, soon, start, start_with};
use smart_notes_devmail::{Catcher, Config, Stage, StartError};

#[tokio::test]
async fn a_mail_is_stored_with_its_envelope_and_its_content() {
    let catcher = start().await;

    let answer = deliver(
        catcher.smtp_addr(),
        "Ada@example.com",
        &mail("ada@example.com", "Gr=?utf-8?q?=C3=BC?=n", "042137"),
    )
    .await;

    assert!(answer.starts_with("250 2.0.0 Stored as "), "{answer}");
    let stored = catcher
        .inbox()
        .wait_for("ada@EXAMPLE.com", 1, PATIENCE)
        .await
        .unwrap();
    assert_eq!(stored.envelope_from, "notes@example.com");
    assert_eq!(stored.envelope_to, ["Ada@example.com"]);
    assert_eq!(stored.text().unwrap(), "Hello,\r\nYour OTP code is: 042137");
    assert_eq!(
        stored.html().unwrap(),
        "<p>Your OTP code is: <b>042137</b></p>"
    );
    assert_eq!(stored.message_id(), Some("one@example.com"));
    assert_eq!(
        stored.header("message-id").as_deref(),
        Some("<one@example.com>")
    );
    assert_eq!(stored.code().as_deref(), Some("042137"));
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_mail_over_pipelined_commands_is_stored_once() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    client
        .send("MAIL FROM:<> SIZE=100 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
        .await;
    let mut replies = Vec::new();
    for _ in 0..4 {
        replies.push(client.reply().await);
    }
    client.send("Subject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n").await;
    let answers = [
        client.reply().await,
        client.reply().await,
        client.reply().await,
    ];

    assert_eq!(replies[..3], ["250 OK\r\n"; 3]);
    assert!(replies[3].starts_with("354 "));
    assert!(answers[0].starts_with("250 "));
    assert!(answers[1].starts_with("221 "));
    assert_eq!(answers[2], "");
    assert_eq!(catcher.inbox().all().len(), 1);
    assert_eq!(catcher.inbox().all()[0].envelope_from, "");
    assert_eq!(
        catcher.inbox().all()[0].envelope_to,
        ["a@example.com", "b@example.com"]
    );
    assert_eq!(catcher.inbox().to("b@example.com").len(), 1);
}

#[tokio::test]
async fn the_extensions_that_are_offered_are_announced() {
    let catcher = start().await;
    let mut client = Client::connect(catcher.smtp_addr()).await;
    client.reply().await;

    let offer = client.say("EHLO client.test").await;

    for extension in ["PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8"] {
        assert!(offer.contains(extension), "{offer}");
    }
}

#[tokio::test]
async fn dot_stuffing_is_undone_and_lines_may_have_any_length() {
    let catcher = start().await;
    let mut client = Client::up_to_data(catcher.smtp_addr(), "ada@example.com").await;
    let long = ".x".repeat(100_000);

    client
        .send(format!("..one\r\n...\r\na.\r\n\r\n{long}\r\n.\r\n"))
        .await;
    client.reply().await;

    let expected = format!(".one\r\n..\r\na.\r\n\r\n{}\r\n", &long[1..]);
    assert_eq!(catcher.inbox().all()[0].raw, expected.as_bytes());
}

#[tokio::test]
async fn two_mails_on_one_connection_do_not_share_recipients() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    client.mail("ada@example.com", "one").await;
    client.say("MAIL FROM:<notes@example.com>").await;
    client.say("RCPT TO:<eve@example.com>").await;
    client.say("RSET").await;
    client.mail("bob@example.com", "two").await;

    let envelopes: Vec<_> = catcher
        .inbox()
        .all()
        .iter()
        .map(|mail| mail.envelope_to.clone())
        .collect();
    assert_eq!(envelopes, [["ada@example.com"], ["bob@example.com"]]);
}

#[tokio::test]
async fn commands_that_make_no_sense_are_refused_and_the_session_goes_on() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    for (line, code) in [
        ("RCPT TO:<a@example.com>", "503"),
        ("DATA", "503"),
        ("HELLO?", "500"),
        ("", "500"),
        ("MAIL FROM:<a@example.com> SIZE=99999999999", "552"),
        ("MAIL FROM:<a@example.com> SIZE=many", "501"),
        ("MAIL FROM:<a@example.com> RET=HDRS", "555"),
        ("MAIL FROM:<\0>", "500"),
        ("NOOP whatever", "250"),
    ] {
        let reply = client.say(line).await;
        assert!(reply.starts_with(code), "{line}: {reply}");
    }

    assert!(
        client
            .mail("ada@example.com", "x")
            .await
            .starts_with("250 ")
    );
}

#[tokio::test]
async fn garbage_is_refused_and_then_cut_off_without_harm() {
    let catcher = start().await;
    let mut noise: Vec<u8> = (0..200_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    noise.extend_from_slice(b"\r\n\xff\xfe\x00 MAIL\r\nRCPT\xc3\r\n");
    let mut client = Client::connect(catcher.smtp_addr()).await;

    client.send(&noise).await;
    client.send("QUIT\r\n").await;
    let mut replies = Vec::new();
    loop {
        match client.reply().await {
            reply if reply.is_empty() => break,
            reply => replies.push(reply),
        }
    }

    assert!(
        replies[1..]
            .iter()
            .all(|reply| reply.starts_with('5') || reply.starts_with("421"))
    );
    assert!(
        deliver(catcher.smtp_addr(), "ada@example.com", "x")
            .await
            .starts_with("250 ")
    );
}

#[tokio::test]
async fn an_endless_line_is_refused_once_and_the_next_line_is_read() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    client.send("x".repeat(3_000_000)).await;
    client.send("\r\nNOOP\r\n").await;

    assert_eq!(client.reply().await, "500 5.5.2 Line too long\r\n");
    assert_eq!(client.reply().await, "250 OK\r\n");
}

#[tokio::test]
async fn a_mail_over_the_announced_size_is_refused_and_the_session_goes_on() {
    let catcher = start().await;
    let mut client = Client::up_to_data(catcher.smtp_addr(), "ada@example.com").await;

    client
        .send("0123456789abcd\r\n".repeat(26 * 1024 * 1024 / 16))
        .await;
    client.send(".\r\n").await;
    let refused = client.reply().await;
    let taken = client.mail("ada@example.com", "small").await;

    assert_eq!(refused, "552 5.3.4 Message too large\r\n");
    assert!(taken.starts_with("250 "));
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_binary_mail_is_kept_byte_for_byte() {
    let catcher = start().await;
    let mut client = Client::up_to_data(catcher.smtp_addr(), "ada@example.com").await;
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend_from_slice(b"\n.\n\r.\r\xc3\r\n");

    client.send(&bytes).await;
    client.send(".\r\n").await;
    client.reply().await;

    let stored = &catcher.inbox().all()[0];
    assert_eq!(stored.raw, bytes);
    assert_eq!((stored.subject(), stored.code()), (None, None));
}

#[tokio::test]
async fn a_mail_cut_off_before_its_dot_is_not_stored() {
    let catcher = start().await;
    let mut client = Client::up_to_data(catcher.smtp_addr(), "ada@example.com").await;
    client.send("half a mail\r\n").await;
    catcher.wait_stage(Stage::Body, 1, PATIENCE).await.unwrap();

    drop(client);
    deliver(catcher.smtp_addr(), "bob@example.com", "x").await;

    assert_eq!(catcher.inbox().accepted(), 1);
    assert!(catcher.inbox().to("ada@example.com").is_empty());
}

#[tokio::test]
async fn tempfail_is_refused_twice_per_recipient_and_bounce_always() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;
    client.say("MAIL FROM:<notes@example.com>").await;
    let mut replies = Vec::new();

    for to in [
        "a@tempfail.test",
        "A@TEMPFAIL.test",
        "b@tempfail.test",
        "a@tempfail.test",
        "a@bounce.test",
        "a@bounce.test",
        "a@bounce.test",
    ] {
        replies.push(client.say(&format!("RCPT TO:<{to}>")).await);
    }

    let tempfail = replies[..3]
        .iter()
        .all(|reply| reply.starts_with("451 4.3.0 "));
    let bounce = replies[4..]
        .iter()
        .all(|reply| reply.starts_with("550 5.1.1 "));
    assert!(tempfail && bounce, "{replies:?}");
    assert_eq!(replies[3], "250 OK\r\n");
}

#[tokio::test]
async fn the_test_domains_are_ordinary_when_the_configuration_says_so() {
    let catcher = start_with(|config| config.refuse_test_domains = false).await;

    for to in ["a@tempfail.test", "a@bounce.test"] {
        assert!(
            deliver(catcher.smtp_addr(), to, "x")
                .await
                .starts_with("250 "),
            "{to}"
        );
    }
}

#[tokio::test]
async fn each_accepted_mail_is_in_the_archive_when_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let catcher = start_with(|config| {
        config.keep = 0;
        config.archive = Some(path.clone());
    })
    .await;

    deliver(
        catcher.smtp_addr(),
        "ada@example.com",
        "Subject: x\r\n\r\nhi",
    )
    .await;

    let files: Vec<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].extension().unwrap() == "eml");
    assert_eq!(
        std::fs::read_to_string(&files[0]).unwrap(),
        "X-Envelope-From: notes@example.com\r\nX-Envelope-To: ada@example.com\r\nSubject: x\r\n\r\nhi\r\n",
    );
}

#[tokio::test]
async fn a_mail_that_cannot_be_archived_is_refused_for_now() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let catcher = start_with(|config| config.archive = Some(path.clone())).await;
    std::fs::remove_dir(&path).unwrap();

    let answer = deliver(catcher.smtp_addr(), "ada@example.com", "x").await;

    assert!(answer.starts_with("451 4.3.0 "), "{answer}");
    assert_eq!(catcher.inbox().accepted(), 0);
}

#[tokio::test]
async fn a_taken_port_stops_the_start_with_its_address() {
    let first = start().await;

    let second = Catcher::start(Config {
        smtp: first.smtp_addr(),
        ..Config::default()
    })
    .await;

    let error = second.err().expect("the port is in use");
    assert!(matches!(error, StartError::Smtp { address, .. } if address == first.smtp_addr()));
    assert!(error.to_string().contains("the port is in use"), "{error}");
}

#[tokio::test]
async fn shutting_down_ends_open_conversations_and_frees_the_port() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;
    let address = catcher.smtp_addr();

    catcher.shutdown().await;

    assert_eq!(client.reply().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_the_catcher_ends_open_conversations() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    drop(catcher);

    assert_eq!(soon(client.reply()).await, "");
}

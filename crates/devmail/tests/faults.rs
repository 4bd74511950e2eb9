//! Every fault, as a sender sees it.

use std::time::Duration;

use crate::support::smtp::{Client, deliver};
use crate::support::{PATIENCE, soon, start};
use smart_notes_devmail::{Catcher, Fault, Stage};
use tokio::net::TcpStream;

const ADA: &str = "ada@example.com";

/// Sends a mail up to its end of data in the background, and returns the reply.
fn deliver_later(catcher: &Catcher) -> tokio::task::JoinHandle<String> {
    let address = catcher.smtp_addr();
    tokio::spawn(async move { deliver(address, ADA, "x").await })
}

#[tokio::test]
async fn refused_connections_are_taken_again_on_the_same_port() {
    let catcher = start().await;

    catcher.faults().refuse_connections().await.unwrap();
    let refused = TcpStream::connect(catcher.smtp_addr()).await;
    catcher.faults().accept_connections().await.unwrap();
    let answer = deliver(catcher.smtp_addr(), ADA, "x").await;

    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    assert!(answer.starts_with("250 "));
}

#[tokio::test]
async fn refusing_connections_leaves_open_ones_alone() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    catcher.faults().refuse_connections().await.unwrap();

    assert!(client.mail(ADA, "x").await.starts_with("250 "));
}

#[tokio::test]
async fn open_connections_can_be_cut() {
    let catcher = start().await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    catcher.faults().cut_connections().await.unwrap();

    assert_eq!(client.reply().await, "");
}

#[tokio::test]
async fn a_delayed_greeting_holds_up_only_the_connection_it_strikes() {
    let catcher = start().await;
    let fault = Fault::delay(Stage::Connect, PATIENCE * 100).times(1);
    catcher.faults().add(fault);
    let mut struck = Client::connect(catcher.smtp_addr()).await;
    catcher
        .wait_stage(Stage::Connect, 1, PATIENCE)
        .await
        .unwrap();

    let held_up = tokio::spawn(async move { struck.reply().await });
    let spared = Client::connect(catcher.smtp_addr()).await.reply().await;

    assert!(spared.starts_with("220 "));
    assert!(!held_up.is_finished());
}

#[tokio::test]
async fn a_delay_that_has_passed_changes_nothing() {
    let catcher = start().await;
    for stage in [Stage::Connect, Stage::Hello, Stage::Rcpt, Stage::Body] {
        let fault = Fault::delay(stage, Duration::from_millis(1));
        catcher.faults().add(fault);
    }

    let answer = deliver(catcher.smtp_addr(), ADA, "x").await;

    assert!(answer.starts_with("250 "));
    assert_eq!(catcher.inbox().all()[0].raw, b"x\r\n");
}

#[tokio::test]
async fn a_mail_whose_sender_leaves_during_a_delay_is_not_stored() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::delay(Stage::EndOfData, PATIENCE * 100).to(ADA));
    let dot = catcher.stages().next(Stage::EndOfData);
    let sender = deliver_later(&catcher);
    soon(dot).await;

    sender.abort();
    let _ = sender.await;
    deliver(catcher.smtp_addr(), "bob@example.com", "x").await;

    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_delayed_answer_still_stores_the_mail() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::delay(Stage::EndOfData, Duration::from_millis(1)));

    let answer = deliver(catcher.smtp_addr(), ADA, "x").await;

    assert!(answer.starts_with("250 "));
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn hanging_after_the_dot_stores_nothing_until_it_is_released() {
    let catcher = start().await;
    catcher.faults().add(Fault::hang(Stage::EndOfData));
    let dot = catcher.stages().next(Stage::EndOfData);

    let sender = deliver_later(&catcher);
    soon(dot).await;
    let while_hanging = catcher.inbox().accepted();
    catcher.faults().release();
    let answer = soon(sender).await.unwrap();

    assert_eq!(while_hanging, 0);
    assert!(answer.starts_with("250 "));
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn hanging_after_the_dot_can_store_the_mail_first() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::hang(Stage::EndOfData).storing());

    let sender = deliver_later(&catcher);
    catcher
        .wait_stage(Stage::Stored, 1, PATIENCE)
        .await
        .unwrap();

    assert_eq!(catcher.inbox().to(ADA).len(), 1);
    assert!(!sender.is_finished());
    assert_eq!(catcher.stages().count(Stage::Answered), 0);
}

#[tokio::test]
async fn a_connection_is_cut_inside_the_mail() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::cut(Stage::Body).to(ADA).times(1));
    let mut client = Client::up_to_data(catcher.smtp_addr(), ADA).await;

    client.send("Subject: x\r\n").await;
    let cut = client.reply().await;
    let retried = deliver(catcher.smtp_addr(), ADA, "x").await;

    assert_eq!(cut, "");
    assert!(retried.starts_with("250 "));
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_connection_is_cut_after_the_dot_with_or_without_storing() {
    for (fault, stored) in [
        (Fault::cut(Stage::EndOfData), 0),
        (Fault::cut(Stage::EndOfData).storing(), 1),
    ] {
        let catcher = start().await;
        catcher.faults().add(fault);

        let answer = deliver(catcher.smtp_addr(), ADA, "x").await;

        assert_eq!(answer, "");
        assert_eq!(catcher.inbox().accepted(), stored);
    }
}

#[tokio::test]
async fn a_fixed_reply_comes_at_its_stage_and_the_session_goes_on() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::EndOfData] {
        let catcher = start().await;
        let target = if stage == Stage::Mail {
            "notes@example.com"
        } else {
            ADA
        };
        catcher
            .faults()
            .add(Fault::reply(stage, 452, "4.2.2 Full").to(target).times(1));
        let mut client = Client::hello(catcher.smtp_addr()).await;

        let mut replies = vec![client.say("MAIL FROM:<notes@example.com>").await];
        replies.push(client.say("RCPT TO:<ada@example.com>").await);
        replies.push(client.say("DATA").await);
        if replies[2].starts_with("354") {
            client.send("x\r\n.\r\n").await;
            replies.push(client.reply().await);
        }
        client.say("RSET").await;
        let retried = client.mail(ADA, "x").await;

        let at = stage as usize - Stage::Mail as usize - usize::from(stage == Stage::EndOfData);
        assert_eq!(replies[at], "452 4.2.2 Full\r\n", "{stage}");
        assert!(retried.starts_with("250 "), "{stage}: {retried}");
        assert_eq!(catcher.inbox().accepted(), 1, "{stage}");
    }
}

#[tokio::test]
async fn a_reply_in_place_of_the_greeting_closes_the_connection() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::reply(Stage::Connect, 554, "5.3.2 No service").times(1));

    let mut client = Client::connect(catcher.smtp_addr()).await;

    assert_eq!(client.reply().await, "554 5.3.2 No service\r\n");
    assert_eq!(client.reply().await, "");
}

#[tokio::test]
async fn a_421_after_the_dot_closes_the_connection_and_may_have_stored() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::reply(Stage::EndOfData, 421, "4.3.2 Going down").storing());
    let mut client = Client::hello(catcher.smtp_addr()).await;

    let answer = client.mail(ADA, "x").await;

    assert_eq!(answer, "421 4.3.2 Going down\r\n");
    assert_eq!(client.reply().await, "");
    assert_eq!(catcher.inbox().accepted(), 1);
}

#[tokio::test]
async fn a_fault_for_a_domain_spares_other_domains() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::reply(Stage::Rcpt, 550, "5.1.1 No").to_domain("Example.ORG"));

    let struck = deliver(catcher.smtp_addr(), "ada@example.org", "x").await;
    let spared = deliver(catcher.smtp_addr(), "ada@sub.example.org", "x").await;

    assert!(struck.starts_with("550 "));
    assert!(spared.starts_with("250 "));
}

#[tokio::test]
async fn greylisting_refuses_each_recipient_so_many_times() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::reply(Stage::Rcpt, 451, "4.7.1 Later").times_per_recipient(1));
    let mut client = Client::hello(catcher.smtp_addr()).await;
    client.say("MAIL FROM:<notes@example.com>").await;

    let mut codes = Vec::new();
    for to in [
        "a@example.com",
        "b@example.com",
        "A@example.com",
        "b@example.com",
    ] {
        codes.push(client.say(&format!("RCPT TO:<{to}>")).await[..3].to_owned());
    }

    assert_eq!(codes, ["451", "451", "250", "250"]);
}

#[tokio::test]
async fn cleared_faults_strike_no_more_but_the_test_domains_stay() {
    let catcher = start().await;
    catcher
        .faults()
        .add(Fault::reply(Stage::Rcpt, 550, "5.1.1 No"));

    catcher.faults().clear();

    assert!(
        deliver(catcher.smtp_addr(), ADA, "x")
            .await
            .starts_with("250 ")
    );
    assert!(
        deliver(catcher.smtp_addr(), "a@bounce.test", "x")
            .await
            .starts_with("550 ")
    );
}

#[tokio::test]
async fn every_stage_of_a_mail_is_counted() {
    let catcher = start().await;

    deliver(catcher.smtp_addr(), ADA, "x").await;
    catcher
        .wait_stage(Stage::Answered, 1, PATIENCE)
        .await
        .unwrap();

    for stage in [
        Stage::Connect,
        Stage::Hello,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Body,
        Stage::EndOfData,
        Stage::Stored,
        Stage::Answered,
    ] {
        assert_eq!(catcher.stages().count(stage), 1, "{stage}");
    }
}

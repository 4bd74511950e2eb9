//! The inbox: storage, look-up, waiting and deletion.

use std::time::Duration;

use crate::support::smtp::{Client, deliver};
use crate::support::{PATIENCE, soon, start, start_with};
use smart_notes_devmail::Event;

#[tokio::test]
async fn only_the_newest_mails_are_kept_and_all_are_counted() {
    let catcher = start_with(|config| config.keep = 2).await;
    let mut client = Client::hello(catcher.smtp_addr()).await;

    for to in ["a@example.com", "b@example.com", "a@example.com"] {
        client.mail(to, "x").await;
    }

    let inbox = catcher.inbox();
    assert_eq!(inbox.accepted(), 3);
    assert_eq!(inbox.all().len(), 2);
    assert_eq!(inbox.to("a@example.com").len(), 1);
    assert!(inbox.all()[0].id < inbox.all()[1].id);
}

#[tokio::test]
async fn keeping_none_only_counts() {
    let catcher = start_with(|config| config.keep = 0).await;

    deliver(catcher.smtp_addr(), "a@example.com", "x").await;

    assert_eq!(catcher.inbox().accepted(), 1);
    assert!(catcher.inbox().all().is_empty());
}

#[tokio::test]
async fn a_waiter_gets_the_mail_that_comes_later() {
    let catcher = start().await;
    let inbox = catcher.inbox().clone();
    let waiter = tokio::spawn(async move { inbox.wait_for("ADA@example.com", 2, PATIENCE).await });
    let mut client = Client::hello(catcher.smtp_addr()).await;

    client.mail("ada@example.com", "first").await;
    client.mail("bob@example.com", "other").await;
    client.mail("Ada@Example.com", "second").await;

    assert_eq!(soon(waiter).await.unwrap().unwrap().raw, b"second\r\n");
    catcher.inbox().wait_total(3, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_wait_in_vain_says_what_was_there() {
    let catcher = start().await;
    deliver(catcher.smtp_addr(), "ada@example.com", "x").await;

    let error = catcher
        .inbox()
        .wait_for("ada@example.com", 2, Duration::from_millis(3))
        .await;

    assert_eq!(
        error.unwrap_err().to_string(),
        "mail number 2 to ada@example.com did not come within 3ms: 1 present, 1 accepted in total",
    );
}

#[tokio::test]
async fn deleted_mails_are_gone_and_subscribers_are_told() {
    let catcher = start().await;
    let mut events = catcher.inbox().subscribe();
    let mut client = Client::hello(catcher.smtp_addr()).await;
    client.mail("a@example.com", "one").await;
    client.mail("a@example.com", "two").await;
    let first = catcher.inbox().all()[0].id.clone();

    catcher.inbox().delete([&first, "unknown"]);
    let left = catcher.inbox().to("a@example.com");
    catcher.inbox().clear();

    assert_eq!(left.len(), 1);
    assert_eq!(left[0].raw, b"two\r\n");
    assert!(catcher.inbox().all().is_empty());
    assert!(matches!(events.recv().await, Ok(Event::Mail(mail)) if mail.id == first));
    assert!(matches!(events.recv().await, Ok(Event::Mail(_))));
    assert!(
        matches!(events.recv().await, Ok(Event::Deleted(ids)) if ids == [first, "unknown".to_owned()])
    );
    assert!(matches!(events.recv().await, Ok(Event::Cleared)));
}

#[tokio::test]
async fn the_debug_form_of_a_mail_shows_neither_address_nor_code() {
    let catcher = start().await;
    deliver(
        catcher.smtp_addr(),
        "ada@example.com",
        "\r\nYour OTP code is: 123456",
    )
    .await;

    let shown = format!("{:?}", catcher.inbox().all()[0]);

    assert!(
        !shown.contains("ada") && !shown.contains("123456"),
        "{shown}"
    );
}

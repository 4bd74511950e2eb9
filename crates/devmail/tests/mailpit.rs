//! The part of Mailpit's API that test clients use, with Mailpit's names.

use crate::support::http::{get, request};
use crate::support::smtp::deliver;
use crate::support::{mail, start};
use serde_json::{Value, json};
use smart_notes_devmail::Catcher;

async fn subjects(catcher: &Catcher, path: &str) -> Vec<String> {
    let answer = get(catcher, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let listing = answer.json();
    let messages = listing["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|one| one["Subject"].as_str().unwrap().to_owned())
        .collect()
}

async fn three_mails() -> Catcher {
    let catcher = start().await;
    for (to, subject, code) in [
        ("ada@example.com", "Confirm your address", "111111"),
        ("bob@example.com", "Reset your password", "222222"),
        ("ada@example.com", "Your address", "333333"),
    ] {
        deliver(catcher.smtp_addr(), to, &mail(to, subject, code)).await;
    }
    catcher
}

#[tokio::test]
async fn a_listing_has_the_fields_of_mailpit() {
    let catcher = start().await;
    let content = mail("ada@example.com", "Confirm", "042137");
    deliver(catcher.smtp_addr(), "ada@example.com", &content).await;

    let mut listing = get(&catcher, "/api/v1/messages").await.json();

    let message = &mut listing["messages"][0];
    assert_eq!(message["ID"], json!(catcher.inbox().all()[0].id));
    assert!(message["Created"].as_str().unwrap().ends_with('Z'));
    message["ID"] = Value::Null;
    message["Created"] = Value::Null;
    assert_eq!(
        listing,
        json!({
            "total": 1, "unread": 1, "count": 1, "messages_count": 1, "messages_unread": 1,
            "start": 0, "tags": [],
            "messages": [{
                "ID": null, "MessageID": "one@example.com", "Read": false,
                "From": {"Name": "Smart Notes", "Address": "notes@example.com"},
                "To": [{"Name": "Ada", "Address": "ada@example.com"}],
                "Cc": [], "Bcc": [], "ReplyTo": [],
                "Subject": "Confirm", "Created": null, "Username": "", "Tags": [],
                "Size": content.len() + 2, "Attachments": 0,
                "Snippet": "Hello, Your OTP code is: 042137",
            }],
        }),
    );
}

#[tokio::test]
async fn a_message_has_the_fields_of_mailpit_and_is_read_afterwards() {
    let catcher = start().await;
    let content = mail("ada@example.com", "Confirm", "042137");
    deliver(catcher.smtp_addr(), "hidden@example.com", &content).await;
    let id = catcher.inbox().all()[0].id.clone();

    let message = get(&catcher, &format!("/api/v1/message/{id}")).await.json();
    let unread = get(&catcher, "/api/v1/messages").await.json()["unread"].clone();

    assert_eq!(
        message,
        json!({
            "ID": id, "MessageID": "one@example.com",
            "From": {"Name": "Smart Notes", "Address": "notes@example.com"},
            "To": [{"Name": "Ada", "Address": "ada@example.com"}],
            "Cc": [], "Bcc": [{"Name": "", "Address": "hidden@example.com"}], "ReplyTo": [],
            "ReturnPath": "notes@example.com", "Subject": "Confirm",
            "ListUnsubscribe": {"Header": "", "Links": [], "Errors": "", "HeaderPost": ""},
            "Date": "2026-01-02T03:04:05Z", "Tags": [], "Username": "",
            "Text": "Hello,\r\nYour OTP code is: 042137",
            "HTML": "<p>Your OTP code is: <b>042137</b></p>",
            "Size": content.len() + 2, "Inline": [], "Attachments": [],
        }),
    );
    assert_eq!(unread, 0);
}

#[tokio::test]
async fn the_latest_message_is_the_newest_and_absent_ones_are_404() {
    let catcher = three_mails().await;

    let latest = get(&catcher, "/api/v1/message/latest").await;
    let absent = get(&catcher, "/api/v1/message/none").await;
    catcher.inbox().clear();
    let none = get(&catcher, "/api/v1/message/latest").await;

    assert_eq!(latest.json()["Subject"], "Your address");
    assert_eq!((absent.status, none.status), (404, 404));
}

#[tokio::test]
async fn an_attachment_is_listed_with_its_name_and_size() {
    let catcher = start().await;
    let content = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n\
        --b\r\nContent-Type: text/csv; name=\"n.csv\"\r\nContent-Disposition: attachment; filename=\"n.csv\"\r\n\r\na,b\r\n--b--";
    deliver(catcher.smtp_addr(), "ada@example.com", content).await;

    let message = get(&catcher, "/api/v1/message/latest").await.json();

    assert_eq!(
        message["Attachments"],
        json!([{"PartID": "1", "FileName": "n.csv", "ContentType": "text/csv", "ContentID": "", "Size": 3}]),
    );
}

#[tokio::test]
async fn listings_are_newest_first_and_paged() {
    let catcher = three_mails().await;

    let page = get(&catcher, "/api/v1/messages?start=1&limit=1")
        .await
        .json();

    assert_eq!(page["messages"][0]["Subject"], "Reset your password");
    assert_eq!(
        (&page["total"], &page["count"], &page["start"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(
        subjects(&catcher, "/api/v1/messages").await,
        [
            "Your address",
            "Reset your password",
            "Confirm your address"
        ],
    );
}

#[tokio::test]
async fn a_search_finds_by_address_subject_phrase_and_word() {
    let catcher = three_mails().await;

    for (query, found) in [
        (
            "to:ada@example.com",
            vec!["Your address", "Confirm your address"],
        ),
        (
            "to:ADA@example.com+subject:confirm",
            vec!["Confirm your address"],
        ),
        ("to%3A%22bob%40example.com%22", vec!["Reset your password"]),
        (
            "from:notes@example.com&limit=1&start=1",
            vec!["Reset your password"],
        ),
        (
            "subject:%22your+address%22",
            vec!["Your address", "Confirm your address"],
        ),
        ("%22your+password%22", vec!["Reset your password"]),
        ("222222", vec!["Reset your password"]),
        (
            "message-id:one@example.com+222222",
            vec!["Reset your password"],
        ),
        ("to:eve@example.com", vec![]),
    ] {
        assert_eq!(
            subjects(&catcher, &format!("/api/v1/search?query={query}")).await,
            found,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_search_counts_all_that_it_found() {
    let catcher = three_mails().await;

    let listing = get(&catcher, "/api/v1/search?query=to:ada@example.com&limit=1")
        .await
        .json();

    assert_eq!(
        (
            &listing["total"],
            &listing["messages_count"],
            &listing["count"]
        ),
        (&json!(3), &json!(2), &json!(1))
    );
}

#[tokio::test]
async fn messages_are_deleted_by_id_or_all_at_once() {
    let catcher = three_mails().await;
    let id = catcher.inbox().all()[0].id.clone();

    let one = request(
        &catcher,
        "DELETE",
        "/api/v1/messages",
        "localhost",
        &json!({"IDs": [id]}).to_string(),
    )
    .await;
    let left = catcher.inbox().all().len();
    let all = request(&catcher, "DELETE", "/api/v1/messages", "localhost", "").await;

    assert_eq!((one.status, one.body.as_str(), left), (200, "ok", 2));
    assert_eq!((all.status, catcher.inbox().all().len()), (200, 0));
}

#[tokio::test]
async fn malformed_requests_are_refused_and_change_nothing() {
    let catcher = three_mails().await;

    for (method, path, body) in [
        ("GET", "/api/v1/messages?limit=many", ""),
        ("GET", "/api/v1/messages?start=-1", ""),
        ("GET", "/api/v1/search", ""),
        ("GET", "/api/v1/search?query=", ""),
        ("GET", "/api/v1/search?query=to:", ""),
        ("GET", "/api/v1/search?query=tag:x", ""),
        ("GET", "/api/v1/search?query=-to:ada@example.com", ""),
        ("GET", "/api/v1/search?query=%22open", ""),
        ("DELETE", "/api/v1/messages", "{\"IDs\": \"x\"}"),
        ("DELETE", "/api/v1/messages", "all"),
    ] {
        let answer = request(&catcher, method, path, "localhost", body).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}");
        assert!(answer.json()["Error"].is_string());
    }
    assert_eq!(catcher.inbox().all().len(), 3);
}

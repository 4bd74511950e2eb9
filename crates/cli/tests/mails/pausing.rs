//! `jobs pause` and `jobs resume`, with a worker that runs meanwhile.

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_is_sent_while_the_queue_is_paused_and_every_command_says_why() {
    let scene = Scene::new().await;
    let paused = scene.prints(&["jobs", "pause", "--reason", "the relay moves"]);
    let again = scene.prints(&["jobs", "pause", "--reason", "it moves still"]);
    let id = scene.mail_to("ada", "ada@example.com").await;

    let list = scene.prints(&["jobs", "list"]);
    let show = scene.prints(&["jobs", "show", &id]);
    let mail = scene.mail(&id);
    let stats = scene.prints(&["jobs", "stats"]);
    let why = scene.prints(&["mail", "why", "ada@example.com"]);
    let resumed = scene.prints(&["jobs", "resume"]);
    scene.reaches(&id, "delivered").await;
    let nothing = scene.prints(&["jobs", "resume"]);

    assert!(
        paused.starts_with("the queue has been paused since "),
        "{paused}"
    );
    assert!(
        paused.contains("(an-operator): the relay moves. To resume: "),
        "{paused}"
    );
    assert!(again.starts_with("it was already paused"), "{again}");
    assert!(list.contains("queued, paused"), "{list}");
    assert_eq!(mail["paused"]["reason"], "it moves still");
    for text in [&list, &show, &stats, &why] {
        assert!(
            text.contains("it moves still. To resume: smart-notes jobs resume"),
            "{text}"
        );
    }
    assert!(
        resumed.starts_with("resumed: the queue had been paused since"),
        "{resumed}"
    );
    assert_eq!(nothing, "nothing to resume: it was not paused\n");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_is_paused_alone() {
    let scene = Scene::new().await;
    let first = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&first, "delivered").await;
    scene.prints(&["users", "verify", "ada@example.com"]);
    scene.prints(&[
        "jobs",
        "pause",
        "--kind",
        "verify_email",
        "--reason",
        "new texts",
    ]);

    let code = scene.mail_to("bob", "bob@example.com").await;
    // The owner of a verified address is told of it: a mail of another kind.
    let notice = scene.mail_to("eve", "ada@example.com").await;
    scene.reaches(&notice, "delivered").await;
    let held = scene.mail(&code);
    let other = scene.json(&["jobs", "resume", "--kind", "log_in", "--json"]);
    let resumed = scene.json(&["jobs", "resume", "--kind", "verify_email", "--json"]);
    scene.reaches(&code, "delivered").await;

    assert_eq!(held["state"], "queued");
    assert_eq!(held["paused"]["kind"], "verify_email");
    assert_eq!(other["ended"], serde_json::json!([]));
    assert_eq!(other["left"][0]["kind"], "verify_email");
    assert_eq!(resumed["ended"][0]["kind"], "verify_email");
    assert_eq!(resumed["left"], serde_json::json!([]));
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_in_a_pause_says_that_the_mail_still_waits() {
    let scene = Scene::quiet().await;
    let id = scene.mail_to("ada", "ada@example.com").await;
    scene.prints(&["jobs", "pause"]);
    scene.prints(&["jobs", "cancel", &id]);

    let said = scene.prints(&["jobs", "retry", &id]);

    assert!(
        said.contains("it was cancelled. But the queue has been paused since"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_that_is_too_long_is_refused() {
    let scene = Scene::quiet().await;

    let answer = scene.run(&["jobs", "pause", "--reason", &"x".repeat(501)]);

    answer.failed("at most 500 characters");
    let stats = scene.json(&["jobs", "stats", "--json"]);
    assert_eq!(stats["pauses"], serde_json::json!([]));
}

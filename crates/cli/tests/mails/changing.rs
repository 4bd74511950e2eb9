//! `jobs retry` and `jobs cancel`.

use devmail::{Fault, Stage};

use super::{Scene, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_for_its_next_attempt_is_retried_at_once() {
    let scene = Scene::new().await;
    let later = Fault::reply(Stage::Rcpt, 451, "4.7.1 Greylisted");
    scene.relay.faults().add(later.times(1));
    let id = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&id, "waiting").await;

    let said = scene.prints(&["jobs", "retry", &id]);
    let mail = scene.reaches(&id, "delivered").await;
    let again = scene.run(&["jobs", "retry", &id]);
    let story = scene.prints(&["jobs", "show", &id]);

    assert_eq!(said, format!("{id} is retried; it was waiting\n"));
    assert_eq!(mail["tries"][0]["outcome"], "recipient_later");
    assert!(mail["tries"][0]["again_at"].is_string(), "{mail:#}");
    assert_eq!(mail["tries"][1]["outcome"], "delivered");
    assert!(
        refused(&again, 4).contains("a relay has accepted it"),
        "{again:?}"
    );
    let by = format!("(an-operator) retried mail {id}, which was waiting");
    assert!(story.contains(&by), "{story}");
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_mail_is_never_sent_unless_it_is_retried() {
    let mut scene = Scene::quiet().await;
    let id = scene.mail_to("ada", "ada@example.com").await;
    let other = scene.mail_to("bob", "bob@example.com").await;

    let cancelled = scene.prints(&["jobs", "cancel", &id]);
    let again = scene.run(&["jobs", "cancel", &id]);
    scene.start_worker().await;
    scene.reaches(&other, "delivered").await;
    let mail = scene.mail(&id);
    let sent = scene.relay.inbox().accepted();
    scene.prints(&["jobs", "retry", &id]);
    scene.reaches(&id, "delivered").await;

    assert_eq!(cancelled, format!("{id} is cancelled\n"));
    assert!(
        refused(&again, 4).contains("it is already cancelled"),
        "{again:?}"
    );
    assert_eq!(mail["state"], "cancelled");
    assert_eq!(sent, 1);
    assert_eq!(
        mail["interventions"][0]["what"],
        format!("cancelled mail {id}")
    );
    scene.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_in_hand_is_cancelled_until_its_end_is_on_its_way() {
    let scene = Scene::new().await;
    scene.relay.faults().add(Fault::hang(Stage::Rcpt).times(1));
    let before = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&before, "sending").await;
    let first = scene.prints(&["jobs", "cancel", &before]);
    scene.relay.faults().clear();
    scene.relay.faults().release();

    scene
        .relay
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let after = scene.mail_to("bob", "bob@example.com").await;
    let mut answer = scene.run(&["jobs", "cancel", &after]);
    if answer.code == 0 {
        // The command was quicker than the worker: another mail, and only once the relay has all of it.
        answer = late_cancel(&scene).await;
    }
    scene.relay.faults().release();

    assert_eq!(first, format!("{before} is cancelled\n"));
    assert_eq!(scene.mail(&before)["state"], "cancelled");
    let said = refused(&answer, 4);
    assert!(
        said.contains("may be writing the end of the message"),
        "{said}"
    );
    scene.finish().await;
}

/// What the answer is once a mail's end is on its way.
async fn late_cancel(scene: &Scene) -> crate::support::Answer {
    scene.relay.faults().release();
    scene
        .relay
        .faults()
        .add(Fault::hang(Stage::EndOfData).times(1));
    let id = scene.mail_to("eve", "eve@example.com").await;
    scene.reaches(&id, "sending").await;
    loop {
        let answer = scene.run(&["jobs", "cancel", &id]);
        if answer.code != 0 {
            return answer;
        }
        scene.prints(&["jobs", "retry", &id]);
        scene.reaches(&id, "sending").await;
    }
}

/// Its code would be of no use any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_code_is_dead_is_not_retried() {
    let scene = Scene::quiet().await;
    let id = scene.mail_to("ada", "ada@example.com").await;
    scene.prints(&["jobs", "cancel", &id]);
    scene.prints(&["users", "verify", "ada@example.com"]);

    let answer = scene.run(&["jobs", "retry", &id]);

    let said = refused(&answer, 4);
    assert!(said.contains("a dead code is never mailed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_mails_each_is_answered_for_and_the_worst_counts() {
    let scene = Scene::quiet().await;
    let one = scene.mail_to("ada", "ada@example.com").await;
    let two = scene.mail_to("bob", "bob@example.com").await;
    scene.prints(&["jobs", "cancel", &one]);

    let answer = scene.run(&["jobs", "cancel", "--json", &one, &two, "7ZZZZ"]);

    let answers = answer.json();
    let codes: Vec<_> = (0..3)
        .map(|n| answers[n]["code"].as_i64().unwrap())
        .collect();
    assert_eq!((answer.code, codes), (4, vec![4, 0, 3]));
    assert_eq!(answers[1]["id"], two);
    assert_eq!(answers[2]["asked"], "7ZZZZ");
    assert_eq!(scene.mail(&two)["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_matches_no_mail_or_several_has_its_own_exit_code() {
    let scene = Scene::quiet().await;
    scene.mail_to("ada", "ada@example.com").await;
    scene.mail_to("bob", "bob@example.com").await;

    for command in ["show", "retry", "cancel"] {
        let none = scene.run(&["jobs", command, "7ZZZZ"]);
        let several = scene.run(&["jobs", command, "0"]);
        let missing = scene.run(&["jobs", command]);

        assert!(refused(&none, 3).contains("no mail id begins with `7ZZZZ`"));
        assert!(refused(&several, 3).contains("give more characters"));
        assert_eq!(missing.code, 2, "{missing:?}");
        let help = scene.prints(&["jobs", command, "--help"]);
        assert!(help.contains("Exit codes: 0 done"), "{help}");
    }
}

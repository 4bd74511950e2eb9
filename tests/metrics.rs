//! What the two programs count, fetched from each as Prometheus does.

use crate::support::{Client, Person, Processes, Scrape, address, until};

/// Programs that serve their metrics on any free port.
async fn measured() -> Processes {
    Processes::with()
        .set("SMART_NOTES__HTTP__METRICS_LISTEN", "0")
        .set("SMART_NOTES__WORKER__METRICS_LISTEN", "0")
        .start()
        .await
}

#[tokio::test]
async fn requests_are_counted_by_the_routes_template_and_the_status() {
    let mut app = measured().await;
    app.client().registered(&Person::new("ada")).await;
    app.client().get("/api/auth/me/").await;
    app.client().get("/api/auth/me").await;

    let scrape = Scrape::of(&mut app.apis[0].process).await;

    let count = "smart_notes_http_requests_total";
    let registered = format!(r#"{count}{{method="POST",route="/api/auth/register",status="201"}}"#);
    let unknown = format!(r#"{count}{{method="GET",route="/api/auth/me",status="401"}}"#);
    scrape.shows(&registered, 1.0);
    scrape.shows(&unknown, 2.0);
    let duration = "smart_notes_http_request_duration_seconds";
    let labels = r#"method="POST",route="/api/auth/register""#;
    scrape.shows(&format!("{duration}_count{{{labels}}}"), 1.0);
    scrape.shows(&format!(r#"{duration}_bucket{{{labels},le="+Inf"}}"#), 1.0);
    scrape.exceeds(&format!("{duration}_sum{{{labels}}}"), 0.0);
    app.finish().await;
}

/// Whoever may ask for anything must not be able to fill the memory, here or in Prometheus.
#[tokio::test]
async fn what_clients_make_up_is_one_series_each() {
    let mut app = measured().await;
    for n in 0..20 {
        let path = format!("/nowhere/{n}?who=ada@example.com");
        assert_eq!(app.client().get(&path).await.status, 404);
        let brewed = app.client().request(&format!("BREW{n}"), "/health/live");
        assert_eq!(brewed.send().await.status, 405);
    }

    let scrape = Scrape::of(&mut app.apis[0].process).await;

    let count = "smart_notes_http_requests_total";
    scrape.shows(
        &format!(r#"{count}{{method="GET",route="unknown",status="404"}}"#),
        20.0,
    );
    scrape.shows(
        &format!(r#"{count}{{method="other",route="/health/live",status="405"}}"#),
        20.0,
    );
    assert!(!scrape.text.contains("nowhere") && !scrape.text.contains("BREW"));
    // Those two and the one that asked whether the API was ready.
    assert_eq!(scrape.beginning(count).len(), 3, "{}", scrape.text);
    app.finish().await;
}

#[tokio::test]
async fn the_hash_pool_the_database_and_the_process_are_measured() {
    let mut app = Processes::with()
        .set("SMART_NOTES__HTTP__METRICS_LISTEN", "0")
        .set("SMART_NOTES__ACCOUNTS__HASH_THREADS", "3")
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "100")
        .start()
        .await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    app.code(&ada, 1).await;
    app.settled().await;
    assert_eq!(app.client().login("ada", &ada.password).await.status, 403);
    let mut outside = app.rows().await;
    outside.run("begin immediate").await;
    assert_eq!(app.client().register(&Person::new("bob")).await.status, 503);
    outside.run("rollback").await;
    outside.close().await;

    let scrape = Scrape::of(&mut app.apis[0].process).await;

    scrape.shows("smart_notes_hash_threads", 3.0);
    scrape.shows("smart_notes_hash_busy", 0.0);
    scrape.shows("smart_notes_hash_waiting", 0.0);
    for reason in ["full", "client_share"] {
        scrape.shows(
            &format!(r#"smart_notes_hash_refused_total{{reason="{reason}"}}"#),
            0.0,
        );
    }
    scrape.exceeds("smart_notes_database_write_wait_seconds_count", 1.0);
    scrape.exceeds("smart_notes_database_commit_seconds_count", 0.0);
    scrape.exceeds("smart_notes_database_read_wait_seconds_count", 0.0);
    scrape.exceeds(r#"smart_notes_database_busy_total{reason="locked"}"#, 0.0);
    scrape.shows(
        r#"smart_notes_database_busy_total{reason="line_full"}"#,
        0.0,
    );
    scrape.exceeds("process_resident_memory_bytes", 1e6);
    scrape.exceeds("process_open_fds", 3.0);
    app.finish().await;
}

#[tokio::test]
async fn mails_are_counted_by_kind_and_state_and_tries_by_stage_and_verdict() {
    let mut app = measured().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob").at("bob@bounce.test"));

    app.client().registered(&ada).await;
    app.client().registered(&bob).await;
    app.code(&ada, 1).await;
    let settled = r#"smart_notes_mails_settled_total{kind="verify_email",state="#;
    let ends = ["delivered", "undeliverable"].map(|end| format!(r#"{settled}"{end}"}}"#));
    let scrape = until("both are counted", async || {
        let scrape = Scrape::of(&mut app.worker).await;
        let counted = |end: &String| scrape.value(end).is_some();
        ends.iter().all(counted).then_some(scrape)
    })
    .await;

    for end in ends {
        scrape.shows(&end, 1.0);
    }
    let accepted = "smart_notes_mail_acceptance_seconds";
    scrape.shows(&format!(r#"{accepted}_count{{kind="verify_email"}}"#), 1.0);
    scrape.shows(
        &format!(r#"{accepted}_bucket{{kind="verify_email",le="86400"}}"#),
        1.0,
    );
    let relay = app.relay();
    let tries = format!(r#"smart_notes_smtp_tries_total{{relay="{relay}",stage="#);
    scrape.shows(
        &format!(r#"{tries}"end_of_data",verdict="delivered"}}"#),
        1.0,
    );
    scrape.shows(
        &format!(r#"{tries}"rcpt",verdict="recipient_refused"}}"#),
        1.0,
    );
    scrape.shows(
        &format!(r#"smart_notes_smtp_try_duration_seconds_count{{relay="{relay}"}}"#),
        2.0,
    );
    scrape.exceeds(r"smart_notes_database_commit_seconds_count", 0.0);
    app.finish().await;
}

/// The account that it was for is deleted while the relay is about to have it.
#[tokio::test]
async fn a_mail_that_is_cancelled_in_hand_is_counted_and_told_as_cancelled() {
    let mut app = measured().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 200);
    let session = app.client().logged_in(&ada).await;
    session.request_deletion().await;
    let code = app.code(&ada, 2).await;
    let hang = devmail::Fault::hang(devmail::Stage::Data).times(1);
    app.faults().add(hang);
    let in_hand = app.stage(devmail::Stage::Data);
    app.client().request_reset(&ada.email).await;
    in_hand.await;

    assert_eq!(session.delete_account(&code).await.status, 204);
    app.faults().release();

    let cancelled = r#"smart_notes_mails_settled_total{kind="reset_password",state="cancelled"}"#;
    until("its end is counted", async || {
        let scrape = Scrape::of(&mut app.worker).await;
        scrape.value(cancelled).filter(|mails| *mails > 0.0)
    })
    .await;
    let told = app.worker.logged(r#"mail.state="cancelled""#).await;
    assert!(told.contains("was cancelled"), "{told}");
    assert!(!app.worker.log().contains("another has the mail"));
    app.finish().await;
}

/// While the queue is paused no worker has them in hand.
#[tokio::test]
async fn mails_that_expire_before_a_worker_has_them_in_hand_are_counted_by_kind() {
    let mut app = Processes::with()
        .set("SMART_NOTES__WORKER__METRICS_LISTEN", "0")
        .set("SMART_NOTES__OTP__TTL_SECONDS", "1")
        .start()
        .await;
    let pause =
        "insert into pauses (kind, reason, since_at, paused_by) values ('', 'a test', 0, 'a test')";
    app.rows().await.run(pause).await;

    app.client().register(&Person::new("ada")).await;

    let expired = r#"smart_notes_mails_expired_unclaimed_total{kind="verify_email"}"#;
    until("its end is counted", async || {
        let scrape = Scrape::of(&mut app.worker).await;
        scrape.value(expired).filter(|mails| *mails > 0.0)
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn the_depth_of_the_queue_and_the_connections_are_those_of_the_moment() {
    let mut app = measured().await;
    app.faults()
        .add(devmail::Fault::hang(devmail::Stage::EndOfData).times(1));
    let empty = Scrape::of(&mut app.worker).await;
    let at_dot = app.stage(devmail::Stage::EndOfData);
    let ada = Person::new("ada");

    app.client().registered(&ada).await;
    at_dot.await;
    let connections = format!(
        r#"smart_notes_relay_connections{{relay="{}",state="#,
        app.relay()
    );
    let sending = async || {
        let scrape = Scrape::of(&mut app.worker).await;
        let mails = scrape.value(r#"smart_notes_queue_mails{state="sending"}"#);
        (mails == Some(1.0)).then_some(scrape)
    };
    let busy = until("a mail is shown as being sent", sending).await;
    app.faults().release();
    app.code(&ada, 1).await;
    app.settled().await;
    let over = async || {
        let scrape = Scrape::of(&mut app.worker).await;
        let mails = scrape.value(r#"smart_notes_queue_mails{state="sending"}"#);
        (mails == Some(0.0)).then_some(scrape)
    };
    let done = until("no mail is shown as being sent", over).await;

    for state in ["queued", "sending", "waiting"] {
        empty.shows(
            &format!(r#"smart_notes_queue_mails{{state="{state}"}}"#),
            0.0,
        );
    }
    empty.shows("smart_notes_queue_oldest_due_seconds", 0.0);
    empty.shows(&format!(r#"{connections}"in_use"}}"#), 0.0);
    busy.shows(&format!(r#"{connections}"in_use"}}"#), 1.0);
    done.shows(&format!(r#"{connections}"in_use"}}"#), 0.0);
    app.finish().await;
}

#[tokio::test]
async fn a_relay_that_is_out_of_order_is_shown_as_such_until_it_works_again() {
    let mut app = measured().await;
    let state = format!(r#"smart_notes_relay_state{{relay="{}",state="#, app.relay());
    let before = Scrape::of(&mut app.worker).await;
    app.faults().refuse_connections().await.unwrap();
    for name in ["ada", "bob", "eve"] {
        app.client().registered(&Person::new(name)).await;
    }

    let broken = async || {
        let scrape = Scrape::of(&mut app.worker).await;
        let open = scrape.value(&format!(r#"{state}"open"}}"#));
        (open == Some(1.0)).then_some(scrape)
    };
    let broken = until("the breaker is open", broken).await;
    app.faults().accept_connections().await.unwrap();
    for name in ["ada", "bob", "eve"] {
        app.code(&Person::new(name), 1).await;
    }
    app.settled().await;
    let after = Scrape::of(&mut app.worker).await;

    before.shows(&format!(r#"{state}"closed"}}"#), 1.0);
    broken.shows(&format!(r#"{state}"closed"}}"#), 0.0);
    let tries = r#"stage="connect",verdict="relay_trouble"}"#;
    let failed = format!(
        r#"smart_notes_smtp_tries_total{{relay="{}",{tries}"#,
        app.relay()
    );
    broken.exceeds(&failed, 0.0);
    after.shows(&format!(r#"{state}"closed"}}"#), 1.0);
    after.shows(&format!(r#"{state}"open"}}"#), 0.0);
    app.finish().await;
}

/// Whoever meets a figure for the first time reads what it is beside it.
#[tokio::test]
async fn every_series_is_described() {
    let mut app = measured().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    app.code(&ada, 1).await;
    app.settled().await;

    for text in [
        Scrape::of(&mut app.apis[0].process).await.text,
        Scrape::of(&mut app.worker).await.text,
    ] {
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let names: Vec<&str> = names.map(|line| line.split(' ').next().unwrap()).collect();
        assert!(names.len() > 10, "{text}");
        for name in names {
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 16.2.5, by analogy: figures name nobody.
#[tokio::test]
async fn metrics_hold_no_name_no_address_and_no_id() {
    let mut app = measured().await;
    let ada = Person::new("ada-lovelace");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    let verified = app.client().verify(&ada, &code).await;
    app.settled().await;

    let request = verified.header("x-request-id").to_owned();
    let mut rows = app.rows().await;
    let mail = rows.texts("select id from mails").await.remove(0);
    rows.close().await;
    for text in [
        Scrape::of(&mut app.apis[0].process).await.text,
        Scrape::of(&mut app.worker).await.text,
    ] {
        for private in ["lovelace", "example.com", &request, &mail] {
            assert!(!text.contains(private), "{private} in\n{text}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn no_metrics_are_served_unless_they_are_asked_for_and_then_on_no_other_path() {
    let app = Processes::start().await;
    let mut asked = measured().await;
    let line = asked.worker.logged("serving metrics").await;
    let client = Client::new(address(&line));

    let elsewhere = client.get("/").await;
    let posted = client.post("/metrics", &serde_json::Value::Null).await;
    let public = asked.client().get("/metrics").await;

    assert!(line.contains("127.0.0.1:"), "{line}");
    assert_eq!((elsewhere.status, posted.status), (404, 405));
    assert_eq!(public.status, 404, "the API's own socket has none");
    for process in [&app.apis[0].process, &app.worker] {
        assert!(!process.log().contains("serving metrics"));
    }
    asked.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_place_for_metrics_that_is_taken_stops_the_start_and_is_named() {
    let app = Processes::start().await;
    let mut place = crate::support::Place::new();
    runtime::database::migrate(&place.settings()).await.unwrap();
    let taken = app.client().address().to_string();
    place.set("SMART_NOTES__HTTP__METRICS_LISTEN", &taken);
    place.set("SMART_NOTES__WORKER__METRICS_LISTEN", &taken);

    let programs = [
        std::path::Path::new(crate::support::API),
        crate::support::worker(),
    ];
    for (program, section) in programs.into_iter().zip(["http", "worker"]) {
        let mut process = crate::support::Process::start(program, section, &place);
        let status = process.ended().await;

        assert_eq!(status.code(), Some(1));
        let log = process.log();
        let mend = format!("Choose another address in {section}.metrics_listen");
        assert!(log.contains(&mend), "{log}");
    }
    app.finish().await;
}

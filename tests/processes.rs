//! API and worker as the two programs they are: what each survives, and what it refuses.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{API, Api, Client, Person, Place, Process, Processes, Raw, until, worker};

#[tokio::test]
async fn somebody_registers_verifies_and_logs_in() {
    let app = Processes::start().await;
    let ada = Person::new("ada");

    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    let verified = app.client().verify(&ada, &code).await;
    let login = app.client().login("ada", &ada.password).await;

    assert_eq!((verified.status, login.status), (200, 200));
    app.finish().await;
}

/// OWASP ASVS 5.0 16.5.2: what is down behind the queue is no part of an answer.
#[tokio::test]
async fn a_mail_that_the_relay_could_not_take_arrives_when_it_is_back() {
    let app = Processes::start().await;
    let ada = Person::new("ada");
    app.faults().refuse_connections().await.unwrap();

    app.client().registered(&ada).await;
    let mut rows = app.rows().await;
    until("the relay was found to be down", async || {
        let tries = "select count(*) from mail_tries where stage = 'connect'";
        (rows.number(tries).await > 0).then_some(())
    })
    .await;
    rows.close().await;
    app.faults().accept_connections().await.unwrap();

    let code = app.code(&ada, 1).await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn mails_wait_for_a_worker_that_starts_later() {
    let mut app = Processes::start().await;
    app.worker.terminate();
    assert!(app.worker.ended().await.success());
    let people: Vec<_> = (0..5).map(|n| Person::new(&format!("ada{n}"))).collect();
    for person in &people {
        app.client().registered(person).await;
    }

    app.worker = Process::start(worker(), "worker2", app.place());

    for person in &people {
        app.code(person, 1).await;
    }
    app.finish().await;
}

/// A request that can't write in time is answered 503, has changed nothing, and succeeds later.
#[tokio::test]
async fn a_locked_database_is_answered_503_and_nothing_is_changed() {
    let app = Processes::with()
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "300")
        .set("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "2")
        .start()
        .await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.settled().await;
    let mut outside = app.rows().await;
    let before = outside.all().await;
    outside.run("begin immediate").await;

    let register = app.client().register(&bob).await;
    let verify = app.client().verify(&ada, &code).await;
    let login = app.client().login("ada", &ada.password).await;
    let ready = app.client().get("/health/ready").await;

    assert_snapshot!(register.shown(), @r#"503 {"error":"The service is busy. Nothing was changed. Please try again.","code":"busy"}"#);
    assert_eq!(register.header("retry-after"), "1");
    assert_eq!(verify.shown(), register.shown());
    assert_eq!((login.status, ready.status), (403, 200), "reading goes on");
    outside.run("rollback").await;
    assert_eq!(outside.all().await, before);
    outside.close().await;
    app.client().registered(&bob).await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 200);
    app.finish().await;
}

/// Starts a program that must refuse to; returns what it says.
async fn refusal(program: &Path, place: &Place) -> String {
    let mut process = Process::start(program, "refusal", place);
    let status = process.ended().await;
    assert_eq!(status.code(), Some(1), "{}", process.log());
    process.log()
}

#[tokio::test]
async fn neither_program_starts_without_a_database() {
    let place = Place::new();

    for program in [Path::new(API), worker()] {
        let log = refusal(program, &place).await;

        assert!(
            log.contains("there is no database") && log.contains("smart-notes migrate"),
            "{log}"
        );
        assert!(!place.database().exists(), "and none is made");
    }
}

#[tokio::test]
async fn neither_program_starts_on_an_older_schema() {
    let place = Place::new();
    runtime::database::migrate(&place.settings()).await.unwrap();
    let mut rows = crate::support::Rows::open(&place.database()).await;
    rows.run(
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    )
    .await;
    rows.close().await;

    for program in [Path::new(API), worker()] {
        let log = refusal(program, &place).await;

        assert!(
            log.contains("older than this program") && log.contains("smart-notes migrate"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn neither_program_starts_with_a_setting_it_does_not_know() {
    let mut place = Place::new();
    runtime::database::migrate(&place.settings()).await.unwrap();
    place.set("SMART_NOTES__HTTP__LISTN", "127.0.0.1:0");

    for program in [Path::new(API), worker()] {
        let log = refusal(program, &place).await;

        assert!(
            log.contains("Did you mean `SMART_NOTES__HTTP__LISTEN`?"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn sigterm_lets_the_request_in_hand_be_answered() {
    let mut app = Processes::start().await;
    let body = Person::new("ada").form().to_string();
    let mut request = Raw::connect(app.client().address()).await;
    let head = "POST /api/auth/register/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    request
        .write(format!("{head}Content-Length: {}\r\n\r\n", body.len()))
        .await;
    request.until("100 Continue").await; // now a handler reads the body

    let api = &mut app.apis[0].process;
    api.terminate();
    api.logged("stopping").await;
    request.write(&body).await;
    let answer = request.rest().await;
    let status = api.ended().await;

    assert!(answer.contains("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains(r#""challenge":"#), "{answer}");
    assert_eq!(status.code(), Some(0));
    app.apis.clear();
    app.code(&Person::new("ada"), 1).await;
    app.finish().await;
}

#[tokio::test]
async fn sigterm_ends_both_programs_although_clients_stay_connected() {
    let mut app = Processes::start().await;
    let mut idle = Raw::connect(app.client().address()).await;
    idle.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    idle.until("ok").await;
    let _silent = Raw::connect(app.client().address()).await;

    app.apis[0].process.terminate();
    app.worker.terminate();

    assert_eq!(app.apis[0].process.ended().await.code(), Some(0));
    assert_eq!(app.worker.ended().await.code(), Some(0));
}

/// Registers people one after the other until it fails; returns those whose 201 came.
async fn register_until_it_fails(
    client: Client,
    group: usize,
    stop: Arc<AtomicBool>,
) -> Vec<Person> {
    let mut answered = Vec::new();
    for n in 0.. {
        let person = Person::new(&format!("u{group}x{n}"));
        let request = client
            .request("POST", "/api/auth/register/")
            .header("Content-Type", "application/json")
            .body(person.form().to_string());
        match request.try_send().await {
            Ok(answer) if answer.status == 201 => answered.push(person),
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.shown()),
            Err(_) if stop.load(Ordering::SeqCst) => break,
            Err(error) => panic!("before the kill: {error}"),
        }
    }
    answered
}

/// OWASP ASVS 5.0 2.3.1, 2.3.3: what was answered is there with all its parts, whenever the process dies.
#[tokio::test]
async fn every_answered_registration_survives_a_kill_of_the_api() {
    let mut app = Processes::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|group| {
            tokio::spawn(register_until_it_fails(
                app.client().clone(),
                group,
                Arc::clone(&stop),
            ))
        })
        .collect();
    app.inbox()
        .wait_total(40, crate::support::PATIENCE)
        .await
        .unwrap();

    stop.store(true, Ordering::SeqCst);
    app.apis[0].process.kill().await;
    let groups = join_all(load).await.into_iter().map(Result::unwrap);
    let answered: Vec<Person> = groups.flatten().collect();

    let mut rows = app.rows().await;
    let whole = "select r.email from registrations r join challenges c on c.registration_id = r.id
                 join mails m on m.challenge_id = c.id join Jobs j on j.id = m.id";
    let whole = rows.texts(whole).await;
    assert!(answered.len() >= 40);
    for person in &answered {
        assert!(whole.contains(&person.email), "{} is lost", person.email);
    }
    rows.assert_sound().await;
    rows.close().await;

    // The port is free at once, who got no answer may repeat, and every mail arrives.
    let address = app.client().address();
    let api = started_again(&mut app, address).await;
    app.apis = vec![api];
    for group in 0..8 {
        let unanswered = (0..).map(|n| Person::new(&format!("u{group}x{n}")));
        let mut unanswered = unanswered.skip_while(|p| answered.iter().any(|a| a.name == p.name));
        app.client().registered(&unanswered.next().unwrap()).await;
    }
    for person in &answered {
        app.code(person, 1).await;
    }
    app.finish().await;
}

async fn started_again(app: &mut Processes, address: SocketAddr) -> Api {
    let place = app.place_mut();
    place.set("SMART_NOTES__HTTP__LISTEN", &address.to_string());
    Api::start(place, "api-again").await
}

/// The worker's crash costs no mail; the code it mails later is the one that was mailed before.
#[tokio::test]
async fn a_killed_worker_loses_no_mail() {
    let mut app = Processes::with()
        .set("SMART_NOTES__WORKER__HEARTBEAT_SECONDS", "1")
        .set("SMART_NOTES__WORKER__LEASE_SECONDS", "3")
        .start()
        .await;
    let ada = Person::new("ada");
    let reached = app.inbox().subscribe();
    app.faults()
        .add(devmail::Fault::hang(devmail::Stage::Rcpt).times(1));
    let in_hand = app.stage(devmail::Stage::Rcpt);
    app.client().registered(&ada).await;
    in_hand.await;

    app.worker.kill().await;
    assert!(reached.is_empty(), "nothing was delivered yet");
    app.worker = Process::start(worker(), "worker2", app.place());

    let code = app.code(&ada, 1).await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn two_apis_share_users_and_sessions() {
    let app = Processes::with().apis(2).start().await;
    let [first, second] = [&app.apis[0].client, &app.apis[1].client];
    let ada = Person::new("ada");
    let challenge = first.registered(&ada).await;
    let code = app.code(&ada, 1).await;

    let taken = second
        .register(&Person::new("ADA").at("eve@example.com"))
        .await;
    let verified = second.verify_with(&ada, &code, &challenge).await;
    let login = first
        .post(
            "/api/auth/login/",
            &json!({"login": "ada", "password": ada.password}),
        )
        .await;

    assert_eq!(
        (taken.status, verified.status, login.status),
        (400, 200, 200)
    );
    app.finish().await;
}

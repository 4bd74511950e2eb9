//! The API is killed while it writes, again and again at another moment (OWASP ASVS 5.0 2.3.1, 2.3.3): never is there
//! a user without what belongs to it, nor an attempt to register without its mail, nor a mail without either.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Client, Person, Processes};

/// How many answers come before the kill in the last round; in the first there is none.
const ROUNDS: usize = 8;

/// The answer, unless the server went away before it gave one.
async fn asked(client: &Client, path: &str, body: Value) -> Option<Answer> {
    let request = client.request("POST", path);
    let request = request.header("Content-Type", "application/json");
    request.body(body.to_string()).try_send().await.ok()
}

/// People of that round, of whom the first half waits for nothing but to be verified; with their codes.
async fn waiting(app: &Processes, round: usize) -> Vec<(Person, String)> {
    let mut waiting = Vec::new();
    for n in 0..ROUNDS / 2 {
        let person = Person::new(&format!("waits{round}x{n}"));
        app.client().registered(&person).await;
        let code = app.code(&person, 1).await;
        waiting.push((person, code));
    }
    waiting
}

/// Registers and verifies at once, and kills the API after so many answers. Returns whose verification was answered,
/// and whose registration.
async fn killed_after(app: &mut Processes, round: usize) -> (Vec<Person>, Vec<Person>) {
    let waiting = waiting(app, round).await;
    let client = app.client().clone();
    let mut answers = FuturesUnordered::new();
    for (n, (person, code)) in waiting.into_iter().enumerate() {
        let body = json!({"email": person.email, "otp": code});
        let client = client.clone();
        answers.push(tokio::spawn(async move {
            let answer = asked(&client, "/api/auth/verify-otp/", body).await;
            (person, answer.map(|answer| answer.status))
        }));
        let person = Person::new(&format!("comes{round}x{n}"));
        let client = app.client().clone();
        answers.push(tokio::spawn(async move {
            let answer = asked(&client, "/api/auth/register/", person.form()).await;
            (person, answer.map(|answer| answer.status))
        }));
    }
    let (mut verified, mut registered) = (Vec::new(), Vec::new());
    for n in 0.. {
        if n == round {
            app.apis[0].process.kill().await;
        }
        match answers.next().await.map(Result::unwrap) {
            Some((person, Some(200))) => verified.push(person),
            Some((person, Some(201))) => registered.push(person),
            Some((_, None)) if n >= round => {}
            Some((person, other)) => panic!("{}: {other:?} before the kill", person.name),
            None => break,
        }
    }
    (verified, registered)
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_nothing_by_halves() {
    let mut app = Processes::start().await;

    for round in 0..ROUNDS {
        let (verified, registered) = killed_after(&mut app, round).await;

        assert!(verified.len() + registered.len() >= round);
        let mut rows = app.rows().await;
        rows.assert_sound().await;
        let users = rows.texts("select email from users").await;
        for person in &verified {
            assert!(users.contains(&person.email), "{} is lost", person.email);
        }
        let queued =
            "select r.email from registrations r join challenges c on c.registration_id = r.id
                      join mails m on m.challenge_id = c.id join Jobs j on j.id = m.id";
        let queued = rows.texts(queued).await;
        for person in &registered {
            assert!(queued.contains(&person.email), "{} is lost", person.email);
        }
        for halves in [
            "select count(*) from users u where (select count(*) from audit a
                 where a.event = 'verified' and a.user_id = u.id) <> 1",
            "select count(*) from users u join registrations r on r.email_key = u.email_key
             where r.ended_at is null",
            "select count(*) from registrations r where r.ended_at is not null
                 and not exists (select 1 from users u where u.email_key = r.email_key)",
            "select count(*) from registrations r where (select count(*) from audit a
                 where a.event = 'registered' and a.address = r.email_key) <> 1",
        ] {
            assert_eq!(rows.number(halves).await, 0, "{round}: {halves}");
        }
        rows.close().await;
        app.apis = vec![Api::start(app.place(), &format!("after{round}")).await];
    }
    app.finish().await;
}

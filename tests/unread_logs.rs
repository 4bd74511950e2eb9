//! Both programs where nobody reads their log any more, as when what they were piped into has ended: they work on.

use std::path::Path;
use std::process::Stdio;

use devmail::{Catcher, Config};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{API, Client, Person, Place, until, worker};

fn start(program: &Path, place: &Place, log: Stdio) -> Child {
    let variables = place.variables().iter().map(|(name, value)| (name, value));
    Command::new(program)
        .env_clear()
        .envs(variables)
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    writer.into()
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_neither_requests_nor_mails() {
    let catcher = Catcher::start(Config::default()).await.unwrap();
    let relay = format!("smtp://{}?tls=none", catcher.smtp_addr());
    let mut place = Place::new();
    place.set("SMART_NOTES__SMTP__RELAYS", &relay);
    runtime::database::migrate(&place.settings()).await.unwrap();
    let mut api = start(Path::new(API), &place, Stdio::piped());
    let mut log = BufReader::new(api.stderr.take().unwrap()).lines();
    let client = loop {
        let line = log.next_line().await.unwrap().expect("it starts");
        if let Some((_, address)) = line.split_once("API listening http.listen=") {
            break Client::new(address.trim().parse().unwrap());
        }
    };

    drop(log);
    let _worker = start(worker(), &place, unread());
    let ada = Person::new("ada");
    let challenge = client.registered(&ada).await;
    let mail = until("the mail is there", async || {
        catcher.inbox().all().into_iter().next()
    })
    .await;

    assert_eq!(mail.envelope_to, [ada.email]);
    let resent = json!({"email": "ada@example.com", "challenge": challenge});
    let answer = client.post("/api/auth/resend-otp/", &resent).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
}

#[tokio::test]
async fn a_program_that_can_not_complain_fails_all_the_same() {
    for program in [Path::new(API), worker()] {
        let mut place = Place::new();
        place.set("SMART_NOTES__HTTP__LISSEN", "127.0.0.1:0");

        let status = start(program, &place, unread()).wait().await.unwrap();

        assert_eq!(status.code(), Some(1), "{}", program.display());
    }
}

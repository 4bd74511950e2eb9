//! The real `smart-notes`, as an operator calls it: what it prints, what it refuses, what it leaves alone.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Output, Stdio};
use std::time::Duration;

use domain::accounts::CodePolicy;
use domain::accounts::register::{Register, RegisterPolicy};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::email::EmailAddress;
use domain::mail::MailState;
use domain::otp::KeyRing;
use domain::password::PasswordHash;
use domain::username::Username;
use jiff::Timestamp;
use runtime::database::{self, Database, Role};
use runtime::settings::{LoadOptions, Settings};
use runtime::shutdown::Shutdown;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// A list without a mail, where no worker is running.
const NO_MAILS: &str = "no mails\nno worker is alive: start smart-notes-worker\n";

const KEY: &str = "an example key for tests only, long enough";

/// Longer than any of these commands takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A working directory of its own, with the variables that commands are told.
struct Place {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("notes.db").display());
        Self {
            folder,
            variables: vec![("SMART_NOTES__DATABASE__URL", url)],
        }
    }

    /// A place with a migrated database.
    async fn migrated() -> Self {
        let place = Self::new();
        database::migrate(&place.settings()).await.unwrap();
        place
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// What a process of this place reads, with a key.
    fn settings(&self) -> Settings {
        let options = LoadOptions::default().with_variable("SECRET_KEY", KEY);
        let options = self
            .variables
            .iter()
            .fold(options, |options, (name, value)| {
                options.with_variable(name, value)
            });
        Settings::load(&options).unwrap()
    }

    /// The files in it, but for the database's.
    fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with("notes.db")).collect()
    }

    /// Puts somebody's mail into the queue, as a request does.
    async fn register(&self, name: &str, request: &str) {
        let settings = self.settings();
        let database = Database::open(&settings, Role::Api, &Shutdown::new())
            .await
            .unwrap();
        let registration = Register::new(
            Username::parse(name).unwrap(),
            EmailAddress::parse(&format!("{name}@example.com")).unwrap(),
            PasswordHash::from("$none$".to_owned()),
            Actor {
                request_id: request.to_owned(),
                client: ClientKey::of(Ipv4Addr::LOCALHOST.into()),
                user_agent: String::new(),
            },
            KeyRing::new(&settings.secret_keys.current, &[])
                .current()
                .clone(),
            RegisterPolicy {
                codes: CodePolicy {
                    life: Duration::from_mins(10),
                    max_tries: 5,
                },
                lapse: Duration::from_hours(24),
                live_registrations: None,
                limits: None,
                reveal_registered: false,
            },
            Timestamp::now(),
        );
        database.store.write(registration).await.unwrap();
        database.close().await;
    }

    /// Runs a command to its end.
    async fn run(&self, arguments: &str) -> Output {
        let command = Command::new(env!("CARGO_BIN_EXE_smart-notes"))
            .args(arguments.split_whitespace())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        timeout(PATIENCE, command).await.expect("it ends").unwrap()
    }

    /// What a command prints that must succeed, without a word on standard error.
    async fn prints(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments}: {errors}");
        assert_eq!(errors, "", "{arguments}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command says that must fail, without a word on standard output.
    async fn refuses(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{arguments}: {printed}");
        assert_eq!(printed, "", "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    }

    async fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.prints(arguments).await).unwrap()
    }
}

#[tokio::test]
async fn the_version_is_that_of_the_program_people_type() {
    let printed = Place::new().prints("--version").await;

    assert_eq!(
        printed,
        format!("smart-notes {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn migrate_makes_the_database_once() {
    let place = Place::new().with("SECRET_KEY", KEY);

    let first = place.prints("migrate").await;
    let second = place.prints("migrate").await;
    let third = place.json("migrate --json").await;

    assert!(first.contains("applied 0001 accounts\n"), "{first}");
    assert!(second.ends_with("notes.db is up to date\n"), "{second}");
    assert_eq!(third["applied"], serde_json::json!([]));
}

#[tokio::test]
async fn after_restore_says_from_where_ids_of_users_go_on_and_may_be_run_twice() {
    let place = Place::migrated().await;
    let missing = Place::new().refuses("after-restore").await;

    let first = place.json("after-restore --json").await;
    let second = place.json("after-restore --json").await;
    let third = place.prints("after-restore").await;

    let next = |said: &Value| said["next_user_id"].as_i64().unwrap();
    assert_eq!(first["users"], 0);
    assert!(next(&first) > 1_000_000, "{first}");
    assert_eq!(next(&second), next(&first) + 1_000_000);
    let id = next(&second) + 1_000_000;
    assert!(
        third.ends_with(&format!("the next user gets the id {id}\n")),
        "{third}"
    );
    assert!(missing.contains("smart-notes migrate"), "{missing}");
}

#[tokio::test]
async fn jobs_without_a_database_say_how_to_make_it() {
    let said = Place::new().refuses("jobs list").await;

    assert!(
        said.starts_with("smart-notes: there is no database at"),
        "{said}"
    );
    assert!(said.contains("`smart-notes migrate`"), "{said}");
}

#[tokio::test]
async fn a_fresh_queue_has_no_mails_and_listing_it_creates_no_key() {
    let place = Place::migrated().await;

    let list = place.prints("jobs list").await;
    let json = place.json("jobs list --json").await;
    let show = place.refuses("jobs show 01M82").await;

    assert_eq!(list, NO_MAILS);
    assert_eq!(json, serde_json::json!([]));
    assert_eq!(show, "smart-notes: no mail id begins with `01M82`\n");
    assert_eq!(place.files(), [""; 0]);
}

#[tokio::test]
async fn mails_are_found_by_request_by_address_and_by_state() {
    let place = Place::migrated().await;
    place.register("ada", "request-of-ada").await;
    place.register("bob", "request-of-bob").await;

    let by_request = place
        .json("jobs list --json --request request-of-ada")
        .await;
    let by_address = place.json("jobs list --json --to ADA@example.com").await;
    let by_state = place.json("jobs list --json --state queued").await;
    let by_both = place
        .prints("jobs list --request request-of-ada --state delivered")
        .await;
    let by_none = place.prints("jobs list --request request-of-eve").await;

    assert_eq!(by_request.as_array().unwrap().len(), 1);
    assert_eq!(by_request[0]["request_id"], "request-of-ada");
    assert_eq!(by_request[0]["to"], "a•••@example.com");
    assert_eq!(by_request, by_address);
    assert_eq!(by_state.as_array().unwrap().len(), 2);
    assert_eq!(
        (by_both, by_none),
        (NO_MAILS.to_owned(), NO_MAILS.to_owned())
    );
}

#[tokio::test]
async fn a_mail_is_shown_by_the_beginning_of_its_id_and_its_address_only_if_asked_for() {
    let place = Place::migrated().await;
    place.register("ada", "request-of-ada").await;
    let listed = place.json("jobs list --json").await;
    let id = listed[0]["id"].as_str().unwrap();

    let shown = place.prints(&format!("jobs show {}", &id[..10])).await;
    let revealed = place.json(&format!("jobs show {id} --reveal --json")).await;

    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[0],
        format!("mail {id}: verify_email to a•••@example.com")
    );
    assert!(
        lines[1].ends_with("Z  requested by request request-of-ada"),
        "{shown}"
    );
    let state = "queued: no worker is alive: start smart-notes-worker";
    assert_eq!(lines[2], format!("  {:24}  {state}", "now"));
    assert_eq!(revealed["to"], "ada@example.com");
    assert_eq!(revealed["tries"], serde_json::json!([]));
}

#[tokio::test]
async fn tables_have_no_spaces_at_line_ends() {
    let place = Place::migrated().await;
    place.register("ada", "request-of-ada").await;

    for table in ["jobs list", "config"] {
        let printed = place.prints(table).await;
        let padded = printed.lines().find(|line| line.ends_with(' '));
        assert_eq!(padded, None, "{table}");
    }
}

#[tokio::test]
async fn a_state_that_is_none_is_answered_with_all_there_are() {
    let place = Place::new();

    let said = place.refuses("jobs list --state lost").await;
    let help = place.prints("jobs list --help").await;

    for state in MailState::ALL {
        assert!(said.contains(state.as_str()), "{said}");
        assert!(help.contains(state.as_str()), "{help}");
    }
    assert!(!help.contains("`not_needed`"), "{help}");
}

#[tokio::test]
async fn config_tells_where_values_came_from_and_hides_secrets() {
    let place = Place::new().with("SECRET_KEY", KEY).with("PORT", "9000");

    let table = place.prints("config").await;
    let rows = place.json("config --json").await;

    let row = |key: &str| {
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["key"] == key).unwrap().clone()
    };
    assert_eq!(row("http.listen")["value"], "127.0.0.1:9000");
    assert_eq!(row("http.listen")["source"], "environment variable PORT");
    assert_eq!(row("secret_key")["value"], "*** (42 bytes)");
    assert!(!table.contains(KEY), "{table}");
}

#[tokio::test]
async fn in_production_read_commands_need_no_key_and_no_relay() {
    let place = Place::migrated()
        .await
        .with("SMART_NOTES__ENV", "production");

    let list = place.prints("jobs list").await;
    let config = place.prints("config").await;
    let migrate = place.refuses("migrate").await;

    assert_eq!(list, NO_MAILS);
    for key in ["secret_key", "smtp.relays", "smtp.from"] {
        let mut rows = config.lines().map(str::trim_start);
        let row = rows.find(|row| row.starts_with(&format!("{key} ")));
        assert!(row.unwrap().contains("(not set: production"), "{row:?}");
        assert!(migrate.contains(key), "{migrate}");
    }
}

#[tokio::test]
async fn a_setting_that_does_not_exist_stops_every_command() {
    let place = Place::new().with("SMART_NOTES__HTTP__LISTENN", "x");

    for command in ["jobs list", "config", "migrate", "dev"] {
        let said = place.refuses(command).await;
        assert!(
            said.contains("Did you mean `SMART_NOTES__HTTP__LISTEN`?"),
            "{command}: {said}"
        );
    }
    assert_eq!(place.files(), [""; 0]);
}

#[tokio::test]
async fn dev_names_every_port_that_is_taken_and_the_flag_that_moves_it() {
    let taken = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [api, inbox, smtp] = taken.each_ref().map(|it| it.local_addr().unwrap());

    let said = Place::new()
        .refuses(&format!("dev --listen {api} --inbox {inbox} --smtp {smtp}"))
        .await;

    for (address, flag) in [(api, "--listen"), (inbox, "--inbox"), (smtp, "--smtp")] {
        let line = said
            .lines()
            .find(|line| line.contains(&address.to_string()));
        assert!(line.unwrap().contains(flag), "{said}");
    }
}

/// Two workers on one queue, each with an inbox of its own: a mail would be in either.
#[tokio::test]
async fn a_second_dev_says_that_the_first_uses_the_database() {
    let place = Place::new();
    let lock = std::fs::File::create(place.folder.path().join("notes.dev.lock")).unwrap();
    lock.lock().unwrap();

    let said = place.refuses("dev").await;

    assert!(said.contains("notes.db can't be used"), "{said}");
    assert!(said.contains("another `cargo run`"), "{said}");
    assert!(
        said.contains("DATABASE_URL=sqlite://var/second.db"),
        "{said}"
    );
}

#[tokio::test]
async fn dev_is_not_for_production() {
    let place = Place::new()
        .with("SMART_NOTES__ENV", "production")
        .with("SECRET_KEY", KEY)
        .with("SMART_NOTES__SMTP__FROM", "Notes <no-reply@notes.test>");

    let said = place.refuses("dev").await;

    assert!(said.contains("is not for production"), "{said}");
}

/// The folder that somebody happens to be in may be anybody's: what is meant is named.
#[tokio::test]
async fn beside_a_file_of_settings_dotenv_counts_only_where_it_is_named() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        std::fs::write(place.folder.path().join(name), text).unwrap();
    };
    write("settings.toml", "[otp]\nmax_tries = 7\n");
    write(".env", "SMART_NOTES__WORKER__CONCURRENCY=3\n");
    let concurrency = async |place: &Place, arguments: &str| {
        let rows = place.json(arguments).await;
        let mut rows = rows.as_array().unwrap().iter();
        let row = rows.find(|row| row["key"] == "worker.concurrency");
        row.unwrap()["value"].as_str().unwrap().to_owned()
    };

    let alone = concurrency(&place, "config --json").await;
    let beside = concurrency(&place, "config --json --config settings.toml").await;
    let named = concurrency(
        &place,
        "config --json --config settings.toml --env-file .env",
    )
    .await;
    let place = place.with("SMART_NOTES_CONFIG", "settings.toml");
    let by_variable = concurrency(&place, "config --json").await;

    assert_eq!([alone, beside, named, by_variable], ["3", "32", "3", "32"]);
}

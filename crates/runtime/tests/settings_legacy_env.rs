//! The variables users already have, and what each of them means.

use std::path::PathBuf;

use crate::support::{KEY, Place, load, refused, row};
use smart_notes_runtime::settings::{DatabaseUrl, LogFormat, RelaySecurity, Source};

#[test]
fn the_original_service_s_mail_variables_mean_gmail_with_starttls() {
    let place = Place::new();
    let options = place
        .options()
        .with_variable("EMAIL_HOST_USER", "sender@example.com")
        .with_variable("EMAIL_HOST_PASSWORD", "pass word,with/all@kinds");

    let settings = load(&options);

    let relay = &settings.smtp.relays[0];
    assert_eq!((relay.host.as_str(), relay.port), ("smtp.gmail.com", 587));
    assert_eq!(relay.security, RelaySecurity::StartTls);
    assert_eq!(
        relay.credentials.as_ref().unwrap().user,
        "sender@example.com"
    );
    assert_eq!(password(&settings), "pass word,with/all@kinds");
    assert_eq!(settings.smtp.from.address, "sender@example.com");
    let source = "environment variables EMAIL_HOST_USER and EMAIL_HOST_PASSWORD";
    assert_eq!(row(&settings, "smtp.relays").1, source);
}

#[test]
fn the_mail_variables_give_way_to_relays_and_a_sender_set_by_name() {
    let place = Place::new();
    let file = place.write(
        "settings.toml",
        "[smtp]\nrelays = [\"smtp://mail.example.com\"]\nfrom = \"own@example.com\"\n",
    );
    let options = place
        .options()
        .with_config_file(file)
        .with_variable("EMAIL_HOST_USER", "sender@example.com")
        .with_variable("EMAIL_HOST_PASSWORD", "an-example");

    let settings = load(&options);

    assert_eq!(settings.smtp.relays[0].host, "mail.example.com");
    assert_eq!(settings.smtp.from.address, "own@example.com");
}

#[test]
fn one_mail_variable_without_the_other_is_refused() {
    let place = Place::new();

    let refused = refused(
        &place
            .options()
            .with_variable("EMAIL_HOST_USER", "a@example.com"),
    );

    assert!(refused.contains("EMAIL_HOST_PASSWORD"), "{refused}");
    assert!(
        refused.contains("environment variable EMAIL_HOST_USER"),
        "{refused}"
    );
}

#[test]
fn port_changes_the_port_and_keeps_a_host_that_was_set() {
    let place = Place::new();
    let file = place.write("settings.toml", "[http]\nlisten = \"[::1]:1\"\n");
    let listen = |options| load(&options).http.listen.to_string();

    let in_development = listen(place.options().with_variable("PORT", "9000"));
    let in_production = listen(place.production().with_variable("PORT", "9000"));
    let over_a_file = listen(
        place
            .options()
            .with_config_file(file)
            .with_variable("PORT", "9000"),
    );
    let beside_our_own_name = listen(
        place
            .options()
            .with_variable("PORT", "9000")
            .with_variable("SMART_NOTES__HTTP__LISTEN", "127.0.0.1:7"),
    );

    assert_eq!(in_development, "127.0.0.1:9000");
    assert_eq!(in_production, "0.0.0.0:9000");
    assert_eq!(over_a_file, "[::1]:9000");
    assert_eq!(beside_our_own_name, "127.0.0.1:7");
}

#[test]
fn debug_means_readable_debug_logs_only_when_it_is_true_exactly() {
    let place = Place::new();
    let file = place.write("settings.toml", "[log]\nformat = \"json\"\n");
    let log = |debug: &str| {
        let options = place
            .options()
            .with_config_file(&file)
            .with_variable("DEBUG", debug);
        let log = load(&options).log;
        (log.level, log.format)
    };

    assert_eq!(log("True"), ("debug".to_owned(), LogFormat::Text));
    assert_eq!(log("true"), ("info".to_owned(), LogFormat::Json));
    assert_eq!(log("*"), ("info".to_owned(), LogFormat::Json));
}

#[test]
fn the_environment_wins_over_dotenv_for_bare_names_too() {
    let place = Place::new();
    place.write(
        ".env",
        "DEBUG=True\nDATABASE_URL=sqlite://from-dotenv.db\nPORT=1\n",
    );
    let mut options = place
        .options()
        .with_variable("DEBUG", "False")
        .with_variable("PORT", "2");
    options
        .env
        .remove(std::ffi::OsStr::new("SMART_NOTES__DATABASE__URL"));
    let options = options.with_variable("SECRET_KEY", KEY);

    let settings = load(&options);

    assert_eq!(settings.log.level, "info");
    assert_eq!(
        settings.database.url,
        DatabaseUrl::Sqlite {
            path: PathBuf::from("from-dotenv.db")
        }
    );
    assert_eq!(settings.http.listen.port(), 2);
}

#[test]
fn an_empty_bare_variable_counts_as_not_set() {
    let place = Place::new();
    let options = place
        .options()
        .with_variable("SECRET_KEY", "")
        .with_variable("PORT", "");

    let settings = load(&options);

    assert_eq!(settings.http.listen.port(), 8000);
    let key = settings
        .explain()
        .into_iter()
        .find(|row| row.key == "secret_key")
        .unwrap();
    assert!(
        matches!(key.source, Source::Generated(_)),
        "{:?}",
        key.source
    );
}

fn password(settings: &smart_notes_runtime::settings::Settings) -> String {
    use secrecy::ExposeSecret as _;
    settings.smtp.relays[0]
        .credentials
        .as_ref()
        .unwrap()
        .password
        .expose_secret()
        .to_owned()
}

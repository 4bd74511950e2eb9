//! Where settings come from, and what wins.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::support::{KEY, Place, load, refused, row};
use smart_notes_runtime::settings::{Env, LoadOptions, LogFormat, RelaySecurity, Settings};

const DEFAULT_TOML: &str = include_str!("../../../config/default.toml");
const SETTINGS_PAGE: &str = include_str!("../../../docs/settings.md");
const PRODUCTION_EXAMPLE: &str = include_str!("../../../config/production.example.toml");

#[test]
fn with_nothing_set_development_starts_with_the_documented_defaults() {
    let place = Place::new();

    let settings = load(&place.options());

    assert_eq!(settings.env, Env::Development);
    assert_eq!(
        settings.http.listen,
        "127.0.0.1:8000".parse::<SocketAddr>().unwrap()
    );
    assert_eq!(settings.http.request_timeout, Duration::from_secs(5));
    assert_eq!(settings.database.busy_timeout, Duration::from_secs(2));
    assert_eq!(settings.smtp.relays.len(), 1);
    assert_eq!(settings.smtp.relays[0].security, RelaySecurity::Plaintext);
    assert_eq!(
        settings.smtp.from.to_string(),
        "Smart Notes <no-reply@example.com>"
    );
    assert!(!settings.smtp.hello_name.is_empty());
    assert_eq!(settings.otp.ttl, Duration::from_mins(10));
    assert!(settings.accounts.hash_threads >= 1);
    assert_eq!(
        settings.accounts.session_idle,
        Duration::from_hours(30 * 24)
    );
    assert!(settings.limits.enabled);
    assert_eq!(settings.worker.lease, Duration::from_secs(10));
    assert_eq!(settings.log.format, LogFormat::Text);
}

#[test]
fn every_field_stands_in_the_default_file_and_back() {
    let place = Place::new();

    let settings = load(&place.options());

    let fields: BTreeSet<_> = settings.explain().into_iter().map(|row| row.key).collect();
    let keys: BTreeSet<_> = defaults().into_keys().collect();
    assert_eq!(fields, keys);
}

#[test]
fn the_page_of_settings_lists_every_key_with_its_default() {
    let tables = SETTINGS_PAGE
        .split("| Key | Default | Means |\n|---|---|---|\n")
        .skip(1);
    let rows = tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|')));

    let mut listed = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').skip(1);
        let mut cell = || cells.next().unwrap().trim().trim_matches('`').to_owned();
        let (key, default) = (cell(), cell());
        assert_eq!(
            listed.insert(key.clone(), default),
            None,
            "{key} is listed twice"
        );
    }

    assert_eq!(listed, defaults());
}

/// The keys of the default file, each with what it is set to.
fn defaults() -> BTreeMap<String, String> {
    let mut defaults = BTreeMap::new();
    let mut section = String::new();
    for line in DEFAULT_TOML.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned() + ".";
        } else if let Some((key, value)) = line.split_once(" = ") {
            let value = value.trim_matches(['"', '[', ']']);
            defaults.insert(format!("{section}{key}"), value.to_owned());
        }
    }
    defaults
}

#[test]
fn every_key_of_the_default_file_has_a_comment_above() {
    let mut commented = false;
    for line in DEFAULT_TOML.lines() {
        let is_key = !line.starts_with('#') && line.contains(" = ");

        assert!(!is_key || commented, "no comment above: {line}");

        commented = line.starts_with('#') || (is_key && commented);
    }
}

#[test]
fn later_places_win_over_earlier_ones() {
    let place = Place::new();
    let file = place.write("settings.toml", "[otp]\nttl_seconds = 1\nmax_tries = 1\n[worker]\nconcurrency = 1\n[database]\nreaders = 1\n");
    place.write(".env", "SMART_NOTES__OTP__TTL_SECONDS=2\nSMART_NOTES__OTP__MAX_TRIES=2\nSMART_NOTES__WORKER__CONCURRENCY=2\n");
    let options = place
        .options()
        .with_config_file(&file)
        .with_variable("SMART_NOTES__OTP__TTL_SECONDS", "3")
        .with_variable("SMART_NOTES__OTP__MAX_TRIES", "3")
        .with_override("otp.ttl_seconds", "4");

    let settings = load(&options);

    assert_eq!(settings.otp.ttl, Duration::from_secs(4));
    assert_eq!(settings.otp.max_tries, 3);
    assert_eq!(settings.worker.concurrency, 2);
    assert_eq!(settings.database.readers, 1);
}

#[test]
fn each_value_says_where_it_came_from() {
    let place = Place::new();
    let file = place.write("settings.toml", "[worker]\nconcurrency = 7\n");
    let dotenv = place.write(".env", "SMART_NOTES__OTP__MAX_TRIES=2\n");
    let options = place
        .options()
        .with_config_file(&file)
        .with_variable("SMART_NOTES__HTTP__LISTEN", "127.0.0.1:0")
        .with_override("log.level", "warn");

    let settings = load(&options);

    let shown = |key| row(&settings, key);
    assert_eq!(
        shown("worker.concurrency"),
        ("7".into(), file.display().to_string())
    );
    assert_eq!(
        shown("otp.max_tries"),
        (
            "2".into(),
            format!("SMART_NOTES__OTP__MAX_TRIES in {}", dotenv.display())
        )
    );
    assert_eq!(
        shown("http.listen"),
        (
            "127.0.0.1:0".into(),
            "environment variable SMART_NOTES__HTTP__LISTEN".into()
        )
    );
    assert_eq!(
        shown("log.level"),
        ("warn".into(), "command-line flag".into())
    );
    assert_eq!(shown("otp.ttl_seconds"), ("600".into(), "default".into()));
}

#[test]
fn rows_are_serialised_for_machines() {
    let place = Place::new();

    let rows = serde_json::to_value(load(&place.options()).explain()).unwrap();

    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["key"] == "otp.length")
        .unwrap();
    assert_eq!(
        row,
        &serde_json::json!({"key": "otp.length", "value": "6", "source": "default"})
    );
}

#[test]
fn texts_that_look_like_numbers_stay_texts_and_numbers_given_as_texts_are_read() {
    let place = Place::new();
    let key = "12345678901234567890123456789012";
    let options = place
        .options()
        .with_variable("SECRET_KEY", key)
        .with_variable("EMAIL_HOST_USER", "12345@example.com")
        .with_variable("EMAIL_HOST_PASSWORD", "12345")
        .with_variable("SMART_NOTES__SMTP__HELLO_NAME", "true")
        .with_variable("SMART_NOTES__SMTP__VERIFY", "false")
        .with_variable("SMART_NOTES__HTTP__BODY_LIMIT_BYTES", "2048");

    let settings = load(&options);

    assert_eq!(support_bytes(&settings.secret_keys.current), key.as_bytes());
    assert_eq!(password(&settings), "12345");
    assert_eq!(settings.smtp.hello_name, "true");
    assert!(!settings.smtp.verify);
    assert_eq!(settings.http.body_limit_bytes, 2048);
}

#[test]
fn lists_are_written_with_commas_in_variables_and_as_arrays_in_files() {
    let place = Place::new();
    let file = place.write(
        "settings.toml",
        "[http]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
    );
    let options = place.options().with_config_file(file).with_variable(
        "SMART_NOTES__SMTP__RELAYS",
        "smtp://one.example.com, smtps://two.example.com",
    );

    let settings = load(&options);

    let proxies: Vec<_> = settings
        .http
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    let hosts: Vec<_> = settings
        .smtp
        .relays
        .iter()
        .map(|relay| relay.host.as_str())
        .collect();
    assert_eq!(hosts, ["one.example.com", "two.example.com"]);
    assert_eq!(
        row(&settings, "http.trusted_proxies").0,
        "10.0.0.0/8,::1/128"
    );
}

#[test]
fn production_starts_with_key_relay_and_sender() {
    let place = Place::new();

    load(&place.production());
    load(&place.production().with_variable(
        "SMART_NOTES__SMTP__RELAYS",
        "smtp://localhost:25?tls=none,smtp://127.0.0.1:25?tls=none,smtp://[::1]:25?tls=none",
    ));
}

#[test]
fn the_production_example_loads_once_its_marked_lines_are_edited() {
    let place = Place::new();
    let key_file = place.write("secret_key", KEY);
    let edited = PRODUCTION_EXAMPLE
        .replace(
            "/etc/smart-notes/secret_key\"\n",
            &format!("{}\"\n", key_file.display()),
        )
        .replace("no-reply@example.com", "no-reply@notes.test");
    let as_it_is = place.write("example.toml", PRODUCTION_EXAMPLE);
    let edited = place.write("edited.toml", &edited);
    let options = smart_notes_runtime::settings::LoadOptions::default;

    let refused = refused(&options().with_config_file(as_it_is));
    let settings = load(&options().with_config_file(edited));

    assert!(refused.starts_with("2 settings"), "{refused}");
    assert!(
        refused.contains("smtp.from") && refused.contains("secret_key_file"),
        "{refused}"
    );
    assert_eq!(settings.env, Env::Production);
    assert_eq!(settings.log.format, LogFormat::Json);
}

fn support_bytes(key: &secrecy::SecretSlice<u8>) -> &[u8] {
    use secrecy::ExposeSecret as _;
    key.expose_secret()
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

#[test]
fn metrics_are_served_nowhere_or_on_this_machine_unless_an_address_says_otherwise() {
    let place = Place::new();
    let file = place.write("settings.toml", "[worker]\nmetrics_listen = 9465\n");
    let variable = |at: &str| {
        let options = place.options().with_config_file(&file);
        load(&options.with_variable("SMART_NOTES__HTTP__METRICS_LISTEN", at))
    };
    let address = |written: &str| Some(written.parse::<SocketAddr>().unwrap());

    let nowhere = load(&place.options());
    let port = variable("9464");
    let elsewhere = variable("10.0.0.7:9464");

    assert_eq!(nowhere.http.metrics_listen, None);
    assert_eq!(nowhere.worker.metrics_listen, None);
    assert_eq!(port.http.metrics_listen, address("127.0.0.1:9464"));
    assert_eq!(port.worker.metrics_listen, address("127.0.0.1:9465"));
    assert_eq!(elsewhere.http.metrics_listen, address("10.0.0.7:9464"));
    assert_eq!(row(&nowhere, "http.metrics_listen").0, "");
    assert_eq!(row(&port, "http.metrics_listen").0, "127.0.0.1:9464");
}

/// The environment of a program, with nothing but this.
fn environment(variables: &[(&str, &std::path::Path)]) -> BTreeMap<OsString, OsString> {
    variables
        .iter()
        .map(|(name, value)| (OsString::from(name), value.as_os_str().to_owned()))
        .collect()
}

#[test]
fn without_a_file_of_settings_dotenv_is_read_and_with_one_it_is_not() {
    let file = Path::new("settings.toml");
    let of = |env: &[(&str, &Path)], config: Option<&Path>| {
        let options = LoadOptions::of_program(environment(env), config.map(Into::into), None);
        (options.config_file, options.dotenv)
    };

    let bare = of(&[], None);
    let empty = of(&[("SMART_NOTES_CONFIG", Path::new(""))], None);
    let by_flag = of(&[], Some(file));
    let by_variable = of(&[("SMART_NOTES_CONFIG", file)], None);
    let by_both = of(
        &[("SMART_NOTES_CONFIG", Path::new("other.toml"))],
        Some(file),
    );

    assert_eq!(bare, (None, Some(".env".into())));
    assert_eq!(empty, bare);
    assert_eq!(by_flag, (Some(file.into()), None));
    assert_eq!(by_variable, by_flag);
    assert_eq!(by_both, by_flag);
}

#[test]
fn a_file_of_variables_is_read_beside_a_file_of_settings_and_instead_of_dotenv() {
    let place = Place::new();
    let file = place.write("settings.toml", "[otp]\nmax_tries = 7\n");
    let env_file = place.write("variables", "SMART_NOTES__WORKER__CONCURRENCY=3\n");
    place.write(
        ".env",
        "SMART_NOTES__WORKER__CONCURRENCY=4\nSMART_NOTES__OTP__TTL_SECONDS=5\n",
    );
    let mut options = place.options().with_config_file(file);
    options.env_file = Some(env_file);

    let settings = load(&options);

    assert_eq!(settings.otp.max_tries, 7);
    assert_eq!(settings.worker.concurrency, 3);
    assert_ne!(settings.otp.ttl, Duration::from_secs(5));
}

#[test]
fn a_file_of_variables_must_exist() {
    let place = Place::new();
    let mut options = place.options();
    options.env_file = Some(place.path("nowhere"));

    let error = Settings::load(&options).unwrap_err();

    let text = error.to_string();
    assert!(
        text.contains("--env-file (") && text.contains("nowhere"),
        "{text}"
    );
}

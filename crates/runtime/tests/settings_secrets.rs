//! The secret keys, the development key's file, and that no secret is ever shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Barrier};

use crate::support::{KEY, Place, load, refused, row};
use secrecy::ExposeSecret as _;
use smart_notes_runtime::settings::{RelayUrl, Settings, Source};

#[test]
fn the_development_key_is_made_once_and_read_ever_after() {
    let place = Place::new();

    let first = load(&place.options());
    let second = load(&place.options());

    let file = place.path("secret_key");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.trim_end().len(), 64);
    assert!(text.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for settings in [first, second] {
        assert_eq!(
            settings.secret_keys.current.expose_secret(),
            text.trim_end().as_bytes()
        );
        let row = settings
            .explain()
            .into_iter()
            .find(|row| row.key == "secret_key")
            .unwrap();
        assert_eq!(row.source, Source::Generated(file.clone()));
    }
}

#[test]
fn processes_that_race_for_the_development_key_end_with_the_same_one() {
    let place = Place::new();
    let options = place.options();
    let start = Arc::new(Barrier::new(16));

    let racers: Vec<_> = (0..16)
        .map(|_| {
            let (options, start) = (options.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                load(&options).secret_keys.current.expose_secret().to_vec()
            })
        })
        .collect();
    let keys: Vec<_> = racers
        .into_iter()
        .map(|racer| racer.join().unwrap())
        .collect();

    assert!(keys.iter().all(|key| key == &keys[0]));
    let left_over = fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left_over, 1, "nothing but the key may be left behind");
}

#[test]
fn a_start_that_is_refused_makes_no_key() {
    let place = Place::new();

    refused(
        &place
            .options()
            .with_variable("SMART_NOTES__OTP__LENGTH", "4"),
    );

    assert!(!place.path("secret_key").exists());
}

#[test]
fn production_makes_no_key_and_says_how_to() {
    let place = Place::new();

    let refused = refused(&place.production().with_variable("SECRET_KEY", ""));

    assert!(refused.contains("secret_key: is not set"), "{refused}");
    assert!(refused.contains("openssl rand -hex 32"), "{refused}");
    assert!(!place.path("secret_key").exists());
}

#[test]
fn a_command_that_only_looks_needs_no_key_and_makes_none() {
    let place = Place::new();

    let before = load(&place.options().inspect_only());
    let made_by_inspection = place.path("secret_key").exists();
    let served = load(&place.options());
    let after = load(&place.options().inspect_only());

    assert!(!made_by_inspection);
    assert_eq!(
        row(&before, "secret_key").0,
        "(not set: the first start generates one)"
    );
    assert_eq!(row(&after, "secret_key"), row(&served, "secret_key"));
}

#[test]
fn a_command_that_only_looks_runs_in_production_and_can_say_what_is_missing() {
    let place = Place::new();
    let options = place
        .options()
        .with_variable("SMART_NOTES__ENV", "production");

    let settings = load(&options.clone().inspect_only());
    let told = refused(&options);

    for key in ["secret_key", "smtp.relays", "smtp.from"] {
        let (value, _) = row(&settings, key);
        let why = value.strip_prefix("(not set: production ").unwrap();
        assert!(
            told.contains(&format!(
                ": is not set, and production {}",
                why.trim_end_matches(')')
            )),
            "{told}"
        );
    }
}

#[test]
fn a_key_file_that_cannot_be_read_stops_only_who_needs_the_key() {
    let place = Place::new();
    let options = place
        .production()
        .with_variable("SECRET_KEY", "")
        .with_override("secret_key_file", "/nowhere/key");

    let looking = load(&options.clone().inspect_only());
    let refused = refused(&options);

    let (value, _) = row(&looking, "secret_key");
    assert!(
        value.starts_with("(not set: secret_key_file (/nowhere/key): can't be read"),
        "{value}"
    );
    assert!(refused.contains("can't be read"), "{refused}");
}

#[test]
fn a_key_that_is_wrong_is_refused_by_everything() {
    let place = Place::new();
    let options = place.options().with_variable("SECRET_KEY", "short");

    let refused = refused(&options.inspect_only());

    assert!(refused.contains("5 bytes are too few"), "{refused}");
}

#[test]
fn a_damaged_development_key_is_refused_not_replaced() {
    let place = Place::new();
    place.write("secret_key", "0123\n");

    let refused = refused(&place.options());

    assert!(refused.contains("64 hex digits"), "{refused}");
    assert_eq!(
        fs::read_to_string(place.path("secret_key")).unwrap(),
        "0123\n"
    );
}

#[test]
fn a_key_of_31_bytes_is_refused_and_32_accepted() {
    let place = Place::new();

    let short = refused(&place.options().with_variable("SECRET_KEY", "x".repeat(31)));
    load(&place.options().with_variable("SECRET_KEY", "x".repeat(32)));

    assert!(
        short.contains("31 bytes") && short.contains("variable SECRET_KEY"),
        "{short}"
    );
}

#[test]
fn fallback_keys_are_a_comma_list_of_whole_keys() {
    let place = Place::new();
    let options = place.options().with_variable("SECRET_KEY", KEY);
    let two = format!("{0},{1}", "a".repeat(32), "b".repeat(32));

    let settings = load(&options.clone().with_variable("SECRET_KEY_FALLBACKS", two));
    let short = refused(&options.with_variable("SECRET_KEY_FALLBACKS", "short"));

    let fallbacks = settings.secret_keys.fallbacks.iter();
    let fallbacks: Vec<_> = fallbacks.map(|key| key.expose_secret().to_vec()).collect();
    assert_eq!(fallbacks, [vec![b'a'; 32], vec![b'b'; 32]]);
    assert!(
        short.contains("secret_key_fallbacks") && short.contains("5 bytes"),
        "{short}"
    );
}

#[test]
fn the_key_file_s_first_line_is_the_key() {
    let place = Place::new();
    let file = place.write("key", &format!("{KEY}\r\nanother line\n"));
    let options = place
        .options()
        .with_override("secret_key_file", file.display().to_string());

    let settings = load(&options);

    assert_eq!(settings.secret_keys.current.expose_secret(), KEY.as_bytes());
    assert_eq!(row(&settings, "secret_key").1, file.display().to_string());
    assert_eq!(
        row(&settings, "secret_key_file").0,
        file.display().to_string()
    );
}

#[test]
fn a_key_and_a_key_file_together_are_refused() {
    let place = Place::new();
    let options = place.options().with_variable("SECRET_KEY", KEY);

    let refused = refused(&options.with_override("secret_key_file", "key"));

    assert!(
        refused.contains("secret_key_file (command-line flag)"),
        "{refused}"
    );
    assert!(
        refused.contains("environment variable SECRET_KEY"),
        "{refused}"
    );
    assert!(!refused.contains(KEY));
}

#[test]
fn no_secret_is_ever_shown() {
    let place = Place::new();
    let options = place
        .options()
        .with_variable("SECRET_KEY", KEY)
        .with_variable(
            "SECRET_KEY_FALLBACKS",
            "former-example-key-of-at-least-32-bytes",
        )
        .with_variable(
            "SMART_NOTES__SMTP__RELAYS",
            "smtp://user:hunter2@mail.example.com",
        )
        .with_variable(
            "SMART_NOTES__PAYMENTS__STRIPE_SECRET",
            "whsec_hunter2hunter2hunter2",
        )
        .with_variable(
            "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET",
            "hunter2-cat-hunter2-cat",
        );

    let settings = load(&options);

    let shown = [
        format!("{settings:?}"),
        format!("{:?}", settings.explain()),
        serde_json::to_string(&settings).unwrap(),
        settings.smtp.relays[0].to_string(),
    ];
    for text in shown {
        for secret in [KEY, "former-example", "hunter2"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(
            text.contains("mail.example.com") || text.contains("smtp"),
            "{text}"
        );
    }
    assert_eq!(
        row(&settings, "smtp.relays").0,
        "smtp://user:***@mail.example.com:587"
    );
    assert_eq!(row(&settings, "payments.stripe_secret").0, "*** (27 bytes)");
}

#[test]
fn a_blank_secret_of_a_payment_service_is_not_set() {
    let place = Place::new();
    let options = place
        .options()
        .with_variable("SMART_NOTES__PAYMENTS__STRIPE_SECRET", " ")
        .with_variable(
            "SMART_NOTES__PAYMENTS__REVENUECAT_SECRET",
            " padded, and long enough\n",
        );

    let payments = load(&options).payments;

    assert!(payments.stripe_secret.is_none());
    let other = payments.revenuecat_secret.unwrap();
    assert_eq!(other.expose_secret(), "padded, and long enough");
}

#[test]
fn a_short_secret_of_a_payment_service_is_refused_and_what_all_begin_with_counts_for_nothing() {
    let place = Place::new();
    let sixteen = "hunter2-hunter2-";
    let with = |key: &str, secret: &str| {
        let variable = format!("SMART_NOTES__PAYMENTS__{key}");
        place.options().with_variable(variable, secret)
    };

    for (key, short, said) in [
        ("STRIPE_SECRET", "whsec_", "0 bytes"),
        ("STRIPE_SECRET", "whsec_hunter2-hunter2", "15 bytes"),
        ("STRIPE_SECRET", "hunter2-hunter2", "15 bytes"),
        ("REVENUECAT_SECRET", "x", "1 bytes"),
        ("REVENUECAT_SECRET", "bearer  hunter2-hunter2", "15 bytes"),
    ] {
        let error = refused(&with(key, short));

        let (key, variable) = (key.to_lowercase(), format!("SMART_NOTES__PAYMENTS__{key}"));
        let place = format!("payments.{key} (environment variable {variable}): {said}");
        assert!(error.contains(&place), "{error}");
        assert!(error.contains("16 are needed"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    load(&with("STRIPE_SECRET", &format!("whsec_{sixteen}")));
    load(&with("STRIPE_SECRET", sixteen));
    load(&with("REVENUECAT_SECRET", &format!("Bearer {sixteen}")));
}

#[test]
fn no_error_quotes_a_secret() {
    let place = Place::new();
    for url in [
        "smtp://user:hunter2/x@mail.example.com",
        "smtp://user:hunter2#x@mail.example.com",
        "smtp://user:hunter2?x@mail.example.com",
        "smtp://user:1?hunter2@mail.example.com",
        "smtp://user:hunter2@mail.example.com?hunter2",
        "hunter2",
        "hunter2://mail.example.com",
        "smtp://user:hunter2@",
        "smtp://user:hunter2@mail.example.com?tls=none",
    ] {
        let error = refused(
            &place
                .options()
                .with_variable("SMART_NOTES__SMTP__RELAYS", url),
        );
        assert!(!error.contains("hunter2"), "{url}: {error}");
        let parsed = url.parse::<RelayUrl>();
        assert!(!format!("{parsed:?}").contains("hunter2"), "{url}");
    }

    let url = "postgres://user:hunter2@db.example.com/notes";
    let error = refused(
        &place
            .options()
            .with_variable("DATABASE_URL", url)
            .without_database(),
    );
    assert!(
        error.contains("`postgres:` is not supported") && !error.contains("hunter2"),
        "{error}"
    );

    let file = place.write("settings.toml", "secret_key = 123456789\n");
    let error = Settings::load(&place.options().with_config_file(file))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("Put the value in quotes") && !error.contains("123456789"),
        "{error}"
    );
}

trait WithoutDatabase {
    fn without_database(self) -> Self;
}

impl WithoutDatabase for smart_notes_runtime::settings::LoadOptions {
    fn without_database(mut self) -> Self {
        self.env
            .remove(std::ffi::OsStr::new("SMART_NOTES__DATABASE__URL"));
        self
    }
}

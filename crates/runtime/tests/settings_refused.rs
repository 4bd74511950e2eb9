//! What stops the start, and what the operator reads then.

use crate::support::{KEY, Place, load, refused, row, with};
use smart_notes_runtime::settings::Settings;

#[test]
fn a_wrong_type_is_named_with_its_place_and_an_example() {
    let place = Place::new();
    let file = place.write("settings.toml", "[worker]\nconcurrency = \"many\"\n");

    let in_file = refused(&place.options().with_config_file(&file));
    let in_variable = refused(&with(&place, "HTTP__LISTEN", "8000"));

    assert!(in_file.contains("worker.concurrency ("), "{in_file}");
    assert!(in_file.contains(&file.display().to_string()), "{in_file}");
    assert!(
        in_file.contains("Write a whole number, not negative, like the default 32"),
        "{in_file}"
    );
    assert!(
        in_variable.contains("http.listen (environment variable"),
        "{in_variable}"
    );
    assert!(in_variable.contains("127.0.0.1:8000"), "{in_variable}");
}

#[test]
fn all_problems_are_told_at_once() {
    let place = Place::new();
    let file = place.write(
        "settings.toml",
        "colour = 1\n[http]\nlisten = \"x\"\nmax_connections = \"y\"\n[otp]\nlength = 4\n",
    );
    let options = place
        .options()
        .with_config_file(file)
        .with_variable("SMART_NOTES__SMTP__RELAYS", "ftp://mail.example.com")
        .with_variable("SECRET_KEY", "short");

    let problems = Settings::load(&options).unwrap_err().problems;

    let keys: Vec<_> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "colour",
            "http.listen",
            "http.max_connections",
            "smtp.relays",
            "otp.length",
            "secret_key"
        ]
    );
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table, a line or four for each key"
)]
fn each_bad_value_is_refused_by_its_key() {
    let place = Place::new();
    for (variable, value, key) in [
        ("ENV", "staging", "env"),
        (
            "HTTP__REQUEST_TIMEOUT_SECONDS",
            "3601",
            "http.request_timeout_seconds",
        ),
        (
            "HTTP__TRUSTED_PROXIES",
            "10.0.0.0/40",
            "http.trusted_proxies",
        ),
        (
            "HTTP__FORWARDED_HEADER",
            "x-real-ip",
            "http.forwarded_header",
        ),
        ("HTTP__CORS_ORIGINS", "*", "http.cors_origins"),
        ("HTTP__CORS_ORIGINS", "https://a.test/", "http.cors_origins"),
        (
            "HTTP__CORS_ORIGINS",
            "http://a.test:80",
            "http.cors_origins",
        ),
        ("HTTP__CORS_ORIGINS", "https://A.test", "http.cors_origins"),
        ("HTTP__CORS_HEADERS", "x-app, *", "http.cors_headers"),
        ("HTTP__CORS_HEADERS", "x app", "http.cors_headers"),
        (
            "PAYMENTS__STRIPE_PRODUCTS",
            "prod_1 prod_2",
            "payments.stripe_products",
        ),
        (
            "PAYMENTS__STRIPE_PAYMENT_LINKS",
            "https://buy.stripe.com/7sI5lm",
            "payments.stripe_payment_links",
        ),
        (
            "PAYMENTS__STRIPE_PAYMENT_LINKS",
            "plan=",
            "payments.stripe_payment_links",
        ),
        (
            "PAYMENTS__REVENUECAT_ENTITLEMENTS",
            "pro/team",
            "payments.revenuecat_entitlements",
        ),
        ("HTTP__PUBLIC_URL", "notes.example.com", "http.public_url"),
        ("HTTP__PUBLIC_URL", "ftp://a.test", "http.public_url"),
        ("HTTP__PUBLIC_URL", "https://a.test/?a=b", "http.public_url"),
        ("HTTP__PUBLIC_URL", "https://me@a.test", "http.public_url"),
        (
            "LIMITS__REQUEST_BURST_PER_CLIENT",
            "0",
            "limits.request_burst_per_client",
        ),
        (
            "DATABASE__BUSY_TIMEOUT_MS",
            "5000",
            "database.busy_timeout_ms",
        ),
        ("DATABASE__READERS", "0", "database.readers"),
        ("DATABASE__URL", "postgres://notes.test/db", "database.url"),
        ("DATABASE__URL", "sqlite::memory:", "database.url"),
        ("DATABASE__URL", "sqlite://a.db?mode=ro", "database.url"),
        ("SMTP__RELAYS", "", "smtp.relays"),
        (
            "SMTP__RELAYS",
            "smtp://mail.example.com:25?tls=none",
            "smtp.relays",
        ),
        ("SMTP__FROM", "no address", "smtp.from"),
        ("SMTP__FROM", "Notes\r\nBcc: x <a@example.com>", "smtp.from"),
        ("SMTP__HELLO_NAME", "a\r\nMAIL FROM:<>", "smtp.hello_name"),
        ("SMTP__VERIFY", "perhaps", "smtp.verify"),
        ("OTP__TTL_SECONDS", "0", "otp.ttl_seconds"),
        ("OTP__TTL_SECONDS", "99999999999", "otp.ttl_seconds"),
        ("OTP__LENGTH", "5", "otp.length"),
        ("OTP__LENGTH", "7", "otp.length"),
        ("OTP__MAX_TRIES", "0", "otp.max_tries"),
        (
            "ACCOUNTS__PASSWORD_MIN_LENGTH",
            "7",
            "accounts.password_min_length",
        ),
        (
            "ACCOUNTS__PASSWORD_MIN_LENGTH",
            "65",
            "accounts.password_min_length",
        ),
        (
            "ACCOUNTS__PASSWORD_MAX_LENGTH",
            "63",
            "accounts.password_max_length",
        ),
        (
            "ACCOUNTS__ARGON2_MEMORY_KIB",
            "19455",
            "accounts.argon2_memory_kib",
        ),
        (
            "ACCOUNTS__ARGON2_ITERATIONS",
            "1",
            "accounts.argon2_iterations",
        ),
        (
            "ACCOUNTS__ARGON2_PARALLELISM",
            "0",
            "accounts.argon2_parallelism",
        ),
        (
            "ACCOUNTS__SESSION_IDLE_SECONDS",
            "15552001",
            "accounts.session_idle_seconds",
        ),
        ("NOTES__FREE_LIMIT", "-1", "notes.free_limit"),
        ("NOTES__PREMIUM_LIMIT", "19", "notes.premium_limit"),
        ("WORKER__LEASE_SECONDS", "5", "worker.lease_seconds"),
        (
            "WORKER__SHUTDOWN_GRACE_SECONDS",
            "30",
            "worker.shutdown_grace_seconds",
        ),
        ("LOG__LEVEL", "inof", "log.level"),
        ("LOG__LEVEL", "debug,lettre=trace", "log.level"),
        ("LOG__LEVEL", "a[b", "log.level"),
        ("LOG__FORMAT", "xml", "log.format"),
    ] {
        let error = Settings::load(&with(&place, variable, value)).expect_err(variable);

        assert_eq!(error.problems.len(), 1, "{variable}={value}: {error}");
        assert_eq!(error.problems[0].key, key, "{error}");
        let source = format!("environment variable SMART_NOTES__{variable}");
        assert_eq!(
            error.problems[0].source.as_ref().unwrap().to_string(),
            source
        );
    }
}

#[test]
fn production_refuses_every_development_default() {
    let place = Place::new();
    let production = place
        .options()
        .with_variable("SMART_NOTES__ENV", "production");

    let refused = refused(
        &production
            .with_variable("SMART_NOTES__LIMITS__ENABLED", "false")
            .with_variable("SMART_NOTES__SMTP__VERIFY", "false"),
    );

    for key in [
        "secret_key:",
        "smtp.relays (",
        "smtp.from (",
        "limits.enabled (",
        "smtp.verify (",
    ] {
        assert!(refused.contains(key), "{key} in {refused}");
    }
    assert!(refused.starts_with("5 settings"), "{refused}");
    assert!(!place.path("secret_key").exists());
}

#[test]
fn production_refuses_clear_text_to_another_machine_and_an_example_sender() {
    let place = Place::new();
    let options = place
        .production()
        .with_variable(
            "SMART_NOTES__SMTP__RELAYS",
            "smtp://mail.example.com?tls=none",
        )
        .with_variable("SMART_NOTES__SMTP__ALLOW_PLAINTEXT", "true")
        .with_variable("SMART_NOTES__SMTP__FROM", "no-reply@mail.example.com");

    let refused = refused(&options);

    assert!(
        refused.contains("whatever smtp.allow_plaintext says"),
        "{refused}"
    );
    assert!(refused.contains("is an example"), "{refused}");
}

#[test]
fn production_tells_a_value_that_does_not_fit_once() {
    let place = Place::new();
    let file = place.write("settings.toml", "secret_key = 5\n");
    let options = place
        .production()
        .with_config_file(file)
        .with_variable("SECRET_KEY", "")
        .with_variable("SMART_NOTES__SMTP__RELAYS", "ftp://mail.example.com")
        .with_variable("SMART_NOTES__SMTP__FROM", "no address");

    let error = Settings::load(&options).unwrap_err();

    let keys: Vec<_> = error.problems.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["smtp.from", "smtp.relays", "secret_key"], "{error}");
}

#[test]
fn a_missing_or_broken_config_file_is_refused() {
    let place = Place::new();
    let broken = place.write("broken.toml", "[http\n");

    let missing = refused(&place.options().with_config_file(place.path("missing.toml")));
    let broken = refused(&place.options().with_config_file(broken));

    assert!(
        missing.contains("missing.toml): can't be read"),
        "{missing}"
    );
    assert!(
        broken.contains("broken.toml): can't be read") && broken.contains("line 1"),
        "{broken}"
    );
}

#[test]
fn a_broken_dotenv_line_is_named_by_its_number_and_never_shown() {
    let place = Place::new();
    place.write(
        ".env",
        "# mail\nEMAIL_HOST_USER=a@example.com\nEMAIL_HOST_PASSWORD=four word example pass\n",
    );

    let refused = refused(&place.options());

    assert!(refused.contains("line 3 can't be read"), "{refused}");
    assert!(!refused.contains("word"), "{refused}");
}

#[test]
fn a_dollar_sign_that_would_change_a_secret_in_dotenv_is_refused() {
    let place = Place::new();
    place.write(".env", &format!("SECRET_KEY={KEY}$x\n"));
    let unquoted = refused(&place.options());

    place.write(".env", &format!("SECRET_KEY='{KEY}$x'\n"));
    let quoted = load(&place.options());

    assert!(
        unquoted.contains("SECRET_KEY") && unquoted.contains("line 1"),
        "{unquoted}"
    );
    assert_eq!(
        row(&quoted, "secret_key").0,
        format!("*** ({} bytes)", KEY.len() + 2)
    );
}

#[test]
fn a_place_for_metrics_that_is_none_is_answered_with_how_to_write_one() {
    let place = Place::new();

    for written in ["localhost:9464", "99999", "127.0.0.1"] {
        let refused = refused(&with(&place, "HTTP__METRICS_LISTEN", written));

        assert!(refused.contains("http.metrics_listen"), "{refused}");
        assert!(
            refused.contains("Write 9464 for 127.0.0.1:9464"),
            "{written}: {refused}"
        );
    }
}

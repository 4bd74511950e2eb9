//! What log lines look like, and what can never be in them.

use std::io;
use std::sync::{Arc, Mutex};

use smart_notes_runtime::printable::is_unsafe;
use smart_notes_runtime::settings::{Log, LogFormat};
use smart_notes_runtime::telemetry;
use tracing_subscriber::fmt::MakeWriter;

/// Where log lines go in these tests.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is logged at `level` while `act` runs.
fn logged(level: &str, format: LogFormat, act: impl FnOnce()) -> String {
    let lines = Lines::default();
    let log = Log {
        level: level.to_owned(),
        format,
    };
    let dispatch = telemetry::dispatch(&log, lines.clone(), false).unwrap();
    tracing::dispatcher::with_default(&dispatch, act);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_for_people_has_level_target_message_and_fields() {
    let text = logged("info", LogFormat::Text, || {
        let span = tracing::info_span!("request", request.id = "r-1");
        span.in_scope(|| tracing::info!(user.id = 7, mail.kind = %"verify", "mail sent"));
        tracing::debug!("too quiet to be heard");
    });

    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("INFO"), "{text}");
    assert!(
        text.contains("mail sent user.id=7 mail.kind=verify request.id=\"r-1\""),
        "{text}"
    );
}

#[test]
fn a_line_for_machines_is_one_object_with_the_fields_at_its_top() {
    let json = logged("info", LogFormat::Json, || {
        tracing::info!(user.id = 7, evil = %"a\r\nb", "mail sent");
    });

    assert_eq!(json.lines().count(), 1, "{json}");
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["message"], "mail sent");
    assert_eq!(line["user.id"], 7);
    assert_eq!(line["evil"], "a\r\nb");
    assert_eq!(line["level"], "INFO");
}

#[test]
fn a_line_within_a_request_names_it_once() {
    let json = logged("info", LogFormat::Json, || {
        let span = tracing::info_span!("request", request.id = "r-1");
        span.in_scope(|| tracing::info!("mail sent"));
    });

    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        line["request.id"], "r-1",
        "where lines outside of requests have it"
    );
    assert_eq!(line["span"], serde_json::Value::Null);
    assert_eq!(json.matches("r-1").count(), 1, "{json}");
}

/// An error with a cause, whose own text is not to be trusted.
#[derive(Debug, thiserror::Error)]
#[error("outer\n{evil}")]
struct Outer {
    evil: String,
    source: std::fmt::Error,
}

#[test]
fn control_characters_are_escaped_wherever_they_stand() {
    let evil =
        "a\r\nINFO forged\tline \x1b[2J\u{85}\u{9b}\u{2028}\u{202e}\u{200f}\u{61c}\u{2066}\0";
    let error = Outer {
        evil: evil.to_owned(),
        source: std::fmt::Error,
    };

    let text = logged("info", LogFormat::Text, || {
        let span = tracing::info_span!("request", path = %evil, later = tracing::field::Empty);
        span.record("later", tracing::field::display(evil));
        span.in_scope(|| {
            tracing::info!(display = %evil, debug = ?evil, plain = evil, "{evil}");
            tracing::info!(message = evil);
            tracing::error!(error = &error as &dyn std::error::Error, "failed");
        });
    });

    assert_eq!(text.matches('\n').count(), 3, "{text:?}");
    assert!(text.ends_with('\n'));
    let unsafe_left = |c: &char| *c != '\n' && is_unsafe(*c);
    assert_eq!(text.chars().find(unsafe_left), None, "{text:?}");
    assert!(
        text.contains("a\\r\\nINFO forged\\tline \\u{1b}[2J"),
        "{text}"
    );
    assert!(
        text.contains("an error occurred when formatting an argument"),
        "{text}"
    );
}

/// For whoever reads JSON lines on a terminal: JSON itself leaves C1 and the marks of direction as they are.
#[test]
fn lines_for_machines_hold_nothing_that_a_terminal_obeys() {
    let evil = "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{200f}";

    let json = logged("info", LogFormat::Json, || {
        let span = tracing::info_span!("request", agent = evil);
        span.in_scope(|| tracing::info!(evil, "{evil}"));
    });

    let unsafe_left = |c: &char| *c != '\n' && is_unsafe(*c);
    assert_eq!(json.chars().find(unsafe_left), None, "{json:?}");
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&line["evil"], &line["message"], &line["agent"]),
        (&evil.into(), &evil.into(), &evil.into())
    );
}

#[test]
fn the_mail_libraries_are_never_heard() {
    for level in [
        "trace",
        "debug,hyper=trace",
        "trace,[mail]=trace",
        "trace,[{mail.id}]=trace",
    ] {
        let text = logged(level, LogFormat::Text, || {
            let span = tracing::error_span!("mail", mail.id = 1);
            let _inside = span.enter();
            tracing::error!(target: "lettre", "Subject: hush");
            tracing::debug!(target: "lettre::transport::smtp::client", "AUTH PLAIN hush");
            tracing::trace!(target: "lettre::transport", "Your OTP code is: hush");
            tracing::error_span!(target: "lettre", "smtp", code = "hush").in_scope(|| {
                tracing::info!("ours");
            });
            tracing::trace!(target: "mailin::fsm", "> RCPT TO:<hush@example.com>");
            tracing::info!(target: "lettres", "a name that only begins so");
        });

        assert_eq!(text.lines().count(), 2, "{level}: {text}");
        assert!(
            text.contains("ours") && text.contains("only begins so"),
            "{text}"
        );
        // A word, since the time at the head of each line has any digits.
        assert!(!text.contains("hush"), "{text}");
    }
    for level in [
        "lettre=trace",
        "info,lettre::transport=debug",
        "lettre[x]=debug",
        "lettre",
        "mailin=trace",
        "info,mailin::fsm=trace",
    ] {
        let log = Log {
            level: level.to_owned(),
            format: LogFormat::Text,
        };
        assert!(
            telemetry::dispatch(&log, io::sink, false).is_err(),
            "{level}"
        );
    }
}

#[test]
fn libraries_stay_at_warn_unless_they_are_named() {
    let say = || {
        tracing::debug!(target: "sqlx::query", "statement");
        tracing::info!(target: "hyper::proto", "packet");
        tracing::warn!(target: "rustls::conn", "alert");
        tracing::debug!(target: "smart_notes_worker", "ours");
    };
    let words = |level| {
        let text = logged(level, LogFormat::Text, say);
        text.lines()
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };

    assert_eq!(words("trace"), ["alert", "ours"]);
    assert_eq!(words("trace,sqlx=debug"), ["statement", "alert", "ours"]);
    assert_eq!(
        words("trace,sqlx::query=debug"),
        ["statement", "alert", "ours"]
    );
    assert_eq!(words("info"), ["alert"]);
    assert_eq!(words("error"), Vec::<String>::new());
}

#[test]
fn a_second_init_in_one_process_is_an_error() {
    let log = Log {
        level: "off".to_owned(),
        format: LogFormat::Json,
    };

    let first = telemetry::init(&log);
    let second = telemetry::init(&log);

    assert!(first.is_ok(), "{first:?}");
    assert!(second.unwrap_err().to_string().contains("already running"));
}

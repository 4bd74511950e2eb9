//! Whether the settings load and fit together, as the services would load them.

use std::path::{Path, PathBuf};

use runtime::settings::{Env, LoadOptions, Settings};

use super::files;
use super::report::Report;

/// Loads the settings. `None` if they can't be used, which is a finding.
pub fn check(
    env_file: Option<&PathBuf>,
    mut options: LoadOptions,
    report: &mut Report<'_>,
) -> Option<Settings> {
    if let Some(file) = env_file {
        if !file.is_file() {
            let message = format!("{} is not a readable file", file.display());
            report.problem(
                "env_file",
                message,
                "pass another file with --env-file, or omit the option",
            );
            return None;
        }
        options.dotenv = Some(file.clone());
    }
    // Keyless, so that a check creates no key and works without one.
    let settings = match Settings::load(&options.inspect_only()) {
        Ok(settings) => settings,
        Err(error) => {
            for problem in error.problems {
                report.problem("load", problem.to_string(), "");
            }
            return None;
        }
    };
    let env = match settings.env {
        Env::Development => "development",
        Env::Production => "production",
    };
    report.ok("load", format!("valid for {env}"));
    for (key, why) in settings.missing() {
        match settings.env {
            Env::Development => report.skipped("missing", format!("{key} is not set: {why}")),
            Env::Production => report.warning(
                "missing",
                format!("{key} is not set for this command; a service without it does not start"),
                "give this command the services' settings: see `smart-notes doctor --help`",
            ),
        }
    }
    key_file(settings.secret_keys.file.as_deref(), report);
    metrics(&settings, report);
    Some(settings)
}

fn key_file(file: Option<&Path>, report: &mut Report<'_>) {
    let Some(file) = file else { return };
    match files::mode(file) {
        Some(mode) if files::is_private(mode) => {
            let message = format!("only its owner can read {}", file.display());
            report.ok("key_file", message);
        }
        Some(mode) => report.problem(
            "key_file",
            format!("other users can read {} (mode {mode:04o})", file.display()),
            format!(
                "chmod 600 {}; if other people use this machine, replace the key",
                file.display()
            ),
        ),
        None => {}
    }
}

fn metrics(settings: &Settings, report: &mut Report<'_>) {
    let places = [
        ("http.metrics_listen", settings.http.metrics_listen),
        ("worker.metrics_listen", settings.worker.metrics_listen),
    ];
    for (key, address) in places {
        if let Some(address) = address.filter(|address| !address.ip().is_loopback()) {
            report.warning(
                "metrics",
                format!(
                    "{key} is {address}: any host that reaches it can read the metrics, without a token"
                ),
                "restrict access with a firewall, or listen on 127.0.0.1",
            );
        }
    }
}

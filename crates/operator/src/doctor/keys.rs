//! Whether every process has the keys that the others sign with. Keys are compared by fingerprint; none is shown.

use domain::otp::{KeyId, KeyRing};
use domain::processes::{ProcessKind, RunningProcess};
use runtime::settings::Settings;

use super::report::Report;

const FIX: &str = "give all processes the same SECRET_KEY, put the former key into SECRET_KEY_FALLBACKS, and restart \
                   the worker, then the API";

/// Compares the keys of the processes with each other and with the settings.
pub fn check(settings: &Settings, present: &[RunningProcess], report: &mut Report<'_>) {
    if present.is_empty() {
        report.skipped("compare", "not compared: no process is running");
        return;
    }
    let mut lacking = false;
    for signer in present
        .iter()
        .filter(|one| one.process.kind == ProcessKind::Api)
    {
        let Some(key) = signer.process.keys.first() else {
            continue;
        };
        for other in present.iter().filter(|one| !one.process.keys.contains(key)) {
            lacking = true;
            report.problem("compare", lack(signer, key, other), FIX);
        }
    }
    if !lacking {
        let keys = signing(present);
        match keys.as_slice() {
            [one] => report.ok("compare", format!("every process signs with the key {one}")),
            several => report.warning(
                "compare",
                format!(
                    "processes sign with different keys, and each has all of them: {}",
                    list(several)
                ),
                "a key rotation is in progress: restart the worker, then the API",
            ),
        }
    }
    own(settings, present, report);
}

fn lack(signer: &RunningProcess, key: &KeyId, other: &RunningProcess) -> String {
    let (signer, name) = (&signer.process.id, &other.process.id);
    let consequence = match other.process.kind {
        ProcessKind::Worker => "it cannot send the codes made with it",
        ProcessKind::Api => "it refuses the codes made with it",
    };
    format!("{name} lacks the key {key}, which {signer} signs with: {consequence}")
}

/// The keys that sign, each once.
fn signing(present: &[RunningProcess]) -> Vec<&KeyId> {
    let mut keys: Vec<&KeyId> = Vec::new();
    for key in present.iter().filter_map(|one| one.process.keys.first()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn own(settings: &Settings, present: &[RunningProcess], report: &mut Report<'_>) {
    if settings.missing().any(|(key, _)| key == "secret_key") {
        report.skipped(
            "own",
            "secret_key is not set for this command: not compared",
        );
        return;
    }
    let keys = &settings.secret_keys;
    let ring = KeyRing::new(&keys.current, &keys.fallbacks);
    let theirs = signing(present);
    if theirs.contains(&ring.current()) {
        report.ok("own", "the key in the settings is in use");
    } else {
        let message = format!(
            "the key in the settings is {}, but processes sign with {}",
            ring.current(),
            list(&theirs)
        );
        report.warning(
            "own",
            message,
            "if the key was changed, restart the worker, then the API; otherwise give this command the services' key",
        );
    }
}

fn list(keys: &[&KeyId]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    keys.join(", ")
}

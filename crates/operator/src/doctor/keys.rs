//! Whether all processes hold the keys that the others sign with. Compared by fingerprint; no key is shown.

use domain::otp::{KeyId, KeyRing};
use domain::vitals::{Present, ProcessKind};
use runtime::settings::Settings;

use super::report::Report;

const MEND: &str = "give all of them the same SECRET_KEY, put the former key into SECRET_KEY_FALLBACKS, and restart \
                    the worker, then the API";

/// Compares what processes wrote with each other and with what this command was given.
pub fn check(settings: &Settings, present: &[Present], report: &mut Report<'_>) {
    if present.is_empty() {
        report.skipped(
            "compare",
            "no process runs that could have written which keys it holds",
        );
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
            report.problem("compare", lack(signer, key, other), MEND);
        }
    }
    if !lacking {
        let keys = signing(present);
        match keys.as_slice() {
            [one] => report.ok("compare", format!("every process signs with the key {one}")),
            several => report.warning(
                "compare",
                format!(
                    "processes sign with different keys, which all of them know: {}",
                    list(several)
                ),
                "a change of the key is under way: restart the worker, then the API",
            ),
        }
    }
    own(settings, present, report);
}

fn lack(signer: &Present, key: &KeyId, other: &Present) -> String {
    let (signer, name) = (&signer.process.id, &other.process.id);
    let consequence = match other.process.kind {
        ProcessKind::Worker => "it can't mail the codes that are made with it",
        ProcessKind::Api => "it refuses the codes that are made with it",
    };
    format!("{name} lacks the key {key}, with which {signer} signs: {consequence}")
}

/// The keys that sign, each once.
fn signing(present: &[Present]) -> Vec<&KeyId> {
    let mut keys: Vec<&KeyId> = Vec::new();
    for key in present.iter().filter_map(|one| one.process.keys.first()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn own(settings: &Settings, present: &[Present], report: &mut Report<'_>) {
    if settings.missing().any(|(key, _)| key == "secret_key") {
        report.skipped(
            "own",
            "this command was given no key to compare with those of the processes",
        );
        return;
    }
    let keys = &settings.secret_keys;
    let ring = KeyRing::new(&keys.current, &keys.fallbacks);
    let theirs = signing(present);
    if theirs.contains(&ring.current()) {
        report.ok("own", "the key in the settings is one they sign with");
    } else {
        let message = format!(
            "the key in the settings is {}, and processes sign with {}",
            ring.current(),
            list(&theirs)
        );
        report.warning(
            "own",
            message,
            "if the key was changed, restart the worker, then the API; else this command was given another one",
        );
    }
}

fn list(keys: &[&KeyId]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
    keys.join(", ")
}

//! One word for one thing: names and phrases that were replaced by the field's word do not come back.
//!
//! Words that are also plain English are not listed: whether they are right is judged by reading. A
//! part that renames something adds its words to [`RETIRED`]; the glossary in `docs/architecture.md`
//! has all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Retired identifiers and phrases, each with its replacement.
const RETIRED: &[(&str, &str)] = &[
    // devmail
    ("Clerk", "SmtpHandler"),
    ("Desk", "SharedTransaction"),
    ("suffer", "delay"),
    ("suffer_or_close", "delay_or_close"),
    ("standing_faults", "test_domain_faults"),
    // runtime
    ("smart-notes-heap", "smart-notes-malloc-trim"),
    ("give_back_regularly", "trim_regularly"),
    ("raise_limit", "rlimit::raise"),
    ("Pulse", "Liveness"),
    ("watch_over", "watchdog"),
    ("Presence", "ProcessRegistration"),
    ("BareNames", "LegacyEnv"),
    ("bare_names", "legacy_env"),
    ("keyless", "inspect_only"),
    ("NoPool", "HashPoolError"),
    ("unread_variables", "warnings"),
    ("is no known key", "unknown key"),
    ("Mend the", "Fix the"),
    ("goes round again", "is responsive again"),
    // domain
    ("LiveAttempt", "LiveRegistration"),
    ("NewAttempt", "NewRegistration"),
    ("PlannedAttempt", "PlannedRegistration"),
    ("VerifyAttempt", "VerifyRegistration"),
    ("insert_attempt", "insert_registration"),
    ("close_attempts", "close_registrations"),
    ("delete_attempts", "delete_registrations"),
    ("attempt_of_handle", "registration_of_token"),
    ("ChallengeHandle", "ChallengeToken"),
    ("GuessAt", "CodeTarget"),
    ("Passage", "Decision"),
    ("Spend", "Charge"),
    ("PaymentPlace", "PaymentPosition"),
    ("TakeEvent", "ReceiveEvent"),
    ("no_room", "limit_reached"),
    // what an operator sees
    ("Inquiries", "OperatorQueries"),
    ("Interventions", "OperatorCommands"),
    ("CutOffTwice", "UncertainTwice"),
    ("cut_off_tries", "uncertain_tries"),
    ("pause_told", "describe_pause"),
    ("relay_told", "describe_relay"),
    ("must be mended", "is a problem"),
    ("worth a look", "is a warning"),
    ("did not take its leave", "without a clean shutdown"),
    ("All is well", "No problems"),
    ("costs the mail no try", "does not use up an attempt"),
    // the store
    ("view_by", "reader_by"),
    ("Erased", "DynWrite"),
    ("Connected", "ConnectionGuard"),
    ("Meters", "Metrics"),
    ("set_right", "redate"),
    // the worker and the queue
    ("HandsLayer", "RunLayer"),
    ("LedgerHandle", "DispatcherHandle"),
    ("TryRecord", "AttemptRecord"),
    ("Settlement", "Outcome"),
    ("Verdict", "AttemptOutcome"),
    ("RelayStanding", "RelayStatus"),
    ("PostedStanding", "PostedRelayStatus"),
    ("MAX_CUT_OFFS", "MAX_UNCERTAIN"),
    ("dot_written", "end_of_data_written"),
    ("JobQueue", "Store"),
    ("QueueWrite", "Write"),
    // the API
    ("NoHttp", "MalformedRequest"),
    ("no_http", "malformed_request"),
    ("NotesFull", "PlanLimit"),
    ("Switches", "Features"),
    ("Flood", "ClientRateLimit"),
    ("This is no request in", "Not a valid HTTP/1.1 request"),
];

/// Where the tree's own text is, from its root.
const PLACES: [&str; 10] = [
    "src",
    "crates",
    "worker",
    "tests",
    "config",
    "docs",
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Cargo.toml",
];

/// Files that name retired words on purpose: this list and the glossary.
const EXEMPT: [&str; 2] = ["tests/vocabulary.rs", "docs/architecture.md"];

/// The files of these kinds below a path.
fn files(path: PathBuf, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "target" {
                files(entry.path(), found);
            }
        }
    } else if path
        .extension()
        .is_some_and(|kind| kind == "rs" || kind == "toml" || kind == "md")
    {
        found.push(path);
    }
}

/// Whether a line has the word or phrase, and not inside a longer word.
fn has(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

/// Where a text has retired words, in a line for each.
fn retired(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().zip(1..);
    let at = |(line, number)| {
        let words = RETIRED.iter().filter(move |(word, _)| has(line, word));
        words.map(move |(word, instead)| format!("{file}:{number}: `{word}`, write `{instead}`"))
    };
    lines.flat_map(at).collect()
}

#[test]
fn no_retired_word_comes_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for place in PLACES {
        files(root.join(place), &mut all);
    }

    let mut found = Vec::new();
    for path in &all {
        let file = path.strip_prefix(root).unwrap().to_str().unwrap();
        if !EXEMPT.contains(&file) {
            found.extend(retired(file, &fs::read_to_string(path).unwrap()));
        }
    }

    assert!(all.len() > 500, "only {} files were read", all.len());
    assert!(found.is_empty(), "retired words:\n{}", found.join("\n"));
}

#[test]
fn a_word_is_found_with_its_line_and_its_replacement_and_not_inside_another() {
    let text = "// fine\nuse runtime::Pulse;\nstruct Impulse_Pulse2;\n";

    let found = retired("a.rs", text);

    assert_eq!(found, ["a.rs:2: `Pulse`, write `Liveness`"]);
}

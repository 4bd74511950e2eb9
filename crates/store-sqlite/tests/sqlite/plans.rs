//! How statements find their rows: none of those that a worker runs all day, or that somebody who looks for a mail
//! runs, may walk through a table, or through all rows of a state, however few there are today.
//!
//! The statements are read from the sources themselves, so that none can change unseen. `SQLite` plans without
//! statistics here, as it does in production: nothing of ours runs `analyze`.

use std::path::Path;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::support::Database;

/// What may be walked through: tables that stay small, what a limit has bounded, and no table at all.
const MAY_BE_WALKED: [&str; 7] = [
    "pauses",
    "processes",
    "relay_standings",
    "Workers",
    "due",
    "rank",
    "CONSTANT",
];

/// Statements that are meant to walk, each known by its beginning.
const MEANT: [&str; 8] = [
    // Metrics and `doctor`, which counts what waits.
    "select state, count(*)",
    "select challenges.key_id",
    "select user_id as",
    "select max(created_at)",
    // `jobs stats` counts all mails, in an index.
    "select state, kind, count(*)",
    // Once a minute.
    "delete from sessions",
    "delete from open_tries",
    "delete from known_clients",
];

/// The statements of a source file: every text given to one of sqlx's checked macros, or to `mail_rows!`, which
/// puts the columns before it.
fn statements(file: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let source = std::fs::read_to_string(&path).unwrap();
    let mut found = Vec::new();
    for (mark, before) in [
        ("sqlx::query!(", ""),
        ("sqlx::query_as!(", ""),
        ("sqlx::query_scalar!(", ""),
        (
            "mail_rows!(",
            "select id, kind, state, reason, recipient, request_id ",
        ),
    ] {
        for (at, _) in source.match_indices(mark) {
            let call = &source[at + mark.len()..];
            if let Some(text) = first_literal(call) {
                found.push(format!("{before}{text}"));
            }
        }
    }
    found.extend(ordered(&source));
    assert!(!found.is_empty(), "no statements in {}", path.display());
    found
}

/// The statements of `due_jobs!`, which puts each order that it is given between its two literals.
fn ordered(source: &str) -> Vec<String> {
    let Some((_, of_macro)) = source.split_once("macro_rules! due_jobs") else {
        return Vec::new();
    };
    let (before, rest) = of_macro.split_once("+ $order").unwrap();
    let (_, before) = before.split_once("r#\"").unwrap();
    let (before, _) = before.rsplit_once("\"#").unwrap();
    let after = first_literal(rest).unwrap();
    let calls = source.split("due_jobs!(").skip(1);
    calls
        .map(|call| format!("{before}{}{after}", first_literal(call).unwrap()))
        .collect()
}

/// The first string literal of a macro's arguments.
fn first_literal(call: &str) -> Option<&str> {
    let raw = call.find("r#\"").map(|at| (at, 3, "\"#"));
    let plain = call.find('"').map(|at| (at, 1, "\""));
    let (at, quote, end) = match (raw, plain) {
        (Some(raw), Some(plain)) if raw.0 < plain.0 => raw,
        (_, plain) => plain?,
    };
    let text = &call[at + quote..];
    let (text, rest) = text.split_once(end)?;
    // `mail_rows!` itself: what comes after the columns is given to it.
    (!rest.trim_start().starts_with('+')).then_some(text)
}

/// A step of a plan: inside which other one it is, and what it does.
#[derive(Debug)]
struct Step {
    inside: i64,
    what: String,
}

impl Step {
    /// The table that is walked through, or the value: a virtual table is `json_each`.
    fn walked(&self) -> Option<&str> {
        self.what.strip_prefix("SCAN ")?.split_whitespace().next()
    }

    fn is_value(&self) -> bool {
        self.what.contains("VIRTUAL TABLE")
    }

    /// Whether it is one of the loops that a join consists of.
    fn is_loop(&self) -> bool {
        self.what.starts_with("SCAN ") || self.what.starts_with("SEARCH ")
    }

    /// Whether it finds rows by nothing but what many rows share.
    fn is_crowded(&self) -> bool {
        ["(state=?)", "(status=?)"]
            .iter()
            .any(|shared| self.what.ends_with(shared))
    }
}

/// The steps of a statement's plan.
async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<Step> {
    let explain = AssertSqlSafe(format!("explain query plan {statement}"));
    let rows = sqlx::query(explain)
        .fetch_all(connection)
        .await
        .unwrap_or_else(|error| panic!("{error} in\n{statement}"));
    rows.iter()
        .map(|row| Step {
            inside: row.get("parent"),
            what: row.get("detail"),
        })
        .collect()
}

/// What is wrong with a plan, if something is.
fn fault(plan: &[Step], statement: &str) -> Option<String> {
    for (n, step) in plan.iter().enumerate() {
        let outer = plan[..n]
            .iter()
            .any(|other| other.inside == step.inside && other.is_loop());
        let walks = |table: &str| !step.is_value() && !MAY_BE_WALKED.contains(&table);
        if step.walked().is_some_and(walks) {
            return Some(format!("it walks through a table: {}", step.what));
        }
        // With a path (3) it is a part of the row's own value.
        if step.is_value() && !step.what.contains("INDEX 3") && outer {
            return Some("it reads a whole value once for each row".to_owned());
        }
        // The first of them by an index is found at once.
        if step.is_crowded() && !statement.ends_with("limit 1") {
            return Some(format!(
                "it takes in all that share something: {}",
                step.what
            ));
        }
    }
    None
}

#[tokio::test]
async fn no_statement_of_the_queue_or_of_who_looks_for_mails_takes_in_more_than_it_needs() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let mut checked = 0;

    for file in [
        "mails.rs",
        "mail_rows.rs",
        "operator/commands.rs",
        "operator/queries.rs",
        "operator/suppressions.rs",
        "payments.rs",
        "plans.rs",
        "queue/claim.rs",
        "queue/claimed.rs",
        "queue/due_jobs.rs",
        "queue/mod.rs",
        "queue/fence.rs",
        "queue/hold.rs",
        "queue/rows.rs",
        "queue/change.rs",
        "queue/settle.rs",
        "processes.rs",
        "queue/maintain.rs",
        "retention.rs",
    ] {
        for statement in statements(file) {
            if MEANT.iter().any(|meant| statement.starts_with(meant)) {
                continue;
            }
            let plan = plan(&mut outside, &statement).await;

            let fault = fault(&plan, &statement);
            assert_eq!(fault, None, "{file}: {statement}\n{plan:#?}");
            checked += 1;
        }
    }

    assert!(checked > 40, "only {checked} statements were found");
}

/// Nor does the purge, where it corrects what is dated in the future, or removes challenges that are over.
#[tokio::test]
async fn what_the_sweep_sets_right_is_found_by_when_it_ends() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let of_future = statements("clock_skew.rs").into_iter().filter(|statement| {
        let starts = ["delete", "update challenges", "update registrations"];
        starts.iter().any(|start| statement.starts_with(start))
    });
    let over = statements("retention.rs")
        .into_iter()
        .filter(|statement| statement.starts_with("delete from challenges"));

    let mut checked = 0;
    for removal in of_future.chain(over) {
        let plan = plan(&mut outside, &removal).await;

        let by_time = ["(at>?)", "(expires_at>?)", "(until_at>?)", "(expires_at<?)"];
        let found = |step: &Step| by_time.iter().any(|by| step.what.ends_with(by));
        assert!(plan.iter().any(found), "{removal}\n{plan:#?}");
        checked += 1;
    }

    assert_eq!(checked, 7);
}

/// The lists that people page through also come in their order, without sorting everything that matches.
#[tokio::test]
async fn no_list_sorts_more_than_what_was_asked_for_in_one_moment() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let lists = statements("mail_rows.rs")
        .into_iter()
        .filter(|statement| statement.contains("order by created_at desc"))
        // One user's and one request's mails are few.
        .filter(|list| !list.contains("mails_by_user") && !list.contains("mails_by_request"));

    let mut checked = 0;
    for list in lists {
        let plan = plan(&mut outside, &list).await;
        let sorts = plan
            .iter()
            .find(|step| step.what.contains("TEMP B-TREE FOR ORDER BY"));
        assert!(sorts.is_none(), "{list}\n{plan:#?}");
        checked += 1;
    }
    assert_eq!(checked, 5);
}

/// What is due is found by class and time in one place of the index, whatever waits for later.
#[tokio::test]
async fn what_is_due_is_found_by_the_index_of_pending_jobs() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let due: Vec<_> = ["queue/due_jobs.rs"]
        .into_iter()
        .flat_map(statements)
        .filter(|statement| statement.contains("status = 'Pending' and lock_by is null"))
        .collect();
    assert_eq!(due.len(), 5);

    for statement in due {
        let plan = plan(&mut outside, &statement).await;
        let found = plan.iter().any(|step| {
            step.what
                .contains("INDEX idx_jobs_pending (job_type=? AND priority=?")
        });
        assert!(found, "{statement}\n{plan:#?}");
        let sorts = plan.iter().any(|step| step.what.contains("TEMP B-TREE"));
        assert!(!sorts, "{statement}\n{plan:#?}");
    }
}

/// Steps that read rows of notes have to begin with whose they are, or with an identifier or a row's number, which one
/// note at most has.
fn reads_the_notes_of_others(step: &Step) -> bool {
    // `book` and `old` are what the statement that adds a note calls two of them.
    let of_notes = ["notes", "note_tombstones", "note_books", "book", "old"];
    let mut words = step.what.split_whitespace();
    let (how, table) = (words.next(), words.next().unwrap_or_default());
    // The number of a book's row is its user's.
    let by_number = ["notes", "note_books", "book"].contains(&table)
        && step.what.contains("PRIMARY KEY (rowid=?)");
    let named = by_number
        || step.what.contains("(user_id=?")
        || step.what.contains("INDEX notes_by_id (id=?");
    let own = how == Some("SEARCH") && named;
    matches!(how, Some("SCAN" | "SEARCH")) && of_notes.contains(&table) && !own
}

/// That of the lists, whose statements are put together, is checked beside them: in `src/notes/list/plans.rs`.
#[tokio::test]
async fn the_statements_of_one_users_notes_read_nobody_elses() {
    let database = Database::new().await;
    let mut outside = database.outside().await;
    let mut checked = 0;

    for file in ["notes/changes.rs", "notes/live.rs", "notes/mod.rs"] {
        for statement in statements(file) {
            let plan = plan(&mut outside, &statement).await;
            let others = plan.iter().find(|step| reads_the_notes_of_others(step));
            assert!(others.is_none(), "{file}: {statement}\n{plan:#?}");
            let sorts = plan.iter().any(|step| step.what.contains("TEMP B-TREE"));
            // The feed merges two ordered halves of a page.
            assert!(
                !sorts || file == "notes/changes.rs",
                "{statement}\n{plan:#?}"
            );
            checked += 1;
        }
    }

    assert!(checked > 8, "only {checked} statements were found");
}

/// A check that can't fail is worse than none.
#[tokio::test]
async fn what_reads_the_notes_of_others_is_noticed() {
    let database = Database::new().await;
    let mut outside = database.outside().await;

    for statement in [
        "select id from notes order by updated_at",
        "select id from notes where trashed_at < ?",
        "select live from note_books where live > 3",
        "select id from note_tombstones where deleted_at < ?",
    ] {
        let plan = plan(&mut outside, statement).await;
        assert!(plan.iter().any(reads_the_notes_of_others), "{plan:#?}");
    }
}

/// A check that can't fail is worse than none.
#[tokio::test]
async fn what_takes_in_too_much_is_noticed() {
    let database = Database::new().await;
    let mut outside = database.outside().await;

    for (statement, words) in [
        ("select id from mails where reason = 'x'", "walks through"),
        (
            "update mails set reason = 'x' from json_each(?) as j where mails.id = j.value and mails.state = 'sending'",
            "takes in all",
        ),
        (
            "update mails set reason = 'x' from json_each(?) as j where mails.id = j.value and mails.request_id = ?",
            "once for each row",
        ),
        (
            "update Jobs set run_at = 1 where status = 'Pending'",
            "takes in all",
        ),
    ] {
        let plan = plan(&mut outside, statement).await;

        let fault = fault(&plan, statement);
        assert!(
            fault.is_some_and(|fault| fault.contains(words)),
            "{statement}\n{plan:#?}"
        );
    }
}

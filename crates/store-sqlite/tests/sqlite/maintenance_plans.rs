//! How the maintenance of the queue finds its rows: each statement in an index.

use sqlx::Row as _;

use crate::support::Database;

/// The statement of the source that has these words, planned here as it runs there.
async fn plan_of(words: &str) -> String {
    let statement = include_str!("../../src/queue/maintain.rs")
        .split('"')
        .find(|text| text.contains(words))
        .expect("it is in the source");
    let explain = format!("explain query plan {statement}");
    let database = Database::new().await;
    let plan: Vec<String> = sqlx::query(sqlx::AssertSqlSafe(explain))
        .fetch_all(&mut database.outside().await)
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("detail"))
        .collect();
    plan.join("\n")
}

#[tokio::test]
async fn mails_whose_time_is_over_are_found_without_reading_those_that_wait() {
    let plan = plan_of("indexed by mails_by_deadline").await;

    for step in [
        "mails_by_deadline (deadline_at>? AND deadline_at<?)",
        "mails_by_state (state=? AND created_at<?)",
        "SEARCH Jobs USING INDEX sqlite_autoindex_Jobs_1 (id=?)",
    ] {
        assert!(plan.contains(step), "{step} is not in\n{plan}");
    }
    assert!(
        !plan.contains("SCAN Jobs") && !plan.contains("SCAN mails"),
        "{plan}"
    );
}

#[tokio::test]
async fn mails_whose_key_is_missing_are_looked_for_among_the_oldest_alone() {
    let plan = plan_of("select mails.id, mails.reason, challenges.key_id").await;

    assert!(
        plan.contains("SEARCH mails USING INDEX sqlite_autoindex_mails_1 (id=?)"),
        "{plan}"
    );
    assert!(!plan.contains("mails_by_state"), "{plan}");
}

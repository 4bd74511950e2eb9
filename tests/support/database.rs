//! The rows as they stand in the file, read with a connection of the test's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// A connection for looking at the rows, and for what only somebody outside does.
pub struct Rows(SqliteConnection);

/// The tables of notes. The book comes last: triggers on the others write into it.
const NOTE_TABLES: [&str; 3] = ["notes", "note_tombstones", "note_books"];

impl Rows {
    /// Opens the file with the settings that the programs use.
    pub async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        Self(options.connect().await.unwrap())
    }

    /// Closes it.
    pub async fn close(self) {
        self.0.close().await.unwrap();
    }

    /// Runs a statement.
    pub async fn run(&mut self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut self.0)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Keeps everything about notes as it is now, for as long as this connection is open.
    pub async fn back_up_notes(&mut self) {
        for table in NOTE_TABLES {
            self.run(&format!("drop table if exists temp.kept_{table}"))
                .await;
            let keep = format!("create temp table kept_{table} as select * from {table}");
            self.run(&keep).await;
        }
    }

    /// Puts everything about notes back as it was kept, as a restore of the file does.
    pub async fn restore_notes(&mut self) {
        self.run("begin immediate").await;
        self.run("delete from notes").await;
        self.run("delete from note_tombstones").await;
        for table in NOTE_TABLES {
            let back = format!("insert or replace into {table} select * from temp.kept_{table}");
            self.run(&back).await;
        }
        self.run("commit").await;
    }

    /// The one number that a statement finds.
    pub async fn number(&mut self, statement: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut self.0)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The texts that a statement finds, one a row.
    pub async fn texts(&mut self, statement: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_all(&mut self.0)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// Every row of every table. Only signs of life are left out, which change while nothing happens,
    /// and counters that count nothing, which are written so that nobody's answer is quicker.
    pub async fn all(&mut self) -> BTreeMap<String, Vec<String>> {
        let tables = "select name from sqlite_schema where type = 'table'
                      and name not like 'sqlite_%'
                      and name not in ('Workers', 'processes', 'relay_standings') order by name";
        let mut all = BTreeMap::new();
        for table in self.texts(tables).await {
            let columns = format!(
                "select group_concat('quote(\"' || name || '\")', ' || '','' || ')
                 from pragma_table_info('{table}')"
            );
            let columns = self.texts(&columns).await.remove(0);
            let rows = match table.as_str() {
                "open_tries" => "select email_key || ',' || purpose || ',' || tries from open_tries
                                 where tries > 0 order by 1"
                    .to_owned(),
                _ => format!("select {columns} from \"{table}\" order by 1"),
            };
            let rows = self.texts(&rows).await;
            all.insert(table, rows);
        }
        all
    }

    /// Every row that has to do with notes.
    pub async fn of_notes(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut all = self.all().await;
        all.retain(|table, _| table.starts_with("note"));
        assert_eq!(all.len(), 3, "{:?}", all.keys());
        all
    }

    /// Every row but those in which refusals are counted and recorded, and the counters of tries that stand at zero:
    /// a code that is nobody's counts nothing, in as long as it takes to count one. Left out as well is what is written
    /// when a code is asked for at an address without an account, in as long as for one that has an account.
    pub async fn but_the_record(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut all = self.all().await;
        let of_no_account = "select id from challenges where no_account is not null";
        let mails = format!("select id from mails where challenge_id in ({of_no_account})");
        let mut ids = self.texts(of_no_account).await;
        ids.extend(self.texts(&mails).await);
        for table in ["challenges", "challenge_holders", "mails", "Jobs"] {
            if let Some(rows) = all.get_mut(table) {
                rows.retain(|row| !ids.iter().any(|id| row.contains(id)));
            }
        }
        all.retain(|table, _| !["audit", "guess_runs", "limit_hits"].contains(&table.as_str()));
        if let Some(tries) = all.get_mut("open_tries") {
            tries.retain(|row| row.split(',').nth(2) != Some("0"));
        }
        all
    }

    /// That the file is whole, and no row lacks its partners.
    pub async fn assert_sound(&mut self) {
        let integrity = self.texts("select integrity_check from pragma_integrity_check");
        assert_eq!(integrity.await, ["ok"]);
        for orphans in [
            "select count(*) from pragma_foreign_key_check",
            "select count(*) from registrations r
             where not exists (select 1 from challenges c where c.registration_id = r.id)",
            "select count(*) from mails m where not exists (select 1 from Jobs j where j.id = m.id)",
            "select count(*) from Jobs j where not exists (select 1 from mails m where m.id = j.id)",
            "select count(*) from registrations r join challenges c on c.registration_id = r.id
             where r.decoy = 0 and c.generation = 1
               and not exists (select 1 from mails m where m.challenge_id = c.id)",
        ] {
            assert_eq!(self.number(orphans).await, 0, "{orphans}");
        }
    }
}

//! Whether the database is there, whole, of this schema, its owner's alone, and has room.

use std::path::Path;

use runtime::database::{self, Database, Inspection, OpenError, Role};
use runtime::settings::{DatabaseUrl, Env, Settings};
use runtime::shutdown::Shutdown;

use super::files;
use super::finding::Level;
use super::report::Report;
use crate::error::with_causes;

/// Bytes that must be free: below, the next hour may fill the disk; below, the next weeks may.
const TOO_LITTLE: u64 = 64 << 20;
const LITTLE: u64 = 512 << 20;

const MIGRATE: &str =
    "run `smart-notes migrate` as the services do (systemctl start smart-notes-migrate)";

/// Looks at the file, and opens it as a service does if that can be.
pub async fn check(settings: &Settings, report: &mut Report<'_>) -> Option<Database> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    // First, because SQLite sets the mode of an empty -wal right when it opens it.
    if path.exists() {
        permissions(settings, path, report);
    }
    report.working_on(format!("reading all of {}", path.display()));
    let inspection = match database::inspect(settings).await {
        Ok(inspection) => inspection,
        Err(OpenError::Missing(path)) => {
            let message = format!("there is no database at {}", path.display());
            report.problem("exists", message, MIGRATE);
            return None;
        }
        Err(error) => {
            unreadable(path, &error, report);
            return None;
        }
    };
    content(path, &inspection, report);
    schema(&inspection, report);
    room(path, report);
    open(settings, &inspection, report).await
}

fn unreadable(path: &Path, error: &OpenError, report: &mut Report<'_>) {
    let message = with_causes(error);
    let mend = if files::mode(path).is_none() {
        "run this as root, or as the user of the services"
    } else {
        "if it is no database any more, put a backup in its place"
    };
    report.problem("opens", message, mend);
}

fn content(path: &Path, found: &Inspection, report: &mut Report<'_>) {
    let path = path.display();
    if found.damage.is_empty() {
        report.ok("whole", format!("{path} is whole (quick_check)"));
    } else {
        let faults = found.damage.join("; ");
        report.problem(
            "whole",
            format!("{path} is damaged: {faults}"),
            "stop API and worker, keep a copy of all three files, and put a backup in their place",
        );
    }
    if found.orphans > 0 {
        let message = format!(
            "{} rows lack their partner (foreign_key_check)",
            found.orphans
        );
        report.problem(
            "partners",
            message,
            "something else has written into it: put a backup in its place",
        );
    }
    if found.sqlite_is_too_old {
        let message = format!(
            "SQLite {} can corrupt a database that two processes share",
            found.sqlite
        );
        report.problem("sqlite", message, "build with SQLite 3.51.3 or newer");
    }
}

fn schema(found: &Inspection, report: &mut Report<'_>) {
    if !found.missing.is_empty() {
        let message = format!(
            "its schema is older than this program: {} missing, from {}",
            found.missing.len(),
            found.missing[0]
        );
        report.problem("schema", message, MIGRATE);
    } else if let Some(newest) = found.unknown.last() {
        report.warning(
            "schema",
            format!("its schema is newer than this program, by {newest}"),
            "install the version of this program that migrated it, and restart worker and API",
        );
    } else {
        report.ok("schema", "its schema is that of this program");
    }
}

/// As a service opens it: every pragma is read back.
async fn open(
    settings: &Settings,
    found: &Inspection,
    report: &mut Report<'_>,
) -> Option<Database> {
    if !found.damage.is_empty() || !found.missing.is_empty() {
        report.skipped(
            "pragmas",
            "it was not opened as the services open it: see above",
        );
        return None;
    }
    match Database::open(settings, Role::Tool, &Shutdown::new()).await {
        Ok(database) => {
            let pragmas = format!(
                "it opens as the services open it: SQLite {}, WAL, synchronous=FULL, foreign keys",
                found.sqlite
            );
            report.ok("pragmas", pragmas);
            Some(database)
        }
        Err(error) => {
            let message = with_causes(&error);
            report.problem("pragmas", message, "");
            None
        }
    }
}

fn permissions(settings: &Settings, path: &Path, report: &mut Report<'_>) {
    let folder = files::folder(path);
    let before = report.count(Level::Problem) + report.count(Level::Warning);
    let owner = files::owner(path);
    for file in files::of_database(path) {
        let shown = file.display();
        if let Some(mode) = files::mode(&file).filter(|mode| !files::is_owners_alone(*mode)) {
            let message = format!("{shown} is open to others than its owner (mode {mode:04o})");
            report.problem("permissions", message, format!("chmod 600 {shown}"));
        }
        if files::owner(&file) != owner {
            let mend = format!("chown --reference={} {shown}", path.display());
            report.problem(
                "owner",
                format!("{shown} belongs to another user than the database"),
                mend,
            );
        }
    }
    let shown = folder.display();
    match files::mode(folder) {
        Some(mode) if files::is_others_to_change(mode) => report.problem(
            "folder",
            format!("others may put files into {shown} (mode {mode:04o})"),
            format!("chmod 700 {shown}"),
        ),
        Some(mode) if !files::is_owners_alone(mode) && settings.env == Env::Production => report
            .warning(
                "folder",
                format!("others may look into {shown} (mode {mode:04o})"),
                format!("chmod 700 {shown}"),
            ),
        _ => {}
    }
    if report.count(Level::Problem) + report.count(Level::Warning) == before {
        report.ok("permissions", "its files are their owner's alone");
    }
}

fn room(path: &Path, report: &mut Report<'_>) {
    let folder = files::folder(path);
    let disk = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            let message = format!(
                "the disk of {} does not say what is free: {error}",
                folder.display()
            );
            report.warning("room", message, "");
            return;
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let message = format!("{} MiB are free on its disk", free >> 20);
    let mend = "make room, or move the database to a larger disk";
    match free {
        0..TOO_LITTLE => report.problem("room", message, mend),
        TOO_LITTLE..LITTLE => report.warning("room", message, mend),
        _ => report.ok("room", message),
    }
    // Some file systems count no files.
    if disk.f_files > 0 && disk.f_favail < 100 {
        let message = format!("only {} more files fit on its disk", disk.f_favail);
        report.problem("room", message, mend);
    }
}

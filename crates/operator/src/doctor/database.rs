//! Whether the database exists, is undamaged, has this program's schema, is private to its owner, and has free space.

use std::path::Path;

use runtime::database::{self, Database, Inspection, OpenError, Role};
use runtime::settings::{DatabaseUrl, Env, Settings};
use runtime::shutdown::Shutdown;

use super::files;
use super::finding::Level;
use super::report::Report;
use crate::error::with_causes;

/// Free bytes below which the next hour may fill the disk, and below which the next weeks may.
const TOO_LITTLE: u64 = 64 << 20;
const LITTLE: u64 = 512 << 20;

const MIGRATE: &str =
    "run `smart-notes migrate` as the services do (systemctl start smart-notes-migrate)";

/// Inspects the file, and opens it as a service does if possible.
pub async fn check(settings: &Settings, report: &mut Report<'_>) -> Option<Database> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    // First, because SQLite sets the mode of an empty -wal right when it opens it.
    if path.exists() {
        permissions(settings, path, report);
    }
    report.step(format!("reading all of {}", path.display()));
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
    let fix = if files::mode(path).is_none() {
        "run this as root, or as the user of the services"
    } else {
        "if it is no longer a database, restore a backup"
    };
    report.problem("opens", message, fix);
}

fn content(path: &Path, found: &Inspection, report: &mut Report<'_>) {
    let path = path.display();
    if found.damage.is_empty() {
        report.ok("whole", format!("{path} passes quick_check"));
    } else {
        let faults = found.damage.join("; ");
        report.problem(
            "whole",
            format!("{path} is damaged: {faults}"),
            "stop API and worker, copy all three files away, and restore a backup",
        );
    }
    if found.orphans > 0 {
        let message = format!(
            "{} rows refer to rows that do not exist (foreign_key_check)",
            found.orphans
        );
        report.problem(
            "partners",
            message,
            "another program has written to it: restore a backup",
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
            "its schema is older than this program: {} missing, starting with {}",
            found.missing.len(),
            found.missing[0]
        );
        report.problem("schema", message, MIGRATE);
    } else if let Some(newest) = found.unknown.last() {
        report.warning(
            "schema",
            format!("its schema is newer than this program: unknown migration {newest}"),
            "install the version of this program that migrated it, and restart worker and API",
        );
    } else {
        report.ok("schema", "its schema is up to date");
    }
}

/// As a service opens it: every pragma is read back.
async fn open(
    settings: &Settings,
    found: &Inspection,
    report: &mut Report<'_>,
) -> Option<Database> {
    if !found.damage.is_empty() || !found.missing.is_empty() {
        report.skipped("pragmas", "not opened, because of the problem above");
        return None;
    }
    match Database::open(settings, Role::Tool, &Shutdown::new()).await {
        Ok(database) => {
            let pragmas = format!(
                "it opens with the services' options: SQLite {}, WAL, synchronous=FULL, foreign keys",
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
        let name = file.display();
        if let Some(mode) = files::mode(&file).filter(|mode| !files::is_private(*mode)) {
            let message = format!("other users can access {name} (mode {mode:04o})");
            report.problem("permissions", message, format!("chmod 600 {name}"));
        }
        if files::owner(&file) != owner {
            let fix = format!("chown --reference={} {name}", path.display());
            report.problem(
                "owner",
                format!("{name} is owned by a different user than the database"),
                fix,
            );
        }
    }
    let name = folder.display();
    match files::mode(folder) {
        Some(mode) if files::is_writable_by_others(mode) => report.problem(
            "folder",
            format!("other users can create files in {name} (mode {mode:04o})"),
            format!("chmod 700 {name}"),
        ),
        Some(mode) if !files::is_private(mode) && settings.env == Env::Production => report
            .warning(
                "folder",
                format!("other users can list {name} (mode {mode:04o})"),
                format!("chmod 700 {name}"),
            ),
        _ => {}
    }
    if report.count(Level::Problem) + report.count(Level::Warning) == before {
        report.ok("permissions", "only their owner can access its files");
    }
}

fn room(path: &Path, report: &mut Report<'_>) {
    let folder = files::folder(path);
    let disk = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            let message = format!("the free space of {} is unknown: {error}", folder.display());
            report.warning("room", message, "");
            return;
        }
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let message = format!("{} MiB free on its disk", free >> 20);
    let fix = "free some space, or move the database to a larger disk";
    match free {
        0..TOO_LITTLE => report.problem("room", message, fix),
        TOO_LITTLE..LITTLE => report.warning("room", message, fix),
        _ => report.ok("room", message),
    }
    // Some file systems count no files.
    if disk.f_files > 0 && disk.f_favail < 100 {
        let message = format!("only {} more files fit on its disk (inodes)", disk.f_favail);
        report.problem("room", message, fix);
    }
}

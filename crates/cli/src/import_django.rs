//! `smart-notes import-django`: brings everybody over from the service that this one replaces, so that old
//! passwords and old tokens go on to be good.

mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use domain::accounts::import::{Clash, Import, Lives, Plan};
use domain::clock::{Clock, SystemClock};
use domain::email;
use domain::store::Store;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::database::{Database, Role, django};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;

use crate::users::actor;

/// Somebody is left out, or has another name.
const LOOK_AT_IT: u8 = 3;

/// Numbers that an error names at most.
const NAMED: usize = 10;

/// What `import-django` is told.
#[derive(clap::Args)]
#[command(after_help = "\
The file is only read. Everything is written in one transaction, or nothing; whoever has been brought over once
is left alone by every later run. Requests that write are answered 503 while a large import commits, so stop the
API for it or import before it is started.

Exit codes: 0 everybody is (or would be) brought over as they were; 1 nothing was written, the message says why;
2 wrong use; 3 done, but somebody is left out or renamed and is listed.")]
pub struct Args {
    /// Django's db.sqlite3, or a copy of it
    path: PathBuf,
    #[command(flatten)]
    mode: Mode,
    /// The table of users, if the file has several that could be it
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Show addresses as they are
    #[arg(long)]
    reveal: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Whether to write.
#[derive(clap::Args)]
struct Mode {
    /// Only show what would be done. This is the default
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// Write it
    #[arg(long)]
    apply: bool,
}

impl Mode {
    fn writes(&self) -> bool {
        self.apply && !self.dry_run
    }
}

/// Imports, or shows what would be.
pub async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let read = django::read(&args.path, args.table.as_deref()).await?;
    let found = report::Found::of(&read);
    let lives = Lives {
        lapse: settings.accounts.registration_lapse,
        session: settings.accounts.session_max,
    };
    let import = Import::new(read.source, lives, actor(), SystemClock.now());

    let database = Database::open(settings, Role::Tool, &Shutdown::new()).await?;
    let planned = if args.mode.writes() {
        apply(import, &database.store, found.users).await
    } else {
        plan(&import, &database.store).await
    };
    database.close().await;

    let plan = match planned? {
        Ok(plan) => plan,
        Err(clashes) => bail!("{}", refusal(&clashes, args.reveal)),
    };
    let report = report::Report {
        found,
        plan: &plan,
        applied: args.mode.writes(),
        reveal: args.reveal,
    };
    if args.json {
        say!("{:#}", report.json());
    } else {
        report.print();
    }
    let unchanged =
        plan.left_out.is_empty() && plan.users.iter().all(|user| user.renamed.is_none());
    Ok(if unchanged {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(LOOK_AT_IT)
    })
}

async fn plan(import: &Import, store: &Store) -> anyhow::Result<Result<Plan, Vec<Clash>>> {
    let basis = store.view().await?.import_basis(SystemClock.now()).await?;
    Ok(import.plan(&basis))
}

async fn apply(
    import: Import,
    store: &Store,
    users: u64,
) -> anyhow::Result<Result<Plan, Vec<Clash>>> {
    let written = import.written();
    // Hidden by itself where the standard error is no terminal.
    let bar = ProgressBar::new(users);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} users, {elapsed}") {
        bar.set_style(style);
    }
    let imported = tokio::select! {
        imported = store.write(import) => imported,
        never = advance(&bar, &written) => never,
    };
    bar.finish_and_clear();
    Ok(imported?)
}

/// Moves the bar, until it is dropped.
async fn advance<T>(bar: &ProgressBar, written: &AtomicU64) -> T {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bar.set_position(written.load(Ordering::Relaxed));
    }
}

fn refusal(clashes: &[Clash], reveal: bool) -> String {
    let shown = |address: &str| {
        if reveal {
            address.to_owned()
        } else {
            email::mask(address)
        }
    };
    let lines = clashes.iter().take(NAMED).map(|clash| {
        let (there, here) = (shown(&clash.there), shown(clash.here.as_str()));
        format!("\n  {}  {there} there, {here} here", clash.id)
    });
    let more = clashes.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!("\n  and {more} more")
    } else {
        String::new()
    };
    format!(
        "nothing was written: these numbers are other users' here, and clients know theirs by number.{}{more}\n\
         Import into a database that has no other users yet: `smart-notes migrate` makes one",
        lines.collect::<String>()
    )
}

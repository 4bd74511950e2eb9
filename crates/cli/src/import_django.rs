//! `smart-notes import-django`: imports the users of the Django service that this one replaces. Their passwords and tokens
//! stay valid.

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

/// The exit code if users were left out or renamed.
const INCOMPLETE: u8 = 3;

/// The most users that an error lists.
const LISTED: usize = 10;

/// The arguments of `import-django`.
#[derive(clap::Args)]
#[command(after_help = "\
The file is only read. The import is one transaction. A later run skips users that were imported before. Requests that
write are answered 503 while a large import commits: stop the API first, or import before it starts.

Exit codes: 0 all users are (or would be) imported unchanged; 1 nothing was written, the message says why;
2 wrong usage; 3 done, but some users are left out or renamed, and listed.")]
pub struct Args {
    /// Django's db.sqlite3, or a copy of it
    path: PathBuf,
    #[command(flatten)]
    mode: Mode,
    /// The table of users, if several tables could be it
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Show addresses in full
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Whether to write the import.
#[derive(clap::Args)]
struct Mode {
    /// Only show what would be imported. This is the default
    #[arg(long, conflicts_with = "apply")]
    dry_run: bool,
    /// Write the import
    #[arg(long)]
    apply: bool,
}

impl Mode {
    fn writes(&self) -> bool {
        self.apply && !self.dry_run
    }
}

/// Imports, or shows what would be imported.
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
        ExitCode::from(INCOMPLETE)
    })
}

async fn plan(import: &Import, store: &Store) -> anyhow::Result<Result<Plan, Vec<Clash>>> {
    let basis = store
        .reader()
        .await?
        .import_basis(SystemClock.now())
        .await?;
    Ok(import.plan(&basis))
}

async fn apply(
    import: Import,
    store: &Store,
    users: u64,
) -> anyhow::Result<Result<Plan, Vec<Clash>>> {
    let written = import.written();
    // indicatif hides it where the standard error is not a terminal.
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

/// Advances the bar until dropped.
async fn advance<T>(bar: &ProgressBar, written: &AtomicU64) -> T {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bar.set_position(written.load(Ordering::Relaxed));
    }
}

fn refusal(clashes: &[Clash], reveal: bool) -> String {
    let format = |address: &str| {
        if reveal {
            address.to_owned()
        } else {
            email::mask(address)
        }
    };
    let lines = clashes.iter().take(LISTED).map(|clash| {
        let (there, here) = (format(&clash.there), format(clash.here.as_str()));
        format!("\n  {}  {there} there, {here} here", clash.id)
    });
    let more = clashes.len().saturating_sub(LISTED);
    let more = if more > 0 {
        format!("\n  and {more} more")
    } else {
        String::new()
    };
    format!(
        "nothing was written: these user numbers belong to other users here, and clients store the number.{}{more}\n\
         Import into a database without other users: `smart-notes migrate` creates one",
        lines.collect::<String>()
    )
}

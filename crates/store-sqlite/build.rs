//! Makes the scratch database against which `query!` checks every statement: our migrations
//! and apalis's, in the folder of this build. No `DATABASE_URL` of a shell is looked at.

use std::error::Error;
use std::path::Path;

use apalis_sqlite::SqliteStorage;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

const MIGRATIONS: &str = "../../migrations/sqlite";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={MIGRATIONS}");
    let scratch = Path::new(&std::env::var("OUT_DIR")?).join("scratch.db");
    if scratch.exists() {
        std::fs::remove_file(&scratch)?;
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(migrate(&scratch))?;
    println!(
        "cargo:rustc-env=DATABASE_URL=sqlite://{}",
        scratch.display()
    );
    println!("cargo:rustc-env=SQLX_OFFLINE=false");
    Ok(())
}

async fn migrate(scratch: &Path) -> Result<(), Box<dyn Error>> {
    let options = SqliteConnectOptions::new()
        .filename(scratch)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    Migrator::new(Path::new(MIGRATIONS))
        .await?
        .run(&mut connection)
        .await?;
    let mut apalis = SqliteStorage::migrations();
    apalis.dangerous_set_table_name("_apalis_migrations");
    apalis.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

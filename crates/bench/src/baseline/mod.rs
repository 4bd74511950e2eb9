//! What the product is compared with: the same work by the same libraries, and nothing else.

pub mod database;
pub mod http;
pub mod smtp;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::ensure;
use domain::notes::NoteId;
use domain::token::SecretHash;
use jiff::Timestamp;
use tokio::net::TcpListener;

use database::{BareDatabase, BareNote};

/// The arguments of `baseline`.
#[derive(clap::Args)]
pub struct Args {
    /// Where it listens
    #[arg(long)]
    pub listen: SocketAddr,
    /// The database, which is made
    #[arg(long)]
    pub database: PathBuf,
    /// The token of the user that has notes
    #[arg(long)]
    pub token: String,
    /// Connections for reading
    #[arg(long)]
    pub readers: u32,
    /// Notes that the user has
    #[arg(long)]
    pub notes: u32,
    /// What each says
    #[arg(long)]
    pub content: String,
}

/// Serves until it is killed.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let database = BareDatabase::make(&args.database, args.readers).await?;
    let hash = SecretHash::of(&args.token);
    // The user of the lists is not the one whom new notes belong to.
    database
        .add_token(&args.database, hash.as_bytes(), 2)
        .await?;
    let now = Timestamp::now().as_microsecond();
    let note = |n: u32| BareNote {
        id: NoteId::generate().to_string(),
        title: format!("Note {n}"),
        content: args.content.clone(),
        tags: "[]".to_owned(),
        created: now + i64::from(n),
        updated: now + i64::from(n),
        version: 1,
        ..BareNote::default()
    };
    let notes = (0..args.notes).map(note).collect();
    ensure!(
        database.insert_all(2, notes).await,
        "the notes can't be inserted"
    );
    let listener = TcpListener::bind(args.listen).await?;
    Ok(http::serve(listener, database).await?)
}

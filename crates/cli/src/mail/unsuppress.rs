//! `mail unsuppress`.

use domain::clock::{Clock, SystemClock};
use domain::email::mask;
use domain::operator::Unsuppress;
use domain::store::Store;
use operator::Error;
use serde_json::json;

use crate::jobs::address;
use crate::users::actor;

/// The arguments of `unsuppress`.
#[derive(clap::Args)]
pub struct Args {
    /// The address, in any spelling
    address: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lifts a suppression.
pub async fn run(args: &Args, store: &Store) -> anyhow::Result<u8> {
    let address = address(&args.address)?;
    let lift = Unsuppress {
        to: address.key().clone(),
        actor: actor(),
        now: SystemClock.now(),
    };
    let masked = mask(address.as_typed());
    let Some(lifted) = store.write(lift).await? else {
        return Err(Error::not_found(format!("{masked} is not suppressed")).into());
    };
    if args.json {
        say!(
            "{:#}",
            json!({ "address": masked, "since": lifted.since, "until": lifted.until, "mail": lifted.mail })
        );
    } else {
        say!("{masked} is no longer suppressed. It was suppressed: {lifted}");
        say!(
            "mails that ended because of it are not sent again by this: smart-notes jobs retry ID does that while their codes are valid"
        );
    }
    Ok(0)
}

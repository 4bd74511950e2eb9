//! `smart-notes doctor`: looks at everything that must fit together, and says how what does not is mended.

mod dns;
mod network;
mod progress;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use operator::doctor::{Examination, Level};
use runtime::settings::LoadOptions;

use network::RealNetwork;
use progress::Terminal;

/// What `doctor` is told.
#[derive(clap::Args)]
#[command(after_help = "\
Changes nothing and sends no mail. To see what the services see, give it what they are given: their settings, and \
the variables of their unit:

  sudo smart-notes --config /etc/smart-notes/production.toml doctor --env-file /etc/smart-notes/environment

Exit codes: 0 nothing must be mended (warnings don't count); 1 something must be; 2 wrong use.")]
pub struct Args {
    /// Look the sender's domain up in DNS, in development too
    #[arg(long)]
    dns: bool,
    /// Ask this name server about the sender's domain instead of the system's; means --dns
    #[arg(long, value_name = "ADDRESS:PORT")]
    nameserver: Option<SocketAddr>,
    /// A file of variables to read instead of `.env`: the services' `EnvironmentFile=`
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Looks at everything.
pub async fn run(args: &Args, options: LoadOptions) -> ExitCode {
    let examination = Examination {
        options,
        env_file: args.env_file.clone(),
        dns: args.dns || args.nameserver.is_some(),
    };
    let network = RealNetwork {
        nameserver: args.nameserver,
    };
    let mut terminal = Terminal::new(args.json);
    let findings = examination.run(&network, &mut terminal).await;
    terminal.finish();
    if args.json {
        say!("{:#}", findings.json());
    } else {
        say!("\n{}", findings.summary());
    }
    if findings.count(Level::Problem) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

//! `smart-notes doctor`: checks everything that must fit together, and suggests a fix for anything that is wrong.

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

/// The arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "\
Changes nothing and sends no mail. To check the services, pass their settings file and the variables of their systemd \
unit:

  sudo smart-notes --config /etc/smart-notes/production.toml doctor --env-file /etc/smart-notes/environment

Exit codes: 0 no problems (warnings don't count); 1 problems; 2 wrong usage.")]
pub struct Args {
    /// Look up the sender's domain in DNS in development too
    #[arg(long)]
    dns: bool,
    /// Ask this name server instead of the system's; implies --dns
    #[arg(long, value_name = "ADDRESS:PORT")]
    nameserver: Option<SocketAddr>,
    /// A file of variables to read instead of `.env`: the services' `EnvironmentFile=`
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs every check and prints the findings.
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

//! Asking name servers, without a search domain and without patience.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time::timeout;

/// For one look-up, with every name server and try.
const PATIENCE: Duration = Duration::from_secs(6);

/// For one name server.
const ONE_TRY: Duration = Duration::from_secs(2);

/// A resolver that asks the system's name servers, or this one.
pub fn resolver(nameserver: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match nameserver {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
                way.port = server.port();
                way
            });
            let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = ONE_TRY;
    options.attempts = 1;
    builder.build()
}

/// The TXT records of a name; none if there is no such name. An error: nobody knows.
pub async fn txt(dns: &TokioResolver, name: &str) -> Result<Vec<String>, String> {
    // With the final dot, so that no search domain of this machine is put behind it.
    let lookup = match timeout(PATIENCE, dns.txt_lookup(format!("{name}."))).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
    };
    let text = |data: &RData| match data {
        // One text may come in several pieces (RFC 7208 section 3.3).
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    };
    Ok(lookup
        .answers()
        .iter()
        .filter_map(|record| text(&record.data))
        .collect())
}

//! DNS lookups without search domains and with short timeouts.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time::timeout;

/// The time limit for one lookup, over all name servers.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The time limit for one name server.
const ONE_SERVER: Duration = Duration::from_secs(2);

/// A resolver that asks the system's name servers, or the given one.
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
    options.timeout = ONE_SERVER;
    options.attempts = 1;
    builder.build()
}

/// The TXT records of a name; none if there is no such name. The error says why the lookup failed.
pub async fn txt(dns: &TokioResolver, name: &str) -> Result<Vec<String>, String> {
    // A trailing dot, so that no search domain of this machine is appended.
    let lookup = match timeout(TIMEOUT, dns.txt_lookup(format!("{name}."))).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {TIMEOUT:?}")),
    };
    let text = |data: &RData| match data {
        // One text may be split into several strings (RFC 7208 section 3.3).
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    };
    Ok(lookup
        .answers()
        .iter()
        .filter_map(|record| text(&record.data))
        .collect())
}

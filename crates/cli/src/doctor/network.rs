//! Relays and name servers for the checks: relays through the worker's own SMTP client, names through a resolver.

use std::net::SocketAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use operator::doctor::{Network, RelayAnswer, RelayFailure, RelayProbe, Security};
use runtime::settings::{RelayUrl, Smtp};
use smart_notes_worker::smtp::{Attempt, Relay, Stage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::dns;

/// Connects to relays and name servers.
pub struct RealNetwork {
    /// The name server to ask instead of the system's.
    pub nameserver: Option<SocketAddr>,
}

#[async_trait]
impl Network for RealNetwork {
    fn relay(&self, url: &RelayUrl, smtp: &Smtp) -> Result<Box<dyn RelayProbe>, String> {
        let relay = smart_notes_worker::relay(url, smtp)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        Ok(Box::new(Probe {
            relay,
            smtp: smtp.clone(),
        }))
    }

    async fn txt(&self, name: &str) -> Result<Vec<String>, String> {
        let dns = dns::resolver(self.nameserver).map_err(|error| error.to_string())?;
        dns::txt(&dns, name).await
    }
}

struct Probe {
    relay: Relay,
    smtp: Smtp,
}

#[async_trait]
impl RelayProbe for Probe {
    fn name(&self) -> &str {
        self.relay.name()
    }

    async fn inspect(&self) -> Result<RelayAnswer, RelayFailure> {
        let inspected = smart_notes_worker::inspect(&self.relay, &self.smtp).await;
        let found = inspected.map_err(|attempt| RelayFailure {
            message: attempt.to_string(),
            fix: fix(&attempt),
        })?;
        Ok(RelayAnswer {
            security: found
                .certificate
                .map_or(Security::None, |der| Security::Tls { until: until(&der) }),
            logged_in: found.logged_in,
        })
    }
}

/// When a certificate expires.
fn until(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let until = certificate.validity().not_after.timestamp();
    Some(Timestamp::from_second(until).unwrap_or(Timestamp::MAX))
}

/// How to fix an attempt that failed.
fn fix(attempt: &Attempt) -> &'static str {
    match attempt.stage {
        Stage::Unknown | Stage::Resolve => {
            "check the relay's name in smtp.relays, and this machine's DNS"
        }
        Stage::Connect => {
            "check that the relay is running and that no firewall blocks connections to that port; many providers block port 25"
        }
        Stage::Tls => {
            "check the port (587: smtp://, 465: smtps://) and the relay's certificate; smtp.ca_file adds a certificate authority of your own"
        }
        Stage::Greeting => {
            "check the port, and whether the relay accepts this machine and its name (smtp.hello_name)"
        }
        Stage::Auth => {
            "check user and password in smtp.relays; percent-encode characters that are special in URLs"
        }
        Stage::Mail => {
            "the relay refuses smtp.from: allow that sender on the relay for the user in smtp.relays, or change smtp.from"
        }
        Stage::Rcpt | Stage::Data | Stage::EndOfData => "ask the operator of the relay",
    }
}

//! The network as the doctor asks it: relays as the worker does, names by a resolver of our own.

use std::net::SocketAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use operator::doctor::{Network, RelayAnswer, RelayFailure, RelayProbe, Security};
use runtime::settings::{RelayUrl, Smtp};
use smart_notes_worker::smtp::{Relay, Stage, Try};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::dns;

/// Asks relays and name servers.
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
            mend: mend(&attempt),
        })?;
        Ok(RelayAnswer {
            security: found
                .certificate
                .map_or(Security::None, |der| Security::Tls { until: until(&der) }),
            logged_in: found.logged_in,
        })
    }
}

/// Until when a certificate is good.
fn until(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let until = certificate.validity().not_after.timestamp();
    Some(Timestamp::from_second(until).unwrap_or(Timestamp::MAX))
}

fn mend(attempt: &Try) -> &'static str {
    match attempt.stage {
        Stage::Resolve => "check the relay's name in smtp.relays, and this machine's DNS",
        Stage::Connect => {
            "see whether the relay runs and a firewall lets this machine out to that port; many providers block 25"
        }
        Stage::Tls => {
            "check the port (587: smtp://, 465: smtps://) and the relay's certificate; smtp.ca_file trusts an authority of your own"
        }
        Stage::Greeting => {
            "check the port, and whether the relay knows this machine or its name (smtp.hello_name)"
        }
        Stage::Auth => {
            "check user and password in smtp.relays; percent-encode what a URL gives a meaning"
        }
        Stage::Mail => {
            "the relay does not take mails from smtp.from: have it allowed there, for the user that smtp.relays names, or set another"
        }
        Stage::Rcpt | Stage::Data | Stage::Dot => "ask whoever runs the relay",
    }
}

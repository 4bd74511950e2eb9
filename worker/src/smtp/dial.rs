//! Opening the TCP connection: every address of a relay's name, the one that answered last first. A relay
//! may listen on one of them only.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::connection::Target;
use super::trail::{Trail, no_answer};
use super::{End, Stage};

/// The address that answered last.
#[derive(Default)]
pub(super) struct LastGood(Mutex<Option<SocketAddr>>);

impl LastGood {
    fn get(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }
}

/// Finds the relay's addresses and connects to the first that answers.
pub(super) async fn dial(
    target: &Target,
    trail: &mut Trail,
) -> Result<(TcpStream, SocketAddr), End> {
    let limit = target.timeouts.connect;
    trail.stage = Stage::Resolve;
    let found = timeout(limit, lookup_host((target.host.as_str(), target.port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(End::Failed(format!("its name has no address: {error}"))),
        Err(_) => return Err(no_answer(limit)),
    };
    trail.stage = Stage::Connect;
    first_that_answers(addresses, &target.last_good, limit)
        .await
        .map_err(|failures| End::Failed(told(&failures, &target.host)))
}

/// An address that did not answer, and why.
type Failure = (SocketAddr, String);

async fn first_that_answers(
    mut addresses: Vec<SocketAddr>,
    last_good: &LastGood,
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), Vec<Failure>> {
    let preferred = last_good.get();
    addresses.sort_by_key(|address| Some(*address) != preferred);
    let mut failures = Vec::new();
    for address in addresses {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it each command waits for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                last_good.set(address);
                return Ok((stream, address));
            }
            Ok(Err(error)) => failures.push((address, error.to_string())),
            Err(_) => failures.push((address, format!("no answer within {limit:?}"))),
        }
    }
    Err(failures)
}

/// Which of its addresses it was is worth saying only if the relay has a name.
fn told(failures: &[Failure], host: &str) -> String {
    if failures.is_empty() {
        return String::from("its name has no address");
    }
    let is_address = host.parse::<IpAddr>().is_ok();
    let one = |(address, why): &Failure| {
        if is_address {
            why.clone()
        } else {
            format!("{address}: {why}")
        }
    };
    failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// An address on which nobody listens, and what keeps it that way.
    fn dead() -> (TcpSocket, SocketAddr) {
        let taken = TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        (taken, address)
    }

    async fn alive() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn every_address_is_tried_until_one_answers_and_that_one_first_the_next_time() {
        let ((_one, dead), (_two, answers), (_three, other)) =
            (dead(), alive().await, alive().await);
        let last_good = LastGood::default();

        let first = first_that_answers(vec![dead, answers, other], &last_good, LIMIT).await;
        let again = first_that_answers(vec![dead, other, answers], &last_good, LIMIT).await;

        assert_eq!(first.unwrap().1, answers);
        assert_eq!(again.unwrap().1, answers);
    }

    #[tokio::test]
    async fn an_address_that_answered_once_is_left_when_it_is_gone() {
        let ((listener, gone), (_two, answers)) = (alive().await, alive().await);
        let last_good = LastGood::default();
        first_that_answers(vec![gone], &last_good, LIMIT)
            .await
            .unwrap();
        drop(listener);

        let found = first_that_answers(vec![gone, answers], &last_good, LIMIT).await;

        assert_eq!(found.unwrap().1, answers);
    }

    #[tokio::test]
    async fn every_address_that_failed_is_named_unless_the_relay_is_an_address() {
        let ((_one, first), (_two, second)) = (dead(), dead());

        let failures = first_that_answers(vec![first, second], &LastGood::default(), LIMIT)
            .await
            .unwrap_err();

        let told_of_a_name = told(&failures, "relay.example.com");
        let refused = "Connection refused (os error 111)";
        assert_eq!(
            told_of_a_name,
            format!("{first}: {refused}; {second}: {refused}")
        );
        assert_eq!(told(&failures[..1], "127.0.0.1"), refused);
        assert_eq!(told(&[], "relay.example.com"), "its name has no address");
    }
}

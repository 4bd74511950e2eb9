//! Opening the TCP connection to one of the addresses of a relay's name. Some of them may be out of order: they
//! refuse connections, do not answer, or answer without a working relay.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::Target;
use super::progress::{Progress, no_answer};
use super::{End, Stage};

/// How long an address has for itself before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// What is known of a relay's addresses.
#[derive(Default)]
pub(super) struct Addresses(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The one at which the relay was ready for a mail last.
    good: Option<SocketAddr>,
    /// Those at which it was not, the latest last.
    bad: Vec<SocketAddr>,
}

impl Addresses {
    /// The relay was ready for a mail there.
    pub(super) fn served(&self, address: SocketAddr) {
        let mut known = self.lock();
        known.good = Some(address);
        known.bad.retain(|bad| *bad != address);
    }

    /// It was not.
    pub(super) fn failed(&self, address: SocketAddr) {
        let mut known = self.lock();
        known.good = known.good.filter(|good| *good != address);
        known.bad.retain(|bad| *bad != address);
        known.bad.push(address);
    }

    /// The good one first, then those of which nothing bad is known, then the one that has failed the longest ago:
    /// if the relay works at any of them, it is found by and by.
    pub(super) fn sort(&self, found: &mut [SocketAddr]) {
        let mut known = self.lock();
        known.bad.retain(|bad| found.contains(bad));
        found.sort_by_key(|address| {
            let failed = known.bad.iter().position(|bad| bad == address);
            (known.good != Some(*address), failed)
        });
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the relay's addresses and connects to one that answers.
pub(super) async fn dial(
    target: &Target,
    progress: &mut Progress,
) -> Result<(TcpStream, SocketAddr), End> {
    let limit = target.timeouts.connect;
    progress.reach(Stage::Resolve);
    let found = timeout(limit, lookup_host((target.host.as_str(), target.port))).await;
    let mut addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(End::Failed(format!("its name has no address: {error}"))),
        Err(_) => return Err(no_answer(limit)),
    };
    progress.reach(Stage::Connect);
    target.addresses.sort(&mut addresses);
    first_that_answers(addresses, limit)
        .await
        .map_err(|failures| {
            for (address, _) in &failures {
                target.addresses.failed(*address);
            }
            End::Failed(told(&failures, &target.host))
        })
}

/// An address that did not answer, and why.
type Failure = (SocketAddr, String);

/// Tries the addresses in their order: the next at once when one refuses, and beside those that are silent.
async fn first_that_answers(
    addresses: Vec<SocketAddr>,
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), Vec<Failure>> {
    let mut rest = addresses.into_iter();
    let mut dialled = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        if let Some(address) = rest.next() {
            dialled.spawn(connect(address, limit));
        }
        tokio::select! {
            Some(Ok(answer)) = dialled.join_next() => match answer {
                Ok(connected) => return Ok(connected),
                Err(failure) => failures.push(failure),
            },
            () = sleep(HEAD_START), if rest.len() > 0 => {}
            else => return Err(failures),
        }
    }
}

async fn connect(address: SocketAddr, limit: Duration) -> Result<(TcpStream, SocketAddr), Failure> {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Without it each command waits for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            Ok((stream, address))
        }
        Ok(Err(error)) => Err((address, error.to_string())),
        Err(_) => Err((address, format!("no answer within {limit:?}"))),
    }
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

    /// An address without a listener, and what keeps it that way.
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

    /// An address that does not answer at all, and what keeps it that way: its line is full.
    async fn silent() -> ((TcpListener, TcpStream), SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first_in_line = TcpStream::connect(address).await.unwrap();
        ((listener, first_in_line), address)
    }

    #[tokio::test]
    async fn an_address_that_answers_is_found_behind_many_that_are_silent() {
        let mut kept = Vec::new();
        let mut addresses = Vec::new();
        for _ in 0..8 {
            let (keeps, address) = silent().await;
            kept.push(keeps);
            addresses.push(address);
        }
        let (_listener, answers) = alive().await;
        addresses.push(answers);

        // Long before any of them is given up.
        let found = timeout(LIMIT, first_that_answers(addresses, LIMIT)).await;

        assert_eq!(found.expect("it is found").unwrap().1, answers);
    }

    #[tokio::test]
    async fn every_address_is_tried_until_one_answers() {
        let ((_one, dead), (_two, answers)) = (dead(), alive().await);

        let found = first_that_answers(vec![dead, answers], LIMIT).await;

        assert_eq!(found.unwrap().1, answers);
    }

    #[test]
    fn the_address_that_served_last_comes_first_and_those_that_failed_come_last() {
        let all: Vec<SocketAddr> = (1..=4).map(|n| ([127, 0, 0, n], 25).into()).collect();
        let [one, two, three, four] = all[..] else {
            panic!("there are four");
        };
        let addresses = Addresses::default();
        let sorted = || {
            let mut sorted = all.clone();
            addresses.sort(&mut sorted);
            sorted
        };

        assert_eq!(sorted(), [one, two, three, four]);
        addresses.served(three);
        assert_eq!(sorted(), [three, one, two, four]);
        addresses.failed(two);
        addresses.failed(three);
        assert_eq!(sorted(), [one, four, two, three]);
        addresses.failed(one);
        addresses.failed(four);
        assert_eq!(sorted(), [two, three, one, four], "every one gets its turn");
    }

    #[tokio::test]
    async fn every_address_that_failed_is_named_unless_the_relay_is_an_address() {
        let ((_one, first), (_two, second)) = (dead(), dead());

        let failures = first_that_answers(vec![first, second], LIMIT)
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

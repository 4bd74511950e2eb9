//! What a relay that can't be reached is told of.

use tokio::net::{TcpListener, TcpSocket};

use super::*;

/// An attempt at a host without a listener, and that host with its port.
async fn refused(host: &str) -> (Box<Attempt>, String) {
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let name = format!("{host}:{}", taken.local_addr().unwrap().port());
    let url = format!("smtp://{name}?tls=none").parse().unwrap();
    let relay = Relay::new(url, RelayOptions::default()).unwrap();
    (relay.probe().await.unwrap_err(), name)
}

#[tokio::test]
async fn a_failure_names_the_relay_once_and_its_text_not_at_all() {
    let (attempt, relay) = refused("127.0.0.1").await;

    assert_eq!(attempt.text(), "Connection refused (os error 111)");
    assert_eq!(
        attempt.to_string(),
        format!("{relay} failed at connect: Connection refused (os error 111)")
    );
}

#[tokio::test]
async fn an_address_whose_server_does_not_greet_comes_last_the_next_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs_up = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let url = format!("smtp://{hangs_up}?tls=none").parse().unwrap();
    let relay = Relay::new(url, RelayOptions::default()).unwrap();

    let attempt = relay.probe().await.unwrap_err();
    let other = "127.0.0.2:25".parse().unwrap();
    let mut addresses = [hangs_up, other];
    relay.0.target.addresses.sort(&mut addresses);

    assert_eq!(attempt.stage, Stage::Greeting);
    assert_eq!(addresses, [other, hangs_up]);
}

#[tokio::test]
async fn a_failure_at_a_relay_with_a_name_tells_its_addresses() {
    let (attempt, relay) = refused("localhost").await;

    let port = relay.rsplit_once(':').unwrap().1;
    let tried = format!("127.0.0.1:{port}: Connection refused");
    assert!(attempt.text().contains(&tried), "{attempt}");
}

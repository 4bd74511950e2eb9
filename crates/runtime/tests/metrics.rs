//! Figures, fetched over a socket as Prometheus does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use smart_notes_runtime::metrics::{self, Collect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Counts how often somebody asked.
#[derive(Default)]
struct Asked(AtomicU64);

#[async_trait]
impl Collect for Asked {
    async fn collect(&self) {
        let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        ::metrics::gauge!("smart_notes_test_asked").set(u32::try_from(asked).unwrap());
    }
}

/// A port that is free at this moment.
async fn free() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn answer(address: std::net::SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// One test, because a process has one recorder.
#[tokio::test]
async fn figures_are_handed_out_in_prometheus_text_to_who_asks_for_them() {
    metrics::install().unwrap();
    metrics::install().unwrap();
    let address = free().await;
    let listening = metrics::serve(address, "a.setting", Arc::new(Asked::default()))
        .await
        .unwrap();
    ::metrics::counter!("smart_notes_test_total", "kind" => "one").increment(3);
    ::metrics::histogram!("smart_notes_test_seconds").record(0.004);
    ::metrics::histogram!(metrics::ACCEPTANCE).record(400.0);

    let first = answer(address, "GET /metrics").await;
    let second = answer(address, "GET /metrics").await;
    let elsewhere = answer(address, "GET /").await;
    let posted = answer(address, "POST /metrics").await;
    let taken = metrics::serve(address, "a.setting", Arc::new(Asked::default())).await;

    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
    for line in [
        "content-type: text/plain; version=0.0.4; charset=utf-8\r\n",
        "# TYPE smart_notes_test_total counter\nsmart_notes_test_total{kind=\"one\"} 3\n",
        "smart_notes_test_seconds_bucket{le=\"0.0025\"} 0\n",
        "smart_notes_test_seconds_bucket{le=\"0.005\"} 1\n",
        "smart_notes_mail_acceptance_seconds_bucket{le=\"300\"} 0\n",
        "smart_notes_mail_acceptance_seconds_bucket{le=\"600\"} 1\n",
        "smart_notes_build_info{version=\"",
        "\nprocess_resident_memory_bytes ",
    ] {
        assert!(first.contains(line), "no {line} in {first}");
    }
    assert!(first.contains("smart_notes_test_asked 1\n"), "{first}");
    assert!(second.contains("smart_notes_test_asked 2\n"), "{second}");
    assert!(elsewhere.starts_with("HTTP/1.1 404 "), "{elsewhere}");
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    let refused = taken.unwrap_err().to_string();
    assert!(
        refused.contains("Choose another address in a.setting"),
        "{refused}"
    );
    drop(listening);
    let gone = async || TcpStream::connect(address).await.is_err();
    while !gone().await {
        tokio::task::yield_now().await;
    }
}

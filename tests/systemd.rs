//! What the real programs tell systemd over its socket (`sd_notify(3)`).

use std::path::Path;

use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::support::{API, PATIENCE, Place, Process, Rows, worker};

/// A socket as systemd has one for each unit, and a program that is told of it.
struct Unit {
    socket: UnixDatagram,
    process: Process,
}

impl Unit {
    /// Starts a program as a unit with `Type=notify`, and `WatchdogSec=` if the place says so.
    fn start(place: &mut Place, program: &Path, name: &str) -> Self {
        let path = place.path().join(format!("{name}.sock"));
        let socket = UnixDatagram::bind(&path).unwrap();
        place.set("NOTIFY_SOCKET", path.to_str().unwrap());
        Self {
            socket,
            process: Process::start(program, name, place),
        }
    }

    /// The next datagram.
    async fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let received = timeout(PATIENCE, self.socket.recv(&mut buffer)).await;
        let length = received.expect("it says something").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for a datagram that has this line; returns those that came before it and that.
    async fn hears_of(&self, line: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let said = self.hears().await;
            let found = said.lines().any(|one| one == line);
            heard.push(said);
            if found {
                return heard;
            }
        }
    }
}

/// Both programs on a fresh database.
async fn units(watchdog_ms: Option<u64>) -> (Place, [Unit; 2]) {
    let mut place = Place::new();
    place.set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "100");
    if let Some(limit) = watchdog_ms {
        place.set("WATCHDOG_USEC", &(limit * 1000).to_string());
    }
    runtime::database::migrate(&place.settings()).await.unwrap();
    let api = Unit::start(&mut place, Path::new(API), "api");
    let worker = Unit::start(&mut place, worker(), "worker");
    (place, [api, worker])
}

#[tokio::test]
async fn the_supervisor_hears_first_that_they_serve_and_last_that_they_stop() {
    let (_place, [mut api, mut worker]) = units(None).await;

    let serving = api.hears().await;
    let delivering = worker.hears().await;
    for unit in [&mut api, &mut worker] {
        unit.process.terminate();
        let stopping = unit.hears().await;
        let status = unit.process.ended().await;

        assert!(
            stopping.starts_with("STOPPING=1\nSTATUS=stopping"),
            "{stopping}"
        );
        assert!(status.success());
    }

    assert!(
        serving.starts_with("READY=1\nSTATUS=serving on 127.0.0.1:"),
        "{serving}"
    );
    assert!(
        delivering.starts_with("READY=1\nSTATUS=delivering through smtp://"),
        "{delivering}"
    );
}

#[tokio::test]
async fn a_program_that_cannot_start_never_says_that_it_serves() {
    let mut place = Place::new(); // without a database

    for (program, name) in [(Path::new(API), "api"), (worker(), "worker")] {
        let mut unit = Unit::start(&mut place, program, name);
        let status = unit.process.ended().await;

        assert_eq!(status.code(), Some(1));
        let silence = unit.socket.try_recv(&mut [0; 64]);
        assert_eq!(silence.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[tokio::test]
async fn signs_of_life_come_again_and_again_also_while_somebody_holds_the_database() {
    let (place, [api, worker]) = units(Some(1500)).await;
    for unit in [&api, &worker] {
        unit.hears_of("WATCHDOG=1").await;
    }
    let mut outside = Rows::open(&place.database()).await;
    outside.run("begin immediate").await;

    for unit in [&api, &worker] {
        // What was said before the lock is not counted.
        while unit.socket.try_recv(&mut [0; 4096]).is_ok() {}
        for _ in 0..3 {
            unit.hears_of("WATCHDOG=1").await;
        }
    }

    outside.run("rollback").await;
    outside.close().await;
    for mut unit in [api, worker] {
        unit.process.terminate();
        let heard = unit.hears_of("STOPPING=1").await;
        let unresponsive = heard.iter().find(|said| said.contains("is not responsive"));
        assert_eq!(unresponsive, None);
        assert!(unit.process.ended().await.success());
    }
}

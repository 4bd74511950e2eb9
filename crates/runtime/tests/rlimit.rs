//! The limit of open files, which belongs to the whole process: one test in a program of its own.

use std::io;
use std::sync::{Arc, Mutex};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use smart_notes_runtime::settings::{Log, LogFormat};
use smart_notes_runtime::{rlimit, telemetry};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged while room is made for so many connections.
fn logged(connections: usize) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = Log {
        level: "warn".to_owned(),
        format: LogFormat::Text,
    };
    let dispatch = telemetry::dispatch(&log, move || writer.clone(), false).unwrap();
    tracing::dispatcher::with_default(&dispatch, || rlimit::raise(connections));
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_soft_limit_becomes_the_hard_one_and_too_low_a_limit_is_told() {
    let hard = 256;
    let low = Rlimit {
        current: Some(128),
        maximum: Some(hard),
    };
    setrlimit(Resource::Nofile, low).unwrap();

    let enough = logged(192);
    let too_few = logged(193);

    assert_eq!(getrlimit(Resource::Nofile).current, Some(hard));
    assert_eq!(enough, "");
    assert!(
        too_few.contains("descriptors.allowed=256 descriptors.needed=257"),
        "{too_few}"
    );
}

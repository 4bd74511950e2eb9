//! Signals, faults and exit codes. Signals go to a process of their own: this test program,
//! run again for one ignored test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use smart_notes_runtime::shutdown::{Reason, Shutdown, Signal};

/// Set for the child, so that `--include-ignored` alone does not make one.
const CHILD: &str = "SMART_NOTES_TEST_CHILD";

#[tokio::test]
async fn every_clone_hears_the_end_and_its_first_reason() {
    let shutdown = Shutdown::new();
    let clone = shutdown.clone();
    assert!(!clone.is_cancelled());
    assert_eq!(clone.reason(), None);

    shutdown.trigger();
    clone.cancelled().await;
    clone.cancelled().await;

    assert!(clone.is_cancelled() && clone.token().is_cancelled());
    assert_eq!(clone.reason(), Some(Reason::Triggered));
    assert_eq!(clone.exit_code(), ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_fault_ends_the_process_with_a_failure_even_while_it_stops() {
    let shutdown = Shutdown::new();

    shutdown.trigger();
    shutdown.clone().fatal("the disk refused to keep a commit");
    shutdown.fatal("a fault that followed from it");
    shutdown.trigger();

    let first = Reason::Fatal("the disk refused to keep a commit".into());
    assert_eq!(shutdown.reason(), Some(first));
    assert_eq!(shutdown.exit_code(), ExitCode::FAILURE);
}

#[test]
fn a_first_signal_ends_in_good_order() {
    for (name, reason) in [("TERM", Signal::Terminate), ("INT", Signal::Interrupt)] {
        let (mut child, mut output) = child("once");

        send(&child, name);

        let mut said = String::new();
        output.read_to_string(&mut said).unwrap();
        assert!(said.contains(&format!("ended by {reason}")), "{said}");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_second_signal_exits_at_once_and_says_so() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let (mut child, mut output) = child("hang");

        send(&child, "TERM");
        let mut line = String::new();
        while !line.contains("ended by") {
            line.clear();
            assert_ne!(
                output.read_line(&mut line).unwrap(),
                0,
                "the child ended too early"
            );
        }
        send(&child, name);

        assert_eq!(child.wait().unwrap().code(), Some(code));
        let mut complaint = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut complaint)
            .unwrap();
        assert!(
            complaint.contains(&format!("SIG{name} again: exiting at once")),
            "{complaint}"
        );
    }
}

/// What the other tests start: listens, says so, waits, and then ends or hangs.
#[tokio::test]
#[ignore = "a process of its own, started by the tests above"]
async fn child_process() {
    let Ok(behaviour) = std::env::var(CHILD) else {
        return;
    };
    let shutdown = Shutdown::on_signals().unwrap();
    println!("ready");

    shutdown.cancelled().await;

    println!("ended by {}", shutdown.reason().unwrap());
    if behaviour == "hang" {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

type Output = BufReader<std::process::ChildStdout>;

/// Starts the child and waits until it listens.
fn child(behaviour: &str) -> (Child, Output) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "shutdown::child_process",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD, behaviour)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "the child never listened"
        );
    }
    (child, output)
}

fn send(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

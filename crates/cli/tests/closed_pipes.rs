//! The real `smart-notes` where nobody reads what it prints, or not all of it (`| head -1`, `| grep -q`): it does what
//! it was asked for, and says nothing of it.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write, pipe};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with a database.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        assert!(place.command("migrate").output().unwrap().status.success());
        place
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smart-notes"));
        command
            .args(arguments.split_whitespace())
            .env_clear()
            .env("DATABASE_URL", "sqlite://notes.db")
            .env("SECRET_KEY", "an example key for tests only, long enough")
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command whose output nobody will ever read.
    fn unread(&self, arguments: &str, input: &str) -> Output {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

#[track_caller]
fn assert_quiet(output: &Output, command: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
    assert_eq!(output.status.code(), Some(0), "{command}");
}

#[test]
fn a_command_whose_reader_has_gone_does_its_work_and_says_nothing() {
    let place = Place::new();
    let ann = "users create --username ann --email ann@example.com";

    for (command, input) in [
        ("migrate", ""),
        ("migrate --json", ""),
        ("config", ""),
        ("config --json", ""),
        ("openapi", ""),
        ("jobs list", ""),
        ("jobs list --json", ""),
        ("users list", ""),
        (ann, "correct horse battery"),
        ("users list", ""),
        ("users list --json", ""),
        ("users show ann", ""),
        ("users show ann --json", ""),
        ("users disable ann", ""),
        ("users enable ann", ""),
        ("users logout ann", ""),
        ("users delete ann --yes", ""),
        ("--help", ""),
        ("--version", ""),
    ] {
        assert_quiet(&place.unread(command, input), command);
    }
    let left = place.command("users list").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "no users\n");
}

#[test]
fn a_reader_may_leave_after_the_first_line() {
    let place = Place::new();
    let mut child = place
        .command("openapi")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();

    // What is printed is more than a pipe holds, so the program still writes when the reader goes.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();

    assert_eq!(first, "{\n");
    assert_quiet(&child.wait_with_output().unwrap(), "openapi");
}

#[test]
fn a_failure_is_printed_although_the_reader_has_exited() {
    let place = Place::new();

    let output = place.unread("users show nobody", "");

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("smart-notes: "), "{errors}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();

    let output = place.command("config").stdout(full).output().unwrap();

    let errors = String::from_utf8_lossy(&output.stderr);
    let told = "smart-notes: the standard output can't be written to: ";
    assert!(errors.starts_with(told), "{errors}");
    assert_eq!(output.status.code(), Some(1));
}

/// Not even complaints can make a program panic, whose exit code would be 101.
#[test]
fn a_command_that_can_not_complain_fails_all_the_same() {
    let place = Place::new();
    let (reader, writer) = pipe().unwrap();
    drop(reader);

    let status = place
        .command("users show nobody")
        .stdout(Stdio::null())
        .stderr(writer)
        .status()
        .unwrap();

    assert_eq!(status.code(), Some(3));
}

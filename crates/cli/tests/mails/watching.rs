//! `jobs watch`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Scene;

/// A watch in JSON, and what it prints.
fn watch(scene: &Scene) -> (Child, BufReader<ChildStdout>) {
    let mut child = scene.place.start(&["jobs", "watch", "--json"]);
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn next(lines: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of JSON: `{line}`"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_prints_a_line_when_something_changes_and_ends_on_ctrl_c() {
    let scene = Scene::quiet().await;
    let (mut child, mut lines) = watch(&scene);

    let empty = next(&mut lines);
    let id = scene.mail_to("ada", "ada@example.com").await;
    let queued = next(&mut lines);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ended = child.wait().unwrap();

    assert_eq!(empty["newest"], serde_json::json!([]));
    assert_eq!(queued["newest"][0]["id"], id);
    assert_eq!(queued["newest"][0]["to"], "a•••@example.com");
    assert_eq!(queued["mails"]["queued"]["verify_email"], 1);
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_its_reader_has_exited() {
    let scene = Scene::quiet().await;
    let (mut child, mut lines) = watch(&scene);
    next(&mut lines);
    drop(lines);

    scene.mail_to("ada", "ada@example.com").await;
    let ended = child.wait().unwrap();

    assert_eq!(ended.code(), Some(0));
}

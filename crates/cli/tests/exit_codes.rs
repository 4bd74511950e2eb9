//! `docs/monitoring.md` lists the exit codes that the commands' help lists.

use std::collections::BTreeMap;
use std::process::Command;

const PAGE: &str = include_str!("../../../docs/monitoring.md");

/// The meanings of a command's exit codes, as its help lists them: "0 done; 1 failed; …".
fn in_help(command: &str) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_smart-notes"))
        .args([command, "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes: ").unwrap();
    let words: Vec<_> = codes.split_whitespace().collect();
    let line = words.join(" ");
    let (line, _) = line.split_once('.').unwrap();
    let codes = line.split("; ").map(|code| code.split_once(' ').unwrap());
    codes
        .map(|(code, meaning)| (code.to_owned(), meaning.to_owned()))
        .collect()
}

/// The same from a column of the page's table.
fn on_page(column: usize) -> BTreeMap<String, String> {
    let (_, section) = PAGE.split_once("## Exit codes\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let cells = rows.skip(2).map(|row| {
        let cell = |at| row.split('|').nth(at).unwrap().trim().to_owned();
        (cell(1), cell(column))
    });
    cells.filter(|(_, meaning)| !meaning.is_empty()).collect()
}

#[test]
fn the_page_lists_the_exit_codes_that_the_help_lists() {
    assert_eq!(on_page(2), in_help("doctor"));
    assert_eq!(on_page(4), in_help("import-django"));
    for command in ["jobs", "mail", "users"] {
        assert_eq!(on_page(3), in_help(command), "{command}");
    }
}

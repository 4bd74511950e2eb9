//! Findings on the terminal, while the checks run.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use operator::doctor::{Finding, Progress};

/// Prints each group as soon as it is complete, unless JSON is asked for, and shows the current step.
pub struct Terminal {
    as_json: bool,
    bar: ProgressBar,
}

impl Terminal {
    /// Shows the spinner.
    pub fn new(as_json: bool) -> Self {
        // Drawn on the standard error, and only if that is a terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { as_json, bar }
    }

    /// Removes the spinner.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Terminal {
    fn step(&mut self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    fn group(&mut self, name: &str, findings: &[Finding]) {
        if self.as_json {
            return;
        }
        let mut lines = vec![name.to_owned()];
        for finding in findings {
            lines.push(format!("  {} {}", finding.level.mark(), finding.message));
            let fix = finding.fix.iter();
            lines.extend(fix.map(|fix| format!("      → {fix}")));
        }
        self.bar.suspend(|| say!("{}", lines.join("\n")));
    }
}

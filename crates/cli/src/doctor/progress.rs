//! An examination as the terminal shows it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use operator::doctor::{Finding, Progress};

/// Prints each group as soon as it is complete, unless a program reads it, and meanwhile what is looked at.
pub struct Terminal {
    as_json: bool,
    bar: ProgressBar,
}

impl Terminal {
    /// Begins.
    pub fn new(as_json: bool) -> Self {
        // Drawn on the standard error, and only if that is a terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { as_json, bar }
    }

    /// Ends.
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
            let mend = finding.mend.iter();
            lines.extend(mend.map(|mend| format!("      → {mend}")));
        }
        self.bar.suspend(|| say!("{}", lines.join("\n")));
    }
}

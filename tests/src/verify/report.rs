//! What came out of each step, and the words at the end: table, skips, closing line.

use std::time::Duration;

use crate::libtest::Counts;
use crate::steps::Tool;

/// How one step ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It ran. A step that is no test run counts as one, passed or failed.
    Ran { passed: u64, failed: u64, ignored: u64, took: Duration },
    /// A tool that it needs is not installed.
    Missing { tool: &'static Tool },
    /// A step that it needs did not pass.
    Blocked { by: &'static str },
}

impl Outcome {
    /// Whether steps that need this one may run.
    pub fn is_pass(&self) -> bool {
        matches!(self, Outcome::Ran { failed: 0, .. })
    }

    /// `12 tests, 1 ignored, ` for a line of progress; empty for a step that counts as one.
    pub fn tests_told(&self) -> String {
        match self {
            Outcome::Ran { passed, ignored, .. } if *passed > 1 && *ignored > 0 => {
                format!("{passed} passed, {ignored} ignored, ")
            }
            Outcome::Ran { passed, .. } if *passed > 1 => format!("{passed} passed, "),
            _ => String::new(),
        }
    }

    fn counts(&self) -> (u64, u64, u64) {
        match self {
            Outcome::Ran { passed, failed, ignored, .. } => (*passed, *failed, *ignored),
            Outcome::Missing { .. } | Outcome::Blocked { .. } => (0, 0, 1),
        }
    }

    fn told(&self) -> (String, String) {
        match self {
            Outcome::Ran { passed, failed, ignored, took } => {
                let mut words = if *failed == 0 { "ok".to_owned() } else { format!("FAILED {failed}") };
                if *passed > 1 {
                    words += &format!(", {passed} passed");
                }
                if *ignored > 0 {
                    words += &format!(", {ignored} ignored");
                }
                (format!("{:.1}", took.as_secs_f64()), words)
            }
            Outcome::Missing { tool } => ("-".to_owned(), format!("skipped, no {}", tool.name)),
            Outcome::Blocked { by } => ("-".to_owned(), format!("not run, {by} did not pass")),
        }
    }
}

/// Judges a step that ran, by its exit and by the tests counted in its log.
///
/// A test run that failed without a failed test (it did not compile, it was killed) counts one failure; a
/// test run without a single test is a failure too: an empty run must never look like a good one.
pub fn judge(is_tests: bool, worked: bool, tests: Counts, took: Duration) -> Outcome {
    if !is_tests {
        return Outcome::Ran { passed: u64::from(worked), failed: u64::from(!worked), ignored: 0, took };
    }
    let bad = !worked || tests.passed == 0;
    let failed = if bad { tests.failed.max(1) } else { tests.failed };
    Outcome::Ran { passed: tests.passed, failed, ignored: tests.ignored, took }
}

/// The last line of every run; scripts read it.
pub fn closing(passed: u64, failed: u64, skipped: u64) -> String {
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// The outcomes in the order in which they came.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// Notes how a step ended.
    pub fn add(&mut self, name: &'static str, outcome: Outcome) {
        self.rows.push((name, outcome));
    }

    /// Whether that step ran and passed. A step that was not chosen does not stand in the way.
    pub fn passed(&self, name: &str) -> bool {
        self.rows.iter().find(|(step, _)| *step == name).is_none_or(|(_, outcome)| outcome.is_pass())
    }

    /// Whether the whole run is good. With `full`, anything left out spoils it.
    pub fn good(&self, full: bool) -> bool {
        let (_, failed, _) = self.sums();
        let left_out = self.rows.iter().any(|(_, outcome)| !matches!(outcome, Outcome::Ran { .. }));
        failed == 0 && !(full && left_out)
    }

    /// Everything said at the end; the closing line last.
    pub fn lines(&self, full: bool) -> Vec<String> {
        let mut lines = vec![String::new(), format!("{:<14} {:>8}  result", "step", "seconds")];
        for (name, outcome) in &self.rows {
            let (seconds, words) = outcome.told();
            lines.push(format!("{name:<14} {seconds:>8}  {words}"));
        }
        lines.push(String::new());
        for (_, outcome) in &self.rows {
            if let Outcome::Missing { tool } = outcome {
                lines.push(format!("skipped: {}, install with {}", tool.name, tool.install));
            }
        }
        if full && self.sums().1 == 0 && !self.good(full) {
            lines.push("with --full a skip is a failure".to_owned());
        }
        let (passed, failed, skipped) = self.sums();
        lines.push(closing(passed, failed, skipped));
        lines
    }

    fn sums(&self) -> (u64, u64, u64) {
        self.rows
            .iter()
            .map(|(_, outcome)| outcome.counts())
            .fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps;

    fn tests(passed: u64, failed: u64, ignored: u64) -> Counts {
        Counts { passed, failed, ignored }
    }

    fn ran(is_tests: bool, worked: bool, counted: Counts) -> Outcome {
        judge(is_tests, worked, counted, Duration::from_millis(1500))
    }

    fn last(report: &Report, full: bool) -> String {
        report.lines(full).pop().unwrap()
    }

    #[test]
    fn tests_are_counted_and_other_steps_count_one() {
        let mut report = Report::default();
        report.add("format", ran(false, true, tests(0, 0, 0)));
        report.add("unit", ran(true, true, tests(120, 0, 2)));
        assert_eq!(last(&report, false), "121 passed, 0 failed, 2 skipped");
        assert!(report.good(false) && report.passed("unit") && report.passed("never chosen"));
        // Ignored tests are no missing tool: they do not spoil a full run.
        assert!(report.good(true));
    }

    #[test]
    fn every_way_to_fail_is_counted_once() {
        let mut report = Report::default();
        report.add("lint", ran(false, false, tests(0, 0, 0)));
        report.add("unit", ran(true, false, tests(10, 3, 0)));
        report.add("uncompiled", ran(true, false, tests(0, 0, 0)));
        report.add("killed", ran(true, false, tests(7, 0, 0)));
        report.add("empty", ran(true, true, tests(0, 0, 4)));
        report.add("later", Outcome::Blocked { by: "lint" });
        assert_eq!(last(&report, false), "17 passed, 7 failed, 5 skipped");
        assert!(!report.good(false));
        assert!(!report.passed("empty") && !report.passed("later"));
    }

    #[test]
    fn a_missing_tool_is_named_and_only_full_fails() {
        let mut report = Report::default();
        report.add("format", ran(false, true, tests(0, 0, 0)));
        report.add("licences", Outcome::Missing { tool: &steps::CARGO_DENY });
        let lines = report.lines(false);
        assert!(
            lines.iter().any(|line| line.starts_with("skipped: cargo-deny, install with cargo install")),
            "{lines:?}"
        );
        assert_eq!(last(&report, false), "1 passed, 0 failed, 1 skipped");
        assert!(report.good(false) && !report.good(true));
        assert!(report.lines(true).contains(&"with --full a skip is a failure".to_owned()));
        assert_eq!(last(&report, true), "1 passed, 0 failed, 1 skipped");
    }
}

//! Counts tests by the result lines that Rust's test harness prints, one for each test binary.

/// Tests counted over all binaries of one run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed; benchmarks measured count as passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub ignored: u64,
}

/// Adds up every `test result:` line of a log. Whatever else the log holds is passed over.
pub fn count(log: &str) -> Counts {
    let mut sum = Counts::default();
    for line in log.lines().filter_map(result_line) {
        sum.passed += line.passed;
        sum.failed += line.failed;
        sum.ignored += line.ignored;
    }
    sum
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`.
/// `None` for any other line, and for one that only begins like this.
fn result_line(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let rest = rest.strip_prefix("ok. ").or_else(|| rest.strip_prefix("FAILED. "))?;
    let mut parts = rest.split("; ");
    let mut next = |what: &str| -> Option<u64> {
        let (number, word) = parts.next()?.split_once(' ')?;
        if word == what { number.parse().ok() } else { None }
    };
    let (passed, failed) = (next("passed")?, next("failed")?);
    let (ignored, measured) = (next("ignored")?, next("measured")?);
    Some(Counts { passed: passed + measured, failed, ignored })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_BINARIES: &str = "\
   Compiling gomer-core v0.1.0
     Running unittests src/lib.rs (target/debug/deps/gomer_core-0)

running 4 tests
test id::tests::round_trip ... ok
test rng::tests::same_seed ... FAILED

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests gomer_core

running 0 tests

test result: ok. 5 passed; 0 failed; 0 ignored; 1 measured; 3 filtered out; finished in 1.20s
";

    #[test]
    fn binaries_add_up() {
        assert_eq!(count(TWO_BINARIES), Counts { passed: 8, failed: 1, ignored: 1 });
    }

    #[test]
    fn a_log_without_tests_counts_nothing() {
        assert_eq!(count(""), Counts::default());
        assert_eq!(
            count("error[E0425]: cannot find value `x`\nerror: could not compile `gomer`"),
            Counts::default()
        );
    }

    #[test]
    fn lines_that_only_look_alike_are_passed_over() {
        for line in [
            "  test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: maybe. 1 passed; 0 failed; 0 ignored; 0 measured",
            "test result: ok. one passed; 0 failed; 0 ignored; 0 measured",
            "test result: ok. 1 failed; 1 passed; 0 ignored; 0 measured",
            "test result: ok. 1 passed; 0 failed",
            "test result: ok. -1 passed; 0 failed; 0 ignored; 0 measured",
            "test result: ",
        ] {
            assert_eq!(count(line), Counts::default(), "{line}");
        }
    }
}

//! `cargo verify`: the one command that decides whether a change is good.
//!
//! Runs the steps of [`steps`] one after another as child processes, keeps each one's output under
//! `target/verify/`, and ends with a table and the line `N passed, N failed, N skipped`. Works without a
//! terminal and without standard input. This runner never changes the tree: it checks, it does not fix.
//!
//! Exit code: 0 when nothing failed, 1 otherwise, 2 for a mistake on the command line.

mod args;
mod full;
mod libtest;
mod report;
mod screen;
mod shell;
mod site;
mod steps;

use std::process::ExitCode;

use args::Args;
use report::{Outcome, Report};
use screen::Screen;
use shell::Shell;
use site::Site;
use steps::Step;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(reason) => {
            eprintln!("{reason}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    if args.help {
        println!("{}", args::USAGE);
        return ExitCode::SUCCESS;
    }
    let chosen = match steps::choose(steps::all(), args.full, &args.only) {
        Ok(chosen) => chosen,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::from(2);
        }
    };
    if args.list {
        for step in &chosen {
            println!("{:<14} {}", step.name, step.about());
        }
        return ExitCode::SUCCESS;
    }

    let screen = Screen::new();
    let site = match site::surprise(|name| std::env::var_os(name)).map_or_else(Site::find, Err) {
        Ok(site) => site,
        Err(reason) => {
            // The closing line is a promise, also when nothing could be run.
            screen.line(&reason);
            screen.line(&report::closing(0, 1, 0));
            return ExitCode::FAILURE;
        }
    };
    let report = run(&site, &screen, &chosen);
    for line in report.lines(args.full) {
        screen.line(&line);
    }
    if report.good(args.full) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the chosen steps in order. A failed step does not stop the run; it only takes those along
/// that cannot mean anything without it.
fn run(site: &Site, screen: &Screen, chosen: &[Step]) -> Report {
    let mut report = Report::default();
    for (at, step) in chosen.iter().enumerate() {
        let label = format!("[{}/{}] {}", at + 1, chosen.len(), step.name);
        if let Some(&broken) = step.after.iter().find(|name| !report.passed(name)) {
            screen.line(&format!("{label}: not run, it needs {broken}"));
            report.add(step.name, Outcome::Blocked { by: broken });
            continue;
        }
        if let Some(tool) = step.tool.filter(|tool| !tool.present(site)) {
            screen.line(&format!("{label}: skipped, {} is not installed", tool.name));
            report.add(step.name, Outcome::Missing { tool });
            continue;
        }
        let outcome = run_one(site, screen, step, &label);
        report.add(step.name, outcome);
    }
    report
}

/// Runs one step under the status line and judges it by its exit code and, for tests, its result lines.
fn run_one(site: &Site, screen: &Screen, step: &Step, label: &str) -> Outcome {
    let mut shell = match Shell::open(site, step.name, step.limit) {
        Ok(shell) => shell,
        Err(error) => {
            screen.line(&format!("{label}: no log file: {error}"));
            return Outcome::Ran { passed: 0, failed: 1, ignored: 0, took: Default::default() };
        }
    };
    let log = shell.log_path();
    let (worked, took) = screen.watch(label, &log, || step.work.run(&mut shell));
    let text = shell::read_lossy(&log);
    let tests = if step.tests { libtest::count(&text) } else { Default::default() };
    let outcome = report::judge(step.tests, worked.is_ok(), tests, took);
    let seconds = took.as_secs_f64();
    if outcome.is_pass() {
        screen.line(&format!("{label}: ok, {}{seconds:.1} s", outcome.tests_told()));
    } else {
        screen.line(&format!("{label}: FAILED after {seconds:.1} s"));
        screen.block(&text);
        if let Err(reason) = worked {
            screen.line(&format!("{label}: {reason}"));
        } else if step.tests && tests.passed == 0 {
            screen.line(&format!("{label}: no test ran"));
        }
        screen.line(&format!("{label}: the output above is in {}", log.display()));
    }
    outcome
}

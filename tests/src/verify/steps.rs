//! The steps, in order. Adding one is a line in [`all`].

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::full;
use crate::shell::Shell;
use crate::site::{self, Site};

/// Every step, in the order in which they run.
pub fn all() -> Vec<Step> {
    vec![
        Step::cargo("format", "fmt --all -- --check"),
        Step::cargo(
            "lint",
            "clippy --workspace --all-targets --test tour --test schemathesis -- -D warnings",
        ),
        Step::cargo("unit", "test --workspace --exclude gomer-tests --no-fail-fast").tests(),
        Step::cargo("release", "build --release -p gomer"),
        Step::tool_run("reference", "gomer", "docs check docs/reference/methods.md").after("release"),
        Step::tool_run("client-types", "gomer", "docs check clients/typescript/src/methods.d.ts")
            .after("release"),
        Step::cargo("processes", "test -p gomer-tests --no-fail-fast").tests().after("release"),
        Step::cargo("tour", "test -p gomer-tests --test tour").tests().tool(&CURL).after("release"),
        Step::cargo("simulator", "sim soak --seeds 1..201 --small"),
        Step::cargo("determinism", "sim meta --seeds 1..21 --small"),
        Step::cargo("mutants", "sim mutants --known --table docs/reference/promises.md"),
        Step::cargo("licences", "deny --all-features check bans licenses sources").tool(&CARGO_DENY),
        Step::tool_run("book", "mdbook", "build docs").tool(&MDBOOK),
        Step::cargo("advisories", "deny --all-features check advisories").tool(&CARGO_DENY).full(),
        Step::cargo("audit", "audit").tool(&CARGO_AUDIT).full(),
        Step::own("fuzz", "each target of fuzz/ on nightly for 60 s", full::fuzz).tool(&CARGO_FUZZ).full(),
        Step::own("schemathesis", "the OpenAPI document against a running server", full::schemathesis)
            .tool(&PYTHON)
            .after("release")
            .full(),
        Step::tool_run("client", "node", "--test clients/typescript/test/")
            .tool(&NODE)
            .after("release")
            .full(),
    ]
}

/// One step.
pub struct Step {
    /// Its name, for `--only`, the table and the log's file name.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// Whether its log holds result lines of Rust's test harness to be counted.
    pub tests: bool,
    /// The steps without which it means nothing.
    pub after: Vec<&'static str>,
    /// A tool beyond Rust, a C compiler and git that it needs.
    pub tool: Option<&'static Tool>,
    /// Whether only `--full` runs it.
    pub full: bool,
    /// The longest that it may take.
    pub limit: Duration,
}

/// What a step does.
pub enum Work {
    /// One program with its arguments, split at spaces.
    Program { program: &'static str, args: &'static str },
    /// A function, for what takes more than one command; with its description.
    Own { about: &'static str, run: fn(&mut Shell) -> Result<(), String> },
}

impl Work {
    /// Does it. The error is a sentence for the user.
    pub fn run(&self, shell: &mut Shell) -> Result<(), String> {
        match self {
            Work::Program { program, args } => {
                let mut command = match *program {
                    "cargo" => site::cargo(),
                    "gomer" => Command::new(shell.site.gomer()),
                    other => site::clean(Command::new(other)),
                };
                command.args(args.split_whitespace());
                if *program == "cargo" {
                    // For tests with real processes; the program itself would take it for a setting.
                    command.env("GOMER_BIN", shell.site.gomer());
                }
                shell.run(command)
            }
            Work::Own { run, .. } => run(shell),
        }
    }
}

impl Step {
    /// A cargo command.
    pub fn cargo(name: &'static str, args: &'static str) -> Step {
        Step::tool_run(name, "cargo", args)
    }

    /// A program: `cargo`, `gomer` (the release binary) or a tool on the path.
    pub fn tool_run(name: &'static str, program: &'static str, args: &'static str) -> Step {
        Step::new(name, Work::Program { program, args })
    }

    /// A function.
    pub fn own(name: &'static str, about: &'static str, run: fn(&mut Shell) -> Result<(), String>) -> Step {
        Step::new(name, Work::Own { about, run })
    }

    fn new(name: &'static str, work: Work) -> Step {
        Step { name, work, tests: false, after: Vec::new(), tool: None, full: false, limit: LIMIT }
    }

    /// Count its tests.
    pub fn tests(mut self) -> Step {
        self.tests = true;
        self
    }

    /// Only when that step passed.
    pub fn after(mut self, name: &'static str) -> Step {
        self.after.push(name);
        self
    }

    /// Only when that tool is installed.
    pub fn tool(mut self, tool: &'static Tool) -> Step {
        self.tool = Some(tool);
        self
    }

    /// Only with `--full`.
    pub fn full(mut self) -> Step {
        self.full = true;
        self
    }

    /// What it runs, in one line.
    pub fn about(&self) -> String {
        match &self.work {
            Work::Program { program, args } => format!("{program} {args}"),
            Work::Own { about, .. } => (*about).to_owned(),
        }
    }
}

/// The steps of this run: those named with what they need, or all; `--full` adds its own.
pub fn choose(all: Vec<Step>, full: bool, only: &[String]) -> Result<Vec<Step>, String> {
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|step| step.name != name.as_str())) {
        let names: Vec<&str> = all.iter().map(|step| step.name).collect();
        return Err(format!("no step is called `{unknown}`; there are {}", names.join(", ")));
    }
    let wanted = |step: &Step| only.iter().any(|name| name == step.name);
    let needed: Vec<&str> =
        all.iter().filter(|step| wanted(step)).flat_map(|step| step.after.clone()).collect();
    let keep = |step: &Step| {
        if only.is_empty() { full || !step.full } else { wanted(step) || needed.contains(&step.name) }
    };
    Ok(all.into_iter().filter(keep).collect())
}

/// Something that a newcomer need not have.
#[derive(Debug)]
pub struct Tool {
    /// What the line `skipped: NAME, install with …` calls it.
    pub name: &'static str,
    /// What follows `install with`.
    pub install: &'static str,
    /// Arguments that make it say that it is there; the first is the program.
    probe: &'static [&'static str],
}

impl Tool {
    /// Whether it is installed, by asking it for its version.
    pub fn present(&self, site: &Site) -> bool {
        let (program, args) = self.probe.split_first().expect("a probe names its program");
        let command = match *program {
            "cargo" => site::cargo(),
            "cargo +nightly" => site::cargo_nightly(),
            other => Command::new(other),
        };
        let mut command = site::clean(command);
        command.args(args).current_dir(&site.root);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }
}

/// For the README's tour.
pub static CURL: Tool =
    Tool { name: "curl", install: "the system's package manager: curl", probe: &["curl", "--version"] };

/// Licences, bans, sources and advisories of the dependencies.
pub static CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    install: "cargo install --locked cargo-deny",
    probe: &["cargo", "deny", "--version"],
};

/// Advisories, by the database's own tool.
pub static CARGO_AUDIT: Tool = Tool {
    name: "cargo-audit",
    install: "cargo install --locked cargo-audit",
    probe: &["cargo", "audit", "--version"],
};

/// Fuzzing, which needs nightly for its sanitizer.
pub static CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    install: "rustup toolchain install nightly && cargo install --locked cargo-fuzz",
    probe: &["cargo +nightly", "fuzz", "--version"],
};

/// The book.
pub static MDBOOK: Tool =
    Tool { name: "mdbook", install: "cargo install --locked mdbook", probe: &["mdbook", "--version"] };

/// Python, for schemathesis in a virtual environment under the target directory.
pub static PYTHON: Tool = Tool {
    name: "python3",
    install: "the system's package manager: python3 (3.10 or later) with venv and pip",
    probe: &["python3", "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"],
};

/// Node, for the tests of the TypeScript client, which needs nothing else.
pub static NODE: Tool = Tool {
    name: "node",
    install: "the system's package manager: nodejs (20 or later)",
    probe: &["node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"],
};

/// A cold build on two busy cores is the longest that any step does.
const LIMIT: Duration = Duration::from_secs(45 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn names(full: bool, only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        choose(all(), full, &only).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn names_are_unique_and_what_is_needed_comes_before() {
        let steps = all();
        for (at, step) in steps.iter().enumerate() {
            assert!(
                steps[..at].iter().all(|before| before.name != step.name),
                "{} is there twice",
                step.name
            );
            for needed in &step.after {
                assert!(
                    steps[..at].iter().any(|before| before.name == *needed),
                    "{} needs {needed}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn a_plain_run_needs_no_python_and_no_nightly() {
        let plain = names(false, &[]);
        assert!(plain.contains(&"unit") && plain.contains(&"simulator"), "{plain:?}");
        assert!(!plain.contains(&"fuzz") && !plain.contains(&"schemathesis"), "{plain:?}");
        assert_eq!(names(true, &[]).len(), all().len());
    }

    #[test]
    fn a_chosen_step_brings_what_it_needs() {
        assert_eq!(names(false, &["processes"]), ["release", "processes"]);
        assert_eq!(names(false, &["fuzz"]), ["fuzz"]);
        assert!(choose(all(), false, &["unti".to_owned()]).is_err_and(|told| told.contains("`unti`")));
    }

    #[test]
    fn a_tool_that_is_not_there_is_absent() {
        static NONE: Tool =
            Tool { name: "none", install: "nothing", probe: &["gomer-no-such-tool", "--version"] };
        let site = Site::find().unwrap();
        assert!(!NONE.present(&site));
    }
}

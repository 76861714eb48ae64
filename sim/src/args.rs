//! The command line.

use std::ops::Range;
use std::path::PathBuf;

use crate::plan::draw::Size;

/// What is shown after a wrong command line.
pub const USAGE: &str = "usage:
  cargo sim [--seed N | --plan FILE] [--small] [--members N] [--mutant NAME] [--log full] [--page FILE.html] [--history FILE]
  cargo sim check FILE
  cargo sim mutants [--print | --known | --seeds A..B] [--mutant NAME] [--table FILE] [--jobs J]
  cargo sim soak --seeds A..B [--jobs J] [--small] [--members N] [--mutant NAME]
  cargo sim meta --seeds A..B [--jobs J | --here] [--small] [--members N]
  cargo sim shrink (--seed N | --plan FILE) [--small] [--members N] [--out FILE] [--jobs J]";

/// Tells a child process to say what its run came to, on one line.
pub const ONCE: &str = "--once";

/// Seeds of a command that names none.
const SEED: u64 = 1;
const SEEDS: Range<u64> = 1..201;
/// Members that a cluster can have.
const MEMBERS: u64 = gomer_core::ring::fixed::MEMBERS_MAX as u64;
/// Seeds within which a deliberate bug must be found.
pub const MUTANT_SEEDS: Range<u64> = 1..101;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// One run, told at length.
    Run,
    /// Many runs, until one fails.
    Soak,
    /// Each run twice, and both compared.
    Meta,
    /// A plan that fails is made smaller.
    Shrink,
    /// Each deliberate bug is found by the check that is meant to.
    Mutants,
    /// A history is read and judged.
    Check,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// What is to be done.
    pub command: Command,
    /// The seed of a run.
    pub seed: u64,
    /// The seeds of many.
    pub seeds: Range<u64>,
    /// A saved plan instead of a seed's.
    pub plan: Option<PathBuf>,
    /// How large plans are.
    pub size: Size,
    /// How many members plans have, instead of as many as their seeds say.
    pub members: Option<u32>,
    /// Whether every effect is printed.
    pub log: bool,
    /// Where the run is drawn.
    pub page: Option<PathBuf>,
    /// The deliberate bug that members have.
    pub mutant: Option<String>,
    /// Whether only seeds are run that are known to show their bug.
    pub known: bool,
    /// Whether all runs are made in this process: none may depend on those before it.
    pub here: bool,
    /// Whether that page is printed, and nothing is run.
    pub print: bool,
    /// The page with the table of promises and bugs, to be compared.
    pub table: Option<PathBuf>,
    /// Where the history goes, or where it is read.
    pub history: Option<PathBuf>,
    /// Where the smaller plan goes.
    pub out: Option<PathBuf>,
    /// Runs at a time.
    pub jobs: usize,
    /// Whether this is a child process; see [`ONCE`].
    pub once: bool,
}

impl Args {
    /// Reads the arguments after the program's name. The error is a sentence for the user.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = args.into_iter().peekable();
        let mut parsed = Args {
            command: Command::Run,
            seed: SEED,
            seeds: SEEDS,
            plan: None,
            size: Size::Default,
            members: None,
            log: false,
            page: None,
            mutant: None,
            known: false,
            print: false,
            here: false,
            table: None,
            history: None,
            out: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            once: false,
        };
        let commands = [
            ("soak", Command::Soak),
            ("meta", Command::Meta),
            ("shrink", Command::Shrink),
            ("mutants", Command::Mutants),
            ("check", Command::Check),
        ];
        for (name, command) in commands {
            if args.next_if(|first| first == name).is_some() {
                parsed.command = command;
                break;
            }
        }
        if parsed.command == Command::Check {
            let file = args.next().ok_or("check needs a file with a history")?;
            parsed.history = Some(file.into());
            return args.next().map_or(Ok(parsed), |more| Err(format!("`{more}` is not known here")));
        }
        let single = matches!(parsed.command, Command::Run | Command::Shrink);
        if parsed.command == Command::Mutants {
            parsed.seeds = MUTANT_SEEDS;
        }
        while let Some(flag) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--seed" if single => parsed.seed = number(&value()?)?,
                "--plan" if single => parsed.plan = Some(value()?.into()),
                "--seeds" if !single => parsed.seeds = range(&value()?)?,
                "--jobs" if parsed.command != Command::Run => match number(&value()?)? {
                    jobs @ 1..=256 => parsed.jobs = jobs as usize,
                    other => return Err(format!("{other} runs at a time are too many or too few")),
                },
                "--mutant" => parsed.mutant = Some(value()?),
                "--known" if parsed.command == Command::Mutants => parsed.known = true,
                "--here" if parsed.command == Command::Meta => parsed.here = true,
                "--print" if parsed.command == Command::Mutants => parsed.print = true,
                "--table" if parsed.command == Command::Mutants => parsed.table = Some(value()?.into()),
                "--history" if parsed.command == Command::Run => parsed.history = Some(value()?.into()),
                "--small" => parsed.size = Size::Small,
                "--members" if parsed.command != Command::Mutants => match number(&value()?)? {
                    members @ 1..=MEMBERS => parsed.members = Some(members as u32),
                    other => return Err(format!("a cluster has 1 to {MEMBERS} members, not {other}")),
                },
                "--log" if parsed.command == Command::Run => match value()?.as_str() {
                    "full" => parsed.log = true,
                    other => return Err(format!("there is no log called `{other}`; there is `full`")),
                },
                "--page" if parsed.command == Command::Run => parsed.page = Some(value()?.into()),
                "--out" if parsed.command == Command::Shrink => parsed.out = Some(value()?.into()),
                ONCE => parsed.once = true,
                other => return Err(format!("`{other}` is not known here")),
            }
        }
        Ok(parsed)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("`{text}` is not a range of seeds: 1..100, without the last");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(wrong()) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_arguments_it_is_one_run() {
        let args = parse("").unwrap();
        assert_eq!((args.command, args.seed, args.size), (Command::Run, SEED, Size::Default));
    }

    #[test]
    fn each_command_has_its_flags() {
        let run = parse("--seed 7 --small --log full --page out.html").unwrap();
        assert_eq!((run.seed, run.size, run.log), (7, Size::Small, true));
        assert_eq!(run.page, Some("out.html".into()));
        let soak = parse("soak --seeds 3..9 --jobs 4").unwrap();
        assert_eq!((soak.command, soak.seeds, soak.jobs), (Command::Soak, 3..9, 4));
        assert_eq!(parse("soak --members 3 --seeds 1..2").unwrap().members, Some(3));
        assert_eq!(parse("meta --seeds 1..21").unwrap().command, Command::Meta);
        assert!(parse("meta --here --seeds 1..3").unwrap().here);
        let check = parse("check history.jsonl").unwrap();
        assert_eq!((check.command, check.history), (Command::Check, Some("history.jsonl".into())));
        let mutants = parse("mutants --known --table page.md --mutant x").unwrap();
        assert_eq!((mutants.known, mutants.seeds, mutants.mutant), (true, MUTANT_SEEDS, Some("x".into())));
        let shrink = parse("shrink --plan a.json --out b.json").unwrap();
        assert_eq!((shrink.plan, shrink.out), (Some("a.json".into()), Some("b.json".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for bad in [
            "smoke",
            "check",
            "check a b",
            "soak --known",
            "soak --members 0",
            "--members 6",
            "mutants --members 3",
            "soak --here",
            "--history",
            "--seed",
            "--seed x",
            "--seed -1",
            "--seed 18446744073709551616",
            "--seeds 1..5",
            "--jobs 2",
            "soak --seeds 5",
            "soak --seeds 5..5",
            "soak --seeds 9..3",
            "soak --jobs 0",
            "soak --seed 5",
            "soak --page a.html",
            "--log",
            "--log some",
            "--seed 1 soak",
            "--out a.json",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

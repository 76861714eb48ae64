//! One run, in this process or in a child, and exit codes: 0 clean, 1 violation, 2 usage.

use std::io::Write;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use gomer_sim::history::{Evidence, file};
use gomer_sim::invariants::{ALL, Judgement, judge};
use madsim::Config;
use madsim::runtime::Runtime;

use crate::args::{Args, Command, ONCE, USAGE};
use crate::marks::Marks;
use crate::plan::{Plan, draw};
use crate::trace::{Line, Trace};
use crate::verdict::{Cost, Verdict, Violation};
use crate::witness::Witness;
use crate::world::Failed;
use crate::{clock, meta, mutants, mutate, page, shrink, soak, world};

/// A run that has not come to its end by then, in its own time, hangs.
const TIME_LIMIT: Duration = Duration::from_secs(7_200);

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let done = Args::parse(std::env::args().skip(1)).and_then(|args| match args.command {
        Command::Run if args.once => child(&args),
        Command::Run => told(&args),
        Command::Soak => soak::soak(&args),
        Command::Meta => meta::meta(&args),
        Command::Shrink => shrink::shrink(&args),
        Command::Mutants => mutate::mutants(&args),
        Command::Check => check(&args),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// The plan that is asked for.
pub fn plan(args: &Args) -> Result<Plan, String> {
    let mut plan = match &args.plan {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Plan::parse(&text)?
        }
        None => draw::plan(args.seed, args.size, args.members),
    };
    if let Some(name) = &args.mutant {
        plan.config.mutant = Some(name.clone());
    }
    if let Some(name) = plan.config.mutant.as_deref().filter(|name| mutants::named(name).is_none()) {
        let names: Vec<&str> = mutants::ALL.iter().map(|known| known.name).collect();
        return Err(format!("there is no deliberate bug called `{name}`; there are {}", names.join(", ")));
    }
    Ok(plan)
}

/// Reads a history, of a run or of real processes, and judges it.
fn check(args: &Args) -> Result<bool, String> {
    let path = args.history.as_deref().expect("the command line was checked");
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let read = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    let evidence = file::read(std::io::BufReader::new(read)).map_err(|error| wrong(&error))?;
    let judgement = judge(&evidence);
    let (calls, given_up) = (judgement.calls, judgement.undecided.len());
    println!("{calls} calls judged by {} promises; {given_up} searches given up", ALL.len());
    judgement.violations.iter().for_each(|violation| println!("VIOLATION  {violation}"));
    Ok(judgement.violations.is_empty())
}

/// One run, told at length. Whether it was clean.
fn told(args: &Args) -> Result<bool, String> {
    let plan = plan(args)?;
    print!("{}", plan.text());
    let begun = std::time::Instant::now();
    if let Some(name) = &plan.config.mutant {
        println!("{}: {name}", gomer_core::mutant::MARKER);
    }
    let (verdict, lines, evidence) = simulate(plan.clone(), args.log || args.page.is_some());
    if let Some(path) = &args.history {
        let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut to = std::io::BufWriter::new(std::fs::File::create(path).map_err(wrong)?);
        file::write_all(&evidence, &mut to).and_then(|()| to.flush()).map_err(wrong)?;
    }
    if args.log {
        lines.iter().for_each(|line| println!("{line}"));
    }
    if let Some(path) = &args.page {
        let drawn = page::draw(&plan, &lines, &verdict);
        std::fs::write(path, drawn).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("drawn: {}", path.display());
    }
    println!("{}", summary(&verdict, begun.elapsed()));
    if let Some(violation) = &verdict.violation {
        println!("{}", failure(violation, &again(args)));
    }
    Ok(verdict.violation.is_none())
}

fn summary(verdict: &Verdict, took: Duration) -> String {
    let Cost { operations, requests, lost, syncs, messages, judged, undecided, simulated_ms, cpu_ms } =
        verdict.cost;
    format!(
        "trace {}  {} effects  {operations} operations, {requests} requests ({lost} lost), {messages} messages, \
         {syncs} syncs in {:.1} s of its own time; {judged} calls judged ({undecided} searches given up)  \
         {cpu_ms} ms CPU, {} ms",
        verdict.trace,
        verdict.events,
        simulated_ms as f64 / 1_000.0,
        took.as_millis()
    )
}

/// What is said of a run that failed: the commit, the promise, and the command that does it again.
pub fn failure(violation: &Violation, again: &str) -> String {
    let (invariant, detail) = (&violation.invariant, &violation.detail);
    format!("VIOLATION  {invariant}\n{detail}\ncommit: {}\nagain:  {again}", commit())
}

/// The command that does it again.
pub fn again(args: &Args) -> String {
    let which = match &args.plan {
        Some(path) => format!("--plan {}", path.display()),
        None => format!("--seed {}", args.seed),
    };
    format!("cargo sim {which}{}", flags(args))
}

/// The flags that belong to a seed.
pub fn flags(args: &Args) -> String {
    let mut flags = String::new();
    if args.size == draw::Size::Small && args.plan.is_none() {
        flags.push_str(" --small");
    }
    if let Some(members) = args.members.filter(|_| args.plan.is_none()) {
        flags.push_str(&format!(" --members {members}"));
    }
    if let Some(name) = &args.mutant {
        flags.push_str(&format!(" --mutant {name}"));
    }
    flags
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let dirty = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    if dirty { format!("{commit}, and changes that are not committed") } else { commit }
}

/// The child's part of [`apart`].
fn child(args: &Args) -> Result<bool, String> {
    let (verdict, lines, _) = simulate(plan(args)?, args.log);
    lines.iter().for_each(|line| println!("{line}"));
    println!("{MARK}{}", serde_json::to_string(&verdict).expect("a verdict is plain data"));
    Ok(true)
}

/// A line of a child that is its verdict.
const MARK: &str = "\u{1}";

/// One run in a process of its own: what it leaves behind, and how it dies, is its own affair. With `log`, its
/// lines too.
pub fn apart(flags: &[String], log: bool) -> Result<(Verdict, Vec<String>), String> {
    let program = std::env::current_exe().map_err(|error| format!("no path to this program: {error}"))?;
    let mut command = std::process::Command::new(program);
    command.args(flags).arg(ONCE).stderr(Stdio::piped());
    if log {
        command.args(["--log", "full"]);
    }
    let output = command.output().map_err(|error| format!("the run does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut verdict = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix(MARK) {
            Some(json) => verdict = serde_json::from_str(json).ok(),
            None => lines.push(line.to_owned()),
        }
    }
    let verdict = verdict.unwrap_or_else(|| {
        let words = String::from_utf8_lossy(&output.stderr);
        let detail = format!("the run ended without a word: {}\n{words}", output.status);
        let violation = Violation { invariant: "comes to its end".to_owned(), detail };
        Verdict {
            violation: Some(violation),
            events: 0,
            trace: String::new(),
            marks: Default::default(),
            cost: Cost::default(),
        }
    });
    Ok((verdict, lines))
}

/// The flags of a child that runs a saved plan.
pub fn of_plan(path: &Path) -> Vec<String> {
    vec!["--plan".to_owned(), path.display().to_string()]
}

/// The run itself, on a thread of its own: what std keeps per thread (the order of its hash maps) is the
/// seed's then.
pub fn simulate(plan: Plan, keep: bool) -> (Verdict, Vec<Line>, Evidence) {
    let trace = Trace::new(clock::elapsed, keep);
    let marks = Marks::default();
    let witness = Witness::new(clock::elapsed);
    let seen = (trace.clone(), marks.clone(), witness.clone());
    let run = move || {
        let begun = cpu_ms();
        let mut runtime = Runtime::with_seed_and_config(plan.seed, Config::default());
        runtime.set_time_limit(TIME_LIMIT);
        let ended = runtime.block_on(world::run(plan, seen.0, seen.1, seen.2));
        (ended, cpu_ms().saturating_sub(begun))
    };
    let thread =
        std::thread::Builder::new().name("run".to_owned()).spawn(run).expect("a thread can be started");
    let (ended, cpu_ms) = thread.join().unwrap_or_else(|panic| (Err(panicked(&*panic)), 0));
    let seen = trace.seen();
    let begun = self::cpu_ms();
    let evidence = witness.evidence();
    let judgement = judge(&evidence);
    let cpu_ms = cpu_ms + self::cpu_ms().saturating_sub(begun);
    let (failed, cost) = match ended {
        Ok(cost) => (None, cost),
        Err(failed) => (Some(failed), Cost::default()),
    };
    let cost = Cost { judged: judgement.calls as u64, undecided: judgement.undecided.len() as u64, ..cost };
    let violation = violation(failed, &judgement);
    let verdict = Verdict {
        violation,
        events: seen.events,
        trace: format!("{:016x}", seen.hash),
        marks: marks.counts(),
        cost: Cost { cpu_ms, ..cost },
    };
    (verdict, trace.lines(), evidence)
}

/// What is told of what did not hold. A promise that was broken says more than that something did not come to
/// its end, and a panic more than either.
fn violation(failed: Option<Failed>, judgement: &Judgement) -> Option<Violation> {
    let broken = judgement.violations.first();
    let first = match (&failed, broken) {
        (Some(failed), _) if failed.invariant == PANIC => None,
        (_, broken) => broken,
    };
    match (first, failed) {
        (Some(broken), failed) => {
            let mut detail = broken.to_string();
            let more = judgement.violations.len() - 1;
            if more > 0 {
                detail.push_str(&format!("\n(and {more} more)"));
            }
            if let Some(Failed { invariant, detail: also }) = failed {
                detail.push_str(&format!("\n(also: {invariant}: {also})"));
            }
            Some(Violation { invariant: broken.promise.to_owned(), detail })
        }
        (None, Some(Failed { invariant, detail })) => {
            Some(Violation { invariant: invariant.to_owned(), detail })
        }
        (None, None) => None,
    }
}

const PANIC: &str = "no member panics";

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failed {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let detail = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
    Failed { invariant: PANIC, detail: detail.to_owned() }
}

/// Processor time of this process so far.
fn cpu_ms() -> u64 {
    // Fields 14 and 15 after the name in brackets, in ticks of 10 ms; where there is no such file, nothing is told.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

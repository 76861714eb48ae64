//! Seeds, each run twice, and exit codes: 0 clean, 1 violation, 2 usage.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use madsim::Config;
use madsim::runtime::Runtime;

use crate::args::{Args, ONCE, USAGE};
use crate::trace::{Seen, Trace};
use crate::{clock, smoke};

/// A run that has not come to its end by then, in its own time, hangs.
const TIME_LIMIT: Duration = Duration::from_secs(3_600);

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if args.once {
        return child(args.seeds.start, args.log);
    }
    let mut hashes: BTreeMap<u64, u64> = BTreeMap::new();
    for seed in args.seeds {
        let begun = std::time::Instant::now();
        match check(seed, args.log, &mut hashes) {
            Ok((seen, summary)) => {
                let (hash, events, took) = (seen.hash, seen.events, begun.elapsed().as_millis());
                println!("seed {seed:<6} ok  trace {hash:016x}  {events} events  {summary}  {took} ms");
            }
            Err(violation) => {
                eprintln!("seed {seed:<6} VIOLATION  {violation}");
                eprintln!("again: cargo sim smoke --seed {seed} --log full");
                return ExitCode::from(1);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Runs one seed twice.
fn check(seed: u64, print: bool, hashes: &mut BTreeMap<u64, u64>) -> Result<(Seen, String), String> {
    let (seen, summary) = once(seed, print)?;
    let (again, _) = once(seed, false)?;
    if seen != again {
        return Err(format!("two runs of this seed differ: {seen:?}, then {again:?}"));
    }
    match hashes.insert(seen.hash, seed) {
        Some(other) => Err(format!("has the same trace as seed {other}: the seed decides nothing")),
        None => Ok((seen, summary)),
    }
}

/// One run in a process of its own, so that no static of one run is seen by the next.
fn once(seed: u64, print: bool) -> Result<(Seen, String), String> {
    let program = std::env::current_exe().map_err(|error| format!("no path to this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(["smoke", "--seed", &seed.to_string(), ONCE]).stderr(Stdio::inherit());
    if print {
        command.args(["--log", "full"]);
    }
    let output = command.output().map_err(|error| format!("the run does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut came = Err(format!("the run ended without a word: {}", output.status));
    for line in text.lines() {
        if let Some(violation) = line.strip_prefix(VIOLATION) {
            came = Err(violation.replace('\u{1}', "\n"));
        } else if let Some(end) = line.strip_prefix(CLEAN) {
            came = read(end).ok_or_else(|| format!("the run ended with `{end}`"));
        } else {
            println!("{line}");
        }
    }
    came
}

const CLEAN: &str = "\u{1}clean ";
const VIOLATION: &str = "\u{1}violation ";

fn read(end: &str) -> Option<(Seen, String)> {
    let mut parts = end.splitn(3, ' ');
    let hash = parts.next()?.parse().ok()?;
    let events = parts.next()?.parse().ok()?;
    Some((Seen { events, hash }, parts.next()?.to_owned()))
}

/// The child's part of [`once`].
fn child(seed: u64, print: bool) -> ExitCode {
    match simulate(seed, print) {
        Ok((seen, summary)) => println!("{CLEAN}{} {} {summary}", seen.hash, seen.events),
        Err(violation) => println!("{VIOLATION}{}", violation.replace('\n', "\u{1}")),
    }
    ExitCode::SUCCESS
}

/// The run itself, on a thread of its own: what std keeps per thread (the order of its hash maps) is the
/// seed's then.
fn simulate(seed: u64, print: bool) -> Result<(Seen, String), String> {
    let run = move || {
        let mut runtime = Runtime::with_seed_and_config(seed, Config::default());
        runtime.set_time_limit(TIME_LIMIT);
        let trace = Trace::new(clock::elapsed, print);
        let ended = runtime.block_on(smoke::run(seed, trace.clone()));
        ended.map(|summary| (trace.seen(), summary)).map_err(|violation| format!("{violation:#}"))
    };
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).spawn(run);
    let thread = thread.map_err(|error| format!("no thread: {error}"))?;
    thread.join().unwrap_or_else(|panic| Err(format!("panic: {}", message(&*panic))))
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

//! Many seeds, each in a process of its own, until one fails; and what they met together.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::marks;
use crate::run::{self, failure};
use crate::verdict::{Cost, Verdict};

/// So many seeds must have met every mark.
const MUST_MEET: u64 = 2_000;

/// Runs all seeds. Whether all were clean.
pub fn soak(args: &Args) -> Result<bool, String> {
    let begun = Instant::now();
    let mut told = Told::new(args.seeds.end - args.seeds.start);
    let mut traces: BTreeMap<String, u64> = BTreeMap::new();
    let mut sum = Sum::default();
    let mut failed: Option<(u64, Verdict)> = None;
    each(args, |seed, verdict| {
        sum.add(&verdict);
        told.tell(sum.seeds, begun.elapsed());
        let twin = traces.insert(verdict.trace.clone(), seed);
        if let Some(twin) = twin.filter(|_| verdict.violation.is_none()) {
            return Err(format!("seeds {twin} and {seed} have the same trace: the seed decides nothing"));
        }
        if verdict.violation.is_some() && failed.as_ref().is_none_or(|(first, _)| seed < *first) {
            failed = Some((seed, verdict));
        }
        Ok(failed.is_none())
    })?;
    told.end();
    println!("{}", sum.text(begun.elapsed()));
    let unmet: Vec<&str> =
        marks::MUST.iter().copied().filter(|mark| !sum.marks.contains_key(*mark)).collect();
    println!("{}", sum.marks_text(&unmet));
    if let Some((seed, verdict)) = failed {
        let violation = verdict.violation.expect("it is one that failed");
        println!(
            "seed {seed}  {}",
            failure(&violation, &format!("cargo sim --seed {seed}{}", run::flags(args)))
        );
        return Ok(false);
    }
    if sum.seeds >= MUST_MEET && !unmet.is_empty() {
        println!("marks that {} seeds never met: {}", sum.seeds, unmet.join(", "));
        return Ok(false);
    }
    Ok(true)
}

/// Runs every seed of the command line in a child, several at a time; `take` is given each verdict and says
/// whether more are to be begun.
pub fn each(args: &Args, mut take: impl FnMut(u64, Verdict) -> Result<bool, String>) -> Result<(), String> {
    let next = AtomicU64::new(args.seeds.start);
    let stop = AtomicBool::new(false);
    let (send, verdicts) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..args.jobs {
            let (send, next, stop) = (send.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.seeds.end || send.send((seed, of_seed(args, seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut wrong = None;
        for (seed, verdict) in verdicts {
            match verdict.and_then(|verdict| take(seed, verdict)) {
                Ok(true) => {}
                Ok(false) => stop.store(true, Ordering::Relaxed),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    wrong = wrong.or(Some(error));
                }
            }
        }
        wrong.map_or(Ok(()), Err)
    })
}

fn of_seed(args: &Args, seed: u64) -> Result<Verdict, String> {
    Ok(run::apart(&flags_of(args, seed), false)?.0)
}

/// The flags of a child that runs a seed.
pub fn flags_of(args: &Args, seed: u64) -> Vec<String> {
    let mut flags = vec!["--seed".to_owned(), seed.to_string()];
    flags.extend(run::flags(args).split_whitespace().map(str::to_owned));
    flags
}

/// All verdicts together.
#[derive(Default)]
struct Sum {
    seeds: u64,
    cost: Cost,
    marks: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.seeds += 1;
        self.cost = self.cost.plus(verdict.cost);
        for (mark, count) in &verdict.marks {
            *self.marks.entry(mark.clone()).or_default() += count;
        }
    }

    fn text(&self, took: Duration) -> String {
        let seeds = self.seeds.max(1);
        let each = |of: u64| of / seeds;
        let cost = self.cost;
        format!(
            "{} seeds in {:.1} s, {:.0} a minute; each: {} ms CPU, {} messages, {} requests ({} lost), {} syncs, {} calls judged, {:.1} s of its own time; {} searches given up",
            self.seeds,
            took.as_secs_f64(),
            self.seeds as f64 * 60.0 / took.as_secs_f64().max(0.001),
            each(cost.cpu_ms),
            each(cost.messages),
            each(cost.requests),
            each(cost.lost),
            each(cost.syncs),
            each(cost.judged),
            each(cost.simulated_ms) as f64 / 1_000.0,
            cost.undecided,
        )
    }

    fn marks_text(&self, unmet: &[&str]) -> String {
        let mut text = String::from("marks:");
        for (mark, count) in &self.marks {
            text.push_str(&format!("\n  {count:>10}  {mark}"));
        }
        unmet.iter().for_each(|mark| text.push_str(&format!("\n           0  {mark}")));
        text
    }
}

/// How far it is: a bar on a terminal, a line now and then otherwise.
struct Told {
    of: u64,
    bar: bool,
    last: Instant,
}

impl Told {
    fn new(of: u64) -> Told {
        Told { of, bar: std::io::stdout().is_terminal(), last: Instant::now() }
    }

    fn tell(&mut self, done: u64, took: Duration) {
        let pause = if self.bar { Duration::from_millis(100) } else { Duration::from_secs(10) };
        if self.last.elapsed() < pause && done < self.of {
            return;
        }
        self.last = Instant::now();
        let pace = done as f64 * 60.0 / took.as_secs_f64().max(0.001);
        if self.bar {
            let full = (done * 40 / self.of.max(1)) as usize;
            let (full, rest) = ("█".repeat(full), "░".repeat(40 - full));
            print!("\r{full}{rest}  {done} of {}  {pace:.0} seeds a minute ", self.of);
            // A bar that cannot be shown is no reason to stop.
            let _ = std::io::stdout().flush();
        } else {
            println!("{done} of {} seeds, {pace:.0} a minute", self.of);
        }
    }

    fn end(&self) {
        if self.bar {
            println!();
        }
    }
}

//! Whether the checks find what is wrong: each deliberate bug is run until one of them speaks, and the one that
//! speaks must be one that is meant to.

use std::fmt::Write;
use std::ops::Range;
use std::time::Instant;

use gomer_sim::invariants;

use crate::args::Args;
use crate::mutants::{self, Known};
use crate::plan::draw::Size;
use crate::verdict::Violation;
use crate::{run, soak};

/// Runs all of them. Whether each was found by a check that is meant to find it, and the page is up to date.
pub fn mutants(args: &Args) -> Result<bool, String> {
    if args.print {
        print!("{}", table());
        return Ok(true);
    }
    let chosen = |known: &&Known| args.mutant.as_ref().is_none_or(|name| name == known.name);
    let chosen: Vec<&Known> = mutants::ALL.iter().filter(chosen).collect();
    if chosen.is_empty() {
        return Err(format!("there is no deliberate bug called `{}`", args.mutant.as_deref().unwrap_or("")));
    }
    let mut clean = true;
    if args.known {
        // One seed each: as many bugs at a time as there are jobs.
        for some in chosen.chunks(args.jobs) {
            let proofs: Vec<Result<bool, String>> = std::thread::scope(|scope| {
                let jobs: Vec<_> = some.iter().map(|known| scope.spawn(|| prove(args, known))).collect();
                jobs.into_iter().map(|job| job.join().expect("a proof does not panic")).collect()
            });
            for proof in proofs {
                clean &= proof?;
            }
        }
    } else {
        for known in chosen {
            clean &= prove(args, known)?;
        }
    }
    if let Some(path) = &args.table {
        let page = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if page != table() {
            println!(
                "{} is not what this program says: renew it with `cargo sim mutants --print`",
                path.display()
            );
            clean = false;
        }
    }
    Ok(clean)
}

fn prove(args: &Args, known: &Known) -> Result<bool, String> {
    let begun = Instant::now();
    let at = |seeds: Range<u64>| Args {
        seeds,
        mutant: Some(known.name.to_owned()),
        size: Size::Small,
        members: Some(known.members),
        ..args.clone()
    };
    let mut search = Search::default();
    if args.known {
        search.run(&at(known.seed..known.seed + 1), known)?;
        if search.found.is_none() {
            // A seed means the same only at the same commit: the program may have changed.
            println!("{:<26} is not shown by seed {} any more; looking further", known.name, known.seed);
        }
    }
    if search.found.is_none() {
        search.run(&at(args.seeds.clone()), known)?;
    }
    search.others.sort();
    let others: Vec<String> = search.others.iter().map(|(seed, check)| format!("{seed}: {check}")).collect();
    let also =
        if others.is_empty() { String::new() } else { format!("; by others at {}", others.join(", ")) };
    let took = begun.elapsed().as_secs_f64();
    match &search.found {
        Some((seed, violation)) => {
            println!(
                "{:<26} found by {} at seed {seed} ({took:.1} s){also}",
                known.name, violation.invariant
            );
        }
        None => {
            let (found_by, seeds) = (known.found_by.join(", "), &args.seeds);
            println!("{:<26} NOT FOUND by {found_by} in seeds {seeds:?}{also}", known.name);
            println!("again:  cargo sim{} --seed {}", run::flags(&at(seeds.clone())), seeds.start);
        }
    }
    Ok(search.found.is_some())
}

/// What was found of one bug.
#[derive(Default)]
struct Search {
    /// The first seed at which a check spoke that is meant to.
    found: Option<(u64, Violation)>,
    /// Where others did.
    others: Vec<(u64, String)>,
}

impl Search {
    fn run(&mut self, args: &Args, known: &Known) -> Result<(), String> {
        soak::each(args, |seed, verdict| {
            if let Some(violation) = verdict.violation {
                if !known.found_by.contains(&violation.invariant.as_str()) {
                    self.others.push((seed, violation.invariant));
                } else if self.found.as_ref().is_none_or(|(first, _)| seed < *first) {
                    self.found = Some((seed, violation));
                }
            }
            Ok(self.found.is_none())
        })
    }
}

/// The page of promises and bugs.
pub fn table() -> String {
    let mut page = String::from(
        "# Promises\n\n\
         What the simulator holds every run against, and the deliberate bugs that show that it does. This page is\n\
         printed by `cargo sim mutants --print`; `cargo verify` fails when it is stale. [Simulate](../guides/simulate.md)\n\
         tells how it works.\n\n\
         ## What is promised\n\n| promise | what it says |\n|---|---|\n",
    );
    for promise in invariants::ALL {
        writeln!(page, "| `{}` | {} |", promise.name, promise.says).expect(TEXT);
    }
    page.push_str(
        "\n## What is wrong on purpose\n\n\
         Each is a branch in the program's own code that only the simulator's build has. `cargo sim mutants` runs each on\n\
         small plans until a check speaks; it must be one of those named here, within the first 100 seeds. `cargo verify`\n\
         runs the seed that is known to show it: `cargo sim --small --members MEMBERS --seed SEED --mutant NAME`.\n\n\
         | bug | what goes wrong | found by | members | seed |\n|---|---|---|---|---|\n",
    );
    for known in mutants::ALL {
        let found_by: Vec<String> = known.found_by.iter().map(|name| format!("`{name}`")).collect();
        let found_by = found_by.join(" or ");
        let Known { name, does, members, seed, .. } = known;
        writeln!(page, "| `{name}` | {does} | {found_by} | {members} | {seed} |").expect(TEXT);
    }
    page
}

const TEXT: &str = "a string takes everything";

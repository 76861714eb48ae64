//! Whether a seed decides everything: each is run twice, and both traces must be the same.

use crate::args::Args;
use crate::run;
use crate::soak::{each, flags_of};

/// Runs all seeds twice. Whether no two runs of one seed differed.
pub fn meta(args: &Args) -> Result<bool, String> {
    if args.here {
        return here(args);
    }
    let mut first = Vec::new();
    each(args, |seed, verdict| {
        first.push((seed, verdict.trace));
        Ok(true)
    })?;
    let mut second = std::collections::BTreeMap::new();
    each(args, |seed, verdict| {
        second.insert(seed, verdict.trace);
        Ok(true)
    })?;
    first.sort();
    let seeds = first.len();
    for (seed, trace) in first {
        if second.get(&seed) != Some(&trace) {
            println!("seed {seed} has two traces: {trace} and {:?}", second.get(&seed));
            println!("{}", difference(args, seed)?);
            return Ok(false);
        }
    }
    println!("{seeds} seeds, each with one trace");
    Ok(true)
}

/// The same one after the other in this process. What a process keeps (counters of libraries) moves on with each run,
/// and none may notice.
fn here(args: &Args) -> Result<bool, String> {
    for seed in args.seeds.clone() {
        let plan = run::plan(&Args { seed, ..args.clone() })?;
        let (first, lines, _) = run::simulate(plan.clone(), true);
        let (second, others, _) = run::simulate(plan, true);
        if first.trace != second.trace {
            let at = lines.iter().zip(&others).position(|(one, other)| one != other);
            let differ =
                at.map_or("one is longer".to_owned(), |at| format!("- {}\n+ {}", lines[at], others[at]));
            println!("seed {seed} has two traces in one process:\n{differ}");
            return Ok(false);
        }
    }
    println!("{} seeds, each with one trace, all in one process", args.seeds.end - args.seeds.start);
    Ok(true)
}

/// The first line in which two runs differ. Not every two do: it is tried some times.
fn difference(args: &Args, seed: u64) -> Result<String, String> {
    let run = || run::apart(&flags_of(args, seed), true).map(|(_, lines)| lines);
    let first = run()?;
    for _ in 0..TRIES {
        let other = run()?;
        if let Some(at) = (0..first.len().max(other.len())).find(|at| first.get(*at) != other.get(*at)) {
            let line = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "(ended)".to_owned());
            return Ok(format!("line {at}:\n- {}\n+ {}", line(&first), line(&other)));
        }
    }
    Ok("and did not show it again".to_owned())
}

const TRIES: usize = 10;

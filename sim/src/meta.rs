//! Whether a seed decides everything: each is run twice, and both traces must be the same.

use crate::args::Args;
use crate::run;
use crate::soak::{each, flags_of};

/// Runs all seeds twice. Whether no two runs of one seed differed.
pub fn meta(args: &Args) -> Result<bool, String> {
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

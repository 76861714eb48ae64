//! A plan that fails, made smaller while it fails alike: first whole classes of faults, then faults, then
//! operations, then people. What is left is what the failure needs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::plan::Plan;
use crate::run;
use crate::verdict::Violation;

/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(600);

/// Makes it smaller, writes it and says how to run it. Always finds the violation, or it was none: whether the
/// plan was clean.
pub fn shrink(args: &Args) -> Result<bool, String> {
    let plan = run::plan(args)?;
    let dir = std::env::temp_dir().join(format!("gomer-sim-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let shrinker = Shrinker { dir: dir.clone(), jobs: args.jobs, begun: Instant::now() };
    let done = shrinker.run(plan, args);
    // Only of use while it ran.
    let _ = std::fs::remove_dir_all(dir);
    done
}

struct Shrinker {
    dir: PathBuf,
    jobs: usize,
    begun: Instant,
}

impl Shrinker {
    fn run(&self, plan: Plan, args: &Args) -> Result<bool, String> {
        let Some(violation) = self.fails(&plan, 0)? else {
            println!("this plan is clean: there is nothing to make smaller");
            return Ok(true);
        };
        let wanted = violation.invariant;
        println!("fails: {wanted}; {} faults, {} operations", plan.faults.len(), plan.operations.len());
        let small = self.smaller(plan, &wanted)?;
        let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("seed-{}.json", small.seed)));
        std::fs::write(&path, small.text()).map_err(|error| format!("{}: {error}", path.display()))?;
        println!(
            "{} faults, {} operations are left: {}",
            small.faults.len(),
            small.operations.len(),
            path.display()
        );
        let violation = self.fails(&small, 0)?.expect("a smaller plan is kept only if it fails");
        println!("{}", run::failure(&violation, &format!("cargo sim --plan {}", path.display())));
        Ok(false)
    }

    fn smaller(&self, mut plan: Plan, wanted: &str) -> Result<Plan, String> {
        let classes: BTreeSet<&str> = plan.faults.iter().map(|fault| fault.what.class()).collect();
        for class in classes {
            let mut without = plan.clone();
            without.faults.retain(|fault| fault.what.class() != class);
            if self.fails_so(&without, wanted, 0)? {
                plan = without;
            }
        }
        plan.faults = self.ddmin(&plan.faults, wanted, |faults| Plan { faults, ..plan.clone() })?;
        plan.operations =
            self.ddmin(&plan.operations, wanted, |operations| Plan { operations, ..plan.clone() })?;
        plan.faults = self.ddmin(&plan.faults, wanted, |faults| Plan { faults, ..plan.clone() })?;
        // People after the last one who does something, or to whom something happens.
        loop {
            let mut fewer = plan.clone();
            fewer.config.people -= 1;
            if Plan::parse(&fewer.text()).is_err() || !self.fails_so(&fewer, wanted, 0)? {
                break;
            }
            plan = fewer;
        }
        Ok(plan)
    }

    /// Delta debugging (Zeller and Hildebrandt, 2002): parts are left out, larger ones first.
    fn ddmin<T: Clone + Send + Sync>(
        &self,
        all: &[T],
        wanted: &str,
        with: impl Fn(Vec<T>) -> Plan,
    ) -> Result<Vec<T>, String> {
        let mut kept = all.to_vec();
        let mut parts = 2;
        while !kept.is_empty() && self.begun.elapsed() < PATIENCE {
            let size = kept.len().div_ceil(parts);
            let without = |part: usize| {
                let mut rest = kept.clone();
                rest.drain(part * size..((part + 1) * size).min(kept.len()));
                rest
            };
            let candidates: Vec<Vec<T>> = (0..kept.len().div_ceil(size)).map(without).collect();
            let plans: Vec<Plan> = candidates.iter().cloned().map(&with).collect();
            match self.first_that_fails(&plans, wanted)? {
                Some(smaller) => {
                    kept = candidates[smaller].clone();
                    parts = parts.saturating_sub(1).max(2);
                    println!("  {} left", kept.len());
                }
                None if size == 1 => break,
                None => parts = (parts * 2).min(kept.len()),
            }
        }
        Ok(kept)
    }

    /// The first of these that fails alike, several tried at a time.
    fn first_that_fails(&self, plans: &[Plan], wanted: &str) -> Result<Option<usize>, String> {
        for (chunk, some) in plans.chunks(self.jobs).enumerate() {
            if self.begun.elapsed() > PATIENCE {
                return Ok(None);
            }
            let tried: Vec<Result<bool, String>> = std::thread::scope(|scope| {
                let jobs = some.iter().enumerate();
                let jobs: Vec<_> =
                    jobs.map(|(job, plan)| scope.spawn(move || self.fails_so(plan, wanted, job))).collect();
                jobs.into_iter().map(|job| job.join().expect("a try does not panic")).collect()
            });
            for (at, fails) in tried.into_iter().enumerate() {
                if fails? {
                    return Ok(Some(chunk * self.jobs + at));
                }
            }
        }
        Ok(None)
    }

    fn fails_so(&self, plan: &Plan, wanted: &str, job: usize) -> Result<bool, String> {
        Ok(self.fails(plan, job)?.is_some_and(|violation| violation.invariant == wanted))
    }

    fn fails(&self, plan: &Plan, job: usize) -> Result<Option<Violation>, String> {
        let path = self.dir.join(format!("try-{job}.json"));
        std::fs::write(&path, plan.text()).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(run::apart(&run::of_plan(&path), false)?.0.violation)
    }
}

//! Work that nobody calls for. It comes round again and again, on every member; where one member of a cluster is to do it,
//! a round looks at what that member leads ([`Cluster::leads`](gomer_net::cluster::Cluster::leads)) and leaves the rest. Two
//! members may believe so for a moment, so what a round writes is written under the condition that nobody else was there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::host::Host;
use crate::methods;
use crate::problem::Code;
use crate::registry::Stop;

/// One kind of such work.
pub struct Job {
    /// What it is called in logs.
    pub name: &'static str,
    /// How long it rests between two rounds.
    pub every: Duration,
    /// One round, with its number since the start.
    pub round: fn(Arc<Host>, u64) -> Round,
}

/// A round under way.
pub type Round = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

/// All of them, in alphabetical order.
pub fn all() -> Vec<Job> {
    vec![
        methods::account::erasure::job(),
        methods::account::export::job(),
        methods::admin::usage::job(),
        methods::cluster_back::job(),
        methods::hook::deliver::job(),
        methods::media::sweep::job(),
        methods::news::read::job(),
        methods::push::round::job(),
        methods::search::follow::job(),
        methods::tweet::read::job(),
    ]
}

/// Jobs that run until they are stopped or dropped.
pub struct Running(Vec<JoinHandle<()>>);

/// Starts them.
pub fn start(host: &Arc<Host>, jobs: Vec<Job>) -> Running {
    Running(jobs.into_iter().map(|job| tokio::spawn(go_round(host.clone(), job))).collect())
}

impl Running {
    /// Ends them, wherever they are.
    pub async fn stop(mut self) {
        for job in self.0.drain(..) {
            job.abort();
            let _ = job.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn go_round(host: Arc<Host>, job: Job) {
    for number in 0.. {
        tokio::time::sleep(job.every).await;
        // A task of its own, so that a panic costs a round and not the job.
        let mut round = Aborting(tokio::spawn((job.round)(host.clone(), number)));
        match (&mut round.0).await {
            Ok(Ok(())) => {}
            // Refused while the disk is full, or the store is busy: the next one goes on.
            Ok(Err(stop)) => {
                let code = stop.code().map_or("", Code::name);
                tracing::warn!(job = job.name, code, "a round of a job was ended");
            }
            Err(panicked) => tracing::error!(job = job.name, %panicked, "a round of a job panicked"),
        }
    }
}

/// A task that ends with whoever waits for it.
struct Aborting(JoinHandle<Result<(), Stop>>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::testing::World;

    static ROUNDS: AtomicU64 = AtomicU64::new(0);

    #[tokio::test]
    async fn a_round_that_panics_or_is_refused_is_not_the_last() {
        let world = World::new().await;
        let round = |_: Arc<Host>, number: u64| -> Round {
            Box::pin(async move {
                ROUNDS.fetch_add(1, Ordering::Relaxed);
                match number {
                    0 => panic!("the first round"),
                    1 => Err(Code::Busy.into()),
                    _ => Ok(()),
                }
            })
        };
        let job = Job { name: "test", every: Duration::from_millis(1), round };
        let running = start(&world.host, vec![job]);
        while ROUNDS.load(Ordering::Relaxed) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.stop().await;
        let rounds = ROUNDS.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(ROUNDS.load(Ordering::Relaxed), rounds);
    }
}

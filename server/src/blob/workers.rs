//! Who does what may block: threads of their own, or whoever asks. An edge: the simulator has [`Inline`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A piece of work.
pub type Job = Box<dyn FnOnce() + Send>;

/// Takes work.
pub trait Workers: Send + Sync + 'static {
    /// Takes a job; `false` if too many wait, and then it is dropped.
    fn run(&self, job: Job) -> bool;
}

/// Does it at once, before it returns.
pub struct Inline;

impl Workers for Inline {
    fn run(&self, job: Job) -> bool {
        job();
        true
    }
}

/// A fixed number of threads, and so many jobs that may wait.
pub struct Threads {
    jobs: SyncSender<Job>,
}

impl Threads {
    /// Starts them; they end with the value.
    pub fn start(name: &str, threads: usize, queue: usize) -> std::io::Result<Threads> {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let waiting = waiting.clone();
            std::thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&waiting))?;
        }
        Ok(Threads { jobs })
    }
}

impl Workers for Threads {
    fn run(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A decoder that panics on somebody's file is a bug, and costs that file; whoever waits sees it given up.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("the work on a file panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn beyond_the_queue_work_is_refused_and_a_panic_costs_one_job() {
        let threads = Threads::start("test", 1, 1).unwrap();
        let (begin, begun) = channel::<()>();
        let (go, gone) = channel::<()>();
        assert!(threads.run(Box::new(move || {
            begin.send(()).unwrap();
            gone.recv().unwrap();
            panic!("on purpose");
        })));
        begun.recv().unwrap();
        let (done, was_done) = channel();
        assert!(threads.run(Box::new(move || done.send(7).unwrap())));
        assert!(!threads.run(Box::new(|| unreachable!("it was refused"))));
        go.send(()).unwrap();
        assert_eq!(was_done.recv(), Ok(7), "the thread goes on");
    }
}

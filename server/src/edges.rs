//! The real edges: the operating system's clocks, randomness and threads.
//!
//! None of this exists in the simulator, which has its own.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gomer_core::store::StoreFault;
use gomer_core::time::{Monotonic, Now, Time};
use gomer_net::edges::{Clock, Entropy};
use gomer_net::runtime::{Edges, Spawner};

/// The exit code for a failed write or sync.
pub const EXIT_STORE_FAILED: i32 = 7;

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Monotonic(self.start.elapsed()), wall: Time::from_millis(wall.as_millis() as u64) }
    }
}

/// The system's randomness.
#[derive(Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("an operating system without randomness cannot keep secrets");
    }
}

/// A thread per shard, with a small runtime of its own. A panic on it ends the process: the state of a
/// turn that panicked is not trusted.
#[derive(Debug, Default)]
pub struct Threads;

impl Spawner for Threads {
    fn spawn(&self, name: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let body = move || {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a thread can have a timer").block_on(run);
            }));
            if ended.is_err() {
                tracing::error!("a shard panicked; ending the process, its state is not trusted");
                std::process::exit(EXIT_STORE_FAILED);
            }
        };
        std::thread::Builder::new().name(name).spawn(body).expect("the system has threads left at start");
    }
}

/// All of them.
pub fn system() -> Edges {
    Edges {
        clock: Arc::new(SystemClock::default()),
        entropy: Arc::new(SystemEntropy),
        spawner: Arc::new(Threads),
        fatal: Arc::new(store_failed),
    }
}

/// After a failed write or sync the page cache cannot be trusted: nothing may be answered any more.
fn store_failed(fault: &StoreFault) {
    tracing::error!(%fault, "a write or sync to disk failed; ending the process");
    eprintln!("gomer: {fault}; the process ends because nothing more can be promised");
    std::process::exit(EXIT_STORE_FAILED);
}

//! The real edges of a member: clocks, entropy, threads.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gomer_core::time::{Monotonic, Now, Time};
use gomer_net::edges::{Clock, Entropy};
use gomer_net::runtime::{Edges, Spawner};

use super::exit::end_at_once;

/// All of them.
pub fn real() -> Edges {
    Edges {
        clock: Arc::new(SystemClock { started: Instant::now() }),
        entropy: Arc::new(SystemEntropy),
        spawner: Arc::new(Threads),
        fatal: Arc::new(|fault| end_at_once(&format!("a store failed: {fault}"))),
    }
}

/// The machine's clocks.
struct SystemClock {
    started: Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono: Monotonic(self.started.elapsed()), wall: Time::from_millis(wall.as_millis() as u64) }
    }
}

/// The operating system's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Without it there are no secrets: going on would be worse than ending.
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// Ends the process: another start of this member has been seen since its disk was last written, or a copy of it.
pub fn end_superseded(why: &str) {
    eprintln!(
        "gomer: this data directory was wiped, rolled back or copied: {why}; it must not answer or vote. Keep it for \
         inspection"
    );
    std::process::exit(super::exit::Exit::Data as i32);
}

/// A thread for each shard.
struct Threads;

impl Spawner for Threads {
    fn spawn(&self, name: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let named = name.clone();
        let body = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.expect("a runtime without sockets needs nothing from the system").block_on(run);
            }));
            if ran.is_err() {
                end_at_once(&format!("the thread {named} panicked"));
            }
        };
        let thread = std::thread::Builder::new().name(name.clone()).spawn(body);
        if let Err(error) = thread {
            end_at_once(&format!("the thread {name} cannot be started: {error}"));
        }
    }
}

//! hyper's idea of time and tasks, on the runtime that is in force (tokio, or the simulator's).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// `hyper::rt::Timer` over `tokio::time::sleep`. hyper-util's own timer needs the real tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskTimer;

impl hyper::rt::Timer for TaskTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep { inner: Box::pin(tokio::time::sleep(duration)) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        now()
    }
}

struct Sleep {
    inner: Pin<Box<tokio::time::Sleep>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for Sleep {}

/// `hyper::rt::Executor` over `tokio::spawn`. hyper-util's own executor needs the real tokio.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskExecutor;

impl<F> hyper::rt::Executor<F> for TaskExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        tokio::spawn(task);
    }
}

/// The one place where the front reads the clock. Monotonic; the simulator's own when simulated.
pub(crate) fn now() -> Instant {
    // Real tokio has an `Instant` type of its own; the simulator uses std's.
    #[allow(clippy::useless_conversion)]
    tokio::time::Instant::now().into()
}

/// A wake-up that can be moved. It registers with the timer only when it was moved or has rung: the
/// simulator's timer keeps one entry per poll, and a connection is polled far oftener than it rings.
#[derive(Debug)]
pub(super) struct Alarm {
    sleep: Pin<Box<tokio::time::Sleep>>,
    armed: bool,
}

impl Alarm {
    pub(super) fn after(duration: Duration) -> Alarm {
        Alarm { sleep: Box::pin(tokio::time::sleep(duration)), armed: false }
    }

    /// Rings at `deadline` instead. Must be polled again.
    pub(super) fn set(&mut self, deadline: Instant) {
        // See `now`: the conversion is one only with the real tokio.
        #[allow(clippy::useless_conversion)]
        self.sleep.as_mut().reset(deadline.into());
        self.armed = false;
    }

    /// Whether it has rung. Always polled from the same task.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.armed && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.armed = true;
        self.sleep.as_mut().poll(cx)
    }
}

//! The edges of the world that the simulator replaces: clock and entropy.

use gomer_core::time::Now;

/// Reads both clocks. The real one is in the binary; the simulator's can be skewed per member.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic and wall time, read together.
    fn now(&self) -> Now;
}

/// A source of randomness for secrets and ids. The real one asks the operating system.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}

//! What a run is checked by: the history of what clients did and were told, and the promises. None of it needs
//! the simulator: the same code judges histories of real processes.
//!
//! Reading order: [`history`] (what was seen), [`workload`] (what clients do), [`checker`] (the search for an order
//! that explains it), [`invariants`] (the promises, one a file).
//!
//! Must never learn: how the server works. It knows the methods as a client does.

pub mod checker;
pub mod history;
pub mod invariants;
pub mod workload;

//! Is there an order in which all that was seen can have happened? The search of Wing and Gong (1993), with the
//! memory of Lowe (2017) that Porcupine uses: a set of done operations and a state are looked at once.
//!
//! An operation whose outcome is unknown may have happened at any time after it was sent, or never.
//!
//! Reading order: here (the search), [`register`] (an entity with compare-and-set).

pub mod register;

use std::collections::BTreeSet;

/// What can happen to a thing, one operation after another.
pub trait Model {
    /// How the thing is.
    type State: Clone + Ord;
    /// What is done to it, with what was answered.
    type Op;

    /// How the thing is afterwards; nothing if this answer cannot be given in this state.
    fn step(state: &Self::State, op: &Self::Op) -> Option<Self::State>;
}

/// An operation, and when it was under way.
#[derive(Debug, Clone)]
pub struct Timed<O> {
    /// What.
    pub op: O,
    /// When it was sent.
    pub invoked: u64,
    /// When it was over. Nothing: its outcome is unknown.
    pub over: Option<u64>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is such an order.
    Explained,
    /// There is none. The operations, by their place, of the longest order that could be found.
    Impossible(Vec<usize>),
    /// The search was ended before it knew.
    GaveUp,
}

/// States that are looked at before a search is given up.
pub const STATES_MAX: usize = 200_000;

/// Searches for an order that explains these operations from this state on, looking at so many states at most.
pub fn search<M: Model>(start: M::State, ops: &[Timed<M::Op>], states_max: usize) -> Verdict {
    let mut seen: BTreeSet<(Vec<u64>, M::State)> = BTreeSet::new();
    let mut todo = vec![(vec![0_u64; ops.len().div_ceil(64)], start, Vec::new())];
    let mut longest = Vec::new();
    while let Some((done, state, order)) = todo.pop() {
        if !seen.insert((done.clone(), state.clone())) {
            continue;
        }
        if seen.len() > states_max {
            return Verdict::GaveUp;
        }
        let is_done = |number: usize| done[number / 64] & (1 << (number % 64)) != 0;
        let left = || (0..ops.len()).filter(|&number| !is_done(number));
        // Whoever was over before another was sent comes before it.
        let Some(first_over) = left().filter_map(|number| ops[number].over).min() else {
            return Verdict::Explained;
        };
        if order.len() > longest.len() {
            longest.clone_from(&order);
        }
        let after = |number: usize| {
            let (mut done, mut order) = (done.clone(), order.clone());
            done[number / 64] |= 1 << (number % 64);
            order.push(number);
            (done, order)
        };
        let possible = left().filter(|&number| ops[number].invoked <= first_over);
        let mut next: Vec<(usize, M::State)> =
            possible.filter_map(|number| Some((number, M::step(&state, &ops[number].op)?))).collect();
        // What changes nothing may come first: no other order is lost by it.
        if let Some(at) = next.iter().position(|(_, then)| *then == state) {
            next = vec![next.swap_remove(at)];
        }
        // The earliest is tried first: it is the last one put on the stack.
        for (number, then) in next.into_iter().rev() {
            let (done, order) = after(number);
            todo.push((done, then, order));
        }
    }
    Verdict::Impossible(longest)
}

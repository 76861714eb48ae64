//! The mix of LinkBench (Armstrong and others, SIGMOD 2013; `FBWorkload.properties`): which operations, on which nodes,
//! how many links, how large. It is the load below the caches of a social graph: 69 % reads, 31 % writes.
//!
//! Taken over: the shares of the operations, two link types, the distribution of out-degrees, the sizes (log-normal),
//! the skews of access by kind (Zipf), the geometric number of ids of a multi-get, and the share of lists that are read
//! from an older time. Scaled down: the number of nodes, and the longest list.

use gomer_core::rng::Rng;

/// An operation on nodes by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Lists the links of a node, the newest first; or those from before an older time.
    ListLinks { from: usize, kind: usize, older: bool },
    /// Reads a node.
    GetNode { id: usize },
    /// Counts the links of a node.
    CountLinks { from: usize, kind: usize },
    /// Reads some links of a node.
    GetLinks { from: usize, kind: usize, to: Vec<usize> },
    /// Adds a link.
    AddLink { from: usize, kind: usize, to: usize, bytes: usize },
    /// Changes a link.
    UpdateLink { from: usize, kind: usize, to: usize, bytes: usize },
    /// Removes a link.
    DeleteLink { from: usize, kind: usize, to: usize },
    /// Makes a node.
    AddNode { bytes: usize },
    /// Changes a node.
    UpdateNode { id: usize, bytes: usize },
    /// Removes a node.
    DeleteNode { id: usize },
}

/// Shares of the operations, in parts of 10 million.
const SHARES: [u64; 10] =
    [5_071_191, 1_293_267, 488_636, 52_611, 898_866, 801_221, 299_077, 257_328, 736_644, 101_159];
/// Link types.
pub const KINDS: usize = 2;
/// Out-degrees: up to this share of all nodes have at most so many links. Between two points the logarithm is linear.
const DEGREES: [(f64, f64); 7] =
    [(0.4533, 0.0), (0.7746, 1.0), (0.90, 3.0), (0.95, 5.0), (0.99, 15.0), (0.999, 264.0), (1.0, 8_000.0)];
/// Zipf's exponents.
const LINK_READS: f64 = 0.8;
const LINK_WRITES: f64 = 0.741;
const NODE_READS: f64 = 0.625;
const NODE_WRITES: f64 = 0.606;
/// Chance that a multi-get ends with each id.
const MULTI_GET_END: f64 = 0.382;
const MULTI_GET_MAX: usize = 100;
/// Lists from an older time, per thousand.
const OLDER_PER_MILLE: u64 = 3;
/// Sizes: median of the log-normal distribution (σ = 1), and greatest.
const LINK_BYTES: (f64, usize) = (8.0, 255);
const NODE_BYTES: (f64, usize) = (128.0, 16 * 1024);

/// Draws operations.
#[derive(Debug, Clone)]
pub struct Mix {
    rng: Rng,
    nodes: usize,
}

impl Mix {
    /// Over so many nodes. The same seed draws the same operations.
    pub fn new(nodes: usize, seed: u64) -> Mix {
        Mix { rng: Rng::new(seed), nodes }
    }

    /// The next operation.
    pub fn draw(&mut self) -> Action {
        let mut at = self.rng.below(SHARES.iter().sum());
        let mut which = 0;
        while at >= SHARES[which] {
            at -= SHARES[which];
            which += 1;
        }
        let kind = self.rng.below(KINDS as u64) as usize;
        match which {
            0 => {
                let older = self.rng.below(1_000) < OLDER_PER_MILLE;
                Action::ListLinks { from: self.node(LINK_READS, 1), kind, older }
            }
            1 => Action::GetNode { id: self.node(NODE_READS, 3) },
            2 => Action::CountLinks { from: self.node(LINK_READS, 1), kind },
            3 => {
                let from = self.node(LINK_READS, 1);
                let mut to = vec![self.target(from, kind)];
                while to.len() < MULTI_GET_MAX && self.unit() > MULTI_GET_END {
                    to.push(self.target(from, kind));
                }
                Action::GetLinks { from, kind, to }
            }
            4 => {
                let (from, to) = (self.node(LINK_WRITES, 2), self.any());
                Action::AddLink { from, kind, to, bytes: self.size(LINK_BYTES) }
            }
            5 => {
                let from = self.node(LINK_WRITES, 2);
                let to = self.target(from, kind);
                Action::UpdateLink { from, kind, to, bytes: self.size(LINK_BYTES) }
            }
            6 => {
                let from = self.node(LINK_WRITES, 2);
                Action::DeleteLink { from, kind, to: self.target(from, kind) }
            }
            7 => Action::AddNode { bytes: self.size(NODE_BYTES) },
            8 => Action::UpdateNode { id: self.node(NODE_WRITES, 4), bytes: self.size(NODE_BYTES) },
            _ => Action::DeleteNode { id: self.any() },
        }
    }

    /// Any node.
    fn any(&mut self) -> usize {
        self.rng.below(self.nodes as u64) as usize
    }

    /// A node by Zipf's law. Which nodes are much asked for depends on the purpose and not on their degree.
    fn node(&mut self, exponent: f64, purpose: u64) -> usize {
        let rank = zipf(self.nodes, exponent, self.unit());
        scattered(self.nodes, rank, purpose)
    }

    /// What one of the links of a node leads to; any node, where it has none.
    fn target(&mut self, from: usize, kind: usize) -> usize {
        let degree = degree(self.nodes, from);
        let mine = degree.saturating_sub(kind).div_ceil(KINDS);
        if mine == 0 {
            return self.any();
        }
        let nth = self.rng.below(mine as u64) as usize * KINDS + kind;
        link_target(self.nodes, from, nth)
    }

    fn size(&mut self, (median, max): (f64, usize)) -> usize {
        // A normal value by Box and Muller.
        let (one, two) = (self.unit().max(f64::MIN_POSITIVE), self.unit());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos();
        ((median * normal.exp()) as usize).clamp(1, max)
    }

    /// 0 up to 1.
    fn unit(&mut self) -> f64 {
        unit(self.rng.next_u64())
    }
}

/// Links of a node before anything is measured; the nth is of type `nth % KINDS`.
pub fn degree(nodes: usize, node: usize) -> usize {
    let share = unit(Rng::new(node as u64 ^ 0xdead_9ee5).next_u64());
    let mut low = (0.0, 0.0);
    for high in DEGREES {
        if share < high.0 {
            if low.0 == 0.0 {
                return 0;
            }
            let part = (share - low.0) / (high.0 - low.0);
            let log = (1.0 - part) * f64::ln_1p(low.1) + part * f64::ln_1p(high.1);
            return (log.exp_m1().ceil() as usize).min(nodes / 2);
        }
        low = high;
    }
    0
}

/// What the nth link of a node leads to.
pub fn link_target(nodes: usize, node: usize, nth: usize) -> usize {
    Rng::new((node as u64) << 24 ^ nth as u64 ^ 0x11_4b5).below(nodes as u64) as usize
}

/// Bytes of the nth node's data before anything is measured.
pub fn node_bytes(node: usize) -> usize {
    Mix::new(1, node as u64 ^ 0x5123).size(NODE_BYTES)
}

/// A rank from 0, by the inverse of the continuous distribution: near enough, and quick.
fn zipf(count: usize, exponent: f64, share: f64) -> usize {
    let power = 1.0 - exponent;
    let top = ((count + 1) as f64).powf(power);
    let rank = (share * (top - 1.0) + 1.0).powf(1.0 / power);
    (rank as usize - 1).min(count - 1)
}

/// Another place for each rank: a multiplication that has no common factor with the count is a permutation.
fn scattered(count: usize, rank: usize, purpose: u64) -> usize {
    let mut factor = (count as u64 * (30 + 7 * purpose) / 100) | 1;
    while gcd(factor, count as u64) != 1 {
        factor += 2;
    }
    ((rank as u64 * factor + purpose) % count as u64) as usize
}

fn gcd(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: usize = 20_000;

    fn name(action: &Action) -> usize {
        match action {
            Action::ListLinks { .. } => 0,
            Action::GetNode { .. } => 1,
            Action::CountLinks { .. } => 2,
            Action::GetLinks { .. } => 3,
            Action::AddLink { .. } => 4,
            Action::UpdateLink { .. } => 5,
            Action::DeleteLink { .. } => 6,
            Action::AddNode { .. } => 7,
            Action::UpdateNode { .. } => 8,
            Action::DeleteNode { .. } => 9,
        }
    }

    #[test]
    fn operations_come_in_the_shares_of_the_paper() {
        let percent = [50.712, 12.933, 4.886, 0.526, 8.989, 8.012, 2.991, 2.573, 7.366, 1.012];
        assert!((percent.iter().sum::<f64>() - 100.0f64).abs() < 0.01);
        let (mut mix, mut counts) = (Mix::new(NODES, 1), [0u32; 10]);
        for _ in 0..200_000 {
            counts[name(&mix.draw())] += 1;
        }
        for (count, percent) in counts.iter().zip(percent) {
            let found = f64::from(*count) / 2_000.0;
            assert!((found - percent).abs() < 0.35, "{found} is not {percent}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut mix = Mix::new(NODES, seed);
            (0..1_000).map(|_| mix.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn degrees_are_those_of_the_table() {
        let mut degrees: Vec<usize> = (0..NODES).map(|node| degree(NODES, node)).collect();
        degrees.sort_unstable();
        let at = |share: f64| degrees[(NODES as f64 * share) as usize];
        assert_eq!((at(0.44), at(0.60), at(0.77)), (0, 1, 1));
        assert!((3..=4).contains(&at(0.90)) && (5..=6).contains(&at(0.95)), "{} {}", at(0.90), at(0.95));
        assert!((13..=20).contains(&at(0.99)), "{}", at(0.99));
        let mean = degrees.iter().sum::<usize>() as f64 / NODES as f64;
        assert!((2.5..6.0).contains(&mean), "{mean}");
        assert!(degrees[NODES - 1] <= NODES / 2);
    }

    #[test]
    fn access_is_skewed_and_reaches_everything_in_range() {
        let mut mix = Mix::new(NODES, 3);
        let mut counts = vec![0u32; NODES];
        for _ in 0..200_000 {
            counts[mix.node(LINK_READS, 1)] += 1;
        }
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let top: u32 = counts[..NODES / 100].iter().sum();
        assert!((0.25..0.45).contains(&(f64::from(top) / 200_000.0)), "the first hundredth has {top}");
        assert_eq!((zipf(NODES, 0.8, 0.0), zipf(NODES, 0.8, 1.0 - 1e-12)), (0, NODES - 1));
    }

    #[test]
    fn scattering_is_a_permutation() {
        for count in [1, 2, 10, 1_000, 2_000] {
            for purpose in 1..5 {
                let mut seen: Vec<usize> = (0..count).map(|rank| scattered(count, rank, purpose)).collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..count), "{count} {purpose}");
            }
        }
    }

    #[test]
    fn sizes_are_log_normal_within_their_bounds() {
        let mut sizes: Vec<usize> = (0..10_001).map(node_bytes).collect();
        sizes.sort_unstable();
        assert!((118..=138).contains(&sizes[5_000]), "{}", sizes[5_000]);
        assert!((300..=400).contains(&sizes[8_413]), "{}", sizes[8_413]);
        assert!(sizes[0] >= 1 && sizes[10_000] <= NODE_BYTES.1);
    }
}

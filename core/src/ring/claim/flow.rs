//! The cheapest flow that meets every bound.
//!
//! The flow that is given need not balance at its nodes, but must be optimal for what it does carry. What is too
//! much somewhere is then led to where there is too little, along cheapest paths, many at a time: the method of
//! successive shortest paths from a pseudoflow (Ahuja, Magnanti, Orlin, *Network Flows*, 1993, §9.7), with the
//! paths of one length found together (Dinic, 1970). Work follows what is out of balance, not the network's size,
//! so a claim that changes little costs little.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;

/// A network with a flow in it.
#[derive(Debug, Default)]
pub struct Network {
    /// Arcs and their reverses, in pairs.
    arcs: Vec<Arc>,
    nodes: Vec<Node>,
}

/// An arc's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArcId(usize);

#[derive(Debug)]
struct Arc {
    to: usize,
    /// How much more may go this way.
    room: i64,
    cost: i64,
}

#[derive(Debug, Default)]
struct Node {
    arcs: Vec<usize>,
    /// What came in and did not go out; negative: what is missing.
    excess: i64,
    /// Its price. No arc with room costs less than what its ends' prices differ by.
    potential: i64,
}

/// How far a node is: cost, then hops.
type Distance = (i64, u32);

impl Network {
    /// So many nodes and no arcs.
    pub fn new(nodes: usize) -> Network {
        Network { arcs: Vec::new(), nodes: (0..nodes).map(|_| Node::default()).collect() }
    }

    /// Adds an arc that may carry an amount within `bounds`, each unit at `cost`, and carries `flow` now. An arc that
    /// costs something carries no more than it must, and one that pays as much as it can: else the flow would not be
    /// optimal for what it carries.
    ///
    /// Of paths that cost the same, the one over arcs that were added first is taken.
    pub fn arc(
        &mut self,
        from: usize,
        to: usize,
        bounds: RangeInclusive<i64>,
        cost: i64,
        flow: i64,
    ) -> ArcId {
        assert!(bounds.contains(&flow), "{flow} of {bounds:?}");
        let optimal = (cost <= 0 || flow == *bounds.start()) && (cost >= 0 || flow == *bounds.end());
        assert!(optimal, "a flow that is not optimal to begin with: {flow} of {bounds:?} at {cost}");
        let id = ArcId(self.arcs.len());
        self.arcs.push(Arc { to, room: bounds.end() - flow, cost });
        self.arcs.push(Arc { to: from, room: flow - bounds.start(), cost: -cost });
        self.nodes[from].arcs.push(id.0);
        self.nodes[to].arcs.push(id.0 + 1);
        self.nodes[from].excess -= flow;
        self.nodes[to].excess += flow;
        id
    }

    /// Puts in so much at a node; negative: takes it out.
    pub fn supply(&mut self, node: usize, amount: i64) {
        self.nodes[node].excess += amount;
    }

    /// Balances every node at the least cost. False if no flow meets all bounds.
    pub fn settle(&mut self) -> bool {
        assert_eq!(self.nodes.iter().map(|node| node.excess).sum::<i64>(), 0, "what goes in comes out");
        while self.nodes.iter().any(|node| node.excess > 0) {
            let Some(levels) = self.measure() else { return false };
            let mut tried = vec![0; self.nodes.len()];
            for node in 0..self.nodes.len() {
                while self.nodes[node].excess > 0 {
                    let excess = self.nodes[node].excess;
                    let led = self.lead(node, excess, &levels, &mut tried);
                    self.nodes[node].excess -= led;
                    if led == 0 {
                        break;
                    }
                }
            }
        }
        true
    }

    /// What an arc carries above its lower bound.
    pub fn carries(&self, arc: ArcId) -> i64 {
        self.arcs[arc.0 + 1].room
    }

    /// Distances from where there is too much up to the nearest places where there is too little; beyond, none.
    /// Prices follow, so that the arcs of cheapest paths cost nothing.
    fn measure(&mut self) -> Option<Vec<Option<Distance>>> {
        let mut found: Vec<Option<Distance>> = vec![None; self.nodes.len()];
        let mut best: Vec<Distance> = vec![(i64::MAX, u32::MAX); self.nodes.len()];
        let mut queue = BinaryHeap::new();
        for (at, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.excess > 0) {
            best[at] = (0, 0);
            queue.push(Reverse(((0, 0), at)));
        }
        let mut end: Option<Distance> = None;
        while let Some(Reverse((distance, at))) = queue.pop() {
            if end.is_some_and(|end| distance > end) {
                break;
            }
            if found[at].is_some() {
                continue;
            }
            found[at] = Some(distance);
            if self.nodes[at].excess < 0 {
                end = Some(distance);
            }
            for arc in self.nodes[at].arcs.iter().map(|arc| &self.arcs[*arc]).filter(|arc| arc.room > 0) {
                let next = (distance.0 + self.price(at, arc), distance.1 + 1);
                if next < best[arc.to] {
                    best[arc.to] = next;
                    queue.push(Reverse((next, arc.to)));
                }
            }
        }
        let (far, _) = end?;
        for (node, distance) in self.nodes.iter_mut().zip(&found) {
            node.potential += distance.map_or(far, |(cost, _)| cost);
        }
        Some(found)
    }

    fn price(&self, from: usize, arc: &Arc) -> i64 {
        arc.cost + self.nodes[from].potential - self.nodes[arc.to].potential
    }

    /// Leads up to `amount` from a node to one where something is missing, one hop a level, and says how much.
    fn lead(&mut self, at: usize, amount: i64, levels: &[Option<Distance>], tried: &mut [usize]) -> i64 {
        if self.nodes[at].excess < 0 {
            let taken = amount.min(-self.nodes[at].excess);
            self.nodes[at].excess += taken;
            return taken;
        }
        while let Some(&id) = self.nodes[at].arcs.get(tried[at]) {
            let arc = &self.arcs[id];
            let (to, room) = (arc.to, arc.room);
            let hops = |node: usize| levels[node].map(|(_, hops)| hops);
            let next = hops(at).map(|hops| hops + 1);
            if room > 0 && next == hops(to) && self.price(at, arc) == 0 {
                let led = self.lead(to, amount.min(room), levels, tried);
                if led > 0 {
                    self.arcs[id].room -= led;
                    self.arcs[id ^ 1].room += led;
                    return led;
                }
            }
            tried[at] += 1;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_cheap_way_first_then_the_dear_one() {
        let mut network = Network::new(3);
        network.supply(0, 5);
        network.supply(2, -5);
        let dear = network.arc(0, 2, 0..=9, 3, 0);
        let cheap = [network.arc(0, 1, 0..=9, 1, 0), network.arc(1, 2, 0..=3, 1, 0)];
        assert!(network.settle());
        assert_eq!([network.carries(dear), network.carries(cheap[0]), network.carries(cheap[1])], [2, 3, 3]);
    }

    #[test]
    fn what_must_flow_flows_whatever_it_costs() {
        let mut network = Network::new(3);
        network.supply(0, 2);
        network.supply(2, -2);
        network.arc(0, 2, 0..=2, 0, 2);
        let must = network.arc(0, 1, 1..=2, 7, 1);
        network.arc(1, 2, 0..=2, 0, 0);
        assert!(network.settle());
        assert_eq!(network.carries(must), 0, "and no more than that");
    }

    #[test]
    fn bounds_that_cannot_be_met_are_said_so() {
        let mut network = Network::new(2);
        network.supply(0, 3);
        network.supply(1, -3);
        network.arc(0, 1, 0..=2, 0, 0);
        assert!(!network.settle());
    }

    #[test]
    fn what_pays_is_given_up_last() {
        let mut network = Network::new(4);
        network.supply(3, -1);
        let arcs = [-1, 0].map(|cost| network.arc(0, 1, 0..=1, cost, 1));
        network.arc(1, 3, 0..=2, 0, 1);
        network.supply(0, 2);
        network.arc(0, 2, 0..=1, 5, 0);
        network.supply(2, -1);
        assert!(network.settle());
        assert_eq!(arcs.map(|arc| network.carries(arc)), [1, 0]);
    }

    #[test]
    #[should_panic(expected = "not optimal")]
    fn a_paying_arc_that_carries_less_than_it_can_is_refused() {
        Network::new(2).arc(0, 1, 0..=2, -1, 1);
    }

    #[test]
    #[should_panic(expected = "not optimal")]
    fn a_dear_arc_that_carries_what_it_need_not_is_refused() {
        Network::new(2).arc(0, 1, 0..=2, 1, 1);
    }

    /// Every assignment of jobs to workers, tried out.
    fn cheapest(costs: &[Vec<i64>], room: &mut [i64], job: usize) -> Option<i64> {
        if job == costs.len() {
            return Some(0);
        }
        let mut best = None;
        for worker in 0..room.len() {
            if room[worker] > 0 && costs[job][worker] < 9 {
                room[worker] -= 1;
                let cost = cheapest(costs, room, job + 1).map(|rest| rest + costs[job][worker]);
                room[worker] += 1;
                best = [best, cost].into_iter().flatten().min();
            }
        }
        best
    }

    #[test]
    fn no_assignment_is_cheaper() {
        let mut infeasible = 0;
        for seed in 0..500 {
            let mut rng = Rng::new(seed);
            let (jobs, workers) = (1 + rng.below(6) as usize, 1 + rng.below(4) as usize);
            let costs: Vec<Vec<i64>> = (0..jobs)
                .map(|_| (0..workers).map(|_| [0, 0, 1, 1, 2, 9][rng.below(6) as usize]).collect())
                .collect();
            let mut room: Vec<i64> = (0..workers).map(|_| rng.below(4) as i64).collect();
            let mut network = Network::new(jobs + workers + 1);
            let mut arcs = Vec::new();
            for (job, costs) in costs.iter().enumerate() {
                network.supply(job, 1);
                // Some begin at the first worker who costs nothing: a flow to go on from.
                let begun = (0..workers).find(|worker| costs[*worker] == 0 && rng.below(2) == 0);
                for worker in (0..workers).filter(|worker| costs[*worker] < 9) {
                    let flow = i64::from(begun == Some(worker));
                    arcs.push((network.arc(job, jobs + worker, 0..=1, costs[worker], flow), costs[worker]));
                }
            }
            for (worker, room) in room.iter().enumerate() {
                network.arc(jobs + worker, jobs + workers, 0..=*room, 0, 0);
            }
            network.supply(jobs + workers, -(jobs as i64));
            let settled = network.settle();
            let cost = arcs.iter().map(|(arc, cost)| network.carries(*arc) * cost).sum();
            let best = cheapest(&costs, &mut room, 0);
            assert_eq!(settled.then_some(cost), best, "seed {seed}");
            infeasible += usize::from(best.is_none());
        }
        assert!((50..450).contains(&infeasible), "{infeasible}: both kinds are tried");
    }
}

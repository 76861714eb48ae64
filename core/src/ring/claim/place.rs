//! The replica sets of a claim, by a cheapest flow.
//!
//! ```text
//! partition ──spread──▶ partition in zone ──cost of a move──▶ member ──share──▶ all
//! ```
//!
//! A unit is a replica. What is held pays for staying, little beside a move: a replica that leads pays 2, a
//! follower 1, and one that leads while its member leads more than it should pays nothing, so that leadership moves with
//! replicas and not besides. That shares and spreads can be met together is plain while all can take all: let each partition be
//! held by each member in equal parts of its share. That meets all bounds, and a network with whole bounds that has
//! a flow has a whole one (Ford and Fulkerson, 1956).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::id::MemberId;
use crate::ring::member::{Member, MemberState};
use crate::ring::table::Ring;
use crate::rng::Rng;

use super::flow::{ArcId, Network};
use super::shares::{Sharer, shares};
use super::zones::Spread;

/// What a move costs, more than all that could be paid for staying.
const MOVE: i64 = 1 << 20;

/// The members that may hold something, and their zones by number.
pub struct Claimants {
    all: Vec<Claimant>,
    zones: usize,
}

struct Claimant {
    id: MemberId,
    zone: usize,
    weight: u64,
    /// Whether it may be given what it does not hold.
    takes: bool,
}

impl Claimants {
    /// Those with a weight that are valid or down.
    pub fn new(members: &BTreeMap<MemberId, Member>) -> Claimants {
        let holds = |member: &Member| {
            matches!(member.state, MemberState::Valid | MemberState::Down) && member.weight.get() > 0
        };
        let mut zones = BTreeMap::new();
        for member in members.values().filter(|member| holds(member)) {
            zones.insert(&member.zone, 0);
        }
        zones.values_mut().zip(0..).for_each(|(number, next)| *number = next);
        let claimant = |(id, member): (&MemberId, &Member)| Claimant {
            id: *id,
            zone: zones[&member.zone],
            weight: u64::from(member.weight.get()),
            takes: member.state == MemberState::Valid,
        };
        let all = members.iter().filter(|(_, member)| holds(member)).map(claimant).collect();
        Claimants { all, zones: zones.len() }
    }

    /// By their places, who may hold a partition that is held by these now.
    fn able<'a>(&'a self, holders: &'a [MemberId]) -> impl Iterator<Item = usize> + 'a {
        (0..self.all.len()).filter(|at| self.all[*at].takes || holders.contains(&self.all[*at].id))
    }
}

/// One partition's part of the question.
struct Question<'a> {
    held: &'a [MemberId],
    /// By place, in the order in which they should be thought of.
    able: Vec<usize>,
    /// How many of them are in each zone.
    available: Vec<usize>,
    spread: Spread,
}

impl<'a> Question<'a> {
    fn new(claimants: &Claimants, held: &'a [MemberId], able: Vec<usize>, replicas: usize) -> Question<'a> {
        let mut available = vec![0; claimants.zones];
        able.iter().for_each(|at| available[claimants.all[*at].zone] += 1);
        let spread = Spread::new(&available, replicas);
        Question { held, able, available, spread }
    }
}

/// Who should hold each partition.
pub fn place(claimants: &Claimants, ring: &Ring, replicas: usize, seed: u64) -> Vec<Vec<MemberId>> {
    let mut rng = Rng::new(seed);
    let questions: Vec<Question> = ring
        .sets()
        .map(|(_, held)| {
            let mut able: Vec<usize> = claimants.able(held).collect();
            shuffle(&mut able, &mut rng);
            Question::new(claimants, held, able, replicas)
        })
        .collect();
    let all = || (0..claimants.all.len()).collect();
    let open: Vec<Question> =
        ring.sets().map(|(_, held)| Question::new(claimants, held, all(), replicas)).collect();
    // Shares as if those who are down could take, so that being down is no reason to move rows. If that cannot be, as
    // they can; and if neither can that, widened by as little as will do. Without bounds each partition is a
    // question of its own, which has an answer.
    solve(claimants, &questions, &fair(claimants, &open), 0).unwrap_or_else(|| {
        let shares = fair(claimants, &questions);
        (0..=questions.len() as u64)
            .find_map(|slack| solve(claimants, &questions, &shares, slack))
            .expect("some share is wide enough for any ring")
    })
}

fn fair(claimants: &Claimants, questions: &[Question]) -> Vec<RangeInclusive<u64>> {
    let mut zones = vec![(0, 0); claimants.zones];
    let mut most = vec![0; claimants.all.len()];
    for question in questions {
        for ((low, high), available) in zones.iter_mut().zip(&question.available) {
            *low += question.spread.least(*available) as u64;
            *high += question.spread.most(*available) as u64;
        }
        question.able.iter().for_each(|at| most[*at] += 1);
    }
    let sharer =
        |(claimant, most): (&Claimant, u64)| Sharer { zone: claimant.zone, weight: claimant.weight, most };
    let sharers: Vec<Sharer> = claimants.all.iter().zip(most).map(sharer).collect();
    shares(&sharers, &zones, questions.iter().map(|question| question.spread.replicas as u64).sum())
}

fn solve(
    claimants: &Claimants,
    questions: &[Question],
    shares: &[RangeInclusive<u64>],
    slack: u64,
) -> Option<Vec<Vec<MemberId>>> {
    let (partitions, zones) = (questions.len(), claimants.zones);
    let in_zone = |partition: usize, zone: usize| partitions + partition * zones + zone;
    let member = |at: usize| in_zone(partitions, 0) + at;
    let sink = member(claimants.all.len());
    let mut network = Network::new(sink + 1);
    let (mut held, mut led) = (vec![0; claimants.all.len()], vec![0; claimants.all.len()]);
    let mut arcs: Vec<Vec<(ArcId, MemberId)>> = Vec::new();
    for (partition, question) in questions.iter().enumerate() {
        let replicas = question.spread.replicas as i64;
        network.supply(partition, replicas);
        network.supply(sink, -replicas);
        let mut kept = vec![0; zones];
        arcs.push(Vec::new());
        for at in question.able.iter().copied() {
            let claimant = &claimants.all[at];
            let keeps = question.held.contains(&claimant.id);
            kept[claimant.zone] += i64::from(keeps);
            held[at] += i64::from(keeps);
            let from = in_zone(partition, claimant.zone);
            let leads = question.held.first() == Some(&claimant.id);
            led[at] += u64::from(leads);
            let spared = leads && led[at] > shares[at].end().div_ceil(question.spread.replicas as u64);
            let cost = match (keeps, leads) {
                (false, _) => MOVE,
                (true, false) => -1,
                (true, true) => {
                    if spared {
                        0
                    } else {
                        -2
                    }
                }
            };
            let arc = network.arc(from, member(at), 0..=1, cost, i64::from(keeps));
            arcs[partition].push((arc, claimant.id));
        }
        for (zone, available) in question.available.iter().enumerate() {
            let least = question.spread.least(*available) as i64;
            let most = question.spread.most(*available) as i64;
            network.arc(partition, in_zone(partition, zone), least..=most, 0, kept[zone].clamp(least, most));
        }
    }
    for (at, share) in shares.iter().enumerate() {
        let most = (share.end() + slack) as i64;
        let least = share.start().saturating_sub(slack) as i64;
        // Who cannot take need not have more than there is.
        let least = if claimants.all[at].takes { least } else { least.min(held[at]) };
        network.arc(member(at), sink, least..=most, 0, held[at].clamp(least, most));
    }
    if !network.settle() {
        return None;
    }
    let taken = |arcs: &Vec<(ArcId, MemberId)>| {
        arcs.iter().filter(|(arc, _)| network.carries(*arc) == 1).map(|(_, id)| *id).collect()
    };
    Some(arcs.iter().map(taken).collect())
}

/// In an order of its own for each draw (Fisher and Yates).
fn shuffle(places: &mut [usize], rng: &mut Rng) {
    for last in (1..places.len()).rev() {
        places.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

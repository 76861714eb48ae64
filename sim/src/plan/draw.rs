//! How a plan is drawn from its seed: one stream of randomness for each kind of thing. For each class of fault
//! first a coin says whether it is there at all, then how much of it: with all of them in every run, the loud
//! ones would hide what the quiet ones do.

use gomer_core::rng::Rng;

use gomer_sim::history::Mischief;

use super::{Act, Audience, Call, Config, Effect, Fault, Link, Loss, Operation, Plan, What};
use crate::chance::hash;

/// How large a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// 60 s and 2,000 operations.
    #[default]
    Default,
    /// 20 s and 400 operations.
    Small,
}

/// The plan of a seed. `members`: instead of as many as the seed says.
pub fn plan(seed: u64, size: Size, members: Option<u32>) -> Plan {
    let mut config = config(&mut stream(seed, "config"), size);
    config.members = members.unwrap_or_else(|| self::members(&mut stream(seed, "members"), size));
    let mut faults = Vec::new();
    process(&mut Draw::new(seed, "process", &config, &mut faults));
    disk(&mut Draw::new(seed, "disk", &config, &mut faults));
    clock(&mut Draw::new(seed, "clock", &config, &mut faults));
    net(&mut Draw::new(seed, "net", &config, &mut faults));
    peers(&mut Draw::new(seed, "peers", &config, &mut faults));
    // Stable: faults of the same moment stay in the order of their streams.
    faults.sort_by_key(|fault| fault.at_ms);
    let operations = operations(&mut stream(seed, "workload"), &config, size);
    Plan { seed, config, faults, operations }
}

fn stream(seed: u64, kind: &str) -> Rng {
    Rng::new(hash(seed, kind))
}

/// How many members there are: a cluster takes three times the time of a member that is alone, so small plans, which are
/// there for their number, seldom have one.
fn members(rng: &mut Rng, size: Size) -> u32 {
    let one_in = if size == Size::Small { 16 } else { 3 };
    if rng.below(one_in) == 0 { 3 } else { 1 }
}

fn config(rng: &mut Rng, size: Size) -> Config {
    let least = 50 + rng.below(950);
    Config {
        members: 1,
        partitions: 4 << rng.below(3),
        shards: 1 + rng.below(3) as usize,
        checkpoint_bytes: (4 << rng.below(6)) * 1_024,
        queue: if rng.below(4) == 0 { 16 } else { 4_096 },
        apps: 1 + rng.below(2) as u32,
        people: 2 + rng.below(4) as u32,
        hurt_ms: if size == Size::Small { 20_000 } else { 60_000 },
        cut_power: rng.below(2) == 0,
        latency_us: (least, least + 1 + rng.below(5_000)),
        mutant: None,
    }
}

/// Draws of one kind.
struct Draw<'a> {
    rng: Rng,
    config: &'a Config,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Draw<'a> {
    fn new(seed: u64, kind: &str, config: &'a Config, faults: &'a mut Vec<Fault>) -> Draw<'a> {
        Draw { rng: stream(seed, kind), config, faults }
    }

    /// Whether something is there in so many of a hundred runs.
    fn present(&mut self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.rng.below(most - least + 1)
    }

    /// Evenly on a scale of powers: small as often as large.
    fn scale(&mut self, least: u64, most: u64) -> u64 {
        let (low, high) = ((least as f64).ln(), (most as f64).ln());
        (low + (high - low) * self.rng.below(1 << 20) as f64 / f64::from(1 << 20)).exp() as u64
    }

    fn member(&mut self) -> u32 {
        self.rng.below(u64::from(self.config.members)) as u32
    }

    fn person(&mut self) -> u32 {
        self.rng.below(u64::from(self.config.people)) as u32
    }

    fn link(&mut self) -> Link {
        Link { person: self.person(), member: self.member() }
    }

    fn links(&self) -> Vec<Link> {
        let people = 0..self.config.people;
        people
            .flat_map(|person| (0..self.config.members).map(move |member| Link { person, member }))
            .collect()
    }

    fn moment(&mut self) -> u64 {
        self.rng.below(self.config.hurt_ms)
    }

    fn loss(&mut self) -> Loss {
        match self.rng.below(10) {
            0..=3 => Loss::Everything,
            4..=6 => Loss::Tail,
            7 | 8 => Loss::Torn,
            _ => Loss::Nothing,
        }
    }

    fn add(&mut self, at_ms: u64, for_ms: u64, what: What) {
        self.faults.push(Fault { at_ms, for_ms, what });
    }

    /// For all of the run.
    fn always(&mut self, what: What) {
        let whole = self.config.hurt_ms;
        self.add(0, whole, what);
    }
}

fn process(draw: &mut Draw<'_>) {
    if draw.present(70) {
        // Ten times likelier in the middle of an effect than between two of them.
        for _ in 0..draw.scale(1, 12) {
            let (at, member, loss, down) = (draw.moment(), draw.member(), draw.loss(), draw.scale(20, 8_000));
            let effect = match draw.rng.below(22) {
                0..=9 => Some(Effect::Sync),
                10..=13 => Some(Effect::Send),
                14..=16 => Some(Effect::Append),
                17..=19 => Some(Effect::Commit),
                _ => None,
            };
            let what = match effect {
                Some(effect) => {
                    let most = if effect == Effect::Commit { 3 } else { 40 };
                    What::KillAt { member, effect, nth: draw.between(1, most) as u32, loss }
                }
                None => What::Kill { member, loss },
            };
            draw.add(at, down, what);
        }
    }
    if draw.present(10) {
        // A crash loop: it dies soon after each start.
        let (mut at, member) = (draw.moment(), draw.member());
        for _ in 0..draw.between(3, 12) {
            let (loss, life, down) = (draw.loss(), draw.between(1, 1_500), draw.between(20, 400));
            if at < draw.config.hurt_ms {
                draw.add(at, down, What::Kill { member, loss });
            }
            at += down + life;
        }
    }
    if draw.present(30) {
        for _ in 0..draw.between(1, 4) {
            let (at, member, long) = (draw.moment(), draw.member(), draw.scale(50, 15_000));
            draw.add(at, long, What::Pause { member });
        }
    }
}

fn disk(draw: &mut Draw<'_>) {
    if draw.present(40) {
        let (member, mean_us) = (draw.member(), draw.scale(500, 200_000));
        draw.always(What::SlowDisk { member, mean_us });
    }
    if draw.present(15) {
        let (at, member, long) = (draw.moment(), draw.member(), draw.scale(2_000, 20_000));
        draw.add(at, long, What::StuckDisk { member });
    }
    if draw.present(20) {
        for _ in 0..draw.between(1, 3) {
            let (at, member, nth, down) =
                (draw.moment(), draw.member(), draw.between(1, 60), draw.scale(20, 4_000));
            draw.add(at, down, What::FailingSync { member, nth: nth as u32 });
        }
    }
    if draw.present(10) {
        let (at, member, long) = (draw.moment(), draw.member(), draw.scale(500, 20_000));
        let per_million = draw.scale(1, 1_000) as u32;
        draw.add(at, long, What::Rot { member, per_million });
    }
    if draw.present(15) {
        let (at, member, long) = (draw.moment(), draw.member(), draw.scale(500, 20_000));
        draw.add(at, long, What::ScarceDisk { member });
    }
    if draw.present(7) {
        let (at, member, long) = (draw.moment(), draw.member(), draw.scale(100, 5_000));
        draw.add(at, long, What::FullDisk { member });
    }
    if draw.present(10) {
        let (at, member, long, down_ms) =
            (draw.moment(), draw.member(), draw.scale(500, 30_000), draw.scale(20, 4_000));
        // Of several members one would be told that its disk is old, and stay away until somebody mends it.
        if draw.config.members == 1 {
            draw.add(at, long, What::RolledBack { member, down_ms });
        }
    }
}

fn clock(draw: &mut Draw<'_>) {
    if draw.present(50) {
        for member in 0..draw.config.members {
            let most = if draw.present(10) { 3_600_000 } else { 500 };
            let millis = draw.rng.below(2 * most + 1) as i64 - most as i64;
            draw.always(What::Skew { member, millis });
        }
    }
    if draw.present(40) {
        for member in 0..draw.config.members {
            let ppm = draw.rng.below(401) as i32 - 200;
            draw.always(What::Drift { member, ppm });
        }
    }
    if draw.present(25) {
        for _ in 0..draw.between(1, 4) {
            let (at, member, far) = (draw.moment(), draw.member(), draw.scale(10, 3_600_000) as i64);
            let millis = if draw.rng.below(2) == 0 { far } else { -far };
            draw.add(at, 0, What::Step { member, millis });
        }
    }
    if draw.present(40) {
        for person in 0..draw.config.people {
            let far = draw.scale(1, 600_000) as i64;
            let millis = if draw.rng.below(2) == 0 { far } else { -far };
            draw.always(What::PhoneSkew { person, millis });
        }
    }
}

fn net(draw: &mut Draw<'_>) {
    if draw.present(80) {
        for link in draw.links() {
            let (mean_us, tail_ms) = (draw.scale(100, 150_000), draw.scale(500, 30_000));
            let tail_per_million = if draw.present(50) { draw.scale(100, 10_000) as u32 } else { 0 };
            draw.always(What::Delay { link, mean_us, tail_per_million, tail_ms });
        }
    }
    if draw.present(60) {
        let per_million = draw.scale(1_000, 300_000) as u32;
        for link in draw.links() {
            draw.always(What::Lossy { link, per_million });
        }
    }
    if draw.present(30) {
        let per_million = draw.scale(500, 100_000) as u32;
        for link in draw.links() {
            draw.always(What::Reset { link, per_million });
        }
    }
    if draw.present(15) {
        let per_million = draw.scale(500, 20_000) as u32;
        for link in draw.links() {
            draw.always(What::HalfOpen { link, per_million });
        }
    }
    if draw.present(50) {
        for _ in 0..draw.between(1, 6) {
            let (at, link, long) = (draw.moment(), draw.link(), draw.scale(100, 20_000));
            let (to, from) =
                [(true, true), (true, true), (true, false), (false, true)][draw.rng.below(4) as usize];
            draw.add(at, long, What::Cut { link, to, from });
        }
    }
    if draw.present(20) {
        let (at, link, each_ms) = (draw.moment(), draw.link(), draw.scale(50, 2_000));
        draw.add(at, 30_000, What::Flap { link, each_ms });
    }
    if draw.present(15) {
        // Swizzle: some links are cut one after the other, and come back in another order.
        let begin = draw.moment();
        for link in draw.links() {
            if draw.present(60) {
                let (at, until) = (begin + draw.between(0, 5_000), begin + draw.between(6_000, 11_000));
                draw.add(at, until - at, What::Cut { link, to: true, from: true });
            }
        }
    }
}

/// What goes wrong between members.
fn peers(draw: &mut Draw<'_>) {
    let members = draw.config.members;
    if members < 2 {
        return;
    }
    if draw.present(60) {
        for _ in 0..draw.between(1, 8) {
            let (at, from, long) = (draw.moment(), draw.member(), draw.scale(100, 20_000));
            let to = (from + 1 + draw.rng.below(u64::from(members - 1)) as u32) % members;
            draw.add(at, long, What::PeerCut { from, to });
            if draw.present(50) {
                draw.add(at, long, What::PeerCut { from: to, to: from });
            }
        }
    }
    if draw.present(40) {
        // One member alone: it hears nobody, or nobody hears it, or both.
        for _ in 0..draw.between(1, 3) {
            let (at, one, long) = (draw.moment(), draw.member(), draw.scale(500, 20_000));
            let (hears, is_heard) =
                [(false, false), (false, false), (true, false), (false, true)][draw.rng.below(4) as usize];
            for other in (0..members).filter(|other| *other != one) {
                if !hears {
                    draw.add(at, long, What::PeerCut { from: other, to: one });
                }
                if !is_heard {
                    draw.add(at, long, What::PeerCut { from: one, to: other });
                }
            }
        }
    }
}

fn operations(rng: &mut Rng, config: &Config, size: Size) -> Vec<Operation> {
    let count = if size == Size::Small { 400 } else { 2_000 };
    let calls = calls(rng);
    let weights: u64 = calls.iter().map(|(weight, _)| weight).sum();
    let mut operations: Vec<Operation> = Vec::with_capacity(count);
    for _ in 0..count {
        let act = match rng.below(100) {
            0..=21 => Act::Post,
            22..=39 => Act::Like,
            40..=57 => Act::Edit,
            58 | 59 => Act::Offline,
            60 | 61 => Act::Online,
            _ => {
                let mut at = rng.below(weights);
                let drawn = calls.iter().find(|(weight, _)| {
                    let here = at < *weight;
                    at = at.saturating_sub(*weight);
                    here
                });
                Act::Call(drawn.expect("what is below the sum is at one of them").1)
            }
        };
        let at_ms = rng.below(config.hurt_ms);
        let person = rng.below(u64::from(config.people)) as u32;
        operations.push(Operation { at_ms, person, act, pick: rng.next_u64() >> 40 });
    }
    operations.sort_by_key(|operation| operation.at_ms);
    operations
}

/// What is called in this run, and how much of it: as with faults, a coin says whether a kind is there at all.
fn calls(rng: &mut Rng) -> Vec<(u64, Call)> {
    let mut calls = vec![
        (10, Call::Publish(Audience::Public)),
        (12, Call::Change),
        (14, Call::Read),
        (3, Call::Home),
        (3, Call::Posts),
    ];
    let kinds: [(u64, &[(u64, Call)]); 6] = [
        (70, &[(10, Call::ChangeIf)]),
        (60, &[(4, Call::Delete)]),
        (60, &[(3, Call::Publish(Audience::Followers)), (3, Call::Publish(Audience::OnlyMe))]),
        (60, &[(6, Call::Like), (4, Call::Unlike)]),
        (40, &[(2, Call::Follow), (2, Call::Unfollow), (1, Call::Block), (2, Call::Unblock)]),
        (
            40,
            &[
                (1, Call::Mischief(Mischief::TokenChanged)),
                (1, Call::Mischief(Mischief::TokenOfAnotherApp)),
                (1, Call::Mischief(Mischief::IdOfAnotherApp)),
                (1, Call::Mischief(Mischief::CursorChanged)),
                (1, Call::Mischief(Mischief::CursorOfAnotherUser)),
                (1, Call::Mischief(Mischief::CursorOfAnotherApp)),
                (1, Call::Mischief(Mischief::OtherBody)),
                (1, Call::Mischief(Mischief::UnknownField)),
                (1, Call::Mischief(Mischief::WrongType)),
            ],
        ),
    ];
    for (percent, kind) in kinds {
        if rng.below(100) < percent {
            calls.extend(kind);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_has_one_plan() {
        let plan = |seed, size| plan(seed, size, None);
        assert_eq!(plan(7, Size::Default), plan(7, Size::Default));
        assert_ne!(plan(7, Size::Default).faults, plan(8, Size::Default).faults);
        assert_eq!(plan(7, Size::Small).operations.len(), 400);
        assert_eq!(plan(7, Size::Default).operations.len(), 2_000);
    }

    #[test]
    fn some_plans_have_three_members_and_people_do_the_same_all_the_same() {
        let clusters = |size| (0..1_000).filter(|&seed| plan(seed, size, None).config.members == 3).count();
        assert!((280..390).contains(&clusters(Size::Default)));
        assert!((40..90).contains(&clusters(Size::Small)));
        for seed in 0..50 {
            let (one, three) = (plan(seed, Size::Small, Some(1)), plan(seed, Size::Small, Some(3)));
            assert_eq!(one.operations, three.operations);
            assert_eq!(Config { members: 3, ..one.config }, three.config);
            // A cluster whose member has an older disk needs somebody who mends it.
            assert!(three.faults.iter().all(|fault| fault.what.class() != "rolled-back"));
            assert!(one.faults.iter().all(|fault| fault.what.class() != "peer-cut"));
        }
    }

    #[test]
    fn every_class_comes_and_none_always() {
        let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
        for seed in 0..1_000 {
            let members = Some(1 + seed as u32 % 2 * 2);
            let classes: std::collections::BTreeSet<_> =
                plan(seed, Size::Small, members).faults.iter().map(|fault| fault.what.class()).collect();
            classes.into_iter().for_each(|class| *seen.entry(class).or_default() += 1);
        }
        assert_eq!(seen.len(), 24, "{seen:?}");
        for (class, runs) in seen {
            // These are drawn for one of the two sizes of cluster only.
            let least = if ["peer-cut", "rolled-back"].contains(&class) { 20 } else { 40 };
            assert!((least..850).contains(&runs), "{class} in {runs} of 1,000");
        }
    }

    #[test]
    fn all_is_in_order_and_begins_while_it_hurts() {
        for seed in 0..200 {
            let plan = plan(seed, Size::Small, Some(1 + seed as u32 % 3));
            assert!(plan.faults.is_sorted_by_key(|fault| fault.at_ms));
            assert!(plan.operations.is_sorted_by_key(|operation| operation.at_ms));
            let late = plan.faults.iter().find(|fault| fault.at_ms > plan.config.hurt_ms + 5_000);
            assert_eq!(late, None);
        }
    }
}

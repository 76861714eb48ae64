//! Claims against what is known about the best ring by other means: counts that cannot be beaten, and for small rings
//! a search through all of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::id::{MemberId, Partition};
use crate::ring::member::{Member, MemberState, Weight, Zone};
use crate::ring::partition::PartitionCount;
use crate::ring::table::Ring;
use crate::rng::Rng;

use super::claim;

type Members = BTreeMap<MemberId, Member>;

fn member(zone: u64, weight: u16) -> Member {
    let zone = Zone::new(&format!("z{zone}")).unwrap();
    Member { name: String::new(), zone, weight: Weight::new(weight).unwrap(), state: MemberState::Valid }
}

fn members(all: &[(u64, u16)]) -> Members {
    (1..).map(MemberId).zip(all.iter().map(|(zone, weight)| member(*zone, *weight))).collect()
}

fn empty(count: u16) -> Ring {
    Ring::empty(PartitionCount::new(count).unwrap())
}

fn sharing(members: &Members) -> Members {
    let shares = |member: &Member| member.state == MemberState::Valid && member.weight.get() > 0;
    members.iter().filter(|(_, member)| shares(member)).map(|(id, member)| (*id, member.clone())).collect()
}

fn load(ring: &Ring, id: MemberId) -> u64 {
    ring.sets().filter(|(_, set)| set.contains(&id)).count() as u64
}

/// Pairs of these members that share a zone.
fn pairs(members: &Members, set: &[MemberId]) -> usize {
    let zone = |id: &MemberId| &members[id].zone;
    (0..set.len()).map(|at| set[..at].iter().filter(|other| zone(other) == zone(&set[at])).count()).sum()
}

/// Members that share a zone with as few others as can be, chosen one by one.
fn best_pairs(members: &Members, replicas: usize) -> usize {
    let mut set = Vec::new();
    while set.len() < replicas.min(members.len()) {
        let with = |id: &MemberId| pairs(members, &[&set[..], &[*id]].concat());
        set.push(*members.keys().filter(|id| !set.contains(id)).min_by_key(|id| with(id)).unwrap());
    }
    pairs(members, &set)
}

/// Each member's fair share by floating-point bisection of the level, not as the claim does it.
fn ideal(members: &Members, count: u64, replicas: usize) -> BTreeMap<MemberId, f64> {
    let mut zones: BTreeMap<&Zone, Vec<MemberId>> = BTreeMap::new();
    members.iter().for_each(|(id, member)| zones.entry(&member.zone).or_default().push(*id));
    let total = replicas.min(members.len());
    let filled = |level: usize| zones.values().map(|zone| zone.len().min(level)).sum::<usize>();
    let level = (0..=total).rev().find(|level| filled(*level) <= total).unwrap();
    let spare = usize::from(filled(level) < total);
    let bisect = |sum: &dyn Fn(f64) -> f64, target: f64| {
        let (mut low, mut high) = (0.0, 1e6);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if sum(middle) < target { low = middle } else { high = middle }
        }
        high
    };
    let one = |id: &MemberId, level: f64| (level * f64::from(members[id].weight.get())).min(count as f64);
    let sum = |zone: &[MemberId], level: f64| zone.iter().map(|id| one(id, level)).sum::<f64>();
    let bounds = |zone: &[MemberId]| {
        let bound = |level: usize| (count as usize * zone.len().min(level)) as f64;
        (bound(level), bound(level + spare))
    };
    let clamped = |zone: &[MemberId], at: f64| sum(zone, at).clamp(bounds(zone).0, bounds(zone).1);
    let at =
        bisect(&|at| zones.values().map(|zone| clamped(zone, at)).sum(), (count as usize * total) as f64);
    let mut ideal = BTreeMap::new();
    for zone in zones.values() {
        let inner = bisect(&|level| sum(zone, level), clamped(zone, at));
        ideal.extend(zone.iter().map(|id| (*id, one(id, inner))));
    }
    ideal
}

fn rounded(share: f64) -> (u64, u64) {
    ((share + 1e-6).floor() as u64, (share - 1e-6).ceil() as u64)
}

/// Replicas that are where none was.
fn moves(before: &Ring, after: &Ring) -> usize {
    let new = |(partition, set): (Partition, &[MemberId])| {
        set.iter().filter(|holder| !before.holders(partition).contains(holder)).count()
    };
    after.sets().map(new).sum()
}

/// Replicas that must move, whoever claims: to give each member its share, or to give each partition its spread.
fn must_move(before: &Ring, members: &Members, replicas: usize) -> usize {
    let shares = ideal(members, before.len() as u64, replicas);
    let missing =
        |(id, share): (&MemberId, &f64)| rounded(*share).0.saturating_sub(load(before, *id)) as usize;
    let kept = |(id, share): (&MemberId, &f64)| rounded(*share).1.min(load(before, *id)) as usize;
    let total = replicas.min(members.len());
    let for_shares = shares.iter().map(missing).sum::<usize>();
    let for_members = before.len() * total - shares.iter().map(kept).sum::<usize>();
    let best = best_pairs(members, replicas);
    let for_spread = before.sets().map(|(_, set)| {
        let there: Vec<MemberId> = set.iter().copied().filter(|id| members.contains_key(id)).collect();
        let parts = (0..1 << there.len()).map(|code: usize| {
            let part = (0..there.len()).filter(|at| code >> at & 1 == 1);
            part.map(|at| there[at]).collect::<Vec<_>>()
        });
        // One replica more makes no fewer pairs, so a part that has too many cannot be kept.
        let most = parts.filter(|part| pairs(members, part) <= best).map(|part| part.len()).max();
        total.saturating_sub(most.unwrap_or(0))
    });
    for_shares.max(for_members).max(for_spread.sum())
}

/// All that is promised of a claim when nobody is down.
fn check(before: &Ring, members: &Members, replicas: usize, seed: u64) -> Ring {
    let ring = claim(members, before, replicas, seed);
    assert_eq!(claim(members, before, replicas, seed), ring, "the same question, the same answer");
    for other in [seed, seed ^ 0x5555] {
        assert_eq!(claim(members, &ring, replicas, other), ring, "no move without a reason");
    }
    let sharing = sharing(members);
    assert!(ring.is_sound(|id| sharing.contains_key(&id)));
    let best = best_pairs(&sharing, replicas);
    for (partition, set) in ring.sets() {
        assert_eq!(set.len(), replicas.min(sharing.len()));
        assert_eq!(pairs(&sharing, set), best, "{partition:?} {set:?}");
    }
    for (id, share) in ideal(&sharing, ring.len() as u64, replicas) {
        let (down, up) = rounded(share);
        assert!((down..=up).contains(&load(&ring, id)), "{id:?} holds {} of {share}", load(&ring, id));
        let leads = ring.sets().filter(|(_, set)| set.first() == Some(&id)).count() as u64;
        let fair = load(&ring, id).div_ceil(replicas.min(sharing.len()) as u64);
        assert!((fair.saturating_sub(1)..=fair).contains(&leads), "{id:?} leads {leads} of {fair}");
    }
    ring
}

/// What happens to a cluster between two claims.
#[derive(Debug, Clone)]
enum Happening {
    Join(u64, u16),
    Leave(usize),
    Loss(usize),
    Zone(usize, u64),
    Weight(usize, u16),
}

/// Does it, where it can be done: 1 to 64 members remain, and one of them with a weight.
fn happen(members: &mut Members, ring: &mut Ring, what: &Happening) {
    let pick = |at: usize| *members.keys().nth(at % members.len()).unwrap();
    let mut then = members.clone();
    match what {
        Happening::Join(zone, weight) => {
            let id = MemberId(members.keys().last().unwrap().0 + 1);
            then.insert(id, member(*zone, *weight));
        }
        Happening::Leave(at) => then.get_mut(&pick(*at)).unwrap().state = MemberState::Leaving,
        Happening::Loss(at) => _ = then.remove(&pick(*at)),
        Happening::Zone(at, zone) => then.get_mut(&pick(*at)).unwrap().zone = member(*zone, 0).zone,
        Happening::Weight(at, weight) => then.get_mut(&pick(*at)).unwrap().weight = member(0, *weight).weight,
    }
    if then.len() <= 64 && !sharing(&then).is_empty() {
        if let Happening::Loss(at) = what {
            ring.remove(pick(*at));
        }
        *members = then;
    }
}

fn weights() -> impl Strategy<Value = u16> {
    prop_oneof![6 => Just(100), 3 => 1..400u16, 1 => Just(0), 1 => Just(10_000)]
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..8u64, weights()).prop_map(|(zone, weight)| Happening::Join(zone, weight)),
        2 => any::<usize>().prop_map(Happening::Leave),
        3 => any::<usize>().prop_map(Happening::Loss),
        1 => (any::<usize>(), 0..8u64).prop_map(|(at, zone)| Happening::Zone(at, zone)),
        2 => (any::<usize>(), weights()).prop_map(|(at, weight)| Happening::Weight(at, weight)),
    ]
}

/// 1 to 64 members in 1 to 8 zones; the first has a weight.
fn clusters() -> impl Strategy<Value = Members> {
    (1..=8u64, prop_oneof![3 => 1..12usize, 1 => 12..=64usize])
        .prop_flat_map(|(zones, count)| prop::collection::vec((0..zones, weights()), count))
        .prop_map(|mut all| {
            all[0].1 = all[0].1.max(1);
            members(&all)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_claim_is_the_best_there_is(
        mut members in clusters(),
        happenings in prop::collection::vec(happenings(), 1..6),
        count in prop::sample::select(vec![1, 16, 64, 64, 128]),
        replicas in prop::sample::select(vec![1, 2, 3, 3, 3, 5]),
        seed: u64,
    ) {
        let mut ring = check(&empty(count), &members, replicas, seed);
        for (what, seed) in happenings.iter().zip(seed..) {
            happen(&mut members, &mut ring, what);
            let after = check(&ring, &members, replicas, seed);
            prop_assert!(moves(&ring, &after) >= must_move(&ring, &sharing(&members), replicas));
            ring = after;
        }
    }

    #[test]
    fn after_the_loss_of_any_member_one_move_each_restores_the_spread(
        members in clusters(),
        replicas in 1..=5usize,
        seed: u64,
    ) {
        let ring = claim(&members, &empty(16), replicas, seed);
        for lost in members.keys() {
            let mut left = sharing(&members);
            left.remove(lost);
            let best = best_pairs(&left, replicas);
            for (_, set) in ring.sets().filter(|(_, set)| set.contains(lost)) {
                let set: Vec<MemberId> = set.iter().copied().filter(|id| id != lost).collect();
                let with = |id: &MemberId| pairs(&left, &[&set[..], &[*id]].concat());
                let repaired = match left.len() >= replicas {
                    true => left.keys().filter(|id| !set.contains(id)).map(with).min().unwrap(),
                    false => pairs(&left, &set),
                };
                prop_assert_eq!(repaired, best);
            }
        }
    }

    #[test]
    fn who_is_down_keeps_what_it_has_and_is_given_nothing(
        members in clusters(),
        down in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        happenings in prop::collection::vec(happenings(), 0..3),
        replicas in 1..=5usize,
        seed: u64,
    ) {
        let mut members = members;
        let mut ring = claim(&members, &empty(64), replicas, seed);
        for at in down {
            let id = *members.keys().nth(at.index(members.len())).unwrap();
            members.get_mut(&id).unwrap().state = MemberState::Down;
        }
        if happenings.is_empty() {
            let after = claim(&members, &ring, replicas, seed);
            prop_assert_eq!(moves(&ring, &after), 0, "to be down is no reason to move rows");
        }
        for what in &happenings {
            happen(&mut members, &mut ring, what);
        }
        let after = claim(&members, &ring, replicas, seed);
        prop_assert_eq!(moves(&after, &claim(&members, &after, replicas, seed ^ 1)), 0);
        let valid = |id: &MemberId| members[id].state == MemberState::Valid;
        for (partition, set) in after.sets() {
            let held = ring.holders(partition);
            prop_assert!(set.iter().all(|id| valid(id) || held.contains(id)));
            prop_assert!(set.first().is_none_or(valid) || !set.iter().any(valid), "{set:?} is led by none that can");
        }
    }
}

/// Each way to hold every partition.
fn all_rings(sets: &[Vec<MemberId>], count: usize, visit: &mut impl FnMut(&[&Vec<MemberId>])) {
    let mut at = vec![0; count];
    loop {
        visit(&at.iter().map(|at| &sets[*at]).collect::<Vec<_>>());
        let Some(next) = at.iter().rposition(|at| at + 1 < sets.len()) else { return };
        at[next] += 1;
        at[next + 1..].fill(0);
    }
}

#[test]
fn no_ring_that_is_as_good_moves_less() {
    let mut moved = 0;
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut draw = |bound: u64| rng.below(bound);
        let all: Vec<_> =
            (0..2 + draw(3)).map(|_| (draw(3), [50, 100, 100, 250][draw(4) as usize])).collect();
        let now = members(&all);
        let replicas = 2.min(now.len());
        let sets: Vec<Vec<MemberId>> = (0..1u32 << now.len())
            .map(|code| now.keys().copied().filter(|id| code >> (id.0 - 1) & 1 == 1).collect::<Vec<_>>())
            .filter(|set| set.len() == replicas && pairs(&now, set) == best_pairs(&now, replicas))
            .collect();
        let mut before = empty(4);
        for partition in 0..4 {
            let (first, other) = (draw(6) + 1, draw(5) + 1);
            let other = if other == first { 6 } else { other };
            before.set(Partition(partition), &[MemberId(first), MemberId(other)]);
        }
        let shares = ideal(&now, 4, replicas);
        let mut best = usize::MAX;
        all_rings(&sets, 4, &mut |sets| {
            let load = |id: &MemberId| sets.iter().filter(|set| set.contains(id)).count() as u64;
            let fair =
                |(id, share): (&MemberId, &f64)| (rounded(*share).0..=rounded(*share).1).contains(&load(id));
            if shares.iter().all(fair) {
                let new = |(set, partition): (&&Vec<MemberId>, u16)| {
                    set.iter().filter(|id| !before.holders(Partition(partition)).contains(id)).count()
                };
                best = best.min(sets.iter().zip(0..).map(new).sum());
            }
        });
        let after = check(&before, &now, replicas, seed);
        assert_eq!(moves(&before, &after), best, "seed {seed}");
        moved += best;
    }
    assert!(moved > 60, "{moved}: rings that need no move show nothing");
}

#[test]
fn moves_are_within_a_fifth_of_what_must_move() {
    let (mut moved, mut bound) = (0, 0);
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let zones = 1 + rng.below(8);
        let all: Vec<_> = (0..1 + rng.below(32)).map(|_| (rng.below(zones), 100)).collect();
        let mut members = members(&all);
        let mut ring = claim(&members, &empty(64), 3, seed);
        for _ in 0..6 {
            let at = rng.below(64) as usize;
            let what = match rng.below(4) {
                0 | 1 => Happening::Join(rng.below(zones), 100),
                2 => Happening::Leave(at),
                _ => Happening::Loss(at),
            };
            happen(&mut members, &mut ring, &what);
            let after = claim(&members, &ring, 3, seed);
            moved += moves(&ring, &after);
            bound += must_move(&ring, &sharing(&members), 3);
            ring = after;
        }
    }
    println!("{moved} moves, and {bound} are needed");
    assert!(bound > 1_000 && moved * 10 <= bound * 12, "{moved} moves, and {bound} are needed");
}

#[test]
fn nobody_holds_anything_when_there_is_nobody() {
    let mut members = members(&[(0, 100), (0, 0)]);
    let ring = claim(&members, &empty(4), 3, 1);
    assert_eq!(load(&ring, MemberId(1)), 4);
    assert_eq!(load(&ring, MemberId(2)), 0, "no weight, no load");
    members.get_mut(&MemberId(1)).unwrap().state = MemberState::Leaving;
    assert!(claim(&members, &ring, 3, 1).is_empty());
    assert!(claim(&Members::new(), &ring, 3, 1).is_empty());
}

#[test]
fn who_has_only_asked_to_join_holds_nothing() {
    let mut members = members(&[(0, 100), (0, 100)]);
    members.get_mut(&MemberId(2)).unwrap().state = MemberState::Joining;
    assert_eq!(load(&claim(&members, &empty(4), 3, 1), MemberId(2)), 0);
}

#[test]
#[should_panic(expected = "0 replicas")]
fn a_claim_of_no_replicas_is_a_bug() {
    claim(&members(&[(0, 100)]), &empty(4), 0, 1);
}

#[test]
fn the_load_of_a_lost_member_is_borne_by_many() {
    let members = members(&[(0, 100); 12]);
    let ring = claim(&members, &empty(64), 3, 7);
    for lost in members.keys() {
        let mut others: Vec<MemberId> =
            ring.sets().filter(|(_, set)| set.contains(lost)).flat_map(|(_, set)| set.to_vec()).collect();
        others.sort_unstable();
        others.dedup();
        assert!(others.len() > 8, "{lost:?} shares partitions with {} others", others.len() - 1);
    }
}

//! Which of its holders should lead each partition.

use std::collections::BTreeMap;

use crate::id::MemberId;

use super::flow::Network;

/// A number that every count of replicas up to [`super::REPLICAS_MAX`] divides.
const WHOLE: u64 = 420;

/// For each of these sets the place of the one that should lead; none in an empty set.
///
/// Each leads within one of what it would if every partition were led by all its holders in equal parts, which is a
/// share by weight because the sets are. `may_lead` says who can (if nobody of a set can, all may). Of all choices
/// that do that, one with the fewest changes against `before`; and rather to one that has the partition already.
pub fn leaders(
    sets: &[Vec<MemberId>],
    before: &[&[MemberId]],
    may_lead: impl Fn(MemberId) -> bool,
) -> Vec<Option<usize>> {
    let able: Vec<Vec<MemberId>> = sets
        .iter()
        .map(|set| {
            let able: Vec<MemberId> = set.iter().copied().filter(|holder| may_lead(*holder)).collect();
            if able.is_empty() { set.clone() } else { able }
        })
        .collect();
    let mut parts: BTreeMap<MemberId, u64> = BTreeMap::new();
    for set in &able {
        for holder in set {
            *parts.entry(*holder).or_default() += WHOLE / set.len() as u64;
        }
    }
    let node: BTreeMap<MemberId, usize> = parts.keys().copied().zip(sets.len()..).collect();
    let sink = sets.len() + parts.len();
    let mut network = Network::new(sink + 1);
    let mut leads: BTreeMap<MemberId, i64> = BTreeMap::new();
    let mut arcs = Vec::new();
    for (partition, set) in able.iter().enumerate() {
        network.supply(partition, i64::from(!set.is_empty()));
        network.supply(sink, -i64::from(!set.is_empty()));
        let leader = before[partition].first();
        for holder in set {
            let leads_now = leader == Some(holder);
            let cost = if leads_now { 0 } else { 1 + i64::from(!before[partition].contains(holder)) };
            *leads.entry(*holder).or_default() += i64::from(leads_now);
            let arc = network.arc(partition, node[holder], 0..=1, cost, i64::from(leads_now));
            arcs.push((partition, *holder, arc));
        }
    }
    for (holder, parts) in &parts {
        let (least, most) = ((parts / WHOLE) as i64, parts.div_ceil(WHOLE) as i64);
        network.arc(node[holder], sink, least..=most, 0, leads[holder].clamp(least, most));
    }
    assert!(network.settle(), "equal parts are a flow within these bounds, so a whole one exists");
    let mut places = vec![None; sets.len()];
    for (partition, holder, arc) in arcs {
        if network.carries(arc) == 1 {
            places[partition] = sets[partition].iter().position(|other| *other == holder);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(sets: &[&[u64]]) -> Vec<Vec<MemberId>> {
        sets.iter().map(|set| set.iter().copied().map(MemberId).collect()).collect()
    }

    fn lead(after: &[&[u64]], before: &[&[u64]], down: u64) -> Vec<u64> {
        let (after, before) = (sets(after), sets(before));
        let before: Vec<&[MemberId]> = before.iter().map(Vec::as_slice).collect();
        let places = leaders(&after, &before, |member| member.0 != down);
        after.iter().zip(places).map(|(set, place)| place.map_or(0, |place| set[place].0)).collect()
    }

    #[test]
    fn who_leads_goes_on_while_that_is_fair() {
        let three: [&[u64]; 3] = [&[1, 2, 3], &[2, 1, 3], &[3, 1, 2]];
        assert_eq!(lead(&[&[1, 2, 3][..]; 3], &three, 0), [1, 2, 3]);
    }

    #[test]
    fn one_who_has_the_rows_goes_before_one_who_has_not() {
        assert_eq!(lead(&[&[2, 3]], &[&[1, 3]], 0), [3]);
    }

    #[test]
    fn one_leads_no_more_than_its_share_and_gives_up_no_more() {
        let led = lead(&[&[1, 2, 3][..]; 6], &[&[1, 2, 3][..]; 6], 0);
        for member in 1..=3 {
            assert_eq!(led.iter().filter(|leader| **leader == member).count(), 2, "{led:?}");
        }
    }

    #[test]
    fn who_is_down_leads_only_what_nobody_else_can() {
        assert_eq!(lead(&[&[1, 2], &[1]], &[&[1, 2], &[1]], 1), [2, 1]);
    }

    #[test]
    fn nobody_leads_what_nobody_holds() {
        assert_eq!(lead(&[&[], &[4]], &[&[1], &[]], 0), [0, 4]);
    }
}

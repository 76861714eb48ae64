//! How many replicas each member should hold.

use std::ops::RangeInclusive;

/// Who takes part in sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharer {
    /// Its zone's number.
    pub zone: usize,
    /// Its weight; not 0.
    pub weight: u64,
    /// Most that it can hold: one replica of each partition.
    pub most: u64,
}

/// The fair share of each, rounded down and up: in proportion to weight, as far as `most` and the bounds of the
/// zones' sums (by number) allow. Exact: whole numbers throughout.
///
/// The sum is reached by raising one level, at which each has level × weight, held back where a bound is met. A
/// bound of a zone is met for good when the sum of what is above the zones' bounds is not less than what is
/// below, or the other way round: the level can then only go up, or only down. (The same step decides how flexible
/// boxes are sized in CSS, "Resolving Flexible Lengths".)
pub fn shares(sharers: &[Sharer], zones: &[(u64, u64)], total: u64) -> Vec<RangeInclusive<u64>> {
    let mut shares = vec![0..=0; sharers.len()];
    let mut free: Vec<usize> = (0..zones.len()).collect();
    let mut remaining = total;
    loop {
        let of =
            |zones: &[usize]| (0..sharers.len()).filter(|at| zones.contains(&sharers[*at].zone)).collect();
        let pool = Pool::fill(sharers, of(&free), remaining);
        let (mut over, mut under) = (0, 0);
        for zone in &free {
            let (least, most) = zones[*zone];
            over += pool.zone(*zone).saturating_sub(pool.times(most));
            under += pool.times(least).saturating_sub(pool.zone(*zone));
        }
        if over == 0 && under == 0 {
            pool.round(&mut shares);
            return shares;
        }
        for zone in free.clone() {
            let (least, most) = zones[zone];
            let fixed = match pool.zone(zone) {
                sum if sum > pool.times(most) && over >= under => most,
                sum if sum < pool.times(least) && under >= over => least,
                _ => continue,
            };
            free.retain(|other| *other != zone);
            remaining = remaining.saturating_sub(fixed);
            Pool::fill(sharers, of(&[zone]), fixed).round(&mut shares);
        }
    }
}

/// Sharers among whom a sum is divided. A share is a fraction, all with one denominator.
struct Pool<'a> {
    sharers: &'a [Sharer],
    among: Vec<usize>,
    /// Whose share is held back at its `most`.
    full: Vec<bool>,
    /// What the others share, and the sum of their weights.
    rest: u64,
    weights: u64,
}

impl Pool<'_> {
    fn fill(sharers: &[Sharer], among: Vec<usize>, total: u64) -> Pool<'_> {
        let weights = among.iter().map(|at| sharers[*at].weight).sum();
        let mut pool = Pool { sharers, among, full: vec![false; sharers.len()], rest: total, weights };
        // Each round holds somebody back, and that only raises what the others get.
        loop {
            let full = pool.among.iter().copied().find(|at| {
                let Sharer { weight, most, .. } = sharers[*at];
                !pool.full[*at] && wide(pool.rest, weight) >= wide(most, pool.weights)
            });
            let Some(at) = full else { return pool };
            pool.full[at] = true;
            pool.rest = pool.rest.saturating_sub(sharers[at].most);
            pool.weights -= sharers[at].weight;
        }
    }

    /// A whole number over the denominator.
    fn times(&self, number: u64) -> u128 {
        wide(number, self.weights.max(1))
    }

    /// A member's share over the denominator.
    fn share(&self, at: usize) -> u128 {
        let Sharer { weight, most, .. } = self.sharers[at];
        if self.full[at] { self.times(most) } else { wide(self.rest, weight) }
    }

    fn zone(&self, zone: usize) -> u128 {
        let members = self.among.iter().filter(|at| self.sharers[**at].zone == zone);
        members.map(|at| self.share(*at)).sum()
    }

    fn round(&self, shares: &mut [RangeInclusive<u64>]) {
        for at in &self.among {
            let (share, denominator) = (self.share(*at), self.times(1));
            let down = (share / denominator) as u64;
            shares[*at] = down..=down + u64::from(share % denominator > 0);
        }
    }
}

fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(members: &[(usize, u64)], zones: &[(u64, u64)], most: u64, total: u64) -> Vec<(u64, u64)> {
        let sharers = |(zone, weight): &(usize, u64)| Sharer { zone: *zone, weight: *weight, most };
        let sharers: Vec<Sharer> = members.iter().map(sharers).collect();
        shares(&sharers, zones, total).into_iter().map(RangeInclusive::into_inner).collect()
    }

    #[test]
    fn equal_weights_differ_by_one_at_most() {
        assert_eq!(share(&[(0, 100); 5], &[(192, 192)], 64, 192), [(38, 39); 5]);
        assert_eq!(share(&[(0, 100); 6], &[(192, 192)], 64, 192), [(32, 32); 6]);
        assert_eq!(share(&[(0, 7); 3], &[(192, 192)], 64, 192), [(64, 64); 3]);
    }

    #[test]
    fn twice_the_weight_is_twice_the_load() {
        assert_eq!(
            share(&[(0, 1), (0, 2), (0, 3), (0, 6)], &[(0, 99)], 64, 60),
            [(5, 5), (10, 10), (15, 15), (30, 30)]
        );
    }

    #[test]
    fn nobody_has_a_partition_twice_whatever_the_weight() {
        assert_eq!(
            share(&[(0, 10_000), (0, 1), (0, 1), (0, 2)], &[(0, 192)], 64, 192),
            [(64, 64), (32, 32), (32, 32), (64, 64)]
        );
    }

    #[test]
    fn a_zone_is_held_within_its_bounds() {
        // Four in one zone and one in each of two others: three replicas in distinct zones are 64 for each zone.
        let zones = [(64, 64); 3];
        let members = [(0, 1), (0, 1), (0, 1), (0, 1), (1, 1), (2, 1)];
        assert_eq!(
            share(&members, &zones, 64, 192),
            [(16, 16), (16, 16), (16, 16), (16, 16), (64, 64), (64, 64)]
        );
        // Of four zones none needs anything, and none may have more than 64.
        let members = [(0, 9), (0, 9), (1, 1), (2, 1), (3, 2)];
        let held = share(&members, &[(0, 64); 4], 64, 192);
        assert_eq!(held, [(32, 32), (32, 32), (32, 32), (32, 32), (64, 64)]);
    }

    #[test]
    fn a_zone_that_must_have_more_takes_it_from_the_others() {
        let held = share(&[(0, 1), (1, 9), (1, 9)], &[(64, 64), (128, 128)], 64, 192);
        assert_eq!(held, [(64, 64); 3]);
        let held = share(&[(0, 1), (0, 1), (1, 100), (1, 100)], &[(64, 128), (64, 128)], 64, 192);
        assert_eq!(held, [(32, 32), (32, 32), (64, 64), (64, 64)]);
    }
}

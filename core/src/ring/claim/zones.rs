//! How the replicas of one partition should spread over zones.

/// The best spread over the zones there are: as level as can be, so as few pairs as possible share a zone.
///
/// A zone with `n` members that can hold the partition gets `min(n, level)` replicas, and `spare` of the zones with
/// more members get one more. Costs are convex in a zone's count, so filling the emptiest zone first is optimal; and
/// what it gives has this shape whatever the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// How many replicas there are: as many as wanted, or one for each member there is.
    pub replicas: usize,
    level: usize,
    spare: usize,
}

impl Spread {
    /// Of so many replicas, when the zones have so many members each that can hold one.
    pub fn new(available: &[usize], replicas: usize) -> Spread {
        let replicas = replicas.min(available.iter().sum());
        let filled = |level: usize| -> usize { available.iter().map(|n| level.min(*n)).sum() };
        let level = (0..=replicas).rfind(|level| filled(*level) <= replicas).unwrap_or(0);
        Spread { replicas, level, spare: replicas - filled(level) }
    }

    /// Fewest replicas in a zone with `available` members.
    pub fn least(self, available: usize) -> usize {
        available.min(self.level)
    }

    /// Most replicas there.
    pub fn most(self, available: usize) -> usize {
        available.min(self.level + usize::from(self.spare > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(available: &[usize], replicas: usize) -> Vec<(usize, usize)> {
        let spread = Spread::new(available, replicas);
        available.iter().map(|n| (spread.least(*n), spread.most(*n))).collect()
    }

    #[test]
    fn three_replicas() {
        assert_eq!(bounds(&[4], 3), [(3, 3)], "one zone has them all");
        assert_eq!(bounds(&[4, 4], 3), [(1, 2), (1, 2)]);
        assert_eq!(bounds(&[4, 1], 3), [(2, 2), (1, 1)], "a zone of one has one");
        assert_eq!(bounds(&[1, 1, 1], 3), [(1, 1); 3]);
        assert_eq!(bounds(&[9, 1, 1, 5], 3), [(0, 1); 4], "no zone has two while four have one");
    }

    #[test]
    fn there_are_no_more_replicas_than_members() {
        assert_eq!(Spread::new(&[1, 1], 3).replicas, 2);
        assert_eq!(Spread::new(&[], 3).replicas, 0);
        assert_eq!(bounds(&[1, 0], 3), [(1, 1), (0, 0)]);
    }

    #[test]
    fn no_spread_has_fewer_pairs_in_a_zone() {
        let pairs = |counts: &[usize]| -> usize { counts.iter().map(|n| n * n.saturating_sub(1) / 2).sum() };
        for code in 0..5usize.pow(3) {
            let available: [usize; 3] = std::array::from_fn(|zone| code / 5usize.pow(zone as u32) % 5);
            for replicas in 1..=5 {
                let spread = Spread::new(&available, replicas);
                let all = (0..6usize.pow(3)).map(|c| [c % 6, c / 6 % 6, c / 36]).filter(|counts| {
                    counts.iter().sum::<usize>() == spread.replicas
                        && counts.iter().zip(available).all(|(count, n)| *count <= n)
                });
                let best = all.clone().map(|counts| pairs(&counts)).min().unwrap();
                for counts in all {
                    let within = counts
                        .iter()
                        .zip(available)
                        .all(|(count, n)| (spread.least(n)..=spread.most(n)).contains(count));
                    assert_eq!(within, pairs(&counts) == best, "{available:?} {replicas} {counts:?}");
                }
            }
        }
    }
}

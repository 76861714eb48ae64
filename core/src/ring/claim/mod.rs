//! Claim: who should hold which partition, and who should lead it. A pure function of the members, the ring as it is
//! and a seed.
//!
//! The aims, each only as far as those before it allow:
//!
//! 1. the replicas of a partition are on distinct members;
//! 2. and in distinct zones; if there are too few, spread over them as levelly as can be ([`zones`]);
//! 3. still so after the loss of any one member, by moving nothing but what it held;
//! 4. each member holds its share by weight, rounded up or down ([`shares`]);
//! 5. as few replicas move as can be ([`flow`]);
//! 6. leaders are balanced as replicas are, with the fewest changes ([`leaders`]).
//!
//! The aims are those of riak_core's claim (`docs/ring_claim.md`, `docs/claim-version4.md`: balance, `target_n_val`,
//! locations, few changes). Its versions 1 to 4 search for a ring with heuristics, because there the replicas of a
//! partition are whoever owns the next ones. Here sets are explicit, and then aims 1, 2 and 4 are bounds of a flow and aim
//! 5 its cost, so that the best ring is computed and not searched for; Garage lays out its partitions in such
//! a way (`garage_rpc::layout`). Aim 3 follows from 2: `docs/adr/0016-claim-and-staged-membership.md`.
//!
//! A ring that cannot be better stays as it is, so the claim of a claimed ring is that ring.

mod flow;
mod leaders;
mod place;
mod shares;
mod zones;

#[cfg(test)]
mod claim_test;

use std::collections::BTreeMap;

use crate::id::MemberId;

use super::member::{Member, MemberState};
use super::table::Ring;

/// Most replicas that a partition can have.
pub const REPLICAS_MAX: usize = 7;

/// The ring that these members should have, when `ring` is the one they have and each partition is wanted
/// `replicas` times (1..=[`REPLICAS_MAX`]; fewer if there are fewer members).
///
/// Valid members take and hold their share. A member that is down keeps what it holds, as far as its share goes, and is
/// given nothing. All others, and whoever has no weight, hold nothing. `seed` decides between rings that are equally good:
/// it scatters a member's partitions over the others, so that its loss is borne by many.
pub fn claim(members: &BTreeMap<MemberId, Member>, ring: &Ring, replicas: usize, seed: u64) -> Ring {
    assert!((1..=REPLICAS_MAX).contains(&replicas), "{replicas} replicas");
    let sets = place::place(&place::Claimants::new(members), ring, replicas, seed);
    let before: Vec<_> = ring.sets().map(|(_, holders)| holders).collect();
    let leads = |id: MemberId| members.get(&id).is_some_and(|member| member.state == MemberState::Valid);
    let places = leaders::leaders(&sets, &before, leads);
    let mut claimed = ring.clone();
    for (((partition, _), mut set), leader) in ring.sets().zip(sets).zip(places) {
        if let Some(leader) = leader {
            set.swap(0, leader);
        }
        claimed.set(partition, &set);
    }
    claimed
}

//! What the claim makes of clusters that grow, shrink and lose members, as the page `docs/reference/claim.md`.
//!
//! `cargo run -p gomer-core --example claim > docs/reference/claim.md`. There is no clock and no chance in it: the same
//! source prints the same page, and `core/tests/claim.rs` compares them.

use std::collections::BTreeMap;
use std::fmt::Write;

use gomer_core::id::MemberId;
use gomer_core::ring::claim::claim;
use gomer_core::ring::member::{Member, MemberState, Weight, Zone};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::ring::plan::{Balance, leader_changes, moves};
use gomer_core::ring::table::Ring;

const REPLICAS: usize = 3;
const SEED: u64 = 1;

const HEAD: &str = "# Claim

What the claim makes of clusters that grow, shrink and lose members: 64 partitions, three replicas. The cells are exact and
the same on every machine. `docs/adr/0016-claim-and-staged-membership.md` says how they come about, `core/examples/claim.rs`
prints this page (`cargo run -p gomer-core --example claim > docs/reference/claim.md`), and a test compares it.

- *cluster*: members by zone; `a:3×200` are three of weight 200 in zone a, others weigh 100.
- *replicas*, *leaders*: fewest and most on one member.
- *crowded*: partitions with two replicas in one zone.
- *moves*: replicas that are copied, and in brackets what must be: what members lack of the load that they end with, or
  partitions of their replicas, whichever is more. *leaders moved*: partitions that somebody else should lead.
- *bearers*: if any one member is lost, at least so many others lead in its place.

| cluster | then | replicas | leaders | crowded | moves (fewest) | leaders moved | bearers |
|---|---|---:|---:|---:|---:|---:|---:|
";

/// A cluster and its ring.
struct Cluster {
    members: BTreeMap<MemberId, Member>,
    ring: Ring,
    page: String,
}

impl Cluster {
    fn start(page: String, zones: &[(&str, u64, u16)]) -> Cluster {
        let mut cluster =
            Cluster { members: BTreeMap::new(), ring: Ring::empty(PartitionCount::DEFAULT), page };
        zones.iter().for_each(|(zone, count, weight)| cluster.join(zone, *count, *weight));
        cluster.then("begins")
    }

    fn join(&mut self, zone: &str, count: u64, weight: u16) {
        for _ in 0..count {
            let id = MemberId(1 + self.members.keys().last().map_or(0, |last| last.0));
            let zone = Zone::new(zone).expect("a zone of the table");
            let weight = Weight::new(weight).expect("a weight of the table");
            let member = Member { name: format!("m{}", id.0), zone, weight, state: MemberState::Valid };
            self.members.insert(id, member);
        }
    }

    fn joins(mut self, zone: &str, count: u64) -> Cluster {
        self.join(zone, count, 100);
        self.then(&format!("{count} more in {zone}"))
    }

    fn leaves(mut self, id: u64) -> Cluster {
        self.change(id, |member| member.state = MemberState::Leaving);
        let after = self.then(&format!("m{id} leaves"));
        let members = after.members.into_iter().filter(|(other, _)| other.0 != id).collect();
        Cluster { members, ..after }
    }

    fn loses(mut self, id: u64) -> Cluster {
        self.members.remove(&MemberId(id));
        self.ring.remove(MemberId(id));
        self.then(&format!("m{id} is lost"))
    }

    fn hears_nothing_of(mut self, id: u64) -> Cluster {
        self.change(id, |member| member.state = MemberState::Down);
        self.then(&format!("m{id} is down"))
    }

    fn weighs(mut self, id: u64, weight: u16) -> Cluster {
        self.change(id, |member| member.weight = Weight::new(weight).expect("a weight of the table"));
        self.then(&format!("m{id} weighs {weight}"))
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Member)) {
        change(self.members.get_mut(&MemberId(id)).expect("a member of the table"));
    }

    /// Claims, and writes a row.
    fn then(mut self, what: &str) -> Cluster {
        let after = claim(&self.members, &self.ring, REPLICAS, SEED);
        let balance = Balance::of(&after, &self.members, REPLICAS);
        let holding =
            || balance.members.iter().filter(|(id, _)| self.members[id].state == MemberState::Valid);
        let range = |of: &dyn Fn(&MemberId) -> u32| {
            let (least, most) =
                (holding().map(|(id, _)| of(id)).min(), holding().map(|(id, _)| of(id)).max());
            format!("{} to {}", least.unwrap_or(0), most.unwrap_or(0))
        };
        let (moved, fewest) = (moves(&self.ring, &after).len(), self.fewest(&after));
        let changed = leader_changes(&self.ring, &after).len();
        let row = [
            self.zones(),
            what.to_owned(),
            range(&|id| balance.members[id].replicas),
            range(&|id| balance.members[id].leaders),
            balance.crowded.to_string(),
            format!("{moved} ({fewest})"),
            changed.to_string(),
            self.bearers(&after).to_string(),
        ];
        writeln!(self.page, "| {} |", row.join(" | ")).expect("a string takes all");
        self.ring = after;
        self
    }

    /// What some member has too little or some partition lacks, whichever is more. The claim's own shares are taken as
    /// given: that they are right is tested beside it.
    fn fewest(&self, after: &Ring) -> usize {
        let held = |ring: &Ring, id: MemberId| ring.sets().filter(|(_, set)| set.contains(&id)).count();
        let lacking = |id: &MemberId| held(after, *id).saturating_sub(held(&self.ring, *id));
        let short = after.sets().map(|(partition, set)| {
            let stays =
                |id: &&MemberId| self.members.get(*id).is_some_and(|m| m.state != MemberState::Leaving);
            let kept = self.ring.holders(partition).iter().filter(stays).count();
            set.len().saturating_sub(kept)
        });
        self.members.keys().map(lacking).sum::<usize>().max(short.sum())
    }

    fn bearers(&self, ring: &Ring) -> usize {
        let bearers = |lost: &MemberId| {
            let mut members = self.members.clone();
            members.remove(lost);
            let mut without = ring.clone();
            without.remove(*lost);
            let after = claim(&members, &without, REPLICAS, SEED);
            let led = ring.sets().filter(|(_, set)| set.first() == Some(lost));
            let mut next: Vec<_> = led.filter_map(|(partition, _)| after.leader(partition)).collect();
            next.sort_unstable();
            next.dedup();
            next.len()
        };
        let leads = |id: &&MemberId| ring.sets().any(|(_, set)| set.first() == Some(*id));
        self.members.keys().filter(leads).map(bearers).min().unwrap_or(0)
    }

    fn zones(&self) -> String {
        let mut zones: BTreeMap<(&str, u16), u32> = BTreeMap::new();
        for member in self.members.values() {
            *zones.entry((member.zone.name(), member.weight.get())).or_default() += 1;
        }
        let zone = |((zone, weight), count): (&(&str, u16), &u32)| match weight {
            100 => format!("{zone}:{count}"),
            _ => format!("{zone}:{count}×{weight}"),
        };
        zones.iter().map(zone).collect::<Vec<_>>().join(" ")
    }
}

/// The page.
pub fn page() -> String {
    let start = |page: String, zones: &[(&str, u64, u16)]| Cluster::start(page, zones);
    let page =
        start(HEAD.to_owned(), &[("a", 1, 100)]).joins("a", 1).joins("a", 1).joins("a", 1).joins("a", 1);
    let page = page.leaves(2).loses(1).page;
    let page =
        start(page, &[("a", 1, 100), ("b", 1, 100), ("c", 1, 100)]).joins("a", 1).joins("b", 1).joins("c", 1);
    let page = page.loses(2).joins("b", 1).page;
    let page = start(page, &[("a", 3, 100), ("b", 3, 100)]).joins("c", 3).leaves(1).page;
    let page = start(page, &[("a", 4, 100), ("b", 1, 100), ("c", 1, 100)]).joins("d", 2).page;
    let page = start(page, &[("a", 2, 100), ("b", 2, 200), ("c", 2, 400)])
        .weighs(1, 400)
        .hears_nothing_of(3)
        .loses(6)
        .page;
    let page = start(page, &[("a", 4, 100), ("b", 4, 100), ("c", 4, 100)]).joins("a", 1).loses(5).page;
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|zone| (zone, 8, 100));
    start(page, &eight).loses(64).joins("h", 1).leaves(1).page
}

/// Prints it.
#[allow(dead_code, reason = "the test that includes this file has none")]
fn main() {
    print!("{}", page());
}

//! The members of a cluster, and what each held when it began, as configuration says it. The same on every member, and the
//! same for ever. What each holds now is in the metadata.

use std::fmt;

use gomer_core::id::{MemberId as Number, Partition};
use gomer_core::meta::members::Membership;
use gomer_core::meta::members::found::Founding;
use gomer_core::ring::fixed::{self, MEMBERS_MAX};
use gomer_core::ring::member::{Member, MemberState, Weight, Zone, is_member_name};
use gomer_core::ring::partition::{META, PartitionCount};
use gomer_core::ring::table;
use gomer_core::shard::ReplicaSet;

use crate::peer::identity::{ClusterId, MemberId};

/// A ring. What it holds was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    cluster: ClusterId,
    members: Vec<RingMember>,
    own: usize,
    partitions: PartitionCount,
    replicas: usize,
}

/// One member of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingMember {
    /// What people call it.
    pub name: String,
    /// Who it is.
    pub id: MemberId,
    /// How core knows it.
    pub number: Number,
    /// Where its peers reach it, `host:port`.
    pub address: String,
}

/// Why there is no such ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingFault {
    /// There are too few or too many members.
    Members(usize),
    /// That is no name: 1 to 63 of a-z, 0-9 and -, with - neither first nor last.
    Name(String),
    /// That name stands there twice.
    Twice(String),
    /// That is no `host:port`, or two members have it.
    Address(String),
    /// This member is not among them.
    Stranger(String),
    /// More replicas than members, or none.
    Replicas(usize),
}

impl fmt::Display for RingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RingFault::Members(count) => write!(f, "a cluster has 2 to {MEMBERS_MAX} members, not {count}"),
            RingFault::Name(name) => write!(
                f,
                "`{name}` is not a member's name: 1 to 63 of a-z, 0-9 and -, with - neither first nor last"
            ),
            RingFault::Twice(name) => write!(f, "`{name}` is there twice"),
            RingFault::Address(address) => {
                write!(f, "`{address}` is not a host with a port of its own, like 10.0.0.1:9000")
            }
            RingFault::Stranger(name) => write!(f, "`{name}` is not one of the members"),
            RingFault::Replicas(count) => {
                write!(f, "{count} replicas cannot be: at least 1, and at most one for each member")
            }
        }
    }
}

impl std::error::Error for RingFault {}

impl Ring {
    /// The ring of these members (name and address), in this order, as the member `own` sees it.
    pub fn new(
        cluster: ClusterId,
        own: &str,
        members: &[(String, String)],
        partitions: PartitionCount,
        replicas: usize,
    ) -> Result<Ring, RingFault> {
        if !(2..=MEMBERS_MAX).contains(&members.len()) {
            return Err(RingFault::Members(members.len()));
        }
        if !(1..=members.len()).contains(&replicas) {
            return Err(RingFault::Replicas(replicas));
        }
        let mut made: Vec<RingMember> = Vec::new();
        for (name, address) in members {
            if !is_member_name(name) {
                return Err(RingFault::Name(name.clone()));
            }
            if made.iter().any(|member| member.name == *name) {
                return Err(RingFault::Twice(name.clone()));
            }
            if !is_address(address) || made.iter().any(|member| member.address == *address) {
                return Err(RingFault::Address(address.clone()));
            }
            let id = MemberId::named(cluster, name);
            made.push(RingMember { name: name.clone(), id, number: id.number(), address: address.clone() });
        }
        let place = made.iter().position(|member| member.name == own);
        let own = place.ok_or_else(|| RingFault::Stranger(own.to_owned()))?;
        Ok(Ring { cluster, members: made, own, partitions, replicas })
    }

    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Every member, in the order of the configuration.
    pub fn members(&self) -> &[RingMember] {
        &self.members
    }

    /// This member.
    pub fn own(&self) -> &RingMember {
        &self.members[self.own]
    }

    /// Every other member.
    pub fn others(&self) -> impl Iterator<Item = &RingMember> {
        self.members.iter().filter(|member| member.number != self.own().number)
    }

    /// The member that does what is done once for a cluster: the first.
    pub fn is_first(&self) -> bool {
        self.own == 0
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    /// How many members hold each.
    pub fn replicas(&self) -> usize {
        self.replicas
    }

    /// Requests between members carry it; who has another one is redirected.
    pub fn generation(&self) -> u64 {
        1
    }

    /// The member that core knows so.
    pub fn numbered(&self, number: Number) -> Option<&RingMember> {
        self.members.iter().find(|member| member.number == number)
    }

    /// The member with that id.
    pub fn member(&self, id: MemberId) -> Option<&RingMember> {
        self.members.iter().find(|member| member.id == id)
    }

    /// Who holds the partition; the one that should lead comes first.
    pub fn holders(&self, partition: Partition) -> impl Iterator<Item = &RingMember> {
        let places = fixed::holders(partition, self.members.len(), self.replicas);
        places.into_iter().map(|place| &self.members[place])
    }

    /// Who should lead a partition, as the metadata says; before that knows, as the configuration does. The metadata itself is
    /// led by the first member that is not down.
    pub fn leader(&self, known: Option<&Membership>, partition: Partition) -> Option<&RingMember> {
        let Some(known) = known else { return self.holders(partition).next() };
        if partition == META {
            let is_down =
                |number: Number| known.members.get(&number).is_none_or(|it| it.state == MemberState::Down);
            return self.members.iter().find(|member| !is_down(member.number));
        }
        known.ring.leader(partition).and_then(|leader| self.numbered(leader))
    }

    /// Whether this member holds it.
    pub fn holds(&self, partition: Partition) -> bool {
        self.holders(partition).any(|member| member.number == self.own().number)
    }

    /// The Raft id of that member's replica.
    pub fn raft_id(&self, member: &RingMember, partition: Partition) -> u64 {
        fixed::raft_id(self.cluster.0, member.id.0, partition)
    }

    /// The Raft id of the replica of a member that core knows so. Of one that is not in the configuration: an id that no
    /// replica has.
    pub(crate) fn raft_of(&self, number: Number, partition: Partition) -> u64 {
        self.numbered(number).map_or(number.0.max(1), |member| self.raft_id(member, partition))
    }

    /// The first voters of a partition, and this member's replica of it, which need not be one of them.
    pub fn replica_set(&self, partition: Partition) -> ReplicaSet {
        let mut voters: Vec<u64> =
            self.holders(partition).map(|holder| self.raft_id(holder, partition)).collect();
        let peer = self.raft_id(self.own(), partition);
        let preferred = voters.first() == Some(&peer);
        voters.sort_unstable();
        ReplicaSet { peer, voters, preferred }
    }

    /// Where each replica lives that there can be, by its Raft id.
    pub fn locations(&self) -> impl Iterator<Item = (u64, Number)> + '_ {
        let all = self.partitions.all().chain([META]);
        all.flat_map(move |p| self.members.iter().map(move |member| (self.raft_id(member, p), member.number)))
    }

    /// Who holds a partition now, as the metadata says; before that knows, as the configuration does.
    pub fn holders_now(&self, known: Option<&Membership>, partition: Partition) -> Vec<Number> {
        match known {
            Some(known) if partition != META => known.ring.holders(partition).to_vec(),
            _ => self.holders(partition).map(|holder| holder.number).collect(),
        }
    }

    /// What the membership in the metadata begins with: the same, whoever founds it.
    pub fn founding(&self) -> Founding {
        let mut ring = table::Ring::empty(self.partitions);
        for partition in self.partitions.all() {
            let holders: Vec<Number> = self.holders(partition).map(|holder| holder.number).collect();
            ring.set(partition, &holders);
        }
        let member = |member: &RingMember| Member {
            name: member.name.clone(),
            zone: Zone::default(),
            weight: Weight::DEFAULT,
            state: MemberState::Valid,
        };
        let members = self.members.iter().map(|one| (one.number, member(one))).collect();
        let replicas = u8::try_from(self.replicas).expect("a fixed ring has five members at most");
        let (head, _) = self.cluster.0.as_bytes().split_first_chunk().expect("an id has 16 bytes");
        Founding { members, ring, replicas, seed: u64::from_be_bytes(*head) }
    }

    /// What must be the same on every member and at every start, as text: to be compared, and kept.
    pub fn text(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        let (cluster, partitions, replicas) = (self.cluster, self.partitions.get(), self.replicas);
        format!(
            "cluster {cluster}, members {}, partitions {partitions}, replicas {replicas}",
            names.join(" ")
        )
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && host.bytes().all(|c| c.is_ascii_graphic() && !b"/@".contains(&c))
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Id;

    fn ring(own: &str, members: &[(&str, &str)], replicas: usize) -> Result<Ring, RingFault> {
        let members: Vec<_> = members.iter().map(|(n, a)| ((*n).to_owned(), (*a).to_owned())).collect();
        let cluster = ClusterId(Id::from_bytes([7; 16]));
        Ring::new(cluster, own, &members, PartitionCount::DEFAULT, replicas)
    }

    const THREE: [(&str, &str); 3] = [("ada", "a:1"), ("bob", "b:1"), ("eve", "[::1]:1")];

    #[test]
    fn members_agree_on_who_holds_what() {
        let [ada, bob] = ["ada", "bob"].map(|own| ring(own, &THREE, 2).unwrap());
        assert_eq!(ada.text(), bob.text());
        for partition in PartitionCount::DEFAULT.all().filter(|p| ada.holds(*p) && bob.holds(*p)) {
            let sets = [&ada, &bob].map(|ring| ring.replica_set(partition));
            assert_eq!(sets[0].voters, sets[1].voters);
            assert_ne!(sets[0].peer, sets[1].peer);
            assert!(!(sets[0].preferred && sets[1].preferred));
        }
        assert_eq!(ada.replica_set(META).voters.len(), 3);
        let locations: Vec<_> = ada.locations().collect();
        assert_eq!(locations, bob.locations().collect::<Vec<_>>());
        assert_eq!(locations.len(), 64 * 3 + 3);
        assert!(ada.is_first() && !bob.is_first());
    }

    #[test]
    fn every_member_would_found_the_same_membership() {
        let [ada, eve] = ["ada", "eve"].map(|own| ring(own, &THREE, 2).unwrap());
        assert_eq!(ada.founding(), eve.founding());
        let membership = Membership::found(&ada.founding()).unwrap();
        membership.check();
        assert_eq!(membership.generation, ada.generation());
        for partition in PartitionCount::DEFAULT.all() {
            let first = ada.holders(partition).next().map(|holder| holder.number);
            assert_eq!(membership.ring.leader(partition), first);
        }
    }

    #[test]
    fn what_cannot_be_a_ring_is_refused() {
        let refused = |own, members: &[_], replicas| ring(own, members, replicas).unwrap_err();
        assert_eq!(refused("ada", &THREE[..1], 1), RingFault::Members(1));
        assert_eq!(refused("ann", &THREE, 3), RingFault::Stranger("ann".to_owned()));
        assert_eq!(refused("ada", &THREE, 4), RingFault::Replicas(4));
        assert_eq!(refused("ada", &THREE, 0), RingFault::Replicas(0));
        assert_eq!(refused("ada", &[THREE[0], ("ada", "c:1")], 2), RingFault::Twice("ada".to_owned()));
        for name in ["", "Ada", "-a", "a-", "a b", "../a"] {
            assert_eq!(refused("ada", &[THREE[0], (name, "c:1")], 2), RingFault::Name(name.to_owned()));
        }
        for address in ["", "c", "c:", ":1", "c:0", "c:70000", "a:1", "c /:1"] {
            let members = [THREE[0], ("bob", address)];
            assert_eq!(refused("ada", &members, 2), RingFault::Address(address.to_owned()));
        }
    }
}

//! How the cluster is: what this member knows, and what the others say of themselves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gomer_core::id::{AppId, MemberId, Partition, Root};
use gomer_core::ring::partition::{META, PartitionCount};
use gomer_core::shard::ShardStatus;

use crate::between::{Answered, Asked, MemberStatus, ReplicaStatus};
use crate::cluster::Cluster;
use crate::ring::{Ring, RingMember};

/// How long other members may take to say how they are.
const STATUS_WAIT: Duration = Duration::from_millis(1_000);
/// A partition without a leader for so long is more than an election.
const LEADERLESS: Duration = Duration::from_secs(3);

/// How a member is, as seen from here.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The member.
    pub member: RingMember,
    /// Whether its link answers; of oneself, always.
    pub reachable: bool,
    /// What it says; nothing: it did not answer in time.
    pub status: Option<MemberStatus>,
    /// Frames that wait for it here.
    pub waiting_frames: usize,
    /// Requests that wait for its answer here.
    pub waiting_requests: usize,
}

impl Cluster {
    /// The members and what each holds; nothing: this one is alone.
    pub fn ring(&self) -> Option<&Ring> {
        self.inner.peers.as_ref().map(|peers| &peers.ring)
    }

    /// Whether another member answers this one now.
    pub fn reaches(&self, member: MemberId) -> bool {
        self.inner.peers.as_ref().is_some_and(|peers| peers.is_up(member))
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> PartitionCount {
        self.inner.partitions
    }

    /// Whether every partition that this member holds has had a leader since the start. A member that is alone
    /// does not start without.
    pub fn is_live(&self) -> bool {
        let shards = self.inner.shards.len() + 1;
        self.inner.peers.as_ref().is_none_or(|peers| peers.live.load(Ordering::Acquire) >= shards)
    }

    /// How many partitions that are held here have been without a leader for longer than an election takes.
    pub fn leaderless(&self) -> usize {
        let now = self.now().mono.0;
        let Some(peers) = &self.inner.peers else { return 0 };
        peers.routes.leaderless(gomer_core::time::Monotonic(now.saturating_sub(LEADERLESS)))
    }

    /// What came from other members and found no room here, since the start.
    pub fn dropped(&self) -> u64 {
        self.inner.peers.as_ref().map_or(0, |peers| peers.dropped.load(Ordering::Relaxed))
    }

    /// The counters of the links, by the name of the member at the other end.
    pub fn link_counts(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        let Some(peers) = &self.inner.peers else { return Vec::new() };
        let Some(links) = peers.links() else { return Vec::new() };
        let of = |member: &RingMember| Some((member.name.clone(), links.counts(member.id)?.all().collect()));
        peers.ring.others().filter_map(of).collect()
    }

    /// The counters of the listener for other members.
    pub fn peer_listener_counts(&self) -> Vec<(&'static str, u64)> {
        let links = self.inner.peers.as_ref().and_then(|peers| peers.links());
        links.map_or_else(Vec::new, |links| links.listener_counts().all().collect())
    }

    /// Asks every member how it is. Takes as long as the slowest, and at most a second.
    pub async fn members(&self) -> Vec<Seen> {
        let Some(peers) = &self.inner.peers else { return Vec::new() };
        let own = peers.ring.own().number;
        let mut asked = Vec::new();
        for member in peers.ring.others() {
            let (cluster, number) = (self.clone(), member.number);
            let ask = async move {
                let peers = cluster.inner.peers.as_ref()?;
                match peers.ask(number, Asked::Status, STATUS_WAIT).await {
                    Ok(Some(Answered::Status(status))) => Some(status),
                    _ => None,
                }
            };
            asked.push((number, tokio::spawn(ask)));
        }
        let mut answers = vec![(own, Some(self.member_status()))];
        for (number, answer) in asked {
            answers.push((number, answer.await.ok().flatten()));
        }
        let links = peers.links();
        let seen = |member: &RingMember| Seen {
            member: member.clone(),
            reachable: member.number == own || peers.is_up(member.number),
            status: answers.iter().find(|(number, _)| *number == member.number).and_then(|it| it.1.clone()),
            waiting_frames: links.as_ref().map_or(0, |links| links.waiting(member.id).0),
            waiting_requests: peers.asks.waiting(member.number),
        };
        peers.ring.members().iter().map(seen).collect()
    }

    /// How this member is.
    pub fn member_status(&self) -> MemberStatus {
        let (meta, shards) = self.status();
        let all = || shards.iter().chain([&meta]);
        let sum = |of: fn(&ShardStatus) -> u64| all().map(of).sum();
        MemberStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            live: self.is_live(),
            replicas: all().flat_map(|shard| self.replicas(shard)).collect(),
            steps: sum(|shard| shard.steps as u64),
            pipes: sum(|shard| shard.pipes as u64),
            syncs: sum(|shard| shard.syncs),
            entries: sum(|shard| shard.entries),
            rows: sum(|shard| shard.rows),
            checkpoints: sum(|shard| shard.checkpoints),
            table_bytes: sum(|shard| shard.table_bytes as u64),
        }
    }

    fn replicas(&self, shard: &ShardStatus) -> Vec<ReplicaStatus> {
        let of = |&(partition, position)| ReplicaStatus {
            partition,
            position,
            leader: self.leader(partition),
            suspect: shard.suspect.contains(&partition),
        };
        shard.positions.iter().map(of).collect()
    }

    /// Who leads a partition, or the metadata ([`META`]), as this member knows; nothing: nobody, or it is alone.
    pub fn leader(&self, partition: Partition) -> Option<MemberId> {
        debug_assert!(partition == META || partition.0 < self.inner.partitions.get());
        self.inner.peers.as_ref().and_then(|peers| peers.routes.leader(partition))
    }

    /// Whether this member leads the partition of a root, as far as it knows; a member that is alone leads them all. For
    /// whom work falls to: another member may believe the same for a moment.
    pub fn leads(&self, app: AppId, root: Root) -> bool {
        let Some(peers) = &self.inner.peers else { return true };
        peers.routes.leader(self.inner.partitions.of(app, root)) == Some(peers.ring.own().number)
    }
}

//! Takes what comes from other members: hands it to shards, answers what is asked.
//!
//! Nothing here waits for room: while it did, nothing more would be read from that member. What finds none is
//! dropped and counted, and comes again (Raft, steps), or is refused as busy (requests).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::{Id, MemberId, Partition};
use gomer_core::ring::partition::META;
use gomer_core::shard::Input;
use gomer_core::vnode::command::WRITE_OPERATIONS_MAX;
use gomer_core::vnode::query::Query;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::error::TrySendError;

use crate::between::{Answered, Ask, Asked, Between, Refused};
use crate::cluster::{Cluster, Inner, Reply, Request};
use crate::peer::identity;
use crate::peer::{LinkEvent, Upward};
use crate::peers::Peers;
use crate::ring::Ring;
use crate::routes::Reach;

/// Reads of other members that may wait for a majority at once. Beyond it they are refused as busy.
const CONFIRMS_MAX: usize = 1_024;

/// Called when this member's disk is superseded: another start of it has been seen since, or a copy. It must
/// not go on.
pub type Superseded = Arc<dyn Fn(&str) + Send + Sync>;

/// The side of a member that its peers talk to.
pub(crate) struct Exchange {
    cluster: Cluster,
    confirms: Arc<Semaphore>,
    superseded: Superseded,
    /// Members that are configured as this one is. Others are not listened to.
    alike: Mutex<BTreeSet<MemberId>>,
}

impl Exchange {
    pub(crate) fn new(cluster: Cluster, superseded: Superseded) -> Exchange {
        let confirms = Arc::new(Semaphore::new(CONFIRMS_MAX));
        Exchange { cluster, confirms, superseded, alike: Mutex::default() }
    }

    fn inner(&self) -> &Inner {
        &self.cluster.inner
    }

    fn peers(&self) -> &Peers {
        self.inner().peers.as_ref().expect("links are for members that have peers")
    }

    fn input(&self, partition: Partition, input: Input) {
        let known = partition == META || partition.0 < self.inner().partitions.get();
        if !known || self.inner().shard_of(partition).peers.try_send(input).is_err() {
            self.peers().drop_one();
        }
    }

    fn steps(&self, from: MemberId, message: Between) {
        let Between::Steps { from: source, to, message } = message else { return };
        let peers = self.peers();
        match peers.routes.leader(to) {
            Some(leader) if leader == peers.ring.own().number => {
                self.input(to, Input::Message { from: source, to, message });
            }
            Some(leader) => peers.send(from, vec![Between::Leads { partition: to, leader }]),
            // It is sent again.
            None => peers.drop_one(),
        }
    }

    fn asked(&self, from: MemberId, ask: Ask) {
        let Ask { id, generation, left_ms, what } = ask;
        let inner = self.inner();
        let answer = |answered| self.answer(from, id, answered);
        if generation != self.peers().ring.generation() {
            return answer(Answered::Generation(self.peers().ring.generation()));
        }
        let until = Some(inner.clock.now().mono + Duration::from_millis(left_ms.into()));
        let (partition, input) = match what {
            Asked::Status => return answer(Answered::Status(self.cluster.member_status())),
            Asked::Read { partition, app, root, query } => {
                let known = match *query {
                    Query::Changes { .. } => partition.0 < inner.partitions.get(),
                    _ => inner.partitions.of(app, root) == partition,
                };
                if !known {
                    return answer(Answered::Read(Err(Refused::Unavailable)));
                }
                let cluster = self.cluster.clone();
                let read = move || {
                    let read = cluster.inner.shard_of(partition).reader.read(partition, app, root, &query);
                    Answered::Read(read.map_err(Refused::from))
                };
                return match self.peers().routes.reach(inner.clock.now().mono, partition) {
                    Reach::Here => answer(read()),
                    Reach::There(leader) => answer(Answered::Elsewhere(Some(leader))),
                    Reach::Nowhere => answer(Answered::Elsewhere(None)),
                    Reach::Confirm => self.confirm(from, id, partition, left_ms, read),
                };
            }
            Asked::Write { partition, write } => {
                if inner.partitions.of(write.app, write.root) != partition
                    || write.ops.len() > WRITE_OPERATIONS_MAX
                {
                    return answer(Answered::Written(Err(Refused::Unavailable)));
                }
                (partition, Input::Write { ticket: inner.ticket(), partition, write })
            }
            Asked::Meta(command) => (META, Input::Meta { ticket: inner.ticket(), command }),
        };
        let reply = Reply::There { member: from, ask: id };
        match inner.shard_of(partition).queue.try_send(Request { input, reply, until }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => answer(Answered::Written(Err(Refused::Busy))),
            // Stopping: the next leader is elected when this member is gone.
            Err(TrySendError::Closed(_)) => answer(Answered::Elsewhere(None)),
        }
    }

    /// Reads for another member, once a majority says that this one leads.
    fn confirm(
        &self,
        from: MemberId,
        id: u64,
        partition: Partition,
        left_ms: u32,
        read: impl FnOnce() -> Answered + Send + 'static,
    ) {
        let Ok(permit) = self.confirms.clone().try_acquire_owned() else {
            return self.answer(from, id, Answered::Read(Err(Refused::Busy)));
        };
        let cluster = self.cluster.clone();
        tokio::spawn(async move {
            let until = cluster.now().mono + Duration::from_millis(left_ms.into());
            let answered = match cluster.confirm(partition, until).await {
                Ok(()) => read(),
                Err(fault) => Answered::Read(Err(fault.into())),
            };
            if let Some(peers) = &cluster.inner.peers {
                peers.send(from, vec![Between::Answer { id, answer: Box::new(answered) }]);
            }
            drop(permit);
        });
    }

    fn answer(&self, to: MemberId, id: u64, answered: Answered) {
        self.peers().send(to, vec![Between::Answer { id, answer: Box::new(answered) }]);
    }
}

impl Upward<Between> for Exchange {
    async fn received(&self, from: identity::MemberId, messages: Vec<Between>) {
        let Some(from) = self.peers().ring.member(from).map(|member| member.number) else { return };
        if !self.alike.lock().expect(UNPOISONED).contains(&from) {
            return;
        }
        for message in messages {
            match message {
                // A member speaks for its own replicas only.
                Between::Raft(message) => {
                    let ring = &self.peers().ring;
                    let sender = ring.numbered(from).map(|member| ring.raft_id(member, message.partition));
                    if sender == Some(message.from) {
                        self.input(message.partition, Input::Peer(message));
                    }
                }
                Between::Steps { .. } => self.steps(from, message),
                Between::Leads { partition, leader } => {
                    if !self.inner().holds(partition) {
                        self.peers().routes.learn(partition, Some(leader));
                    }
                }
                Between::Ask(ask) => self.asked(from, *ask),
                Between::Answer { id, answer } => self.peers().asks.answered(from, id, *answer),
            }
        }
    }

    fn heard(&self, peer: identity::MemberId) {
        let Some(member) = self.peers().ring.member(peer) else { return };
        // Whom this one does not listen to is as silent as a dead one.
        if self.alike.lock().expect(UNPOISONED).contains(&member.number) {
            self.peers().beats.heard(member.number, self.inner().clock.now().mono);
        }
    }

    fn link(&self, peer: identity::MemberId, event: LinkEvent) {
        let Some(member) = self.peers().ring.member(peer) else { return };
        let name = &member.name;
        match event {
            LinkEvent::Up { features, .. } => {
                let ours = feature_of(&self.peers().ring);
                self.peers().speaks(member.number, features.iter().any(|feature| feature == MEMBERS_FEATURE));
                let mut alike = self.alike.lock().expect(UNPOISONED);
                if features.contains(&ours) {
                    alike.insert(member.number);
                    tracing::info!(member = name, "member is reached");
                } else {
                    alike.remove(&member.number);
                    tracing::error!(
                        member = name,
                        ours,
                        ?features,
                        "member has ANOTHER RING in its configuration: stop it, and make cluster.members, \
                         cluster.partitions and cluster.replicas the same everywhere"
                    );
                }
            }
            LinkEvent::Down(end) => {
                tracing::warn!(member = name, %end, "member is not reached any more");
                self.peers().asks.lost(member.number);
            }
            LinkEvent::Refused(refusal) => {
                tracing::error!(member = name, %refusal, "member refuses this one");
                if refusal.ends_this_member() {
                    (self.superseded)(&format!(
                        "{name} has seen a later start of this member, or another disk"
                    ));
                }
            }
        }
    }
}

/// By which members notice that they know the commands of the membership.
pub(crate) const MEMBERS_FEATURE: &str = "members:1";

/// By which members notice that they were configured alike.
pub(crate) fn feature_of(ring: &Ring) -> String {
    format!("ring:{}", Id::derived("ring", ring.text().as_bytes()))
}

const UNPOISONED: &str = "nothing panics under this lock";

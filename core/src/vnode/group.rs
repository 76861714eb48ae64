//! The vnode's place in its Raft group, through the `raft` crate.
//!
//! The crate draws its election time-out from OS randomness whenever it resets; the value is overwritten
//! from our own seed after every call that can do so, which makes runs repeatable.
//!
//! What the crate would take from a peer and then panic about is looked at before it gets there.

mod turn;

use std::collections::BTreeMap;
use std::time::Duration;

use raft::StateRole;
use raft::prelude::{ConfState, Config, HardState, Message, MessageType, RawNode};

use crate::fault::Fault;
use crate::mutant::Mutants;
use crate::rng::Rng;
use crate::rows::applied::Applied;
use crate::rows::replicas::Replicas;
use crate::store::{GroupId, LogStore, StoreFault};

use super::lease::Lease;
use super::peer::{PeerBody, ReplicaChange};
use super::tail::{READ_BYTES, Tail};

pub use turn::{Collected, Committed, CommittedKind, Pending, Persisted};

/// About how often time passes for a group; never more often.
pub const TICK: Duration = Duration::from_millis(100);
/// Ticks without a leader until an election.
pub const ELECTION_TICKS: usize = 10;
/// Ticks of rest that count as ticks without a leader.
const REST_TICKS: usize = 6;
/// Ticks between the turns of two voters: enough for one to be elected, and to say so.
const TURN_TICKS: usize = 2;
/// Largest amount of committed entries that one turn applies, in bytes.
const APPLY_BYTES: u64 = 8 * READ_BYTES;
/// Applied entries that stay in memory for followers that are close behind, in bytes.
const TAIL_BYTES: usize = 256 * 1024;
/// Entries that wait for a majority, in bytes. More is refused as busy.
const UNCOMMITTED_BYTES: u64 = 16 * READ_BYTES;
/// Messages with entries on their way to one follower.
const INFLIGHT_MESSAGES: usize = 64;
/// Entries that a replica may be behind to take over, or to become a voter: soon sent.
const CLOSE: u64 = 64;
/// Stretches that one turn reads from the log store for slow followers of one group.
const FETCHES: usize = 4;

/// A member of a group.
pub struct Group {
    id: GroupId,
    node: RawNode<Tail>,
    rng: Rng,
    timeout: (u64, usize),
    /// Ticks since the start: a vote may break a promise that was forgotten.
    ticks: usize,
    /// The leader that was last heard, its term, and its clock when it spoke.
    heard: (u64, u64, u64),
    lease: Lease,
    /// The term in which each other replica last answered this leader, and at which tick. The crate knows too, and forgets it
    /// whenever it counts a quorum: who asks at that moment would always hear that nobody is there.
    answered: BTreeMap<u64, (u64, usize)>,
    /// The last term in which this leader began to hand over.
    handed_over: u64,
    /// There are no rows to lead with: this replica stands for no election.
    stateless: bool,
    mutants: Mutants,
}

/// How a group is opened.
pub struct GroupConfig {
    /// This replica's Raft id.
    pub peer: u64,
    /// The replica set of a group that has no state yet.
    pub replicas: Replicas,
    /// For election time-outs.
    pub seed: u64,
    /// Who of two with equal logs gets the vote: higher is preferred.
    pub priority: i64,
    /// Deliberate bugs: none, outside of the simulator.
    pub mutants: Mutants,
}

/// Why a message was not taken. The sender notices as if it had been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// No honest replica says that, or it does not concern this one now.
    Refused,
    /// This replica has acknowledged what it no longer has: its disk was rolled back or damaged. It must
    /// not vote or acknowledge any more.
    RolledBack,
}

impl Group {
    /// Opens a group from its log and from what is applied.
    pub fn open(
        log: &mut impl LogStore,
        id: GroupId,
        applied: &Applied,
        config: GroupConfig,
    ) -> Result<Group, StoreFault> {
        let ballot = log.ballot(id)?.unwrap_or_default();
        let base = (applied.position.0, applied.term);
        let mut tail = Tail::open(log, id, base)?;
        let mut hard = HardState::default();
        let sole = config.replicas.voters == [config.peer];
        // In term zero the crate cannot refuse a vote: it panics. All voters begin alike, in the first.
        hard.set_term(ballot.term.max(base.1).max(u64::from(!sole)));
        hard.set_vote(if ballot.term >= base.1 { ballot.vote } else { 0 });
        // A commit index may lag behind what was applied; it never did more than that.
        hard.set_commit(ballot.commit.max(base.0).min(tail.last()));
        tail.hard = hard;
        tail.conf = conf_in(&config.replicas);
        let settings = Config {
            id: config.peer,
            election_tick: ELECTION_TICKS,
            heartbeat_tick: 1,
            applied: base.0,
            max_size_per_msg: READ_BYTES,
            max_committed_size_per_ready: APPLY_BYTES,
            max_uncommitted_size: UNCOMMITTED_BYTES,
            max_inflight_msgs: INFLIGHT_MESSAGES,
            check_quorum: true,
            pre_vote: true,
            // The crate may join entries to an empty message that they do not follow.
            batch_append: false,
            priority: config.priority,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&settings, tail, &logger)
            .map_err(|e| StoreFault::Corrupt(format!("group {}: {e}", id.0)))?;
        let mut group = Group {
            id,
            node,
            rng: Rng::new(config.seed),
            timeout: (u64::MAX, ELECTION_TICKS),
            ticks: 0,
            heard: (0, 0, 0),
            lease: Lease::default(),
            answered: BTreeMap::new(),
            handed_over: 0,
            stateless: false,
            mutants: config.mutants,
        };
        group.repeatable();
        Ok(group)
    }

    /// Overwrites the election time-out. Who follows waits for its turn; who has stood in vain waits for as long
    /// as was drawn for the term.
    fn repeatable(&mut self) {
        let term = self.node.raft.term;
        if self.timeout.0 != term {
            self.timeout = (term, ELECTION_TICKS + self.rng.below(ELECTION_TICKS as u64) as usize);
        }
        let follows = self.node.raft.state == StateRole::Follower;
        let timeout = if follows { self.turn() } else { self.timeout.1 };
        self.node.raft.set_randomized_election_timeout(timeout);
    }

    /// After how many ticks without a leader this replica stands for election. Two that stand at once split the
    /// votes and have to wait once more, so each voter has a turn of its own. The first comes when everybody
    /// whose ticks fall a little later has kept its promise to the old leader, too: who asks earlier is not heard.
    fn turn(&self) -> usize {
        let conf = &self.node.store().conf;
        let own = self.node.raft.id;
        let before = conf.voters.iter().filter(|&&peer| peer < own).count();
        (ELECTION_TICKS + 1 + before * TURN_TICKS).min(2 * ELECTION_TICKS - 1)
    }

    /// This replica's Raft id.
    pub fn peer(&self) -> u64 {
        self.node.raft.id
    }

    /// Whether this replica is the only one.
    pub fn is_alone(&self) -> bool {
        self.is_sole_voter() && self.node.store().conf.learners.is_empty()
    }

    /// Whether this replica is the only voter: there is nobody whom it could contradict.
    pub fn is_sole_voter(&self) -> bool {
        let conf = &self.node.store().conf;
        conf.voters == [self.node.raft.id] && conf.voters_outgoing.is_empty()
    }

    /// Whether this replica orders writes now, as far as it knows.
    pub fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// The leader, if one is known.
    pub fn leader(&self) -> Option<u64> {
        Some(self.node.raft.leader_id).filter(|&peer| peer != 0)
    }

    /// The present term.
    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    /// Index of the last entry.
    pub fn last(&self) -> u64 {
        self.node.raft.raft_log.last_index()
    }

    /// The replica set, as far as it is applied.
    pub fn replicas(&self) -> Replicas {
        conf_out(&self.node.store().conf)
    }

    /// Whether a replica without a vote is among them.
    pub fn has_learners(&self) -> bool {
        !self.node.store().conf.learners.is_empty()
    }

    /// Every other replica.
    pub fn others(&self) -> Vec<u64> {
        let own = self.node.raft.id;
        let mut others: Vec<u64> = self.node.raft.prs().iter().map(|(&peer, _)| peer).collect();
        others.retain(|&peer| peer != own);
        others.sort_unstable();
        others
    }

    /// There are no rows any more, until the group is opened again: it follows and votes, and does not lead.
    pub fn lose_state(&mut self) {
        self.stateless = true;
        // Whoever has rows is preferred.
        self.node.raft.set_priority(-1);
        if self.leads() {
            self.resign();
        }
    }

    /// Whether a snapshot as of this position would do: what this log holds can follow it.
    pub fn can_follow(&self, position: u64) -> bool {
        self.node.store().follows(position)
    }

    /// The least position that would do.
    pub fn floor(&self) -> u64 {
        self.node.store().floor()
    }

    /// What this replica has applied, said as if the leader had just sent it: it is committed and on disk.
    pub fn acknowledge(&self, applied: u64) -> PeerBody {
        let raft = &self.node.raft;
        let (term, commit) = (raft.term, raft.raft_log.committed);
        PeerBody::Appended { term, index: applied, commit, refused: None, echo: 0 }
    }

    /// Who of two with equal logs gets the vote: higher is preferred.
    pub fn set_priority(&mut self, priority: i64) {
        if !self.stateless {
            self.node.raft.set_priority(priority);
        }
    }

    /// Whether all replicas have the whole log, it ends there, and no change is under way.
    pub fn is_everywhere(&self, index: u64) -> bool {
        let conf = &self.node.store().conf;
        let all = self.node.raft.prs().iter().all(|(_, progress)| progress.matched == index);
        self.last() == index && all && conf.voters_outgoing.is_empty() && !self.node.raft.has_pending_conf()
    }

    /// Whether this leader hears a replica, and sees it close behind.
    pub fn is_close(&self, peer: u64) -> bool {
        let progress = self.node.raft.prs().get(peer);
        self.leads() && self.hears(peer) && progress.is_some_and(|p| p.matched + CLOSE >= self.last())
    }

    /// Whether a replica has answered this leader within an election time-out.
    fn hears(&self, peer: u64) -> bool {
        let answered = self.answered.get(&peer).filter(|(term, _)| *term == self.term());
        answered.is_some_and(|(_, tick)| self.ticks - tick <= ELECTION_TICKS)
    }

    /// Whether this leader knows that a replica has the log up to there.
    pub fn has_matched(&self, peer: u64, index: u64) -> bool {
        self.leads() && self.node.raft.prs().get(peer).is_none_or(|progress| progress.matched >= index)
    }

    /// Stands for election at once: a group of one has nobody to wait for.
    pub fn campaign(&mut self) {
        // Refused only while a configuration change is being applied; the next tick tries again.
        let _ = self.node.campaign();
        self.repeatable();
    }

    /// About 100 ms have passed.
    pub fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
        self.node.tick();
        self.repeatable();
    }

    /// About 100 ms have passed at rest. A follower has not heard its leader for so long, which counts once it
    /// wakes; but it does not stand by itself before a leader that lives has had time to say so.
    pub fn tick_at_rest(&mut self) {
        let raft = &mut self.node.raft;
        if raft.state == StateRole::Follower && raft.election_elapsed < REST_TICKS {
            raft.election_elapsed += 1;
        }
    }

    /// Proposes a command. Returns the index it will have if it is committed in this term.
    pub fn propose(&mut self, data: Vec<u8>) -> Result<u64, Fault> {
        if !self.leads() {
            return Err(Fault::Unavailable);
        }
        let result = self.node.propose(Vec::new(), data);
        self.repeatable();
        match result {
            Ok(()) => Ok(self.last()),
            Err(_) if self.node.raft.lead_transferee.is_some() => Err(Fault::Unavailable),
            Err(_) => Err(Fault::Busy),
        }
    }

    /// Proposes another replica set. Refused while one is under way.
    pub fn propose_change(&mut self, change: &ReplicaChange) -> Result<u64, Fault> {
        if !self.leads() {
            return Err(Fault::Unavailable);
        }
        let conf = &self.node.store().conf;
        if self.node.raft.has_pending_conf() || !conf.voters_outgoing.is_empty() {
            return Err(Fault::Busy);
        }
        let result = self.node.propose_conf_change(Vec::new(), change.to_raft());
        self.repeatable();
        result.map_err(|_| Fault::Unavailable)?;
        Ok(self.last())
    }

    /// A committed change is applied. Returns the new replica set.
    pub fn change(&mut self, change: &ReplicaChange) -> Result<Replicas, StoreFault> {
        let conf = self
            .node
            .apply_conf_change(&change.to_raft())
            .map_err(|e| StoreFault::Corrupt(format!("group {}: {e}", self.id.0)))?;
        self.node.mut_store().conf = conf;
        if self.leads() && !self.node.raft.promotable() {
            // Without a vote it must not go on; the crate would, and trip over itself.
            self.resign();
        }
        self.repeatable();
        Ok(self.replicas())
    }

    /// Leads no more, at once; somebody else will be elected.
    pub fn resign(&mut self) {
        let term = self.term();
        self.node.raft.become_follower(term, 0);
        self.repeatable();
    }

    /// Hands leadership over. Proposals are refused until it is done or an election time-out has passed.
    pub fn hand_over(&mut self, to: u64) {
        if self.leads() && to != self.peer() && self.node.store().conf.voters.contains(&to) {
            self.handed_over = self.term();
            self.node.transfer_leader(to);
            self.repeatable();
        }
    }

    /// Whether this leader has begun to hand over in this term. It may read under no lease any more.
    pub fn has_handed_over(&self) -> bool {
        self.handed_over == self.term()
    }

    /// A voter that is close behind: who can take over soon.
    pub fn successor(&self, preferred: Option<u64>) -> Option<u64> {
        let voters = &self.node.store().conf.voters;
        let fit = |&peer: &u64| peer != self.peer() && self.is_close(peer);
        let matched = |peer: u64| self.node.raft.prs().get(peer).map_or(0, |progress| progress.matched);
        preferred
            .filter(|peer| voters.contains(peer) && fit(peer))
            .or_else(|| voters.iter().copied().filter(fit).max_by_key(|&peer| matched(peer)))
    }

    /// A message from another replica. `at_most`: the last position whose commit it may speak of, for a
    /// replica that cannot apply now.
    pub fn step(&mut self, from: u64, body: PeerBody) -> Result<(), Unheard> {
        let (term, sent, echo) = match &body {
            PeerBody::Append { term, sent, .. } | PeerBody::Heartbeat { term, sent, .. } => (*term, *sent, 0),
            PeerBody::Appended { term, echo, .. } | PeerBody::Alive { term, echo, .. } => (*term, 0, *echo),
            _ => (0, 0, 0),
        };
        let is_answer = matches!(body, PeerBody::Appended { .. } | PeerBody::Alive { .. });
        let message = body.into_raft(from, self.peer()).ok_or(Unheard::Refused)?;
        self.examine(&message)?;
        self.node.step(message).map_err(|_| Unheard::Refused)?;
        self.repeatable();
        if is_answer && self.leads() && term == self.term() {
            self.answered.insert(from, (term, self.ticks));
        }
        if echo != 0 && self.leads() && term == self.term() {
            self.lease.echoed(term, from, echo);
        }
        // Only now has this replica promised not to vote for anybody else for a while.
        if sent != 0 && self.leader() == Some(from) && term == self.term() {
            let last = if self.heard.0 == from && self.heard.1 == term { self.heard.2 } else { 0 };
            self.heard = (from, term, sent.max(last));
        }
        Ok(())
    }

    /// What the crate must not be shown.
    fn examine(&self, message: &Message) -> Result<(), Unheard> {
        let raft = &self.node.raft;
        let last = raft.raft_log.last_index();
        match message.get_msg_type() {
            // Before the start this replica may have promised its vote to a leader for that long.
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote
                if self.ticks < ELECTION_TICKS && !self.is_sole_voter() =>
            {
                return Err(Unheard::Refused);
            }
            MessageType::MsgHeartbeat if message.term >= raft.term && message.commit > last => {
                return Err(Unheard::RolledBack);
            }
            MessageType::MsgAppend if message.term >= raft.term => {
                let committed = raft.raft_log.committed;
                let contradicts = message.get_entries().iter().any(|entry| {
                    entry.index <= committed
                        && raft.raft_log.term(entry.index).is_ok_and(|term| term != 0 && term != entry.term)
                });
                if contradicts {
                    return Err(Unheard::RolledBack);
                }
            }
            MessageType::MsgAppendResponse if message.index > last || message.reject_hint > last => {
                return Err(Unheard::Refused);
            }
            // Forwarded once is enough.
            MessageType::MsgReadIndex if !self.leads() => return Err(Unheard::Refused),
            // A sole voter would lead at once, with a log that is not on disk yet.
            MessageType::MsgTimeoutNow if self.stateless || !raft.raft_log.unstable_entries().is_empty() => {
                return Err(Unheard::Refused);
            }
            _ => {}
        }
        Ok(())
    }
}

fn conf_in(replicas: &Replicas) -> ConfState {
    ConfState {
        voters: replicas.voters.clone(),
        voters_outgoing: replicas.outgoing.clone(),
        learners: replicas.learners.clone(),
        learners_next: replicas.learners_next.clone(),
        auto_leave: replicas.auto_leave,
        ..ConfState::default()
    }
}

fn conf_out(conf: &ConfState) -> Replicas {
    let sorted = |peers: &[u64]| {
        let mut peers = peers.to_vec();
        peers.sort_unstable();
        peers
    };
    Replicas {
        voters: sorted(&conf.voters),
        outgoing: sorted(&conf.voters_outgoing),
        learners: sorted(&conf.learners),
        learners_next: sorted(&conf.learners_next),
        auto_leave: conf.auto_leave,
    }
}

#[cfg(test)]
#[path = "group_test.rs"]
mod tests;

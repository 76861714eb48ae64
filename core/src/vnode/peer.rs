//! What the replicas of a partition say to each other: our own types.
//!
//! The `raft` crate speaks protobuf; nothing that comes from the network is parsed as that. Changes of
//! the replica set travel as [`ReplicaChange`] and are encoded again by who receives them. There is no
//! way to say a proposal, a raw entry kind or a transfer request.

use raft::prelude::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2};
use raft::prelude::{Entry, EntryType, Message, MessageType};
use serde::{Deserialize, Serialize};

use protobuf::Message as _;

use super::snapshot::Transfer;

/// Messages, each with the Raft id of its receiver.
pub type PeerMessages = Vec<(u64, PeerBody)>;

/// What one replica tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented; fields are named as in the Raft paper")]
pub enum PeerBody {
    /// The leader's entries that follow `index`. `sent` is the leader's own clock, echoed for its lease.
    Append { term: u64, index: u64, log_term: u64, commit: u64, entries: Vec<PeerEntry>, sent: u64 },
    /// They are on disk up to `index`, or do not follow: then the end of the log is near `hint`.
    Appended { term: u64, index: u64, commit: u64, refused: Option<Hint>, echo: u64 },
    /// The leader lives.
    Heartbeat { term: u64, commit: u64, context: Vec<u8>, sent: u64 },
    /// So does the follower.
    Alive { term: u64, commit: u64, context: Vec<u8>, echo: u64 },
    /// Asks for a vote, or (`pre`) whether one would be given. `transfer`: the leader has asked for it.
    Vote {
        term: u64,
        index: u64,
        log_term: u64,
        commit: u64,
        commit_term: u64,
        priority: i64,
        pre: bool,
        transfer: bool,
    },
    /// The vote.
    Voted { term: u64, pre: bool, granted: bool, commit: u64, commit_term: u64 },
    /// The leader hands over: stand for election at once.
    TakeOver { term: u64 },
    /// A follower asks up to where it must have applied to answer a read.
    ReadIndex { context: Vec<u8> },
    /// The answer.
    ReadAt { term: u64, index: u64, context: Vec<u8> },
    /// What the sender's rows sum to at a position.
    Digest { position: u64, digest: u64 },
    /// Nothing happens: would you rest at this index (or, `now`: do), as long as the links say that all live?
    Rest { term: u64, index: u64, now: bool },
    /// I would.
    Rested { term: u64, index: u64 },
    /// Do not rest: the sender may not be what you count on.
    Wake,
    /// Of snapshots: not Raft's business until one is whole.
    Transfer(Transfer),
}

/// Why entries do not follow: the last entry that may be common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// An entry as it travels; its index follows from the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// Its term.
    pub term: u64,
    /// What it holds.
    pub what: PeerEntryKind,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerEntryKind {
    /// An encoded command; nothing in the first entry of a term.
    Command(#[serde(with = "super::bytes")] Vec<u8>),
    /// Other replicas from here on.
    Change(ReplicaChange),
}

/// What a replica becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplicaRole {
    /// It votes.
    Voter,
    /// It follows, and does not vote.
    Learner,
    /// It is no longer of the group.
    Gone,
}

/// A change of the replica set. Without steps: it leaves the joint configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReplicaChange {
    /// Each replica by its Raft id, and what it becomes.
    pub steps: Vec<(u64, ReplicaRole)>,
}

/// Steps of one change, at most: one replica comes, one goes.
pub const CHANGE_STEPS_MAX: usize = 4;

impl ReplicaChange {
    pub(super) fn to_raft(&self) -> ConfChangeV2 {
        let mut change = ConfChangeV2::default();
        let steps = self.steps.iter().map(|&(peer, role)| {
            let mut step = ConfChangeSingle { node_id: peer, ..ConfChangeSingle::default() };
            step.set_change_type(match role {
                ReplicaRole::Voter => ConfChangeType::AddNode,
                ReplicaRole::Learner => ConfChangeType::AddLearnerNode,
                ReplicaRole::Gone => ConfChangeType::RemoveNode,
            });
            step
        });
        change.set_changes(steps.collect::<Vec<_>>().into());
        // Two steps and more go through a joint configuration, which the leader leaves by itself.
        change.set_transition(ConfChangeTransition::Auto);
        change
    }

    /// Reads an entry of our own log.
    pub(super) fn of(entry: &Entry) -> Option<ReplicaChange> {
        let mut change = ConfChangeV2::default();
        change.merge_from_bytes(entry.get_data()).ok()?;
        let steps = change.get_changes().iter().map(|step| {
            let role = match step.get_change_type() {
                ConfChangeType::AddNode => ReplicaRole::Voter,
                ConfChangeType::AddLearnerNode => ReplicaRole::Learner,
                ConfChangeType::RemoveNode => ReplicaRole::Gone,
            };
            (step.node_id, role)
        });
        Some(ReplicaChange { steps: steps.collect() })
    }

    /// Whether each replica is named once, and there are not too many.
    pub(crate) fn is_sound(&self) -> bool {
        let mut peers: Vec<u64> = self.steps.iter().map(|step| step.0).collect();
        peers.sort_unstable();
        peers.dedup();
        peers.len() == self.steps.len() && !peers.contains(&0) && peers.len() <= CHANGE_STEPS_MAX
    }
}

impl PeerBody {
    /// The term that the message is of, if it carries one.
    pub fn term(&self) -> Option<u64> {
        match self {
            PeerBody::Append { term, .. }
            | PeerBody::Appended { term, .. }
            | PeerBody::Heartbeat { term, .. }
            | PeerBody::Alive { term, .. }
            | PeerBody::Vote { term, .. }
            | PeerBody::Voted { term, .. }
            | PeerBody::TakeOver { term }
            | PeerBody::ReadAt { term, .. } => Some(*term),
            PeerBody::ReadIndex { .. }
            | PeerBody::Digest { .. }
            | PeerBody::Rest { .. }
            | PeerBody::Rested { .. }
            | PeerBody::Wake
            | PeerBody::Transfer(_) => None,
        }
    }

    /// Whether somebody wants to lead.
    pub(super) fn is_candidacy(&self) -> bool {
        matches!(self, PeerBody::Vote { .. })
    }

    /// What the crate wants sent, or nothing for what never travels. `sent` and `echo` are put in.
    pub(super) fn of(message: &mut Message, sent: u64, echo: u64) -> Option<PeerBody> {
        let (term, index, commit) = (message.term, message.index, message.commit);
        Some(match message.get_msg_type() {
            // Indices are not sent: they must follow from the first.
            MessageType::MsgAppend if !follows(message) => return None,
            MessageType::MsgAppend => PeerBody::Append {
                term,
                index,
                log_term: message.log_term,
                commit,
                entries: message.get_entries().iter().map(PeerEntry::of).collect::<Option<_>>()?,
                sent,
            },
            MessageType::MsgAppendResponse => {
                let hint = Hint { index: message.reject_hint, term: message.log_term };
                PeerBody::Appended { term, index, commit, refused: message.reject.then_some(hint), echo }
            }
            MessageType::MsgHeartbeat => {
                PeerBody::Heartbeat { term, commit, context: message.take_context().to_vec(), sent }
            }
            MessageType::MsgHeartbeatResponse => {
                PeerBody::Alive { term, commit, context: message.take_context().to_vec(), echo }
            }
            ty @ (MessageType::MsgRequestVote | MessageType::MsgRequestPreVote) => PeerBody::Vote {
                term,
                index,
                log_term: message.log_term,
                commit,
                commit_term: message.commit_term,
                priority: message.priority,
                pre: ty == MessageType::MsgRequestPreVote,
                transfer: !message.get_context().is_empty(),
            },
            ty @ (MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse) => {
                PeerBody::Voted {
                    term,
                    pre: ty == MessageType::MsgRequestPreVoteResponse,
                    granted: !message.reject,
                    commit,
                    commit_term: message.commit_term,
                }
            }
            MessageType::MsgTimeoutNow => PeerBody::TakeOver { term },
            MessageType::MsgReadIndex => PeerBody::ReadIndex { context: first_data(message)? },
            MessageType::MsgReadIndexResp => PeerBody::ReadAt { term, index, context: first_data(message)? },
            MessageType::MsgHup
            | MessageType::MsgBeat
            | MessageType::MsgPropose
            | MessageType::MsgSnapshot
            | MessageType::MsgUnreachable
            | MessageType::MsgSnapStatus
            | MessageType::MsgCheckQuorum
            | MessageType::MsgTransferLeader => return None,
        })
    }

    /// The same for the crate, or nothing if no honest replica says so.
    pub(super) fn into_raft(self, from: u64, to: u64) -> Option<Message> {
        let mut message = Message { from, to, ..Message::default() };
        // A message without a term would count as one of our own making.
        if self.term() == Some(0) {
            return None;
        }
        message.term = self.term().unwrap_or(0);
        match self {
            PeerBody::Append { term, index, log_term, commit, entries, .. } => {
                message.set_msg_type(MessageType::MsgAppend);
                let mut last = log_term;
                if (index == 0) != (log_term == 0) || log_term > term {
                    return None;
                }
                let mut out = Vec::with_capacity(entries.len());
                for (nth, entry) in (1..).zip(entries) {
                    if entry.term < last.max(1) || entry.term > term {
                        return None;
                    }
                    last = entry.term;
                    out.push(entry.into_raft(index.checked_add(nth)?)?);
                }
                (message.index, message.log_term, message.commit) = (index, log_term, commit);
                message.set_entries(out.into());
            }
            PeerBody::Appended { index, commit, refused, .. } => {
                message.set_msg_type(MessageType::MsgAppendResponse);
                (message.index, message.commit) = (index, commit);
                if let Some(hint) = refused {
                    message.reject = true;
                    (message.reject_hint, message.log_term) = (hint.index, hint.term);
                }
            }
            PeerBody::Heartbeat { commit, context, .. } => {
                message.set_msg_type(MessageType::MsgHeartbeat);
                message.commit = commit;
                message.context = context.into();
            }
            PeerBody::Alive { commit, context, .. } => {
                message.set_msg_type(MessageType::MsgHeartbeatResponse);
                message.commit = commit;
                message.context = context.into();
            }
            PeerBody::Vote { index, log_term, commit, commit_term, priority, pre, transfer, .. } => {
                message.set_msg_type(match pre {
                    true => MessageType::MsgRequestPreVote,
                    false => MessageType::MsgRequestVote,
                });
                (message.index, message.log_term) = (index, log_term);
                (message.commit, message.commit_term, message.priority) = (commit, commit_term, priority);
                if transfer && !pre {
                    message.context = b"CampaignTransfer".to_vec().into();
                }
            }
            PeerBody::Voted { pre, granted, commit, commit_term, .. } => {
                message.set_msg_type(match pre {
                    true => MessageType::MsgRequestPreVoteResponse,
                    false => MessageType::MsgRequestVoteResponse,
                });
                message.reject = !granted;
                (message.commit, message.commit_term) = (commit, commit_term);
            }
            PeerBody::TakeOver { .. } => message.set_msg_type(MessageType::MsgTimeoutNow),
            PeerBody::ReadIndex { context } => {
                message.set_msg_type(MessageType::MsgReadIndex);
                message.set_entries(vec![data_entry(context)].into());
            }
            PeerBody::ReadAt { index, context, .. } => {
                message.set_msg_type(MessageType::MsgReadIndexResp);
                message.index = index;
                message.set_entries(vec![data_entry(context)].into());
            }
            PeerBody::Digest { .. }
            | PeerBody::Rest { .. }
            | PeerBody::Rested { .. }
            | PeerBody::Wake
            | PeerBody::Transfer(_) => return None,
        }
        Some(message)
    }
}

fn follows(message: &Message) -> bool {
    message.get_entries().iter().zip(message.index + 1..).all(|(entry, index)| entry.index == index)
}

fn first_data(message: &Message) -> Option<Vec<u8>> {
    message.get_entries().first().map(|entry| entry.get_data().to_vec())
}

fn data_entry(data: Vec<u8>) -> Entry {
    Entry { data: data.into(), ..Entry::default() }
}

impl PeerEntry {
    fn of(entry: &Entry) -> Option<PeerEntry> {
        let what = match entry.get_entry_type() {
            EntryType::EntryNormal => PeerEntryKind::Command(entry.get_data().to_vec()),
            EntryType::EntryConfChange => return None,
            EntryType::EntryConfChangeV2 => PeerEntryKind::Change(ReplicaChange::of(entry)?),
        };
        Some(PeerEntry { term: entry.get_term(), what })
    }

    fn into_raft(self, index: u64) -> Option<Entry> {
        let mut entry = Entry { index, term: self.term, ..Entry::default() };
        match self.what {
            PeerEntryKind::Command(data) => entry.data = data.into(),
            PeerEntryKind::Change(change) if change.is_sound() => {
                entry.set_entry_type(EntryType::EntryConfChangeV2);
                entry.data = change.to_raft().write_to_bytes().ok()?.into();
            }
            PeerEntryKind::Change(_) => return None,
        }
        Some(entry)
    }
}

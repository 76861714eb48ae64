//! What members say to each other, as it travels: our own types, encoded by the links.
//!
//! Must never learn: how a message gets there, and who is asked what.

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, MemberId, Partition, Position, Root};
use gomer_core::meta::command::MetaCommand;
use gomer_core::shard::{Message, PeerMessage};
use gomer_core::vnode::command::{Outcome, Write};
use gomer_core::vnode::query::{Query, Reading};
use serde::{Deserialize, Serialize};

use crate::peer::frame::{self, Class};

/// One thing that a member tells another.
///
/// All of it may be lost: Raft asks again, steps are sent again, and who asks waits only so long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Between {
    /// One replica to another.
    Raft(PeerMessage),
    /// One partition to another.
    Steps { from: Partition, to: Partition, message: Message },
    /// Steps came for a partition that the sender of this does not lead: that member does.
    Leads { partition: Partition, leader: MemberId },
    /// A request that the sender of this took, and the receiver is to answer.
    Ask(Box<Ask>),
    /// The answer.
    Answer { id: u64, answer: Box<Answered> },
}

impl frame::Message for Between {
    fn class(&self) -> Class {
        Class::Droppable
    }

    fn instead(&self) -> Option<Between> {
        match self {
            // Who asked would wait until its time is over, and then ask again for the same.
            Between::Answer { id, answer } if matches!(**answer, Answered::Read(Ok(_))) => {
                let answer = Box::new(Answered::Read(Err(Refused::TooLarge(ANSWER_LIMIT.to_owned()))));
                Some(Between::Answer { id: *id, answer })
            }
            _ => None,
        }
    }
}

/// A request on its one hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Chosen by who asks; comes back with the answer.
    pub id: u64,
    /// Of the ring by which the receiver was chosen.
    pub generation: u64,
    /// After so many milliseconds nobody waits any more: then nothing must be begun.
    pub left_ms: u32,
    /// What is asked.
    pub what: Asked,
}

/// What is asked. The receiver answers it itself or says who can; it asks nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are documented")]
pub enum Asked {
    /// Write one root.
    Write { partition: Partition, write: Box<Write> },
    /// Change the metadata.
    Meta(Box<MetaCommand>),
    /// Read one root.
    Read { partition: Partition, app: AppId, root: Root, query: Box<Query> },
    /// How the receiver is.
    Status,
}

/// The answer to an [`Asked`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answered {
    /// A write, or a change of the metadata, was done or was not.
    Written(Result<Outcome, Refused>),
    /// A root was read or was not.
    Read(Result<Reading, Refused>),
    /// Nothing was done: that member leads, if one is known.
    Elsewhere(Option<MemberId>),
    /// Nothing was done: the ring is of this generation now.
    Generation(u64),
    /// How it is.
    Status(MemberStatus),
}

/// How a member is, as it tells others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Version of its program.
    pub version: String,
    /// Whether every partition that it holds has had a leader since it started.
    pub live: bool,
    /// The replicas that it holds, the metadata's too.
    pub replicas: Vec<ReplicaStatus>,
    /// Steps waiting for other partitions.
    pub steps: u64,
    /// Fan-outs under way.
    pub pipes: u64,
    /// Log syncs since its start.
    pub syncs: u64,
    /// Log entries written since its start.
    pub entries: u64,
    /// Rows written since its start.
    pub rows: u64,
    /// Checkpoints since its start.
    pub checkpoints: u64,
    /// Bytes in its memory tables.
    pub table_bytes: u64,
}

/// How a replica is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// The partition.
    pub partition: Partition,
    /// What it has applied.
    pub position: Position,
    /// Who leads the partition, as far as this replica knows.
    pub leader: Option<MemberId>,
    /// Whether it does not trust its rows.
    pub suspect: bool,
}

/// A [`Fault`] as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the fault of that name")]
pub enum Refused {
    Busy,
    Corrupt,
    Expired,
    DiskFull,
    IdTaken,
    Absent,
    Present,
    NameTaken,
    Stale(Position),
    KeyReused,
    TooLarge(String),
    Unavailable,
    Timeout,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        match fault {
            Fault::Busy => Refused::Busy,
            Fault::Corrupt => Refused::Corrupt,
            Fault::Expired => Refused::Expired,
            Fault::DiskFull => Refused::DiskFull,
            Fault::IdTaken => Refused::IdTaken,
            Fault::Absent => Refused::Absent,
            Fault::Present => Refused::Present,
            Fault::NameTaken => Refused::NameTaken,
            Fault::Stale(rev) => Refused::Stale(rev),
            Fault::KeyReused => Refused::KeyReused,
            Fault::TooLarge(limit) => Refused::TooLarge(limit.to_owned()),
            Fault::Unavailable => Refused::Unavailable,
            Fault::Timeout => Refused::Timeout,
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        match refused {
            Refused::Busy => Fault::Busy,
            Refused::Corrupt => Fault::Corrupt,
            Refused::Expired => Fault::Expired,
            Refused::DiskFull => Fault::DiskFull,
            Refused::IdTaken => Fault::IdTaken,
            Refused::Absent => Fault::Absent,
            Refused::Present => Fault::Present,
            Refused::NameTaken => Fault::NameTaken,
            Refused::Stale(rev) => Fault::Stale(rev),
            Refused::KeyReused => Fault::KeyReused,
            Refused::TooLarge(limit) => Fault::TooLarge(limit_named(&limit)),
            Refused::Unavailable => Fault::Unavailable,
            Refused::Timeout => Fault::Timeout,
        }
    }
}

/// How the limit of an answer is named: it travels in one frame.
const ANSWER_LIMIT: &str = "8 MiB an answer from another member";

/// Core names its limits by texts of its own; those that it has are found again.
fn limit_named(text: &str) -> &'static str {
    const LIMITS: [&str; 13] = [
        ANSWER_LIMIT,
        "four steps in a chain",
        "256 operations a step",
        "3,333,333 links in a list",
        "64 KiB a row",
        "16 KiB of data a link",
        "the number of apps",
        "1,000 keys an app",
        "256 roles an app",
        "64,512 types an app",
        "1 MiB a write",
        "32 KiB of text an entry",
        "256 operations a write",
    ];
    let more = "64 KiB of reply to an operation with an id";
    LIMITS.into_iter().chain([more]).find(|limit| *limit == text).unwrap_or("its limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_arrive_as_they_left() {
        for fault in [
            Fault::Busy,
            Fault::Corrupt,
            Fault::Expired,
            Fault::DiskFull,
            Fault::IdTaken,
            Fault::Absent,
            Fault::Present,
            Fault::NameTaken,
            Fault::Stale(Position(7)),
            Fault::KeyReused,
            Fault::TooLarge("1 MiB a write"),
            Fault::TooLarge("3,333,333 links in a list"),
            Fault::TooLarge("four steps in a chain"),
            Fault::TooLarge("256 operations a step"),
            Fault::TooLarge(ANSWER_LIMIT),
            Fault::Unavailable,
            Fault::Timeout,
        ] {
            assert_eq!(Fault::from(Refused::from(fault.clone())), fault);
        }
        let other = Refused::TooLarge("a limit of a later program".to_owned());
        assert_eq!(Fault::from(other), Fault::TooLarge("its limit"));
    }

    #[test]
    fn messages_survive_the_wire() {
        let ask = Ask { id: 7, generation: 1, left_ms: 3_000, what: Asked::Status };
        for message in [
            Between::Ask(Box::new(ask)),
            Between::Answer { id: 7, answer: Box::new(Answered::Written(Err(Refused::Busy))) },
            Between::Answer { id: 8, answer: Box::new(Answered::Elsewhere(Some(MemberId(3)))) },
            Between::Leads { partition: Partition(3), leader: MemberId(9) },
        ] {
            let bytes = postcard::to_stdvec(&message).unwrap();
            assert_eq!(postcard::from_bytes::<Between>(&bytes).unwrap(), message);
        }
    }
}

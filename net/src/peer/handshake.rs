//! What two members show each other first, and what follows from it. Pure: no socket, no clock.
//!
//! The side that dialled shows itself first; the other says nothing before it has judged that. A stranger
//! therefore learns nothing, not even that a member listens. Whoever proved to belong to the cluster and is
//! refused all the same is told why, because its operator needs to know.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::frame::FrameFault;
use super::identity::{Admit, ClusterId, Disk, Feature, MemberId};

/// The protocol versions that this program speaks.
pub const VERSIONS: Versions = Versions { least: 1, most: 1 };
/// Most features that a member may show.
pub const FEATURES_MAX: usize = 64;
/// Longest name of a feature, in bytes.
pub const FEATURE_BYTES_MAX: usize = 48;

/// What a member shows. The order of the fields is for ever; later versions add behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What it speaks.
    pub versions: Versions,
    /// Where it belongs.
    pub cluster: ClusterId,
    /// Who it is.
    pub member: MemberId,
    /// Whom it means to talk to.
    pub to: MemberId,
    /// Its disk as it is now.
    pub disk: Disk,
    /// What its program can do.
    pub features: Vec<Feature>,
}

/// A range of protocol versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The oldest.
    pub least: u16,
    /// The newest.
    pub most: u16,
}

impl Versions {
    /// The newest that both speak.
    pub fn common(self, other: Versions) -> Option<u16> {
        let newest = self.most.min(other.most);
        (newest >= self.least.max(other.least)).then_some(newest)
    }
}

/// Why a member of the cluster is refused. It is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// There is no protocol version that both speak; these are the refusing side's.
    Version(Versions),
    /// Its disk was wiped, rolled back or cloned, and another has been seen since.
    Superseded,
    /// It meant to talk to another member than this one.
    NotMe(MemberId),
}

/// What came out of a handshake that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The other side.
    pub peer: MemberId,
    /// The protocol version in force.
    pub version: u16,
    /// Its disk.
    pub disk: Disk,
    /// What its program can do.
    pub features: Vec<Feature>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum HandshakeFault {
    /// The socket, or TLS on it.
    Io(std::io::Error),
    /// It took too long.
    TimedOut,
    /// Its bytes are no frames.
    Frame(FrameFault),
    /// A frame that does not belong here.
    Unexpected,
    /// It belongs to another cluster.
    OtherCluster(ClusterId),
    /// It is not the member that was dialled, or not the one that its certificate names.
    OtherMember(MemberId),
    /// We refuse it.
    Refuse(Refusal),
    /// It refuses us.
    Refused(Refusal),
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFault::Io(error) => fmt::Display::fmt(error, f),
            HandshakeFault::TimedOut => f.write_str("it took too long"),
            HandshakeFault::Frame(fault) => fmt::Display::fmt(fault, f),
            HandshakeFault::Unexpected => f.write_str("a frame that does not belong into a handshake"),
            HandshakeFault::OtherCluster(cluster) => write!(f, "it belongs to the cluster {cluster}"),
            HandshakeFault::OtherMember(member) => {
                write!(f, "it says that it is {member}, and its certificate or its address says otherwise")
            }
            HandshakeFault::Refuse(refusal) => write!(f, "refused: {refusal}"),
            HandshakeFault::Refused(refusal) => write!(f, "it refuses us: {refusal}"),
        }
    }
}

impl std::error::Error for HandshakeFault {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Version(Versions { least, most }) => {
                write!(f, "no common protocol version (the refusing side speaks {least} to {most})")
            }
            Refusal::Superseded => f.write_str("the disk was wiped, rolled back or cloned"),
            Refusal::NotMe(member) => write!(f, "the member at this address is {member}"),
        }
    }
}

/// The accepting side judges what the other showed. `proven` tells whether the transport bears out a name.
pub fn judge_hello(
    ours: &Hello,
    theirs: Hello,
    proven: impl Fn(MemberId) -> bool,
    admit: &Admit,
) -> Result<Agreed, HandshakeFault> {
    let (me, meant) = (ours.member, theirs.to);
    let agreed = judge(ours, theirs, proven, admit)?;
    if meant == me { Ok(agreed) } else { Err(HandshakeFault::Refuse(Refusal::NotMe(me))) }
}

/// The dialling side judges the answer. `ours.to` is whom it dialled.
pub fn judge_welcome(
    ours: &Hello,
    theirs: Hello,
    proven: impl Fn(MemberId) -> bool,
    admit: &Admit,
) -> Result<Agreed, HandshakeFault> {
    judge(ours, theirs, |member| member == ours.to && proven(member), admit)
}

/// First what makes it a stranger, then what makes it a member that is refused.
fn judge(
    ours: &Hello,
    theirs: Hello,
    proven: impl Fn(MemberId) -> bool,
    admit: &Admit,
) -> Result<Agreed, HandshakeFault> {
    if theirs.cluster != ours.cluster {
        return Err(HandshakeFault::OtherCluster(theirs.cluster));
    }
    if theirs.member == ours.member || !proven(theirs.member) {
        return Err(HandshakeFault::OtherMember(theirs.member));
    }
    let odd = |name: &Feature| name.is_empty() || name.len() > FEATURE_BYTES_MAX;
    if theirs.features.len() > FEATURES_MAX || theirs.features.iter().any(odd) {
        return Err(HandshakeFault::Frame(FrameFault::Malformed));
    }
    let Some(version) = ours.versions.common(theirs.versions) else {
        return Err(HandshakeFault::Refuse(Refusal::Version(ours.versions)));
    };
    if admit(theirs.member, theirs.disk).is_err() {
        return Err(HandshakeFault::Refuse(Refusal::Superseded));
    }
    Ok(Agreed { peer: theirs.member, version, disk: theirs.disk, features: theirs.features })
}

#[cfg(test)]
#[path = "handshake_test.rs"]
mod tests;

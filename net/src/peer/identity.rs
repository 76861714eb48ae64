//! Who a member is: its id, its cluster's id, and the disk that it runs on.

use std::fmt;
use std::str::FromStr;

use gomer_core::id::{Id, IdError};
use serde::{Deserialize, Serialize};

/// A member of a cluster. Given out with its first certificate, kept when that is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(pub Id);

/// A cluster. Drawn when its authority is made, the same for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub Id);

/// A disk as it is now. A wiped disk has another incarnation; one that was rolled back, or cloned, shows
/// a tide below what it has shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disk {
    /// Drawn when the store was made.
    pub incarnation: Id,
    /// Raised and synced before it is shown to anybody, at each start and every few seconds.
    pub tide: u64,
}

/// Why a member is not talked to: its disk is known to have been somewhere else since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded;

/// The rule that tells whether a member's disk is superseded. Asked at each handshake and each heartbeat,
/// so it must be quick.
pub type Admit = dyn Fn(MemberId, Disk) -> Result<(), Superseded> + Send + Sync;

/// A feature of the program, by its name. 1 to 48 bytes.
pub type Feature = String;

impl MemberId {
    /// The id of the member that people call so, in that cluster. A name is given out once: a certificate that
    /// is renewed is for the same member.
    pub fn named(cluster: ClusterId, name: &str) -> MemberId {
        MemberId(Id::derived("member", &[cluster.0.as_bytes(), name.as_bytes()].concat()))
    }

    /// How core knows it.
    pub fn number(self) -> gomer_core::id::MemberId {
        let (head, _) = self.0.as_bytes().split_first_chunk().expect("an id has 16 bytes");
        gomer_core::id::MemberId(u64::from_be_bytes(*head))
    }

    /// The name that the member's certificate is for. It holds both ids, so that a certificate of another
    /// cluster, or of another member of this one, is not good for it.
    pub fn name(self, cluster: ClusterId) -> String {
        format!("{}.{}.gomer.internal", self.0, cluster.0)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for MemberId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<MemberId, IdError> {
        text.parse().map(MemberId)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for ClusterId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<ClusterId, IdError> {
        text.parse().map(ClusterId)
    }
}

//! What the ring knows of a member.

use serde::{Deserialize, Serialize};

/// Longest name of a zone, in bytes.
pub const ZONE_MAX: usize = 63;

/// Where a member stands in its life. The words are riak_core's (`riak_core_ring.erl`, member statuses).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MemberState {
    /// Wants to take part, and holds nothing before a plan with it is committed.
    Joining,
    /// Holds its share.
    Valid,
    /// Is there, serves what it still holds, and gives it away.
    Leaving,
    /// Is known to be out of reach, by an operator's word. It keeps what it holds, should lead nothing and is given
    /// nothing.
    Down,
}

/// A member's share of the load, relative to the others': 0..=10,000, default 100. With 0 it holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Weight(u16);

impl Weight {
    /// What a member has if nobody says otherwise.
    pub const DEFAULT: Weight = Weight(100);
    /// The greatest.
    pub const MAX: Weight = Weight(10_000);

    /// Checks the number.
    pub const fn new(weight: u16) -> Option<Weight> {
        if weight <= Weight::MAX.0 { Some(Weight(weight)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What may fail together: a rack, a room, an availability zone. Members that say nothing are all in one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Zone(String);

impl Zone {
    /// 1 to 63 characters of `a-z`, `0-9`, `-`, `_` and `.`.
    pub fn new(name: &str) -> Option<Zone> {
        let fits = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        let good = (1..=ZONE_MAX).contains(&name.len()) && name.bytes().all(fits);
        good.then(|| Zone(name.to_owned()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone("default".to_owned())
    }
}

/// Whether a member may be called so: 1 to 63 of `a-z`, `0-9` and `-`, with `-` neither first nor last. It is part of
/// file names.
pub fn is_member_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What people call it. The cluster knows it by its id.
    pub name: String,
    /// What it may fail together with.
    pub zone: Zone,
    /// Its share.
    pub weight: Weight,
    /// Where it stands.
    pub state: MemberState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_that_can_be_typed() {
        for good in ["a", "eu-central-1a", "rack_7", "dc.2"] {
            assert_eq!(Zone::new(good).unwrap().name(), good);
        }
        for bad in ["", "A", "rack 7", "é", "a/b", &"a".repeat(64)] {
            assert!(Zone::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn members_have_names_that_files_can_have() {
        assert!(["a", "ada-2", "7"].iter().all(|name| is_member_name(name)));
        let long = "a".repeat(64);
        assert!(["", "-a", "a-", "Ada", "a.b", "a/b", "a b", &long].iter().all(|name| !is_member_name(name)));
    }

    #[test]
    fn weights_end_at_ten_thousand() {
        assert_eq!(Weight::new(10_000), Some(Weight::MAX));
        assert_eq!(Weight::new(10_001), None);
        assert_eq!(Weight::new(0).map(Weight::get), Some(0));
    }
}

//! What a data directory knows of the cluster that its member is of: the file `CLUSTER`.
//!
//! ```text
//! gomer-cluster 1
//! ring cluster …, members …, partitions …, replicas …     as it was when the directory was made
//! member NAME
//! tide 17                    raised and synced before it is shown to anybody
//! peer NAME INCARNATION TIDE the disk that was seen of each other member
//! crc32 …
//! ```
//!
//! A disk whose incarnation is another than the one seen before was wiped, and one whose tide is lower was
//! rolled back or copied: it lacks what it has acknowledged, so that its votes and answers must not count.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use gomer_core::id::Id;
use gomer_net::peer::identity::{Disk, MemberId, Superseded};
use gomer_net::ring::Ring;

use super::dir::{DataDir, checksum_line, write_durably};

/// The file's name.
pub const FILE: &str = "CLUSTER";

/// Why a data directory is not of this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterFault {
    /// It holds the data of a member that was alone.
    Alone(PathBuf),
    /// It belongs to a member of a cluster, and configuration names none.
    Clustered(PathBuf),
    /// It was made for another ring, or for another member of this one.
    Other {
        /// The directory.
        path: PathBuf,
        /// What it was made for.
        made_for: String,
        /// What configuration says.
        said: String,
    },
    /// The file is not what was written.
    Damaged(PathBuf),
    /// The operating system refused.
    Io(String),
}

impl fmt::Display for ClusterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterFault::Alone(path) => write!(
                f,
                "{} holds the data of a member that was alone; a cluster begins with empty directories: choose another --data",
                path.display()
            ),
            ClusterFault::Clustered(path) => write!(
                f,
                "{} belongs to a member of a cluster: say cluster.members, cluster.name and cluster.id, or choose another --data",
                path.display()
            ),
            ClusterFault::Other { path, made_for, said } => write!(
                f,
                "{} was made for {made_for}, and the configuration says {said}; members cannot be changed by \
                 configuration: put it back",
                path.display()
            ),
            ClusterFault::Damaged(path) => {
                write!(f, "{}: {FILE} is garbled; start this member on an empty --data", path.display())
            }
            ClusterFault::Io(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ClusterFault {}

/// The file, and what is in it now.
#[derive(Debug)]
pub struct ClusterFile {
    path: PathBuf,
    incarnation: Id,
    state: Mutex<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    ring: String,
    member: String,
    tide: u64,
    /// By name, with the disk seen last.
    peers: BTreeMap<String, Disk>,
    /// Names by id: only these are looked for.
    names: BTreeMap<MemberId, String>,
}

/// Refuses a directory of a cluster's member for one that is alone.
pub fn refuse_clustered(dir: &DataDir) -> Result<(), ClusterFault> {
    let clustered = dir.path().join(FILE).exists();
    if clustered { Err(ClusterFault::Clustered(dir.path().to_owned())) } else { Ok(()) }
}

impl ClusterFile {
    /// Opens the file, or makes it in a directory without data, and raises its tide. To be called before the
    /// stores are opened.
    pub fn open(dir: &DataDir, ring: &Ring) -> Result<ClusterFile, ClusterFault> {
        let path = dir.path().join(FILE);
        let names = ring.others().map(|member| (member.id, member.name.clone())).collect();
        let (text, member) = (ring.text(), ring.own().name.clone());
        let state = match fs::read_to_string(&path) {
            Ok(stored) => {
                let state =
                    parse(&stored, names).ok_or_else(|| ClusterFault::Damaged(dir.path().to_owned()))?;
                if (&state.ring, &state.member) != (&text, &member) {
                    return Err(ClusterFault::Other {
                        path: dir.path().to_owned(),
                        made_for: format!("{} of {}", state.member, state.ring),
                        said: format!("{member} of {text}"),
                    });
                }
                state
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if dir.holds_data() {
                    return Err(ClusterFault::Alone(dir.path().to_owned()));
                }
                State { ring: text, member, tide: 0, peers: BTreeMap::new(), names }
            }
            Err(error) => return Err(ClusterFault::Io(format!("{}: {error}", path.display()))),
        };
        let incarnation = Id::from_bytes(dir.format().incarnation);
        let file = ClusterFile { path, incarnation, state: Mutex::new(state) };
        file.raise().map_err(|error| ClusterFault::Io(format!("{}: {error}", file.path.display())))?;
        Ok(file)
    }

    /// This member's disk as it is now.
    pub fn disk(&self) -> Disk {
        Disk { incarnation: self.incarnation, tide: self.state.lock().expect(UNPOISONED).tide }
    }

    /// Raises the tide. It is on disk before anybody sees it, and so is what was seen of others.
    pub fn raise(&self) -> io::Result<()> {
        let mut state = self.state.lock().expect(UNPOISONED);
        let raised = State { tide: state.tide + 1, ..state.clone() };
        save(&self.path, &raised)?;
        *state = raised;
        Ok(())
    }

    /// Whether that disk of another member may be talked to. What is seen for the first time is kept first.
    pub fn admit(&self, member: MemberId, disk: Disk) -> Result<(), Superseded> {
        let mut state = self.state.lock().expect(UNPOISONED);
        let Some(name) = state.names.get(&member).cloned() else { return Err(Superseded) };
        match state.peers.get_mut(&name) {
            Some(seen) if seen.incarnation != disk.incarnation || disk.tide < seen.tide => Err(Superseded),
            Some(seen) => {
                seen.tide = disk.tide;
                Ok(())
            }
            None => {
                let mut with = state.clone();
                with.peers.insert(name, disk);
                if let Err(error) = save(&self.path, &with) {
                    tracing::error!(%error, "what was seen of another member cannot be kept; it is not talked to");
                    return Err(Superseded);
                }
                *state = with;
                Ok(())
            }
        }
    }
}

fn save(path: &Path, state: &State) -> io::Result<()> {
    let State { ring, member, tide, peers, .. } = state;
    let mut content = format!("gomer-cluster 1\nring {ring}\nmember {member}\ntide {tide}");
    for (name, Disk { incarnation, tide }) in peers {
        content += &format!("\npeer {name} {:032x} {tide}", u128::from_be_bytes(*incarnation.as_bytes()));
    }
    let sum = checksum_line(&content);
    write_durably(path, format!("{content}\n{sum}\n").as_bytes())
}

fn parse(text: &str, names: BTreeMap<MemberId, String>) -> Option<State> {
    let (content, sum) = text.trim_end().rsplit_once('\n')?;
    if sum != checksum_line(content) {
        return None;
    }
    let mut lines = content.lines();
    lines.next().filter(|line| *line == "gomer-cluster 1")?;
    let ring = lines.next()?.strip_prefix("ring ")?.to_owned();
    let member = lines.next()?.strip_prefix("member ")?.to_owned();
    let tide = lines.next()?.strip_prefix("tide ")?.parse().ok()?;
    let mut peers = BTreeMap::new();
    for line in lines {
        let mut words = line.strip_prefix("peer ")?.split(' ');
        let (name, hex, tide) = (words.next()?, words.next()?, words.next()?);
        let incarnation = Id::from_bytes(u128::from_str_radix(hex, 16).ok()?.to_be_bytes());
        peers.insert(name.to_owned(), Disk { incarnation, tide: tide.parse().ok()? });
    }
    Some(State { ring, member, tide, peers, names })
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::super::dir::Format;
    use super::*;
    use gomer_core::ring::partition::PartitionCount;
    use gomer_net::peer::identity::ClusterId;

    fn ring(own: &str, names: &[&str]) -> Ring {
        let members: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(at, name)| ((*name).to_owned(), format!("h:{}", at + 1)))
            .collect();
        let cluster = ClusterId(Id::from_bytes([7; 16]));
        Ring::new(cluster, own, &members, PartitionCount::DEFAULT, 2).unwrap()
    }

    fn dir(path: &Path) -> DataDir {
        DataDir::open(path, Format { shards: 1, incarnation: [5; 16] }).unwrap()
    }

    fn disk(incarnation: u8, tide: u64) -> Disk {
        Disk { incarnation: Id::from_bytes([incarnation; 16]), tide }
    }

    #[test]
    fn the_tide_rises_with_each_start() {
        let place = tempfile::tempdir().unwrap();
        let dir = dir(place.path());
        let ring = ring("ada", &["ada", "bob"]);
        let first = ClusterFile::open(&dir, &ring).unwrap().disk();
        let second = ClusterFile::open(&dir, &ring).unwrap();
        assert_eq!((first, second.disk()), (disk(5, 1), disk(5, 2)));
        second.raise().unwrap();
        assert_eq!(second.disk().tide, 3);
    }

    #[test]
    fn wiped_and_rolled_back_disks_are_known_also_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let dir = dir(place.path());
        let ring = ring("ada", &["ada", "bob", "eve"]);
        let [bob, eve] = ["bob", "eve"].map(|name| MemberId::named(ring.cluster(), name));
        let file = ClusterFile::open(&dir, &ring).unwrap();
        assert_eq!(file.admit(bob, disk(1, 4)), Ok(()));
        assert_eq!(file.admit(bob, disk(1, 6)), Ok(()));
        assert_eq!(file.admit(bob, disk(1, 5)), Err(Superseded), "rolled back, or a copy");
        assert_eq!(file.admit(bob, disk(2, 9)), Err(Superseded), "wiped");
        assert_eq!(file.admit(MemberId(Id::NIL), disk(3, 1)), Err(Superseded), "nobody of the cluster");
        file.raise().unwrap();
        let file = ClusterFile::open(&dir, &ring).unwrap();
        assert_eq!(file.admit(bob, disk(1, 5)), Err(Superseded));
        assert_eq!(file.admit(bob, disk(1, 6)), Ok(()));
        assert_eq!(file.admit(eve, disk(2, 1)), Ok(()));
    }

    #[test]
    fn a_directory_is_of_one_ring_and_one_member() {
        let place = tempfile::tempdir().unwrap();
        let dir = dir(place.path());
        assert_eq!(refuse_clustered(&dir), Ok(()));
        ClusterFile::open(&dir, &ring("ada", &["ada", "bob"])).unwrap();
        for other in [ring("bob", &["ada", "bob"]), ring("ada", &["ada", "bob", "eve"])] {
            let fault = ClusterFile::open(&dir, &other).unwrap_err();
            assert!(matches!(fault, ClusterFault::Other { .. }), "{fault}");
        }
        assert!(matches!(refuse_clustered(&dir), Err(ClusterFault::Clustered(_))));
        fs::write(place.path().join(FILE), "gomer-cluster 1\n").unwrap();
        let fault = ClusterFile::open(&dir, &ring("ada", &["ada", "bob"])).unwrap_err();
        assert!(matches!(fault, ClusterFault::Damaged(_)), "{fault}");
    }

    #[test]
    fn a_directory_with_the_data_of_a_lone_member_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let dir = dir(place.path());
        fs::write(place.path().join("meta/MADE"), "").unwrap();
        let fault = ClusterFile::open(&dir, &ring("ada", &["ada", "bob"])).unwrap_err();
        assert!(matches!(fault, ClusterFault::Alone(_)), "{fault}");
    }
}

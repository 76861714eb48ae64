//! The cluster that configuration names: settings into a ring, or why there is none.

use std::net::SocketAddr;
use std::path::PathBuf;

use gomer_core::ring::partition::PartitionCount;
use gomer_net::peer::identity::ClusterId;
use gomer_net::ring::Ring;

use super::exit::{End, Exit};
use super::sources::Sources;

/// Copies of everything, unless there are fewer members.
const REPLICAS: usize = 3;

/// How this member takes part in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSettings {
    /// Who is there.
    pub ring: Ring,
    /// Where this member listens for the others.
    pub listen: SocketAddr,
    /// Where its certificate is; nothing: the members talk without TLS, all on this machine.
    pub certificates: Option<PathBuf>,
}

impl PeerSettings {
    /// As the sources say; nothing where they name no members. Every text has passed its key's check.
    pub fn of(sources: &Sources) -> Result<Option<PeerSettings>, End> {
        let text = |name: &str| Some(sources.get(name)).filter(|text| !text.is_empty());
        let Some(members) = text("cluster.members") else {
            let lonely = ["cluster.id", "cluster.name", "cluster.certificates", "peer_listen"];
            return match lonely.into_iter().find(|name| text(name).is_some()) {
                None => Ok(None),
                Some(name) => Err(refuse(format!("{name} is set, and cluster.members is not"))),
            };
        };
        let needed = |name: &str, what: &str| {
            text(name).ok_or_else(|| refuse(format!("cluster.members is set, and {name} is not: {what}")))
        };
        let id = needed("cluster.id", "`gomer cluster init` gives one")?;
        let name = needed("cluster.name", "which of them is this one?")?;
        let members = parsed(members).expect(CHECKED);
        let replicas = match sources.get("cluster.replicas").parse::<usize>().expect(CHECKED) {
            0 => REPLICAS.min(members.len()),
            said => said,
        };
        let partitions = sources.get("cluster.partitions").parse().expect(CHECKED);
        let partitions = PartitionCount::new(partitions).expect(CHECKED);
        let cluster: ClusterId = id.parse().expect(CHECKED);
        let ring = Ring::new(cluster, name, &members, partitions, replicas)
            .map_err(|fault| refuse(format!("cluster: {fault}")))?;
        let listen: SocketAddr = match text("peer_listen") {
            Some(listen) => listen.parse().expect(CHECKED),
            None => ring.own().address.parse().map_err(|_| {
                let address = &ring.own().address;
                refuse(format!(
                    "{address} is a name: say with --peer-listen on which address this member listens"
                ))
            })?,
        };
        let certificates = text("cluster.certificates").map(PathBuf::from);
        let far = ring.members().iter().map(|member| member.address.as_str()).find(|at| !is_near(at));
        let far = far.map(str::to_owned).or_else(|| (!listen.ip().is_loopback()).then(|| listen.to_string()));
        if let (None, Some(far)) = (&certificates, far) {
            return Err(refuse(format!(
                "{far} is not on this machine, and members talk beyond it only with TLS: make certificates with \
                 `gomer cluster init` and `gomer cluster certificate`, and say --cluster-certificates DIR"
            )));
        }
        Ok(Some(PeerSettings { ring, listen, certificates }))
    }
}

const CHECKED: &str = "the key's check has read it before";

fn is_near(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || address.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback())
}

/// Name and address of each member.
fn parsed(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| match part.split_once('=') {
        Some((name, address)) => Ok((name.trim().to_owned(), address.trim().to_owned())),
        None => Err(format!("`{part}` is not a name with an address, like ada=10.0.0.1:9000")),
    };
    parts.map(pair).collect()
}

/// A list of names with addresses, or nothing.
pub(super) fn is_members(text: &str) -> Result<(), String> {
    parsed(text).map(drop)
}

/// The id of a cluster, or nothing.
pub(super) fn is_cluster(text: &str) -> Result<(), String> {
    match text.parse::<ClusterId>() {
        Err(_) if !text.is_empty() => Err(format!("`{text}` is not the id of a cluster, which is a UUID")),
        _ => Ok(()),
    }
}

/// How many partitions a ring may have.
pub(super) fn is_partitions(text: &str) -> Result<(), String> {
    match text.parse::<u16>().ok().and_then(|count| PartitionCount::new(count).ok()) {
        Some(_) => Ok(()),
        None => Err(format!("`{text}` is not a power of two from 1 to 16384")),
    }
}

fn refuse(why: String) -> End {
    End::new(Exit::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
    const NEAR: &str = "ada=127.0.0.1:9001, bob=127.0.0.1:9002,eve=localhost:9003";

    fn of(flags: &[(&str, &str)]) -> Result<Option<PeerSettings>, End> {
        PeerSettings::of(&Sources::of_flags(flags))
    }

    #[test]
    fn without_members_there_is_no_cluster() {
        assert_eq!(of(&[]).unwrap(), None);
        for (name, value) in [("cluster.id", ID), ("cluster.name", "ada"), ("peer_listen", "127.0.0.1:9")] {
            let end = of(&[(name, value)]).unwrap_err();
            assert!(end.code == Exit::Usage && end.why.contains(name), "{}", end.why);
        }
    }

    #[test]
    fn a_ring_has_three_replicas_or_as_many_as_members() {
        let with = |members, more: &[(&'static str, &'static str)]| {
            let said = [("cluster.id", ID), ("cluster.name", "ada"), ("cluster.members", members)];
            of(&[&said[..], more].concat())
        };
        let three = with(NEAR, &[]).unwrap().unwrap();
        assert_eq!((three.ring.replicas(), three.listen.port(), three.certificates), (3, 9001, None));
        let two = with("ada=127.0.0.1:9001,bob=127.0.0.1:9002", &[]).unwrap().unwrap();
        assert_eq!(two.ring.replicas(), 2);
        for (members, more, reason) in [
            (NEAR, &[("cluster.replicas", "4")][..], "replicas"),
            ("ada=127.0.0.1:9001", &[], "2 to 5 members"),
            ("bob=127.0.0.1:9001,eve=127.0.0.1:9002", &[], "`ada` is not one of"),
            ("ada=10.0.0.1:9001,bob=127.0.0.1:9002", &[], "cluster certificate"),
            (NEAR, &[("peer_listen", "0.0.0.0:9001")], "0.0.0.0:9001"),
            ("ada=localhost:9001,bob=127.0.0.1:9002", &[], "--peer-listen"),
        ] {
            let end = with(members, more).unwrap_err();
            assert!(end.code == Exit::Usage && end.why.contains(reason), "{}", end.why);
        }
        let far = "ada=10.0.0.1:9001,bob=host.example:9001";
        let far = with(far, &[("cluster.certificates", "certs"), ("peer_listen", "0.0.0.0:9001")]);
        assert!(far.unwrap().unwrap().certificates.is_some());
    }

    #[test]
    fn what_the_keys_refuse() {
        assert!(is_members("ada").is_err() && is_members("").is_ok());
        assert!(is_cluster("7").is_err() && is_cluster("").is_ok() && is_cluster(ID).is_ok());
        assert!(is_partitions("48").is_err() && is_partitions("16").is_ok());
    }
}

//! How a member joins the cluster that its configuration names: certificates, its disk's tide, links.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gomer::store::cluster::{ClusterFault, ClusterFile};
use gomer::store::dir::DataDir;
use gomer::store::log::RaftLog;
use gomer::store::state::RedbState;
use gomer_net::peer::tls::{Credentials, Tls};
use gomer_net::peer::{Plain, Secure};
use gomer_net::ring::Ring;
use gomer_net::runtime::{JoinFault, Member, MemberConfig, Membership};

use super::cluster::AUTHORITY;
use super::edges;
use super::exit::{End, Exit};
use super::ring::PeerSettings;
use super::serve::store_end;

/// A store of a shard.
type Stores = (RaftLog, RedbState);

/// What the directory knows of the cluster. To be opened before the stores.
pub fn open_file(peers: &PeerSettings, dir: &DataDir) -> Result<Arc<ClusterFile>, End> {
    ClusterFile::open(dir, &peers.ring).map(Arc::new).map_err(cluster_end)
}

/// How the process ends when the directory is not of the configured cluster.
pub fn cluster_end(fault: ClusterFault) -> End {
    let code = match fault {
        ClusterFault::Alone(_) | ClusterFault::Clustered(_) | ClusterFault::Other { .. } => Exit::Refused,
        ClusterFault::Damaged(_) => Exit::Data,
        ClusterFault::Io(_) => Exit::Failed,
    };
    End::new(code, fault.to_string())
}

/// Starts the member, which others find from now on.
pub async fn start(
    peers: &PeerSettings,
    config: MemberConfig,
    shards: Vec<Stores>,
    meta: Stores,
    file: Arc<ClusterFile>,
    dir: &DataDir,
) -> Result<Member, End> {
    match &peers.certificates {
        Some(certificates) => {
            let secure = tls(&peers.ring, certificates)?;
            join(peers, config, shards, meta, file, dir, secure).await
        }
        None => {
            let secure =
                Plain::new(peers.listen).map_err(|error| End::new(Exit::Usage, error.to_string()))?;
            join(peers, config, shards, meta, file, dir, secure).await
        }
    }
}

async fn join<S: Secure>(
    peers: &PeerSettings,
    config: MemberConfig,
    shards: Vec<Stores>,
    meta: Stores,
    file: Arc<ClusterFile>,
    dir: &DataDir,
    secure: S,
) -> Result<Member, End> {
    let (disk, admit) = (file.clone(), file.clone());
    let membership = Membership {
        ring: peers.ring.clone(),
        listen: peers.listen,
        secure,
        disk: Arc::new(move || disk.disk()),
        admit: Arc::new(move |member, disk| admit.admit(member, disk)),
        superseded: Arc::new(edges::end_superseded),
    };
    let joined = Member::join(config, edges::real(), shards, meta, membership).await;
    let member = joined.map_err(|fault| match fault {
        JoinFault::Store(fault) => store_end(dir, fault),
        JoinFault::Listen(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let listen = peers.listen;
            End::new(
                Exit::Address,
                format!("{listen} is in use; stop who has it, or say another --peer-listen"),
            )
        }
        JoinFault::Listen(error) => End::new(Exit::Failed, format!("{}: {error}", peers.listen)),
    })?;
    tracing::info!(
        member = peers.ring.own().name,
        listen = %peers.listen,
        others = peers.ring.members().len() - 1,
        "takes part in a cluster"
    );
    Ok(member)
}

/// Raises the tide of the disk, for ever. A disk that cannot keep it must not go on: it could not be told from a
/// copy.
pub async fn keep_tide(file: Arc<ClusterFile>) {
    loop {
        tokio::time::sleep(TIDE).await;
        let raising = file.clone();
        match tokio::task::spawn_blocking(move || raising.raise()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::StorageFull => {
                tracing::warn!(%error, "the disk's tide cannot be raised");
            }
            Ok(Err(error)) => super::exit::end_at_once(&format!("the disk's tide cannot be raised: {error}")),
            Err(error) => tracing::error!(%error, "the disk's tide was not raised"),
        }
    }
}

fn tls(ring: &Ring, dir: &Path) -> Result<Tls, End> {
    let own = ring.own();
    let at = |file: &str| dir.join(file);
    let read = |file: &Path| {
        std::fs::read(file).map_err(|error| End::new(Exit::Usage, format!("{}: {error}", file.display())))
    };
    let (certificate, key) = (at(&format!("{}.pem", own.name)), at(&format!("{}.key", own.name)));
    let mode = std::fs::metadata(&key).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        let (key, mode) = (key.display(), mode & 0o777);
        return Err(End::new(
            Exit::Usage,
            format!("{key}: others may read it (mode {mode:o}): chmod 600 {key}"),
        ));
    }
    let (chain, private, authority) = (read(&certificate)?, read(&key)?, read(&at(AUTHORITY))?);
    let given = Credentials { certificate: &chain, key: &private, authority: &authority };
    Tls::new(ring.cluster(), own.id, given).map_err(|fault| {
        let why = format!(
            "{}: {fault}; make one with `gomer cluster certificate {}`",
            certificate.display(),
            own.name
        );
        End::new(Exit::Usage, why)
    })
}

const TIDE: Duration = Duration::from_secs(10);

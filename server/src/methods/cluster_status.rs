//! `cluster.getStatus`: the members and the partitions, as the member that is asked sees them.

use gomer_core::id::{MemberId as Number, Partition};
use gomer_core::meta::members::Membership;
use gomer_core::ring::member::MemberState;
use gomer_core::ring::partition::META;
use gomer_net::between::MemberStatus as Told;
use gomer_net::ring::Ring;
use gomer_net::status::Seen;
use schemars::JsonSchema;
use serde::Serialize;

use super::cluster_ring::state;
use crate::registry::{Cache, Call, Method, Reply, Role, Scope, Stop};
use crate::types::Empty;

/// The method.
pub(super) fn method() -> Method {
    Method::query("cluster.getStatus", get_status).role(Role::Operator).scope(Scope::Cluster).about(
        "Shows the members, and who holds and leads each partition, as the member that is asked sees them.",
    )
}

/// How the cluster is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Status {
    /// Version of the program that answers.
    version: &'static str,
    /// The cluster; null for a member that is alone.
    cluster: Option<String>,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// Of the ring: it goes up whenever a partition is held by others, or should be led by another.
    generation: u64,
    /// Position of the metadata on the member that answers.
    meta_position: u64,
    /// How many apps there are.
    apps: usize,
    /// Live connections that wait for changes, counted by what they watch.
    watching: usize,
    /// The members, in the order of the configuration.
    members: Vec<MemberStatus>,
    /// The partitions, by number.
    partitions: Vec<PartitionStatus>,
}

/// How a member is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MemberStatus {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// What it may fail together with; null while the cluster does not know of zones.
    zone: Option<String>,
    /// `joining`, `leaving`, `left` or `down`, where operators have said so; else `valid`; `suspect` while it does not trust some of its rows; `starting` while partitions of it have had no
    /// leader yet; `unknown` if it did not answer.
    state: &'static str,
    /// Whether it answers the member that was asked.
    reachable: bool,
    /// Whether it takes requests.
    ready: bool,
    /// Partitions that it holds.
    partitions: usize,
    /// Partitions that it leads.
    leaders: usize,
    /// Log entries, over all partitions, that others have applied and it has not. Null if it did not answer.
    lag: Option<u64>,
    /// What waits.
    queues: Queues,
    /// Log syncs since its start.
    syncs: u64,
    /// Log entries written since its start.
    entries: u64,
    /// Rows written since its start.
    rows: u64,
    /// Checkpoints since its start.
    checkpoints: u64,
    /// Bytes in its memory tables.
    table_bytes: u64,
}

/// What waits.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Queues {
    /// Steps for other partitions.
    steps: u64,
    /// Fan-outs under way.
    pipes: u64,
    /// Frames for it, on the member that was asked.
    frames: usize,
    /// Requests that wait for its answer, on the member that was asked.
    requests: usize,
}

/// How a partition is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PartitionStatus {
    /// Its number.
    id: u16,
    /// The member that leads it; null while none is known.
    leader: Option<String>,
    /// The members that hold it; the one that should lead comes first.
    replicas: Vec<String>,
    /// Members that follow it and do not vote.
    learners: Vec<String>,
    /// What is applied of it, where most is.
    position: u64,
    /// Whether a member does not trust its rows.
    suspect: bool,
}

/// Id of a member that is alone.
const ALONE: &str = "1";

async fn get_status(call: Call, _: Empty) -> Result<Reply<Status>, Stop> {
    let meta = call.cluster.meta();
    let (cluster, generation, members, partitions) = match call.cluster.ring() {
        Some(ring) => {
            let seen = call.cluster.members().await;
            let partitions =
                call.cluster.partitions().all().map(|p| partition(&call, ring, &seen, p)).collect();
            let known = meta.members.as_deref();
            let members = seen.iter().map(|one| member(&seen, one, known)).collect();
            let generation = known.map_or(ring.generation(), |known| known.generation);
            (Some(ring.cluster().to_string()), generation, members, partitions)
        }
        None => {
            let (member, partitions) = alone(&call);
            (None, 1, vec![member], partitions)
        }
    };
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        cluster,
        as_of_ms: call.now.wall.as_millis(),
        generation,
        meta_position: meta.position.0,
        apps: meta.apps.len(),
        watching: call.cluster.watching(),
        members,
        partitions,
    };
    Ok(Reply::new(status).cache(Cache::Never))
}

/// The greatest position of a partition among those who answered.
fn newest(seen: &[Seen], partition: Partition) -> u64 {
    let told = seen.iter().filter_map(|one| one.status.as_ref()).flat_map(|told| &told.replicas);
    told.filter(|replica| replica.partition == partition).map(|replica| replica.position.0).max().unwrap_or(0)
}

fn member(all: &[Seen], seen: &Seen, known: Option<&Membership>) -> MemberStatus {
    let nothing = Told::default();
    let own = known.and_then(|known| known.members.get(&seen.member.number));
    let said = match (known, own) {
        (Some(_), None) => Some("left"),
        (_, own) => own.map(|own| own.state).filter(|said| *said != MemberState::Valid).map(state),
    };
    let told = seen.status.as_ref().unwrap_or(&nothing);
    let data = || told.replicas.iter().filter(|replica| replica.partition != META);
    let lag = || told.replicas.iter().map(|it| newest(all, it.partition).saturating_sub(it.position.0)).sum();
    MemberStatus {
        id: seen.member.id.to_string(),
        name: seen.member.name.clone(),
        zone: own.map(|own| own.zone.name().to_owned()),
        state: match &seen.status {
            _ if said.is_some() => said.unwrap_or_default(),
            None => "unknown",
            Some(told) if told.replicas.iter().any(|replica| replica.suspect) => "suspect",
            Some(told) if !told.live => "starting",
            Some(_) => "valid",
        },
        reachable: seen.reachable,
        ready: told.live,
        partitions: data().count(),
        leaders: data().filter(|replica| replica.leader == Some(seen.member.number)).count(),
        lag: seen.status.as_ref().map(|_| lag()),
        queues: Queues {
            steps: told.steps,
            pipes: told.pipes,
            frames: seen.waiting_frames,
            requests: seen.waiting_requests,
        },
        syncs: told.syncs,
        entries: told.entries,
        rows: told.rows,
        checkpoints: told.checkpoints,
        table_bytes: told.table_bytes,
    }
}

fn partition(call: &Call, ring: &Ring, seen: &[Seen], partition: Partition) -> PartitionStatus {
    // Who leads says so itself; else what the member that was asked believes.
    let says_so = |one: &&Seen| {
        let replicas = one.status.iter().flat_map(|told| &told.replicas);
        replicas.filter(|it| it.partition == partition).any(|it| it.leader == Some(one.member.number))
    };
    let leader = seen.iter().find(says_so).map(|one| one.member.number);
    let id = |number: Number| ring.numbered(number).map(|member| member.id.to_string());
    let suspect = seen.iter().filter_map(|one| one.status.as_ref()).flat_map(|told| &told.replicas);
    PartitionStatus {
        id: partition.0,
        leader: leader.or_else(|| call.cluster.leader(partition)).and_then(id),
        replicas: holders(call, ring, partition),
        learners: Vec::new(),
        position: newest(seen, partition),
        suspect: suspect.filter(|it| it.partition == partition).any(|it| it.suspect),
    }
}

/// Who holds it, as the metadata says; before that knows, as the configuration does.
fn holders(call: &Call, ring: &Ring, partition: Partition) -> Vec<String> {
    let numbers: Vec<Number> = match &call.cluster.meta().members {
        Some(known) => known.ring.holders(partition).to_vec(),
        None => ring.holders(partition).map(|member| member.number).collect(),
    };
    numbers
        .into_iter()
        .filter_map(|number| ring.numbered(number))
        .map(|member| member.id.to_string())
        .collect()
}

/// A member that is alone holds and leads everything.
fn alone(call: &Call) -> (MemberStatus, Vec<PartitionStatus>) {
    let told = call.cluster.member_status();
    let data = || told.replicas.iter().filter(|replica| replica.partition != META);
    let mut partitions: Vec<PartitionStatus> = data()
        .map(|replica| PartitionStatus {
            id: replica.partition.0,
            leader: Some(ALONE.to_owned()),
            replicas: vec![ALONE.to_owned()],
            learners: Vec::new(),
            position: replica.position.0,
            suspect: replica.suspect,
        })
        .collect();
    partitions.sort_by_key(|partition| partition.id);
    let suspect = told.replicas.iter().any(|replica| replica.suspect);
    let member = MemberStatus {
        id: ALONE.to_owned(),
        name: ALONE.to_owned(),
        zone: None,
        state: if suspect { "suspect" } else { "valid" },
        reachable: true,
        ready: call.host.reasons().is_empty(),
        partitions: partitions.len(),
        leaders: partitions.len(),
        lag: Some(0),
        queues: Queues { steps: told.steps, pipes: told.pipes, frames: 0, requests: 0 },
        syncs: told.syncs,
        entries: told.entries,
        rows: told.rows,
        checkpoints: told.checkpoints,
        table_bytes: told.table_bytes,
    };
    (member, partitions)
}

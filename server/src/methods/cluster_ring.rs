//! `cluster.getRing` and `cluster.listTransfers`, and what is shown of members and rings wherever they are shown.

use std::sync::Arc;

use gomer_core::id::{MemberId as Number, Partition};
use gomer_core::meta::members::Membership;
use gomer_core::meta::members::change::Change;
use gomer_core::ring::member::MemberState;
use gomer_core::ring::plan::Move;
use gomer_net::handoff::Moves;
use gomer_net::peer::identity::MemberId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Method, Reply, Role, Scope, Stop};
use crate::types::Empty;

/// The methods.
pub(super) fn methods() -> Vec<Method> {
    vec![
        Method::query("cluster.getRing", get_ring)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .errors(&[Code::Conflict])
            .about("Shows who belongs to the cluster, who holds each partition and who should, and what is staged."),
        Method::query("cluster.listTransfers", list_transfers)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .errors(&[Code::Conflict])
            .about("Lists the replicas that are still to move: those that do, and those that wait for their turn."),
    ]
}

/// The membership that the metadata has, or why there is none.
pub(super) fn membership(call: &Call) -> Result<Arc<Membership>, Stop> {
    let why = match (call.cluster.meta().members.clone(), call.cluster.ring()) {
        (Some(members), _) => return Ok(members),
        (None, None) => "This member is alone: it holds everything, and nothing can be moved.",
        (None, Some(_)) => {
            "The membership is not founded yet: that is done once, when all members of the configuration have been \
             reached, each with a version that knows of it. `gomer cluster status` tells who is not reached."
        }
    };
    Err(Problem::new(Code::Conflict).detail(why).into())
}

/// Whom people mean by a name or an id.
pub(super) fn find(call: &Call, members: &Membership, said: &str) -> Option<Number> {
    let named = members.members.iter().find(|(_, member)| member.name == said);
    let ided = || members.members.keys().find(|number| id(call, members, **number) == said).copied();
    named.map(|(number, _)| *number).or_else(ided)
}

/// What people call a member.
pub(super) fn name(members: &Membership, number: Number) -> String {
    members.members.get(&number).map_or_else(|| number.0.to_string(), |member| member.name.clone())
}

/// The id of a member as clients see it: that of its certificate. It follows from the name, which is given out once.
pub(super) fn id(call: &Call, members: &Membership, number: Number) -> String {
    let named = call.cluster.ring().zip(members.members.get(&number));
    named.map_or_else(
        || number.0.to_string(),
        |(ring, member)| MemberId::named(ring.cluster(), &member.name).to_string(),
    )
}

/// The number of a member that is called so, whether there is one or not.
pub(super) fn number(call: &Call, name: &str) -> Option<Number> {
    call.cluster.ring().map(|ring| MemberId::named(ring.cluster(), name).number())
}

/// A state, as clients see it.
pub(super) fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Joining => "joining",
        MemberState::Valid => "valid",
        MemberState::Leaving => "leaving",
        MemberState::Down => "down",
    }
}

/// A change that is staged.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeView {
    /// `join`, `leave`, `replace`, `force-replace`, `force-remove`, `down`, `zone` or `weight`.
    change: &'static str,
    /// Id of the member that it is about.
    member: String,
    /// What people call it.
    name: String,
    /// Id of the member that takes its places.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What it may fail together with.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// Its share of the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u16>,
}

impl ChangeView {
    fn of(call: &Call, members: &Membership, change: &Change) -> ChangeView {
        let mut about = change.members();
        let (first, second) = (about.next().expect("a change is about somebody"), about.next());
        let (zone, weight) = match change {
            Change::Join { zone, weight, .. } => (Some(zone), Some(weight)),
            Change::Zone(_, zone) => (Some(zone), None),
            Change::Weight(_, weight) => (None, Some(weight)),
            _ => (None, None),
        };
        ChangeView {
            change: change.word(),
            member: id(call, members, first),
            name: name(members, first),
            by: second.map(|by| id(call, members, by)),
            zone: zone.map(|zone| zone.name().to_owned()),
            weight: weight.map(|weight| weight.get()),
        }
    }

    /// All that are staged, in the order in which they were.
    pub(super) fn all(call: &Call, members: &Membership) -> Vec<ChangeView> {
        members.staged.iter().map(|change| ChangeView::of(call, members, change)).collect()
    }
}

/// Who belongs to the cluster, and who holds what.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RingView {
    /// The cluster; null for a member that is alone.
    cluster: Option<String>,
    /// Of the ring: it goes up whenever a partition is held by others, or should be led by another.
    generation: u64,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// Counts what a plan depends on.
    revision: u64,
    /// Replicas that each partition should have, if there are members enough.
    replicas: usize,
    /// The members, by name.
    members: Vec<MemberView>,
    /// The partitions, by number.
    partitions: Vec<PartitionView>,
    /// What is staged, in the order in which it was.
    staged: Vec<ChangeView>,
}

/// A member.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MemberView {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// What it may fail together with.
    zone: String,
    /// Its share of the load, relative to the others'.
    weight: u16,
    /// `joining`, `valid`, `leaving` or `down`.
    state: &'static str,
    /// Partitions that it holds.
    partitions: usize,
    /// Partitions that it should hold.
    target: usize,
    /// Partitions that it should lead, of those that it holds.
    leaders: usize,
}

/// A partition.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PartitionView {
    /// Its number.
    id: u16,
    /// The member that leads it, as far as the one that was asked knows; null while none is known.
    leader: Option<String>,
    /// The members that hold it; the one that should lead comes first.
    replicas: Vec<String>,
    /// The members that should hold it.
    target: Vec<String>,
    /// Members that follow it and do not vote.
    learners: Vec<String>,
    /// What the member that was asked has applied of it; null if it does not hold it.
    position: Option<u64>,
}

/// Replicas on their way.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Transfers {
    /// The cluster; null for a member that is alone.
    cluster: Option<String>,
    /// Of the ring.
    generation: u64,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// What is left to be done, by partition.
    transfers: Vec<Transfer>,
}

/// A replica on its way.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Transfer {
    /// The partition.
    partition: u16,
    /// Id of the member that gives its place up; null if the partition gets one replica more.
    from: Option<String>,
    /// Id of the member that takes it; null if the partition has one replica less.
    to: Option<String>,
    /// `move`, `add` or `remove`.
    kind: &'static str,
    /// `moving`; `waiting` for its turn (so many come to a member at once, and go from one, as `cluster.getConfig` says); or
    /// `paused`, as all are then.
    state: &'static str,
    /// What has come, in bytes; null while nobody counts.
    bytes_done: Option<u64>,
    /// What is to come, in bytes; null while nobody counts.
    bytes_total: Option<u64>,
    /// How long it will still take, in seconds; null while nobody knows.
    eta_s: Option<u64>,
}

async fn list_transfers(call: Call, _: Empty) -> Result<Reply<Transfers>, Stop> {
    let members = membership(&call)?;
    let config = call.cluster.meta().config;
    let moves = Moves::of(&members, config);
    let transfer = |one: &Move| Transfer {
        partition: one.partition.0,
        from: one.from.map(|from| id(&call, &members, from)),
        to: one.to.map(|to| id(&call, &members, to)),
        kind: match (one.from, one.to) {
            (Some(_), Some(_)) => "move",
            (None, _) => "add",
            (_, None) => "remove",
        },
        state: match () {
            () if config.moves_paused => "paused",
            () if moves.under_way.contains(one) => "moving",
            () => "waiting",
        },
        bytes_done: None,
        bytes_total: None,
        eta_s: None,
    };
    let view = Transfers {
        cluster: call.cluster.ring().map(|ring| ring.cluster().to_string()),
        generation: members.generation,
        as_of_ms: call.now.wall.as_millis(),
        transfers: moves.left.iter().map(transfer).collect(),
    };
    Ok(Reply::new(view).cache(Cache::Never))
}

async fn get_ring(call: Call, _: Empty) -> Result<Reply<RingView>, Stop> {
    let members = membership(&call)?;
    let id = |number: &Number| id(&call, &members, *number);
    let member = |number: &Number| {
        let member = &members.members[number];
        let held = |ring: &gomer_core::ring::table::Ring| {
            ring.sets().filter(|(_, set)| set.contains(number)).count()
        };
        MemberView {
            id: id(number),
            name: member.name.clone(),
            zone: member.zone.name().to_owned(),
            weight: member.weight.get(),
            state: state(member.state),
            partitions: held(&members.ring),
            target: held(&members.target),
            leaders: members.ring.sets().filter(|(_, set)| set.first() == Some(number)).count(),
        }
    };
    let partition = |(partition, set): (Partition, &[Number])| PartitionView {
        id: partition.0,
        leader: call.cluster.leader(partition).map(|leader| id(&leader)),
        replicas: set.iter().map(id).collect(),
        target: members.target.holders(partition).iter().map(id).collect(),
        learners: Vec::new(),
        position: call.cluster.digest(partition).map(|(position, _)| position.0),
    };
    let mut all: Vec<MemberView> = members.members.keys().map(member).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let view = RingView {
        cluster: call.cluster.ring().map(|ring| ring.cluster().to_string()),
        generation: members.generation,
        as_of_ms: call.now.wall.as_millis(),
        revision: members.revision,
        replicas: members.replicas(),
        members: all,
        partitions: members.ring.sets().map(partition).collect(),
        staged: ChangeView::all(&call, &members),
    };
    Ok(Reply::new(view).cache(Cache::Never))
}

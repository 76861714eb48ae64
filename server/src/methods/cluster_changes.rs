//! Changes of the membership, as operators make them: staged, planned, committed or cleared
//! (`docs/adr/0016-claim-and-staged-membership.md`).
//!
//! What is refused is refused by the state machine under the metadata's log. Why, this member finds out with its own copy of
//! the metadata, once that is as new as the refusal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::members::Membership;
use gomer_core::meta::members::change::Change;
use gomer_core::meta::members::command::{Command, Refusal};
use gomer_core::meta::members::plan::{Plan, PlanId};
use gomer_core::ring::member::{Weight, Zone};
use gomer_core::ring::plan::{Balance, LeaderChange, Move};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster_ring::{ChangeView, find, id, membership, name, number};
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Idempotency, Method, Reply, Role, Scope, Stop};
use crate::types::{Empty, Text};

/// How often a change is tried again, when others are made in between.
const ATTEMPTS: usize = 5;
/// How long a commit waits for this member's copy of the metadata to be as new as the plan.
const FOLLOW_FOR: Duration = Duration::from_secs(3);
/// How soon it is looked again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The methods.
pub(super) fn methods() -> Vec<Method> {
    vec![
        Method::procedure("cluster.clearChanges", clear_changes)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::Natural)
            .emits(&["cluster.staged"])
            .errors(&[Code::Conflict])
            .about("Forgets what is staged. Members that were to join are none any more."),
        Method::procedure("cluster.commitChanges", commit_changes)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::Natural)
            .emits(&["cluster.changed"])
            .errors(&[Code::Conflict])
            .about(
                "Makes exactly the changes of a plan that was shown, or says what has happened since. Replicas move from then on; \
                 reads and writes go on. A plan with a new member that is not in the configuration, or after which partitions \
                 have no majority, is refused.",
            ),
        Method::query("cluster.planChanges", plan_changes)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .errors(&[Code::Conflict])
            .about("Shows all that a commit of what is staged would do: every move, who would lead, and the load before and after."),
        Method::procedure("cluster.stageChange", stage_change)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::Natural)
            .emits(&["cluster.staged"])
            .errors(&[Code::Conflict, Code::TooLarge])
            .about(
                "Stages a change of the membership: nothing is done before a plan with it is committed. A member has one \
                 staged change in each matter: whether it stays, its zone, its weight, whose places it takes.",
            ),
    ]
}

/// What may be staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChangeKind {
    /// Lets a member in.
    Join,
    /// Lets a member give away what it holds, and go.
    Leave,
    /// Puts a joining member in all places of another, which then leaves.
    Replace,
    /// The same, when the old one cannot give anything: its replicas are lost.
    ForceReplace,
    /// Takes a member out that cannot give anything: its replicas are lost.
    ForceRemove,
    /// Says that a member is out of reach for now: it keeps what it holds and should lead nothing, until it is back.
    Down,
    /// Says what a member may fail together with.
    Zone,
    /// Says how much a member should hold.
    Weight,
}

/// A change to be staged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StageChange {
    /// What is to change.
    change: ChangeKind,
    /// The member: its name, or its id.
    member: Text<1, 63>,
    /// For `replace` and `force-replace`: the joining member that takes its places.
    by: Option<Text<1, 63>>,
    /// For `zone`, and for `join` if it is not `default`: 1 to 63 of a-z, 0-9, `-`, `_` and `.`.
    #[schemars(regex(pattern = "^[a-z0-9._-]{1,63}$"))]
    zone: Option<String>,
    /// For `weight`, and for `join` if it is not 100: the share of the load, relative to the others'. With 0 it holds nothing.
    #[schemars(range(min = 0, max = 10_000))]
    weight: Option<u16>,
}

/// What is staged now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Staged {
    /// The cluster; null for a member that is alone.
    cluster: Option<String>,
    /// Of the ring.
    generation: u64,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// Counts what a plan depends on.
    revision: u64,
    /// What is staged, in the order in which it was.
    changes: Vec<ChangeView>,
}

impl Staged {
    fn of(call: &Call, members: &Membership) -> Staged {
        Staged {
            cluster: cluster(call),
            generation: members.generation,
            as_of_ms: call.now.wall.as_millis(),
            revision: members.revision,
            changes: ChangeView::all(call, members),
        }
    }
}

/// Which plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommitChanges {
    /// Its name, as `cluster.planChanges` showed it.
    #[schemars(regex(pattern = "^[0-9]{1,20}-[0-9a-f]{16}$"))]
    plan_id: String,
}

/// What would come of a commit.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlanView {
    /// The cluster; null for a member that is alone.
    cluster: Option<String>,
    /// Of the ring.
    generation: u64,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// What `cluster.commitChanges` is told; null if nothing is staged and the ring is what it should be.
    plan_id: Option<String>,
    /// Why a commit would be refused; null if it would not.
    refused: Option<String>,
    /// The staged changes, in order.
    changes: Vec<ChangeView>,
    /// Every replica that would move.
    moves: Vec<MoveView>,
    /// Every partition that somebody else would lead.
    leaders: Vec<MoveView>,
    /// Partitions of which no replica would be left: their rows are lost.
    lost: Vec<u16>,
    /// Those, and partitions of which no majority would be left: what was acknowledged may be lost.
    at_risk: Vec<u16>,
    /// The load as it is.
    before: BalanceView,
    /// The load when all is done.
    after: BalanceView,
}

/// A replica that moves, or a partition that is led by another.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MoveView {
    /// The partition.
    partition: u16,
    /// Who gives it up; null if it is one more.
    from: Option<String>,
    /// Who takes it; null if it is one less.
    to: Option<String>,
}

/// How the members are loaded.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BalanceView {
    /// By id.
    members: BTreeMap<String, LoadView>,
    /// Partitions with fewer replicas than they should have.
    short: u32,
    /// Partitions with two replicas in one zone.
    crowded: u32,
}

/// How a member is loaded.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LoadView {
    /// What people call it.
    name: String,
    /// Replicas that it holds.
    replicas: u32,
    /// Partitions that it should lead.
    leaders: u32,
}

async fn stage_change(call: Call, args: StageChange) -> Result<Reply<Staged>, Stop> {
    call.replay_meta().await?;
    let members = membership(&call)?;
    let change = args.change(&call, &members)?;
    if let Change::Down(member) = &change
        && is_reached(&call, *member)
    {
        let why =
            format!("Member {} is not down: it answers. To empty it, let it leave.", name(&members, *member));
        return Err(conflict("down", why));
    }
    answer(&call, tell(&call, Command::Stage(change)).await?).await
}

async fn clear_changes(call: Call, _: Empty) -> Result<Reply<Staged>, Stop> {
    call.replay_meta().await?;
    membership(&call)?;
    answer(&call, tell(&call, Command::Clear).await?).await
}

async fn plan_changes(call: Call, _: Empty) -> Result<Reply<PlanView>, Stop> {
    let members = membership(&call)?;
    let view = match members.plan() {
        Ok(plan) => PlanView::of(&call, &members, &plan),
        Err(Refusal::NothingStaged) => PlanView::nothing(&call, &members),
        Err(refusal) => return Err(refused(&members, &refusal)),
    };
    Ok(Reply::new(view).cache(Cache::Never))
}

async fn commit_changes(call: Call, args: CommitChanges) -> Result<Reply<Staged>, Stop> {
    call.replay_meta().await?;
    let bad = || Stop::invalid("/planId", "format", "A plan's name is like 17-9f3ac04e5b21d608.");
    let plan: PlanId = args.plan_id.parse().map_err(|_| bad())?;
    let mut members = membership(&call)?;
    let until = call.cluster.now().mono + FOLLOW_FOR;
    while members.revision < plan.revision && call.cluster.now().mono < until {
        // It was shown by a member that is ahead of this one.
        tokio::time::sleep(LOOK_AGAIN).await;
        members = membership(&call)?;
    }
    if members.committed == Some(plan) {
        return answer(&call, members).await;
    }
    let shown = members.propose(plan).and_then(|command| Ok((command, members.plan()?)));
    let (command, shown) = shown.map_err(|refusal| refused(&members, &refusal))?;
    if let Some(why) = cannot_be_done(&call, &shown) {
        return Err(conflict("cannotBeDone", why));
    }
    answer(&call, tell(&call, command).await?).await
}

/// Why a plan cannot be carried out by this version, if it cannot.
fn cannot_be_done(call: &Call, plan: &Plan) -> Option<String> {
    let after = "Nothing was changed; clear it to stage something else.";
    let known =
        |name: &str| call.cluster.ring().is_some_and(|ring| ring.members().iter().any(|it| it.name == name));
    let stranger = plan.changes.iter().find_map(|change| match change {
        Change::Join { name, .. } if !known(name) => Some(name),
        _ => None,
    });
    if let Some(name) = stranger {
        return Some(format!(
            "{name} is not in the configuration of the member that was asked: this version lets in only members that stand in \
             `cluster.members`. {after}"
        ));
    }
    // A group that has lost its majority can agree on nothing, nor on other replicas.
    let risk = plan.at_risk.len();
    (risk > 0).then(|| {
        format!(
            "Of {risk} partitions no majority of the replicas would be left, and this version cannot go on with less. Bring one \
             of the members back. {after}"
        )
    })
}

impl StageChange {
    /// The change, if the fields are those that it has, and its members are there.
    fn change(&self, call: &Call, members: &Membership) -> Result<Change, Stop> {
        use ChangeKind::{
            Down, ForceRemove, ForceReplace, Join, Leave, Replace, Weight as Share, Zone as Place,
        };
        let taken = matches!(self.change, Replace | ForceReplace);
        for (there, pointer, may, must) in [
            (self.by.is_some(), "/by", taken, taken),
            (self.zone.is_some(), "/zone", matches!(self.change, Join | Place), self.change == Place),
            (self.weight.is_some(), "/weight", matches!(self.change, Join | Share), self.change == Share),
        ] {
            if must && !there {
                return Err(Stop::invalid(pointer, "missing", "This change does not say it, and has to."));
            }
            if there && !may {
                return Err(Stop::invalid(pointer, "value", "This change has nothing to do with it."));
            }
        }
        let member = |said: &Text<1, 63>, pointer: &str| {
            find(call, members, &said.0)
                .ok_or_else(|| Stop::invalid(pointer, "value", format!("There is no member {}.", said.0)))
        };
        let zone = || {
            let zone = self.zone.as_deref().map_or_else(|| Some(Zone::default()), Zone::new);
            let rule = "A zone is 1 to 63 of a-z, 0-9, -, _ and .";
            zone.ok_or_else(|| Stop::invalid("/zone", "value", rule))
        };
        let weight = || {
            let weight = self.weight.map_or(Some(Weight::DEFAULT), Weight::new);
            weight.ok_or_else(|| Stop::invalid("/weight", "range", "A weight is 0 to 10000."))
        };
        if self.change == Join {
            let alone = || conflict("alone", "This member is alone: nobody can join it.".to_owned());
            let name = self.member.0.clone();
            let member = number(call, &name).ok_or_else(alone)?;
            return Ok(Change::Join { member, name, zone: zone()?, weight: weight()? });
        }
        let first = member(&self.member, "/member")?;
        let by = self.by.as_ref().map(|by| member(by, "/by")).transpose()?;
        Ok(match (self.change, by) {
            (Leave, _) => Change::Leave(first),
            (ForceRemove, _) => Change::ForceRemove(first),
            (Down, _) => Change::Down(first),
            (Place, _) => Change::Zone(first, zone()?),
            (Share, _) => Change::Weight(first, weight()?),
            (Replace, Some(new)) => Change::Replace { old: first, new },
            (ForceReplace, Some(new)) => Change::ForceReplace { old: first, new },
            (Join | Replace | ForceReplace, _) => return Err(Code::Internal.into()),
        })
    }
}

/// Tells the membership something, and gives it as it is then.
async fn tell(call: &Call, command: Command) -> Result<Arc<Membership>, Stop> {
    for _ in 0..ATTEMPTS {
        let told = MetaCommand::Members(Box::new(command.clone()));
        match call.cluster.change_meta(call.once(told)).await {
            Ok(_) => return membership(call),
            Err(Fault::Stale(position)) => call.cluster.until_followed(position).await,
            Err(Fault::Absent) => {
                return Err(membership(call).err().unwrap_or_else(|| Code::Unavailable.into()));
            }
            Err(fault) => return Err(fault.into()),
        }
        let members = membership(call)?;
        if let Err(refusal) = (*members).clone().apply(&command) {
            return Err(refused(&members, &refusal));
        }
        // What stood against it is gone by now.
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

async fn answer(call: &Call, members: Arc<Membership>) -> Result<Reply<Staged>, Stop> {
    let view = Staged::of(call, &members);
    Ok(call.meta_reply(None, view, &Staged::of(call, &members)).await?.cache(Cache::Never))
}

/// What the membership refuses, as clients see it. The place's code is for programs.
fn refused(members: &Membership, refusal: &Refusal) -> Stop {
    let code = match refusal {
        Refusal::BadName => {
            return Stop::invalid(
                "/member",
                "value",
                capital(&refusal.told(&|member| name(members, member))),
            );
        }
        Refusal::PlanChanged { .. } | Refusal::UnknownPlan => "planChanged",
        Refusal::AlreadyStaged(_) => "alreadyStaged",
        Refusal::NothingStaged => "nothingStaged",
        Refusal::NobodyLeft => "nobodyLeft",
        Refusal::TooManyMembers => "tooMany",
        _ => "state",
    };
    conflict(code, capital(&refusal.told(&|member| name(members, member))))
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

fn conflict(code: &'static str, why: String) -> Stop {
    Problem::new(Code::Conflict).detail(why).at("", code).into()
}

/// Whether a member is the one that was asked, or answers it.
fn is_reached(call: &Call, number: gomer_core::id::MemberId) -> bool {
    call.cluster.ring().is_none_or(|ring| ring.own().number == number) || call.cluster.reaches(number)
}

fn cluster(call: &Call) -> Option<String> {
    call.cluster.ring().map(|ring| ring.cluster().to_string())
}

impl PlanView {
    fn nothing(call: &Call, members: &Membership) -> PlanView {
        let balance = || {
            let balance = Balance::of(&members.ring, &members.members, members.replicas());
            BalanceView::of(call, members, &balance)
        };
        PlanView {
            cluster: cluster(call),
            generation: members.generation,
            as_of_ms: call.now.wall.as_millis(),
            plan_id: None,
            refused: Some(capital(&Refusal::NothingStaged.to_string())),
            changes: Vec::new(),
            moves: Vec::new(),
            leaders: Vec::new(),
            lost: Vec::new(),
            at_risk: Vec::new(),
            before: balance(),
            after: balance(),
        }
    }

    fn of(call: &Call, members: &Membership, plan: &Plan) -> PlanView {
        let id = |number: Option<_>| number.map(|number| id(call, members, number));
        let moved = |one: &Move| MoveView { partition: one.partition.0, from: id(one.from), to: id(one.to) };
        let led =
            |one: &LeaderChange| MoveView { partition: one.partition.0, from: id(one.from), to: id(one.to) };
        PlanView {
            plan_id: Some(plan.id.to_string()),
            refused: cannot_be_done(call, plan),
            changes: ChangeView::all(call, members),
            moves: plan.moves.iter().map(moved).collect(),
            leaders: plan.leaders.iter().map(led).collect(),
            lost: plan.lost.iter().map(|partition| partition.0).collect(),
            at_risk: plan.at_risk.iter().map(|partition| partition.0).collect(),
            before: BalanceView::of(call, members, &plan.before),
            after: BalanceView::of(call, members, &plan.after),
            ..PlanView::nothing(call, members)
        }
    }
}

impl BalanceView {
    fn of(call: &Call, members: &Membership, balance: &Balance) -> BalanceView {
        let load = |(number, load): (&gomer_core::id::MemberId, &gomer_core::ring::plan::Load)| {
            let (replicas, leaders) = (load.replicas, load.leaders);
            (id(call, members, *number), LoadView { name: name(members, *number), replicas, leaders })
        };
        BalanceView {
            members: balance.members.iter().map(load).collect(),
            short: balance.short,
            crowded: balance.crowded,
        }
    }
}

//! Two operators, members that come back and moves that land, in any order.

use proptest::prelude::*;

use crate::id::MemberId;
use crate::ring::claim::claim;
use crate::ring::member::{MemberState, Weight, Zone};
use crate::ring::partition::PartitionCount;
use crate::ring::plan::moves;

use super::Membership;
use super::change::Change;
use super::command::{Command, Outcome, Refusal};
use super::plan::Plan;

/// Something that is done at a cluster.
#[derive(Debug, Clone)]
enum Act {
    Stage(Change),
    Clear,
    /// An operator looks at the plan.
    Plan(usize),
    /// And commits what it saw, however long ago.
    Commit(usize),
    /// The command of an operator's last commit comes again.
    Again(usize),
    Up(u64),
    /// That move of those that are left is done.
    Land(usize),
}

pub(in crate::meta) fn changes() -> impl Strategy<Value = Change> {
    let id = || (1..12u64).prop_map(MemberId);
    let zone = || (0..3u8).prop_map(|zone| Zone::new(&format!("z{zone}")).unwrap());
    let weight = || prop::sample::select(vec![0, 50, 100, 100, 300]).prop_map(|w| Weight::new(w).unwrap());
    prop_oneof![
        6 => (id(), zone(), weight()).prop_map(|(member, zone, weight)| {
            Change::Join { member, name: format!("m{}", member.0), zone, weight }
        }),
        2 => id().prop_map(Change::Leave),
        1 => (id(), id()).prop_map(|(old, new)| Change::Replace { old, new }),
        1 => (id(), id()).prop_map(|(old, new)| Change::ForceReplace { old, new }),
        1 => id().prop_map(Change::ForceRemove),
        1 => id().prop_map(Change::Down),
        1 => (id(), zone()).prop_map(|(id, zone)| Change::Zone(id, zone)),
        1 => (id(), weight()).prop_map(|(id, weight)| Change::Weight(id, weight)),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => changes().prop_map(Act::Stage),
        1 => Just(Act::Clear),
        4 => (0..2usize).prop_map(Act::Plan),
        4 => (0..2usize).prop_map(Act::Commit),
        1 => (0..2usize).prop_map(Act::Again),
        1 => (1..12u64).prop_map(Act::Up),
        6 => any::<usize>().prop_map(Act::Land),
    ]
}

/// What an operator has seen and done.
#[derive(Default)]
struct Operator {
    plan: Option<Plan>,
    commit: Option<Command>,
}

/// What a plan that is now being committed makes of the cluster.
fn check_commit(before: &Membership, after: &Membership, plan: &Plan) {
    assert_eq!(before.revision, plan.id.revision, "nothing has happened since it was shown");
    assert_eq!(after.target, plan.target);
    assert_eq!(after.committed, Some(plan.id));
    assert_eq!(after.staged, []);
    let forced = |id: &MemberId| {
        plan.changes.iter().any(|change| change.is_forced() && change.members().next() == Some(*id))
    };
    for (id, member) in &before.members {
        let left = member.state == MemberState::Leaving || !after.target.has(*id);
        assert!(after.members.contains_key(id) || forced(id) || left, "{id:?} is gone without a reason");
    }
    for (partition, set) in after.ring.sets() {
        let held = before.ring.holders(partition);
        assert!(set.iter().all(|holder| held.contains(holder)), "nobody holds what it was not given");
        let kept = held.iter().filter(|holder| !forced(holder)).count();
        assert_eq!(set.len(), kept, "nothing is given up before somebody else has it");
        let lost = !held.is_empty() && kept == 0;
        assert_eq!(lost, plan.lost.contains(&partition));
    }
    assert_eq!(claim(&after.members, &after.target, after.replicas(), 99), after.target, "it is claimed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_sequence_keeps_what_it_promises(acts in prop::collection::vec(acts(), 1..80), seed: u64) {
        let mut cluster = Membership::new(PartitionCount::new(8).unwrap(), 3, seed);
        let mut operators = [Operator::default(), Operator::default()];
        let mut log = Vec::new();
        for act in acts {
            let before = cluster.clone();
            let mut plan = None;
            let command = match act {
                Act::Stage(change) => Command::Stage(change),
                Act::Clear => Command::Clear,
                Act::Up(id) => Command::Up(MemberId(id)),
                Act::Plan(who) => {
                    operators[who].plan = cluster.plan().ok();
                    prop_assert_eq!(&cluster, &before, "to look changes nothing");
                    continue;
                }
                Act::Commit(who) => {
                    let Some(shown) = operators[who].plan.clone() else { continue };
                    // The command as it was when it was shown: what comes between is for the log to see.
                    let command = Command::Commit { plan: shown.id, target: shown.target.clone() };
                    operators[who].commit = Some(command.clone());
                    plan = Some(shown);
                    command
                }
                Act::Again(who) => {
                    let Some(command) = operators[who].commit.clone() else { continue };
                    command
                }
                Act::Land(at) => {
                    let moves = cluster.moves();
                    if moves.is_empty() {
                        continue;
                    }
                    Command::Landed { since: cluster.target_generation, done: moves[at % moves.len()] }
                }
            };
            let told = cluster.apply(&command);
            cluster.check();
            log.push(command.clone());
            match told {
                Ok(Outcome::Done | Outcome::Committed(_)) => prop_assert_ne!(&cluster, &before),
                Ok(Outcome::Unchanged | Outcome::AlreadyCommitted) | Err(_) => prop_assert_eq!(&cluster, &before),
            }
            prop_assert!(cluster.generation >= before.generation);
            prop_assert!(cluster.ring == before.ring || cluster.generation > before.generation);
            if let Some(plan) = plan {
                match &told {
                    Ok(Outcome::Committed(_)) => check_commit(&before, &cluster, &plan),
                    Ok(Outcome::AlreadyCommitted) => prop_assert_eq!(before.committed, Some(plan.id)),
                    Err(Refusal::PlanChanged { since, .. }) => {
                        prop_assert!(before.revision > plan.id.revision && !since.is_empty());
                    }
                    other => prop_assert!(false, "{:?} of {:?}", other, plan.id),
                }
            }
            if let Command::Landed { .. } = command {
                prop_assert_eq!(told, Ok(Outcome::Done));
                prop_assert_eq!(cluster.moves().len() + 1, before.moves().len(), "each move lands once");
            }
        }
        let mut other = Membership::new(PartitionCount::new(8).unwrap(), 3, seed);
        log.iter().for_each(|command| _ = other.apply(command));
        prop_assert_eq!(&other, &cluster, "the same log, the same state");
        let bytes = postcard::to_stdvec(&cluster).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Membership>(&bytes).unwrap(), &cluster);
        while let Some(done) = cluster.moves().first().copied() {
            cluster.apply(&Command::Landed { since: cluster.target_generation, done }).unwrap();
            cluster.check();
        }
        prop_assert!(moves(&cluster.ring, &cluster.target).is_empty());
        prop_assert!(cluster.members.values().all(|member| member.state != MemberState::Leaving));
    }
}

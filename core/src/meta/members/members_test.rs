//! Membership, command by command: what each does, and what it does not do.

use crate::id::{MemberId, Partition};
use crate::ring::member::{MemberState, Weight, Zone};
use crate::ring::partition::PartitionCount;
use crate::ring::plan::Move;
use crate::ring::table::Ring;

use super::change::Change;
use super::command::{Command, Event, Happening, Outcome, Refusal};
use super::plan::{Plan, PlanId};
use super::{HISTORY_MAX, MEMBERS_MAX, Membership};

const fn m(id: u64) -> MemberId {
    MemberId(id)
}

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn weight(weight: u16) -> Weight {
    Weight::new(weight).unwrap()
}

fn join(id: u64) -> Change {
    Change::Join { member: m(id), name: format!("m{id}"), zone: Zone::default(), weight: Weight::DEFAULT }
}

impl Membership {
    /// Applies a command; one that was refused or that changed nothing has changed nothing.
    fn told(&mut self, command: &Command) -> Result<Outcome, Refusal> {
        let before = self.clone();
        let told = self.apply(command);
        self.check();
        let done = matches!(told, Ok(Outcome::Done | Outcome::Committed(_)));
        assert_eq!(done, *self != before, "{command:?}: {told:?}");
        told
    }

    fn staged(&mut self, change: Change) -> Result<Outcome, Refusal> {
        self.told(&Command::Stage(change))
    }

    fn refused(&mut self, change: Change) -> Refusal {
        self.staged(change).unwrap_err()
    }

    fn commit_plan(&mut self) -> Plan {
        let plan = self.plan().unwrap();
        let commit = self.propose(plan.id).unwrap();
        assert!(matches!(self.told(&commit), Ok(Outcome::Committed(_))));
        assert_eq!(self.target, plan.target);
        plan
    }

    fn land_all(&mut self) {
        while let Some(done) = self.moves().first().copied() {
            assert_eq!(
                self.told(&Command::Landed { since: self.target_generation, done }),
                Ok(Outcome::Done)
            );
        }
        assert_eq!(self.ring, self.target);
    }

    fn state(&self, id: u64) -> Option<MemberState> {
        self.members.get(&m(id)).map(|member| member.state)
    }
}

/// A cluster of these members that has come to rest.
fn cluster(count: u64) -> Membership {
    let mut cluster = Membership::new(PartitionCount::new(16).unwrap(), 3, 1);
    (1..=count).for_each(|id| assert_eq!(cluster.staged(join(id)), Ok(Outcome::Done)));
    cluster.commit_plan();
    cluster.land_all();
    cluster
}

#[test]
fn who_joins_holds_nothing_before_the_commit() {
    let mut cluster = cluster(3);
    cluster.staged(join(4)).unwrap();
    assert_eq!(cluster.state(4), Some(MemberState::Joining));
    let plan = cluster.plan().unwrap();
    assert_eq!(plan.changes, [join(4)]);
    assert_eq!(plan.moves.len(), 12, "a quarter of 48 replicas");
    assert!(plan.moves.iter().all(|one| one.to == Some(m(4)) && one.from.is_some()));
    assert_eq!((plan.before.members[&m(4)].replicas, plan.after.members[&m(4)].replicas), (0, 12));
    assert!(plan.lost.is_empty() && plan.at_risk.is_empty());
    assert_eq!(plan, cluster.plan().unwrap(), "to look changes nothing");
    assert!(!cluster.target.has(m(4)));
    cluster.commit_plan();
    assert_eq!(cluster.state(4), Some(MemberState::Valid));
    assert!(cluster.target.has(m(4)) && !cluster.ring.has(m(4)));
    cluster.land_all();
}

#[test]
fn who_cannot_join_is_told_why() {
    let mut cluster = cluster(2);
    let named = |id, name: &str| match join(id) {
        Change::Join { member, zone, weight, .. } => {
            Change::Join { member, name: name.to_owned(), zone, weight }
        }
        other => other,
    };
    assert_eq!(cluster.refused(named(3, "")), Refusal::BadName);
    assert_eq!(cluster.refused(named(3, "-x")), Refusal::BadName);
    assert_eq!(cluster.refused(named(3, "m1")), Refusal::NameTaken(m(1)));
    assert_eq!(cluster.refused(join(2)), Refusal::AlreadyMember(m(2)));
    assert_eq!(cluster.staged(join(3)), Ok(Outcome::Done));
    assert_eq!(cluster.staged(join(3)), Ok(Outcome::Unchanged));
    assert_eq!(cluster.refused(named(3, "other")), Refusal::AlreadyMember(m(3)));
    assert_eq!(cluster.refused(named(4, "m3")), Refusal::NameTaken(m(3)), "who joins has a name, too");
    (4..=MEMBERS_MAX as u64)
        .for_each(|id| assert_eq!(cluster.apply(&Command::Stage(join(id))), Ok(Outcome::Done)));
    assert_eq!(cluster.refused(join(1_000)), Refusal::TooManyMembers);
}

#[test]
fn changes_are_for_members_in_the_right_state() {
    use MemberState::{Down, Joining, Leaving, Valid};
    let mut cluster = cluster(5);
    cluster.staged(Change::Leave(m(1))).unwrap();
    cluster.staged(Change::Down(m(2))).unwrap();
    cluster.commit_plan();
    cluster.staged(join(9)).unwrap();
    let wrong = |id, state| Refusal::WrongState(m(id), state);
    for (change, refusal) in [
        (Change::Leave(m(2)), wrong(2, Down)),
        (Change::Leave(m(9)), wrong(9, Joining)),
        (Change::Leave(m(7)), Refusal::NoSuchMember(m(7))),
        (Change::Down(m(1)), wrong(1, Leaving)),
        (Change::Down(m(9)), wrong(9, Joining)),
        (Change::ForceRemove(m(9)), wrong(9, Joining)),
        (Change::ForceRemove(m(7)), Refusal::NoSuchMember(m(7))),
        (Change::Replace { old: m(1), new: m(9) }, wrong(1, Leaving)),
        (Change::Replace { old: m(2), new: m(9) }, wrong(2, Down)),
        (Change::Replace { old: m(3), new: m(4) }, wrong(4, Valid)),
        (Change::Replace { old: m(3), new: m(7) }, Refusal::NoSuchMember(m(7))),
        (Change::Replace { old: m(3), new: m(3) }, Refusal::SameMember(m(3))),
        (Change::ForceReplace { old: m(9), new: m(9) }, Refusal::SameMember(m(9))),
        (Change::ForceReplace { old: m(3), new: m(4) }, wrong(4, Valid)),
        (Change::Zone(m(1), zone("b")), wrong(1, Leaving)),
        (Change::Weight(m(7), weight(5)), Refusal::NoSuchMember(m(7))),
    ] {
        assert_eq!(cluster.refused(change.clone()), refusal, "{change}");
    }
    for change in [
        Change::Leave(m(1)),
        Change::Down(m(2)),
        Change::Zone(m(3), Zone::default()),
        Change::Weight(m(3), Weight::DEFAULT),
    ] {
        assert_eq!(cluster.staged(change.clone()), Ok(Outcome::Unchanged), "{change}: it is so already");
    }
    for change in [
        Change::ForceRemove(m(1)),
        Change::ForceReplace { old: m(2), new: m(9) },
        Change::Weight(m(9), weight(5)),
        Change::Zone(m(2), zone("b")),
    ] {
        assert_eq!(cluster.staged(change.clone()), Ok(Outcome::Done), "{change}");
    }
}

#[test]
fn in_one_matter_there_is_one_change() {
    let mut cluster = cluster(4);
    cluster.staged(join(9)).unwrap();
    let replace = |old| Change::Replace { old: m(old), new: m(9) };
    cluster.staged(replace(1)).unwrap();
    assert_eq!(cluster.refused(Change::Leave(m(1))), Refusal::AlreadyStaged(replace(1)));
    assert_eq!(cluster.refused(Change::ForceRemove(m(1))), Refusal::AlreadyStaged(replace(1)));
    assert_eq!(cluster.refused(replace(2)), Refusal::AlreadyStaged(replace(1)), "one joins in one's places");
    cluster.staged(Change::Weight(m(1), weight(7))).unwrap();
    assert_eq!(
        cluster.refused(Change::Weight(m(1), weight(8))),
        Refusal::AlreadyStaged(Change::Weight(m(1), weight(7)))
    );
    assert_eq!(
        cluster.refused(Change::Weight(m(1), Weight::DEFAULT)),
        Refusal::AlreadyStaged(Change::Weight(m(1), weight(7))),
        "what is so now is not what is staged"
    );
    assert_eq!(cluster.told(&Command::Clear), Ok(Outcome::Done));
    assert_eq!(cluster.state(9), None, "who was joining is not any more");
    assert_eq!(cluster.told(&Command::Clear), Ok(Outcome::Unchanged));
    assert_eq!(cluster.plan(), Err(Refusal::NothingStaged));
}

#[test]
fn who_leaves_goes_when_it_holds_nothing() {
    let mut cluster = cluster(4);
    cluster.staged(Change::Leave(m(2))).unwrap();
    let plan = cluster.commit_plan();
    assert!(plan.moves.iter().all(|one| one.from == Some(m(2))));
    assert_eq!(cluster.state(2), Some(MemberState::Leaving));
    assert!(cluster.ring.has(m(2)), "it serves until others do");
    cluster.land_all();
    assert_eq!(cluster.state(2), None);
}

#[test]
fn a_member_without_weight_leaves_at_once() {
    let mut cluster = cluster(3);
    cluster.staged(Change::Weight(m(3), weight(0))).unwrap();
    cluster.commit_plan();
    cluster.land_all();
    assert!(!cluster.ring.has(m(3)) && cluster.state(3) == Some(MemberState::Valid));
    cluster.staged(Change::Leave(m(3))).unwrap();
    cluster.commit_plan();
    assert_eq!(cluster.state(3), None);
}

#[test]
fn the_last_that_can_hold_anything_stays() {
    let mut cluster = cluster(2);
    cluster.staged(Change::Leave(m(1))).unwrap();
    cluster.staged(Change::Weight(m(2), weight(0))).unwrap();
    assert_eq!(cluster.plan(), Err(Refusal::NobodyLeft));
    cluster.told(&Command::Clear).unwrap();
    cluster.staged(Change::ForceRemove(m(1))).unwrap();
    cluster.staged(Change::Down(m(2))).unwrap();
    assert_eq!(cluster.plan(), Err(Refusal::NobodyLeft));
}

#[test]
fn who_replaces_takes_just_those_places() {
    let mut cluster = cluster(5);
    let held: Vec<Partition> =
        cluster.ring.sets().filter(|(_, set)| set.contains(&m(2))).map(|(partition, _)| partition).collect();
    cluster.staged(join(9)).unwrap();
    cluster.staged(Change::Replace { old: m(2), new: m(9) }).unwrap();
    let plan = cluster.commit_plan();
    let moves = |partition: &Partition| Move { partition: *partition, from: Some(m(2)), to: Some(m(9)) };
    assert_eq!(plan.moves, held.iter().map(moves).collect::<Vec<_>>());
    assert!(plan.leaders.iter().all(|change| (change.from, change.to) == (Some(m(2)), Some(m(9)))));
    cluster.land_all();
    assert_eq!(cluster.state(2), None);
}

#[test]
fn what_is_forced_loses_replicas_and_says_which() {
    let mut forced = cluster(5);
    forced.staged(join(9)).unwrap();
    forced.staged(Change::ForceReplace { old: m(2), new: m(9) }).unwrap();
    let plan = forced.commit_plan();
    assert_eq!(forced.state(2), None, "it is gone at once");
    assert!(!forced.ring.has(m(2)));
    assert!(plan.at_risk.is_empty(), "two of three remain");
    assert!(plan.moves.iter().all(|one| one.to == Some(m(9))));
    forced.land_all();

    let mut lost = cluster(5);
    (1..=3).for_each(|id| assert_eq!(lost.staged(Change::ForceRemove(m(id))), Ok(Outcome::Done)));
    lost.staged(Change::Zone(m(1), zone("b"))).unwrap();
    let plan = lost.plan().unwrap();
    let on = |left: usize| {
        let few = |set: &[MemberId]| set.iter().filter(|holder| holder.0 > 3).count() <= left;
        lost.ring.sets().filter(|(_, set)| few(set)).map(|(partition, _)| partition).collect::<Vec<_>>()
    };
    assert_eq!((&plan.lost, &plan.at_risk), (&on(0), &on(1)));
    assert!(!plan.lost.is_empty() && plan.lost.len() < plan.at_risk.len());
    assert_eq!(plan.after.short, 16, "two members cannot hold three replicas");
    lost.commit_plan();
    lost.land_all();
}

#[test]
fn who_is_down_keeps_its_rows_and_leads_nothing_until_it_is_back() {
    let mut cluster = cluster(4);
    cluster.staged(Change::Down(m(3))).unwrap();
    let plan = cluster.commit_plan();
    assert_eq!(plan.moves, []);
    assert!(plan.leaders.iter().all(|change| change.from == Some(m(3))) && !plan.leaders.is_empty());
    assert_eq!(cluster.ring, cluster.target, "who leads is no move");
    assert_eq!(cluster.told(&Command::Up(m(3))), Ok(Outcome::Done));
    assert_eq!(cluster.told(&Command::Up(m(3))), Ok(Outcome::Unchanged));
    assert_eq!(cluster.told(&Command::Up(m(7))), Err(Refusal::NoSuchMember(m(7))));
    let plan = cluster.commit_plan();
    assert_eq!(plan.changes, [], "nothing is staged, and yet the ring can be better");
    assert!(plan.leaders.iter().all(|change| change.to == Some(m(3))));
    assert_eq!(cluster.plan(), Err(Refusal::NothingStaged));
}

#[test]
fn what_was_on_its_way_to_who_is_down_goes_elsewhere() {
    let mut cluster = cluster(4);
    cluster.staged(join(5)).unwrap();
    cluster.commit_plan();
    let landed = cluster.moves()[0];
    cluster.told(&Command::Landed { since: cluster.target_generation, done: landed }).unwrap();
    cluster.staged(Change::Down(m(5))).unwrap();
    cluster.commit_plan();
    let held: Vec<Partition> = cluster
        .target
        .sets()
        .filter(|(_, set)| set.contains(&m(5)))
        .map(|(partition, _)| partition)
        .collect();
    assert_eq!(held, [landed.partition]);
    cluster.land_all();
}

#[test]
fn of_two_operators_one_wins_and_the_other_is_told() {
    let mut cluster = cluster(3);
    cluster.staged(join(4)).unwrap();
    let ann = cluster.plan().unwrap().id;
    cluster.staged(Change::Weight(m(1), weight(300))).unwrap();
    let bob = cluster.plan().unwrap().id;
    let staged = Event { revision: bob.revision, what: Happening::Staged(Change::Weight(m(1), weight(300))) };
    let changed = Refusal::PlanChanged { since: vec![staged.clone()], earlier: false };
    assert_eq!(cluster.propose(ann), Err(changed.clone()));
    assert!(changed.to_string().ends_with("since that plan: `weight 1 300` was staged"), "{changed}");

    // Both have their commands under way, and the log has them in an order.
    let commands = [cluster.propose(bob).unwrap(), cluster.propose(bob).unwrap()];
    let generation = cluster.generation + 1;
    assert_eq!(cluster.told(&commands[0]), Ok(Outcome::Committed(generation)));
    assert_eq!(cluster.told(&commands[1]), Ok(Outcome::AlreadyCommitted));
    let committed = Event { revision: bob.revision + 1, what: Happening::Committed(bob) };
    let since = vec![staged, committed];
    assert_eq!(cluster.propose(ann), Err(Refusal::PlanChanged { since, earlier: false }));
    assert!(matches!(cluster.propose(bob), Err(Refusal::PlanChanged { .. })), "and says who was first");
}

#[test]
fn a_commit_that_was_overtaken_does_nothing() {
    let mut cluster = cluster(3);
    cluster.staged(join(4)).unwrap();
    let plan = cluster.plan().unwrap().id;
    let commit = cluster.propose(plan).unwrap();
    cluster.told(&Command::Clear).unwrap();
    let cleared = Event { revision: plan.revision + 1, what: Happening::Cleared };
    assert_eq!(cluster.told(&commit), Err(Refusal::PlanChanged { since: vec![cleared], earlier: false }));
    cluster.staged(join(4)).unwrap();
    assert!(
        matches!(cluster.told(&commit), Err(Refusal::PlanChanged { .. })),
        "the same changes, but not that plan"
    );
    assert_ne!(cluster.plan().unwrap().id, plan);
}

#[test]
fn a_commit_is_of_a_plan_that_was_shown() {
    let mut cluster = cluster(3);
    cluster.staged(join(4)).unwrap();
    let plan = cluster.plan().unwrap();
    let later = PlanId { revision: plan.id.revision + 1, ..plan.id };
    let other = PlanId { digest: plan.id.digest ^ 1, ..plan.id };
    for id in [later, other] {
        assert_eq!(cluster.propose(id), Err(Refusal::UnknownPlan));
        let commit = Command::Commit { plan: id, target: plan.target.clone() };
        assert_eq!(cluster.told(&commit), Err(Refusal::UnknownPlan));
    }
    let mut target = plan.target.clone();
    target.set(Partition(0), &[m(1)]);
    assert_eq!(cluster.told(&Command::Commit { plan: plan.id, target }), Err(Refusal::UnknownPlan));
}

#[test]
fn a_ring_that_cannot_be_is_not_committed() {
    let mut cluster = cluster(3);
    cluster.staged(Change::Leave(m(3))).unwrap();
    let mut stays = cluster.target.clone();
    stays.set(Partition(0), &[m(1), m(3)]);
    let short = Ring::empty(PartitionCount::new(8).unwrap());
    for target in [stays, short] {
        let plan = cluster.name(&target);
        assert_eq!(cluster.told(&Command::Commit { plan, target }), Err(Refusal::UnsoundRing));
    }
    cluster.told(&Command::Clear).unwrap();
    let target = cluster.target.clone();
    let plan = cluster.name(&target);
    assert_eq!(cluster.told(&Command::Commit { plan, target }), Err(Refusal::NothingStaged));
}

#[test]
fn moves_land_one_by_one_and_do_not_change_a_plan() {
    let mut cluster = cluster(4);
    cluster.staged(Change::Leave(m(1))).unwrap();
    cluster.commit_plan();
    cluster.staged(Change::Weight(m(2), weight(200))).unwrap();
    let shown = cluster.plan().unwrap();
    let since = cluster.target_generation;
    let moves = cluster.moves();
    let landed = |since, done| Command::Landed { since, done };
    let generation = cluster.generation;
    assert_eq!(cluster.told(&landed(since, moves[1])), Ok(Outcome::Done));
    assert_eq!(cluster.generation, generation + 1, "requests by the ring before are redirected");
    assert_eq!(cluster.told(&landed(since, moves[1])), Ok(Outcome::Unchanged));
    assert_eq!(cluster.told(&landed(since - 1, moves[0])), Err(Refusal::TargetChanged(since)));
    assert_eq!(cluster.told(&landed(since + 1, moves[0])), Err(Refusal::TargetChanged(since)));
    for wrong in [
        Move { to: Some(m(7)), ..moves[0] },
        Move { from: None, ..moves[0] },
        Move { to: None, ..moves[0] },
        Move { from: None, to: None, ..moves[0] },
        Move { partition: Partition(99), ..moves[0] },
    ] {
        assert_eq!(cluster.told(&landed(since, wrong)), Err(Refusal::NoSuchMove), "{wrong:?}");
    }
    let now = cluster.plan().unwrap();
    assert_eq!((now.id, &now.target), (shown.id, &shown.target), "what lands meanwhile is only done sooner");
    assert!(matches!(cluster.told(&cluster.propose(shown.id).unwrap()), Ok(Outcome::Committed(_))));
    assert!(matches!(cluster.told(&landed(since, moves[0])), Err(Refusal::TargetChanged(_))));
    cluster.land_all();
}

/// Found by the sequences: a replica came to a member that was about to be forced out, the last other one was given up, and the
/// commit lost a partition that the plan had not named.
#[test]
fn a_move_that_changes_what_would_be_lost_makes_a_plan_void() {
    let mut cluster = cluster(1);
    cluster.staged(join(2)).unwrap();
    cluster.staged(Change::Leave(m(1))).unwrap();
    cluster.commit_plan();
    cluster.staged(join(3)).unwrap();
    cluster.staged(Change::ForceRemove(m(2))).unwrap();
    let plan = cluster.plan().unwrap();
    assert_eq!((&plan.lost, &plan.at_risk), (&vec![], &vec![]), "the first has everything still");
    let commit = cluster.propose(plan.id).unwrap();
    let done = cluster.moves()[0];
    cluster.told(&Command::Landed { since: cluster.target_generation, done }).unwrap();
    let landed = Event { revision: plan.id.revision + 1, what: Happening::Landed(done) };
    assert_eq!(cluster.told(&commit), Err(Refusal::PlanChanged { since: vec![landed], earlier: false }));
    assert_eq!(cluster.plan().unwrap().lost, [done.partition]);
}

#[test]
fn a_forced_change_is_dropped_when_its_member_has_left_by_itself() {
    let mut cluster = cluster(4);
    cluster.staged(Change::Leave(m(1))).unwrap();
    cluster.commit_plan();
    cluster.staged(Change::ForceRemove(m(1))).unwrap();
    let plan = cluster.plan().unwrap().id;
    cluster.land_all();
    assert_eq!(cluster.staged, []);
    let dropped = Event { revision: plan.revision + 1, what: Happening::Dropped(Change::ForceRemove(m(1))) };
    assert_eq!(cluster.propose(plan), Err(Refusal::PlanChanged { since: vec![dropped], earlier: false }));
}

#[test]
fn what_happened_is_told_as_far_as_it_is_known() {
    let mut cluster = cluster(2);
    cluster.staged(join(3)).unwrap();
    let plan = cluster.plan().unwrap().id;
    for _ in 0..HISTORY_MAX {
        cluster.told(&Command::Clear).unwrap();
        cluster.staged(join(3)).unwrap();
    }
    let Err(Refusal::PlanChanged { since, earlier }) = cluster.propose(plan) else {
        panic!("it has changed")
    };
    assert_eq!((since.len(), earlier), (HISTORY_MAX, true));
}

#[test]
fn a_plan_has_one_name() {
    let id = PlanId { revision: 17, digest: 0x9f3 };
    assert_eq!(id.to_string(), "17-00000000000009f3");
    assert_eq!("17-00000000000009f3".parse(), Ok(id));
    for bad in [
        "",
        "17",
        "17-",
        "-9f3",
        "17-9f3",
        "017-00000000000009f3",
        "+17-00000000000009f3",
        "17-00000000000009F3",
    ] {
        assert!(bad.parse::<PlanId>().is_err(), "{bad}");
    }
}

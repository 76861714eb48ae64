//! The membership in rows: what is stored and loaded is what the state machine says, and a change writes what it changes.

use proptest::prelude::*;

use crate::fault::Fault;
use crate::id::{AppId, Id, MemberId, Partition, Position};
use crate::ring::fixed;
use crate::ring::member::{Member, MemberState, Weight, Zone};
use crate::ring::partition::{META, PartitionCount};
use crate::ring::plan::Move;
use crate::ring::table::Ring;
use crate::rows::applied::{self, Applied};
use crate::rows::{Row, Txn};
use crate::store::map::MapState;
use crate::store::{StateBatch, StateRead, StateStore, StoreFault};
use crate::time::Time;
use crate::vnode::command::{Done, OpKey};

use super::apply::apply;
use super::command::MetaCommand;
use super::load::{catch_up, load};
use super::members::Membership;
use super::members::change::Change;
use super::members::command::{Command, Outcome, Refusal};
use super::members::found::Founding;
use super::members::sequences_test::changes;
use super::rows::members as rows_of;
use super::state::MetaState;

/// Rows, and the position they are at.
struct Rows {
    store: MapState,
    position: u64,
}

impl Rows {
    fn new() -> Rows {
        Rows { store: MapState::new(), position: 0 }
    }

    /// Applies one command at the next position, and says how many rows it changed.
    fn apply(&mut self, command: &MetaCommand) -> (Result<Done, Fault>, usize) {
        self.position += 1;
        let snapshot = self.store.snapshot().unwrap();
        let mut txn = Txn::new(&snapshot);
        let position = Position(self.position);
        let verdict = apply(&mut txn, position, Time::from_millis(self.position), command).unwrap();
        let changed = txn.len();
        txn.put_local(applied::key(META), &Applied { position, ..Applied::default() });
        self.store.commit(&txn.into_batch()).unwrap();
        (verdict, changed)
    }

    fn told(&mut self, command: Command) -> (Result<Done, Fault>, usize) {
        self.apply(&MetaCommand::Members(Box::new(command)))
    }

    fn load(&self) -> MetaState {
        load(&self.store.snapshot().unwrap()).unwrap()
    }

    fn members(&self) -> Membership {
        (*self.load().members.expect("it was founded")).clone()
    }

    fn put<R: Row>(&mut self, key: Vec<u8>, row: Option<&R>) {
        let snapshot = self.store.snapshot().unwrap();
        let mut txn = Txn::new(&snapshot);
        match row {
            Some(row) => txn.put_local(key, row),
            None => txn.remove_local(key),
        }
        let batch: StateBatch = txn.into_batch();
        self.store.commit(&batch).unwrap();
    }
}

/// A fixed ring of members 1, 2 …, as configuration has it.
fn founding(members: u64, replicas: usize, partitions: u16) -> Founding {
    let ids: Vec<MemberId> = (1..=members).map(MemberId).collect();
    let count = PartitionCount::new(partitions).unwrap();
    let mut ring = Ring::empty(count);
    for partition in count.all() {
        let places = fixed::holders(partition, ids.len(), replicas);
        ring.set(partition, &places.into_iter().map(|place| ids[place]).collect::<Vec<_>>());
    }
    let member = |id: &MemberId| Member {
        name: format!("m{}", id.0),
        zone: Zone::default(),
        weight: Weight::DEFAULT,
        state: MemberState::Valid,
    };
    let members = ids.iter().map(|id| (*id, member(id))).collect();
    Founding { members, ring, replicas: replicas as u8, seed: 1 }
}

fn found(founding: &Founding) -> MetaCommand {
    MetaCommand::Found(Box::new(founding.clone()))
}

fn founded(members: u64, partitions: u16) -> Rows {
    let mut rows = Rows::new();
    rows.apply(&found(&founding(members, 3, partitions))).0.unwrap();
    rows
}

#[test]
fn a_membership_is_founded_once() {
    let mut rows = Rows::new();
    assert_eq!(rows.told(Command::Clear), (Err(Fault::Absent), 0), "there is none yet");
    assert_eq!((rows.load().members, rows.load().members_rev), (None, Position::ZERO));
    let (first, other) = (founding(3, 3, 16), founding(5, 3, 16));
    assert_eq!(rows.apply(&found(&first)), (Ok(Done::Created(Position(2))), 1 + 3 + 16));
    for again in [&first, &other] {
        assert_eq!(rows.apply(&found(again)), (Ok(Done::Unchanged(Position(2))), 0));
    }
    let members = rows.members();
    members.check();
    assert_eq!((members.generation, members.revision, members.members.len()), (1, 0, 3));
    assert_eq!((&members.ring, &members.target), (&first.ring, &first.ring));
    assert_eq!(rows.load().members_rev, Position(2));
}

#[test]
fn what_is_no_membership_is_not_founded() {
    let good = founding(3, 3, 16);
    let with = |change: &dyn Fn(&mut Founding)| {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(Rows::new().apply(&found(&bad)), (Err(Fault::Stale(Position::ZERO)), 0));
        Membership::found(&bad).unwrap_err()
    };
    let two = MemberId(2);
    assert_eq!(with(&|bad| bad.members[1].1.name = "-".into()), Refusal::BadName);
    assert_eq!(with(&|bad| bad.members[1].1.name = "m1".into()), Refusal::NameTaken(two));
    assert_eq!(with(&|bad| bad.members[1].0 = MemberId(1)), Refusal::AlreadyMember(MemberId(1)));
    let leaving = MemberState::Leaving;
    assert_eq!(with(&|bad| bad.members[1].1.state = leaving), Refusal::WrongState(two, leaving));
    for replicas in [0, 8] {
        assert_eq!(with(&|bad| bad.replicas = replicas), Refusal::UnsoundRing);
    }
    assert_eq!(with(&|bad| drop(bad.members.pop())), Refusal::UnsoundRing, "a holder is no member");
    let sets = |sets: &[&[u64]]| -> Ring {
        let sets: Vec<Vec<MemberId>> =
            sets.iter().map(|set| set.iter().copied().map(MemberId).collect()).collect();
        postcard::from_bytes(&postcard::to_stdvec(&sets).unwrap()).unwrap()
    };
    for unsound in [&[&[1, 1][..]][..], &[&[1, 3, 2]], &[&[1, 2], &[1], &[2]], &[]] {
        assert_eq!(with(&|bad| bad.ring = sets(unsound)), Refusal::UnsoundRing, "{unsound:?}");
    }
}

#[test]
fn a_fixed_ring_is_what_the_claim_would_make() {
    for members in 2..=5 {
        let founded = Membership::found(&founding(members, 3.min(members as usize), 64)).unwrap();
        founded.check();
        assert_eq!(founded.plan(), Err(Refusal::NothingStaged), "{members} members: nothing moves by itself");
        for (replicas, partitions) in (1..=members as usize).flat_map(|r| [16, 64, 128].map(|p| (r, p))) {
            let founded = Membership::found(&founding(members, replicas, partitions)).unwrap();
            let moves = founded.plan().map_or(0, |plan| plan.moves.len());
            assert!(moves <= 2, "{members} members, {replicas} replicas of {partitions}: {moves} moves");
        }
    }
}

#[test]
fn a_change_writes_what_it_changes() {
    let mut rows = founded(4, 16);
    let leave = Command::Stage(Change::Leave(MemberId(2)));
    assert_eq!(rows.told(leave.clone()), (Ok(Done::Changed(Position(2))), 1));
    assert_eq!(rows.told(leave), (Ok(Done::Unchanged(Position(2))), 0), "the same again");
    let members = rows.members();
    let plan = members.plan().unwrap();
    assert_eq!(plan.moves.len(), 12);
    let commit = members.propose(plan.id).unwrap();
    let (verdict, changed) = rows.told(commit.clone());
    assert_eq!(verdict, Ok(Done::Changed(Position(4))));
    assert!(
        (1 + 1 + 12..=1 + 1 + 16).contains(&changed),
        "{changed}: head, member, and partitions with another target"
    );
    assert_eq!(rows.told(commit), (Ok(Done::Unchanged(Position(4))), 0), "the same plan again");
    let members = rows.members();
    let (since, done) = (members.target_generation, members.moves()[0]);
    assert_eq!(rows.told(Command::Landed { since, done }), (Ok(Done::Changed(Position(6))), 2));
    assert_eq!(rows.told(Command::Landed { since, done }), (Ok(Done::Unchanged(Position(6))), 0));
    while let Some(done) = rows.members().moves().first().copied() {
        rows.told(Command::Landed { since, done }).0.unwrap();
    }
    assert_eq!(rows.members().members.len(), 3, "who has given all away is gone");
}

#[test]
fn what_the_membership_refuses_writes_nothing_and_says_as_of_when() {
    let mut rows = founded(3, 16);
    rows.told(Command::Stage(Change::Weight(MemberId(1), Weight::new(50).unwrap()))).0.unwrap();
    let plan = rows.members().plan().unwrap();
    let commit = rows.members().propose(plan.id).unwrap();
    rows.told(Command::Stage(Change::Down(MemberId(3)))).0.unwrap();
    let stale = (Err(Fault::Stale(Position(3))), 0);
    assert_eq!(rows.told(commit), stale, "an old plan");
    let absent = Command::Stage(Change::Leave(MemberId(9)));
    assert_eq!(rows.told(absent), stale);
    assert_eq!(rows.told(Command::Up(MemberId(9))), stale);
    let done = Move { partition: META, from: Some(MemberId(1)), to: None };
    for since in [1, 7] {
        assert_eq!(rows.told(Command::Landed { since, done }), stale);
    }
    assert_eq!(rows.load().members_rev, Position(3));
}

#[test]
fn the_most_that_can_be_staged_fits_in_a_row() {
    let mut rows = founded(3, 16);
    let long = |n: u64| Zone::new(&format!("{n:063}")).unwrap();
    for id in 4..=256 {
        let (member, name, zone) = (MemberId(u64::MAX - id), format!("{id:063}"), long(id));
        let join = Change::Join { member, name, zone, weight: Weight::DEFAULT };
        for change in [join, Change::Weight(member, Weight::MAX), Change::Zone(member, long(id + 1_000))] {
            let (verdict, changed) = rows.told(Command::Stage(change));
            assert!(verdict.unwrap().changed() && (1..=2).contains(&changed));
        }
    }
    rows.members().check();
    let snapshot = rows.store.snapshot().unwrap();
    let head = snapshot.get(&rows_of::head_key()).unwrap().unwrap().len();
    assert!((55_000..64 * 1_024).contains(&head), "{head} bytes");
    assert!(rows.told(Command::Clear).0.is_ok());
    assert_eq!(rows.members().members.len(), 3);
}

#[test]
fn under_an_operation_id_a_change_is_made_once() {
    let mut rows = founded(3, 16);
    let stage = |id| MetaCommand::Members(Box::new(Command::Stage(Change::Down(MemberId(id)))));
    let once = |command: MetaCommand| {
        let op = OpKey { id: Id::from_bytes([1; 16]), fingerprint: [1; 16] };
        MetaCommand::Once { app: AppId(0), caller: Id::NIL, op, command: Box::new(command) }
    };
    assert_eq!(rows.apply(&once(stage(9))).0, Err(Fault::Stale(Position(1))));
    assert!(rows.apply(&once(stage(1))).0.unwrap().changed());
    rows.told(Command::Clear).0.unwrap();
    assert_eq!(rows.apply(&once(stage(1))), (Ok(Done::Unchanged(Position(3))), 0), "a late repeat");
    assert!(rows.members().staged.is_empty());
}

#[test]
fn rows_that_do_not_fit_together_are_damage() {
    let holders =
        |now: &[u64]| rows_of::Holders { now: now.iter().copied().map(MemberId).collect(), target: vec![] };
    let damaged = |change: &dyn Fn(&mut Rows)| {
        let mut rows = founded(3, 16);
        change(&mut rows);
        let loaded = load(&rows.store.snapshot().unwrap());
        assert!(matches!(loaded, Err(StoreFault::Corrupt(_))), "{loaded:?}");
    };
    let key = rows_of::holders_key;
    damaged(&|rows| rows.put::<rows_of::Holders>(key(Partition(3)), None));
    damaged(&|rows| rows.put(key(Partition(16)), Some(&holders(&[1]))));
    damaged(&|rows| rows.put(key(Partition(3)), Some(&holders(&[1, 2, 2]))));
    damaged(&|rows| rows.put(key(Partition(3)), Some(&holders(&[1, 9]))));
    damaged(&|rows| rows.put::<rows_of::MemberRow>(rows_of::member_key(MemberId(2)), None));
    damaged(&|rows| rows.put([key(Partition(3)), vec![0]].concat(), Some(&holders(&[1]))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_commands_applied_then_loaded_are_what_the_state_machine_says(
        acts in prop::collection::vec(
            prop_oneof![
                6 => changes().prop_map(|change| Some(Command::Stage(change))),
                1 => Just(Some(Command::Clear)),
                1 => (1..12u64).prop_map(|id| Some(Command::Up(MemberId(id)))),
                // What is staged is committed, and its moves land.
                3 => Just(None),
            ],
            0..50,
        ),
        lands in prop::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let founding = founding(4, 3, 8);
        let (mut rows, mut model) = (Rows::new(), Membership::found(&founding).unwrap());
        rows.apply(&found(&founding)).0.unwrap();
        let mut followed = rows.load();
        for (number, act) in acts.into_iter().enumerate() {
            let commands = match act {
                Some(command) => vec![command],
                None => {
                    let plan = model.plan().ok();
                    let mut commands: Vec<Command> =
                        plan.and_then(|plan| model.propose(plan.id).ok()).into_iter().collect();
                    let mut after = model.clone();
                    for command in &commands {
                        after.apply(command).unwrap();
                    }
                    let (left, since) = (after.moves(), after.target_generation);
                    if !left.is_empty() {
                        let done = *lands[number % 64].get(&left);
                        commands.push(Command::Landed { since, done });
                    }
                    commands
                }
            };
            for command in commands {
                let rev = rows.load().members_rev;
                let expected = match model.apply(&command) {
                    Ok(Outcome::Done | Outcome::Committed(_)) => Ok(Done::Changed(Position(rows.position + 1))),
                    Ok(Outcome::Unchanged | Outcome::AlreadyCommitted) => Ok(Done::Unchanged(rev)),
                    Err(_) => Err(Fault::Stale(rev)),
                };
                let (verdict, changed) = rows.told(command);
                prop_assert_eq!(changed > 0, matches!(&expected, Ok(done) if done.changed()));
                prop_assert_eq!(verdict, expected);
                let loaded = rows.members();
                loaded.check();
                prop_assert_eq!(&loaded, &model);
            }
            // A follower may skip positions.
            if number % 3 == 0 {
                followed = catch_up(&rows.store.snapshot().unwrap(), &followed).unwrap();
                prop_assert_eq!(&followed, &rows.load());
            }
        }
    }
}

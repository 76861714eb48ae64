//! An entity that is made, changed with or without a condition on its revision, read, and deleted for ever.

use super::Model;

/// The entity.
pub struct Register;

/// How it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not made yet.
    Absent,
    /// There, with this value. Its revision, if anybody was ever told.
    Live(String, Option<u64>),
    /// Gone for ever.
    Deleted,
}

/// What is done to it. A revision that is absent was never told: the reply was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// It is made.
    Create(String, Option<u64>),
    /// It gets a value: the condition, and the new revision.
    Update(String, Option<u64>, Option<u64>),
    /// A change came too late: what is there was edited later, by the time of the edits, and stays as it is. The
    /// value that was told, and the revision.
    Overruled(String, u64),
    /// A change is refused because the revision is another one than this.
    Stale(u64),
    /// It is read.
    Read(String, u64),
    /// It is not found by somebody who could see it.
    Missing,
    /// It is deleted.
    Delete,
}

impl Model for Register {
    type State = State;
    type Op = Op;

    fn step(state: &State, op: &Op) -> Option<State> {
        match (state, op) {
            (State::Absent, Op::Create(value, rev)) => Some(State::Live(value.clone(), *rev)),
            (State::Live(_, known), Op::Update(value, condition, rev)) => {
                // Revisions grow.
                let grows = known.zip(*rev).is_none_or(|(known, rev)| rev >= known);
                let holds = condition.zip(*known).is_none_or(|(condition, known)| condition == known);
                (grows && holds).then(|| State::Live(value.clone(), *rev))
            }
            (State::Live(value, known), Op::Overruled(told, rev)) => {
                let same = value == told && known.is_none_or(|known| *rev >= known);
                same.then(|| State::Live(value.clone(), Some(*rev)))
            }
            (State::Live(_, known), Op::Stale(condition)) => {
                (*known != Some(*condition)).then(|| state.clone())
            }
            (State::Live(value, known), Op::Read(read, rev)) => {
                let same = value == read && known.is_none_or(|known| known == *rev);
                same.then(|| State::Live(value.clone(), Some(*rev)))
            }
            (State::Absent | State::Deleted, Op::Missing) => Some(state.clone()),
            (State::Live(..) | State::Deleted, Op::Delete) => Some(State::Deleted),
            (
                State::Absent,
                Op::Update(..) | Op::Overruled(..) | Op::Stale(_) | Op::Read(..) | Op::Delete,
            )
            | (State::Live(..), Op::Create(..) | Op::Missing)
            | (
                State::Deleted,
                Op::Create(..) | Op::Update(..) | Op::Overruled(..) | Op::Stale(_) | Op::Read(..),
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{STATES_MAX, Timed, Verdict, search};
    use super::*;

    fn at(invoked: u64, over: u64, op: Op) -> Timed<Op> {
        Timed { op, invoked, over: Some(over) }
    }

    fn unknown(invoked: u64, op: Op) -> Timed<Op> {
        Timed { op, invoked, over: None }
    }

    fn create() -> Timed<Op> {
        at(0, 1, Op::Create("a".into(), Some(1)))
    }

    fn update(value: &str, condition: Option<u64>, rev: Option<u64>) -> Op {
        Op::Update(value.into(), condition, rev)
    }

    fn read(value: &str, rev: u64) -> Op {
        Op::Read(value.into(), rev)
    }

    fn explained(ops: &[Timed<Op>]) -> bool {
        match search::<Register>(State::Absent, ops, STATES_MAX) {
            Verdict::Explained => true,
            Verdict::Impossible(_) => false,
            Verdict::GaveUp => panic!("so few operations"),
        }
    }

    #[test]
    fn one_after_another_is_explained() {
        let ops = [
            create(),
            at(2, 3, read("a", 1)),
            at(4, 5, update("b", Some(1), Some(4))),
            at(6, 7, Op::Stale(1)),
            at(8, 9, Op::Delete),
            at(10, 11, Op::Missing),
        ];
        assert!(explained(&ops));
        assert!(explained(&[]));
    }

    #[test]
    fn a_stale_read_is_not_explained() {
        let new = at(2, 3, update("b", None, Some(4)));
        assert!(!explained(&[create(), new.clone(), at(4, 5, read("a", 1))]));
        // Under way at the same time, either is right; but not the new value before the old one.
        let long = at(2, 9, update("b", None, Some(4)));
        assert!(explained(&[create(), long.clone(), at(4, 5, read("a", 1)), at(6, 7, read("b", 4))]));
        assert!(!explained(&[create(), long, at(4, 5, read("b", 4)), at(6, 7, read("a", 1))]));
    }

    #[test]
    fn of_two_conditional_writes_one_wins() {
        let (b, c) = (update("b", Some(1), Some(4)), update("c", Some(1), Some(5)));
        assert!(!explained(&[create(), at(2, 9, b.clone()), at(2, 9, c)]));
        assert!(explained(&[create(), at(2, 9, b), at(2, 9, Op::Stale(1))]));
    }

    #[test]
    fn an_edit_that_was_overruled_leaves_the_value_as_it_is() {
        let overruled = |value: &str| at(4, 5, Op::Overruled(value.into(), 6));
        let new = at(2, 3, update("b", None, Some(4)));
        assert!(explained(&[create(), new.clone(), overruled("b"), at(6, 7, read("b", 6))]));
        assert!(!explained(&[create(), new, overruled("a")]));
    }

    #[test]
    fn what_is_unknown_happens_late_or_never() {
        let lost = unknown(2, update("b", None, None));
        assert!(explained(&[create(), lost.clone(), at(3, 4, read("a", 1))]));
        assert!(explained(&[create(), lost.clone(), at(3, 4, read("a", 1)), at(50, 51, read("b", 9))]));
        assert!(!explained(&[create(), lost, at(3, 4, read("b", 9)), at(50, 51, read("a", 1)),]));
    }

    #[test]
    fn what_was_acknowledged_is_there_and_what_was_deleted_is_not() {
        assert!(!explained(&[create(), at(2, 3, Op::Missing)]));
        assert!(!explained(&[create(), at(2, 3, Op::Delete), at(4, 5, read("a", 1))]));
        assert!(explained(&[unknown(0, Op::Create("a".into(), None)), at(2, 3, Op::Missing)]));
    }

    #[test]
    fn a_value_that_nobody_wrote_is_not_explained() {
        assert!(!explained(&[create(), at(2, 3, read("z", 1))]));
        assert!(!explained(&[at(2, 3, read("z", 1))]));
    }

    #[test]
    fn many_at_once_are_searched_and_not_given_up() {
        let mut ops = vec![create()];
        let value = |number: u64| format!("v{number}");
        ops.extend((0..12).map(|number| at(2, 90, update(&value(number), None, Some(10 + number)))));
        ops.extend((0..12).map(|number| at(3, 91, read(&value(number), 10 + number))));
        assert!(explained(&ops));
        ops.push(at(92, 93, read("v3", 13)));
        assert_ne!(search::<Register>(State::Absent, &ops, STATES_MAX), Verdict::Explained);
    }
}

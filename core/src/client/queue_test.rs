//! The queue by itself: order, bounds, and what becomes of an operation.

use std::time::Duration;

use serde_json::{Value, json};

use super::action::{Action, Turn};
use super::cache::{Key, Scope};
use super::cursor::Known;
use super::merge::{Change, Edit, Lost};
use super::queue::{
    FAILURES_MAX, OPERATIONS_MAX, OpId, PUSH_BYTES_MAX, Progress, Queue, Settled, Verdict, Write, WriteError,
};
use super::wire::PushReply;
use crate::rng::Rng;
use crate::time::Time;

const NOON: Time = Time::from_millis(1_795_435_200_000);

fn write(text: &str) -> Write {
    let scope = Scope { root: "post:1".to_owned(), section: "public".to_owned() };
    let attributes = json!({"text": text, "likes": true}).as_object().unwrap().clone();
    let edit = Edit { key: Key::entity(&scope, "post", "1"), change: Change::Update(attributes) };
    Write { method: "post.update".to_owned(), args: json!({"text": text}), if_rev: None, edit: Some(edit) }
}

fn add(queue: &mut Queue, now: Time, write: Write) -> Result<OpId, WriteError> {
    queue.add(now, write, None, &mut Rng::new(queue.operations().count() as u64), &mut Turn::default())
}

/// A queue with this many writes, and their ids.
fn queue_of(len: usize) -> (Queue, Vec<OpId>) {
    let mut queue = Queue::default();
    let mut rng = Rng::new(7);
    let mut add = |n: usize| queue.add(NOON, write(&n.to_string()), None, &mut rng, &mut Turn::default());
    let ops = (0..len).map(|n| add(n).unwrap()).collect();
    (queue, ops)
}

/// Settles a push of all `ops` with this reply; what came of it and what the app hears.
fn settle(queue: &mut Queue, ops: &[OpId], reply: Value) -> (Settled, Vec<Verdict>) {
    let reply: PushReply = serde_json::from_value(reply).unwrap();
    let mut turn = Turn::default();
    let settled = queue.settle(ops, reply, &mut turn);
    let verdicts = turn.into_actions().into_iter().filter_map(|action| match action {
        Action::Report(report) => Some(report.verdict),
        _ => None,
    });
    (settled, verdicts.collect())
}

fn waiting(queue: &Queue) -> Vec<OpId> {
    queue.next_push(usize::MAX).iter().map(|operation| operation.op).collect()
}

#[test]
fn later_edits_are_later_also_when_the_clock_was_set_back() {
    let mut queue = Queue::default();
    let early = NOON - Duration::from_secs(3_600);
    let ops = [NOON, NOON, early].map(|now| add(&mut queue, now, write("x")).unwrap());
    assert!(ops[0] < ops[1] && ops[1] < ops[2]);
    let times: Vec<Time> = queue.operations().map(|operation| operation.edited_at).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    assert_eq!(waiting(&queue), ops);
}

#[test]
fn the_last_edit_counts_also_when_it_has_left_the_queue() {
    let mut turn = Turn::default();
    Queue::default().add(NOON, write("x"), None, &mut Rng::new(1), &mut turn).unwrap();
    let stored = turn.commit.last_edit.expect("stored");
    let mut queue = Queue::restore([].into(), [].into(), stored);
    add(&mut queue, Time::ZERO, write("y")).unwrap();
    assert!(queue.operations().all(|operation| operation.edited_at > NOON));
}

#[test]
fn a_full_queue_says_so_and_drops_nothing() {
    let (mut queue, ops) = queue_of(OPERATIONS_MAX);
    assert_eq!(add(&mut queue, NOON, write("one more")), Err(WriteError::Full));
    assert!(queue.operations().map(|operation| operation.op).eq(ops.iter().copied()));

    // A report keeps its place until it is answered, and what is done instead takes that place.
    let reply = json!({"results": [{"op": ops[0].to_string(), "status": 404, "code": "not-found"}]});
    settle(&mut queue, &ops[..1], reply);
    assert_eq!(add(&mut queue, NOON, write("one more")), Err(WriteError::Full));
    let redone = queue.redo(NOON, ops[0], write("again"), None, &mut Rng::new(9), &mut Turn::default());
    assert!(redone.is_ok());
    assert_eq!(queue.reports().count(), 0);
    assert_eq!(add(&mut queue, NOON, write("one more")), Err(WriteError::Full));
}

#[test]
fn what_can_never_be_sent_is_not_taken() {
    let mut queue = Queue::default();
    let mut turn = Turn::default();
    let large = write(&"x".repeat(PUSH_BYTES_MAX));
    assert_eq!(queue.add(NOON, large.clone(), None, &mut Rng::new(1), &mut turn), Err(WriteError::TooLarge));
    assert!(turn.into_actions().is_empty(), "nothing is stored");

    let (mut queue, ops) = queue_of(1);
    settle(&mut queue, &ops, json!({"results": [{"op": ops[0].to_string(), "status": 404}]}));
    let mut redo = |op, write| {
        queue.redo(NOON, op, write, None, &mut Rng::new(1), &mut Turn::default()).expect_err("refused")
    };
    assert_eq!(redo(ops[0], large), WriteError::TooLarge);
    let nobody = OpId::from(crate::id::Id::NIL);
    assert_eq!(redo(nobody, write("x")), WriteError::NoSuchReport);
    assert_eq!(queue.reports().count(), 1, "the report stays until a write takes its place");
}

#[test]
fn a_push_is_bounded_by_number_and_by_bytes_but_never_empty() {
    let (mut queue, ops) = queue_of(3);
    assert_eq!(queue.next_push(2).len(), 2);
    let half = write(&"x".repeat(PUSH_BYTES_MAX / 2));
    let large = [add(&mut queue, NOON, half.clone()).unwrap(), add(&mut queue, NOON, half).unwrap()];
    assert_eq!(queue.next_push(50).len(), 4, "the second large one has to wait");
    let reply = json!({"results": ops.iter().map(|op| json!({"op": op.to_string(), "status": 200})).collect::<Vec<_>>()});
    settle(&mut queue, &ops, reply);
    assert_eq!(waiting(&queue), large[..1]);

    let mut queue = Queue::default();
    let largest = write(&"x".repeat(PUSH_BYTES_MAX - 200));
    add(&mut queue, NOON, largest).unwrap();
    assert_eq!(queue.next_push(50).len(), 1);
}

#[test]
fn what_stands_at_the_stop_or_behind_it_waits_whatever_is_said_of_it() {
    let (mut queue, ops) = queue_of(4);
    let reply = json!({
        "results": [
            {"op": ops[0].to_string(), "status": 200},
            {"op": ops[1].to_string(), "status": 422, "code": "invalid"},
            {"op": ops[2].to_string(), "status": 500, "code": "internal"},
        ],
        "stoppedAt": ops[2].to_string(),
    });
    let (settled, verdicts) = settle(&mut queue, &ops, reply);
    assert_eq!(settled, Settled { decided: 2, left: 2 });
    assert_eq!(verdicts, [Verdict::Refused { status: 422, code: "invalid".to_owned() }]);
    assert_eq!(waiting(&queue), ops[2..]);
}

#[test]
fn what_has_no_result_or_an_unknown_one_waits_and_other_peoples_results_mean_nothing() {
    let (mut queue, ops) = queue_of(2);
    let (_, foreign) = queue_of(3);
    let reply = json!({"results": [
        {"op": ops[0].to_string(), "status": 504, "code": "timeout"},
        {"op": foreign[2].to_string(), "status": 404, "code": "not-found"},
    ]});
    assert_eq!(settle(&mut queue, &ops, reply), (Settled { decided: 0, left: 2 }, vec![]));
    assert_eq!(waiting(&queue), ops);
}

#[test]
fn what_the_world_has_passed_by_waits_for_the_person() {
    let (mut queue, ops) = queue_of(2);
    let reply = json!({"results": [
        {"op": ops[0].to_string(), "status": 412, "code": "stale-revision", "value": {"text": "theirs"}},
        {"op": ops[1].to_string(), "status": 410, "code": "cursor-expired"},
    ]});
    let (settled, verdicts) = settle(&mut queue, &ops, reply);
    assert_eq!(settled, Settled { decided: 2, left: 0 });
    let stale = "stale-revision".to_owned();
    let expired = "cursor-expired".to_owned();
    assert_eq!(
        verdicts,
        [
            Verdict::NeedsDecision { status: 412, code: stale, current: Some(json!({"text": "theirs"})) },
            Verdict::NeedsDecision { status: 410, code: expired, current: None },
        ]
    );
    assert_eq!(waiting(&queue), []);
    assert_eq!(queue.operations().count(), 0, "and is not shown as if it had happened");
}

#[test]
fn what_was_overruled_is_reported_and_the_rest_is_shown_until_it_is_seen() {
    let (mut queue, ops) = queue_of(1);
    let after = json!({"text": "theirs", "likes": true});
    let reply = json!({"results": [{"op": ops[0].to_string(), "status": 200, "rev": "9", "value": after}]});
    let (_, verdicts) = settle(&mut queue, &ops, reply);
    let lost = Lost { attribute: "text".to_owned(), mine: json!("0"), theirs: json!("theirs") };
    assert_eq!(verdicts, [Verdict::Overruled { lost: vec![lost] }]);
    let left = queue.operations().next().unwrap();
    assert_eq!(left.progress, Progress::Applied);
    let Change::Update(shown) = &left.edit.as_ref().unwrap().change else { panic!("an update") };
    assert_eq!(Value::Object(shown.clone()), json!({"likes": true}));
    assert_eq!(
        queue.reports().next().unwrap().operation.args,
        json!({"text": "0"}),
        "as the person meant it"
    );
    queue.forget_applied(&ops, &mut Turn::default());
    assert_eq!((queue.operations().count(), queue.reports().count()), (0, 1));
}

#[test]
fn an_operation_that_shows_nothing_is_gone_when_it_is_done() {
    let mut queue = Queue::default();
    let op = add(&mut queue, NOON, Write { edit: None, ..write("x") }).unwrap();
    settle(&mut queue, &[op], json!({"results": [{"op": op.to_string(), "status": 200}]}));
    assert_eq!(queue.operations().count(), 0);
}

/// An operation at which the server failed each time, and at which it stopped each time, once held up all that
/// stood behind it for ever.
#[test]
fn an_operation_at_which_the_server_always_fails_is_set_aside_and_the_rest_goes_on() {
    let (mut queue, ops) = queue_of(2);
    let id = ops[0].to_string();
    let reply = json!({ "results": [{"op": id, "status": 500, "code": "internal"}], "stoppedAt": id });
    for _ in 1..FAILURES_MAX {
        assert_eq!(settle(&mut queue, &ops, reply.clone()), (Settled { decided: 0, left: 2 }, vec![]));
        // The bytes stay the same, and the count outlives a restart.
        let stored = queue.operations().map(|operation| (operation.op, operation.clone())).collect();
        queue = Queue::restore(stored, [].into(), NOON);
    }
    let aside = Verdict::SetAside { status: 500, code: "internal".to_owned(), attempts: FAILURES_MAX };
    assert_eq!(settle(&mut queue, &ops, reply), (Settled { decided: 1, left: 1 }, vec![aside]));
    assert_eq!(waiting(&queue), ops[1..]);
}

#[test]
fn what_may_pass_is_tried_without_end() {
    let (mut queue, ops) = queue_of(1);
    let id = ops[0].to_string();
    for status in [503, 504, 429, 507] {
        let reply = json!({ "results": [{"op": id, "status": status, "code": "x"}], "stoppedAt": id });
        for _ in 0..2 * FAILURES_MAX {
            assert_eq!(settle(&mut queue, &ops, reply.clone()), (Settled { decided: 0, left: 1 }, vec![]));
        }
    }
    assert_eq!(waiting(&queue), ops);
}

#[test]
fn the_wire_form_of_an_operation_is_this() {
    let mut queue = Queue::default();
    let known = Known { root: "profile:1".to_owned(), rev: "7.0a".to_owned() };
    let write = Write { if_rev: Some("7".to_owned()), ..write("hi") };
    let op = queue.add(NOON, write, Some(known), &mut Rng::new(1), &mut Turn::default()).unwrap();
    let wire = serde_json::to_value(queue.operations().next().unwrap().to_wire()).unwrap();
    let expected = json!({
        "op": op.to_string(), "method": "post.update", "args": {"text": "hi"}, "ifRev": "7",
        "editedAt": "2026-11-23T12:00:00.000Z", "known": {"root": "profile:1", "rev": "7.0a"},
    });
    assert_eq!(wire, expected);
}

//! Cluster: who is too far behind for the log gets a snapshot, whatever happens on the way.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Partition, Root};
use gomer_core::rows::key::{KeyWriter, after_prefix};
use gomer_core::rows::{Kind, Place, ingest, node};
use gomer_core::store::{Direction, StateBatch, StateRead, StateStore, StoreFault};
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::peer::PeerBody;
use gomer_core::vnode::snapshot::{Chunk, Transfer};

use crate::world::{APP, Answered, CALM, Net, World, increment};

const ONLY: Partition = Partition(0);

/// A post of about eight kilobytes.
fn large(id: Id, filler: u8) -> Write {
    let mut write = increment(id, &[]);
    write.root = Root::post(id);
    for nth in 0..8 {
        let (name, value) =
            (format!("filler{nth}"), char::from(b'a' + filler % 26).to_string().repeat(1_000));
        write.ops.push(Operation::PatchNode {
            id,
            attrs: vec![(name.as_str().into(), Some(value))],
            edited: None,
        });
    }
    write
}

/// Three members; one of them was away while the others wrote about 1.2 MiB and forgot the log of it.
struct Lagging {
    world: World,
    leader: usize,
    slow: usize,
    /// What was written before it went away, and after.
    ids: Vec<Id>,
}

fn lagging(seed: u64) -> Lagging {
    let mut world = World::new(seed, 3, 1);
    world.checkpoint_one_in = 5;
    let leader = world.wait_for_leader(ONLY);
    let slow = (leader + 1) % 3;
    let mut ids = Vec::new();
    for nth in 0..160 {
        if nth == 40 {
            world.millis(500);
            world.isolate(slow);
        }
        ids.push(world.id());
        world.write_at(leader, large(ids[nth], nth as u8));
    }
    // Some of the old ones are changed, and the rest is as the slow one has it.
    for nth in [3, 17] {
        world.write_at(leader, large(ids[nth], 25));
    }
    world.millis(1_000);
    Lagging { world, leader, slow, ids }
}

impl Lagging {
    fn arrives(mut self) -> World {
        self.world.cut.clear();
        self.world.heal();
        for (nth, &id) in self.ids.iter().enumerate() {
            let times = if [3, 17].contains(&nth) { 2 } else { 1 };
            assert_eq!(self.world.number(self.slow, id), times, "post {nth}");
        }
        self.world.checks.healed(&self.world.members, self.world.partitions);
        assert!(self.world.shard(self.slow).status().snapshots >= 1 || self.world.snapshots > 0);
        self.world
    }

    /// Something is written while the transfer is under way, and both senders have a later cut.
    fn changes(&mut self) {
        self.world.isolate(self.slow);
        let (leader, other) = (self.leader, 3 - self.leader - self.slow);
        self.ids.push(self.world.id());
        let id = self.ids[160];
        self.world.write_at(leader, large(id, 3));
        self.world.millis(300);
        self.world.checkpoint_now(leader);
        self.world.checkpoint_now(other);
        self.world.cut.clear();
    }

    /// Runs until so many chunks have been taken by the slow one.
    fn until_chunks(&mut self, seen: &Seen, count: usize) {
        self.world.cut.clear();
        for _ in 0..2_000 {
            if seen.borrow().chunks.len() >= count {
                return;
            }
            self.world.millis(5);
        }
        panic!("no chunk ever comes");
    }
}

/// What went over the wire.
#[derive(Default)]
struct Sent {
    chunks: Vec<Chunk>,
    wants: usize,
}

type Seen = Rc<RefCell<Sent>>;

/// Looks at what is sent, and does to it what `also` says.
fn watch(world: &mut World, mut also: impl FnMut(usize, usize, &mut Transfer) -> bool + 'static) -> Seen {
    let seen = Seen::default();
    let sent = seen.clone();
    world.meddle = Some(Box::new(move |from, to, message| {
        let PeerBody::Transfer(transfer) = &mut message.body else { return true };
        match transfer {
            Transfer::Chunk(chunk) => sent.borrow_mut().chunks.push(chunk.clone()),
            Transfer::Want(_) => sent.borrow_mut().wants += 1,
            Transfer::Offer { .. } => {}
        }
        also(from, to, transfer)
    }));
    seen
}

fn bytes(chunks: &[Chunk]) -> usize {
    chunks.iter().flat_map(|chunk| chunk.rows.iter().flatten()).map(|row| row.0.len() + row.1.len()).sum()
}

#[test]
fn who_was_away_for_too_long_gets_what_has_changed() {
    let mut lagging = lagging(20);
    let seen = watch(&mut lagging.world, |_, _, _| true);
    lagging.arrives();
    let sent = seen.borrow();
    assert!(sent.chunks.len() > 5, "{} chunks", sent.chunks.len());
    assert!(sent.chunks.iter().all(|chunk| chunk.cut == sent.chunks[0].cut), "one cut is enough");
    assert!(
        sent.chunks.iter().all(|chunk| bytes(std::slice::from_ref(chunk)) <= 256 * 1024),
        "chunks are bounded"
    );
    assert!(sent.wants <= sent.chunks.len() + 3, "{} questions for {}", sent.wants, sent.chunks.len());
}

#[test]
fn another_senders_later_cut_costs_only_what_has_changed() {
    let mut lagging = lagging(21);
    let seen = watch(&mut lagging.world, |_, _, _| true);
    lagging.until_chunks(&seen, 4);
    let slow = lagging.slow;
    let leader = lagging.leader;
    lagging.changes();
    let first = seen.borrow().chunks.len();
    // Whoever sent it is gone for good; the other begins anew, and most of it is there.
    lagging.world.crash(leader);
    lagging.world.millis(20_000);
    assert!(lagging.world.shard(slow).position(ONLY).is_some(), "it has state again");
    let sent = seen.borrow();
    assert!(sent.chunks[first..].iter().any(|chunk| chunk.rows.is_none()), "equal rows are not sent again");
    drop(sent);
    lagging.arrives();
}

#[test]
fn chunks_that_are_lost_doubled_and_overtaken_change_nothing() {
    let mut lagging = lagging(22);
    lagging.world.net = Net { loss: 25, double: 40, delay_max: 120 };
    lagging.world.cut.clear();
    lagging.world.millis(20_000);
    lagging.world.net = CALM;
    lagging.arrives();
}

#[test]
fn damaged_chunks_are_asked_for_again_and_never_written() {
    let mut lagging = lagging(23);
    let mut nth = 0;
    let seen = watch(&mut lagging.world, move |_, _, transfer| {
        if let Transfer::Chunk(Chunk { rows, to, sum, .. }) = transfer {
            nth += 1;
            match (nth % 6, rows) {
                (0, Some(rows)) if !rows.is_empty() => rows[0].1[0] ^= 1,
                (1, Some(rows)) if !rows.is_empty() => drop(rows.pop()),
                (2, _) => *sum ^= 1 << 40,
                (3, rows @ Some(_)) => *rows = None,
                (4, _) => to[0] ^= 0x40,
                _ => {}
            }
        }
        true
    });
    lagging.world.cut.clear();
    lagging.world.millis(60_000);
    lagging.arrives();
    assert!(seen.borrow().chunks.len() > 20, "many were spoilt");
}

#[test]
fn chunks_of_another_partition_or_another_history_are_not_taken() {
    let mut lagging = lagging(24);
    let mut nth = 0;
    watch(&mut lagging.world, move |_, _, transfer| {
        nth += 1;
        match transfer {
            Transfer::Chunk(chunk) if nth % 4 == 0 => {
                for (key, _) in chunk.rows.iter_mut().flatten() {
                    key[1] ^= 1;
                }
                chunk.from[1] ^= 1;
                chunk.to[1] ^= 1;
            }
            Transfer::Chunk(chunk) if nth % 4 == 2 => chunk.cut.history ^= 2,
            Transfer::Offer { cut, .. } if nth % 3 == 0 => cut.applied.history ^= 2,
            _ => {}
        }
        true
    });
    lagging.world.cut.clear();
    lagging.world.millis(30_000);
    lagging.arrives();
}

#[test]
fn a_receiver_that_restarts_goes_on_where_it_was() {
    let mut lagging = lagging(25);
    let seen = watch(&mut lagging.world, |_, _, _| true);
    lagging.until_chunks(&seen, 6);
    let slow = lagging.slow;
    lagging.world.checkpoint_now(slow);
    let state = lagging.world.members[slow].state.snapshot().unwrap();
    assert!(state.get(&ingest::key(ONLY)).unwrap().is_some(), "progress is on disk with the rows");
    let before = seen.borrow().chunks.last().expect("some came").from.clone();
    lagging.world.crash(slow);
    lagging.world.millis(1_000);
    let count = seen.borrow().chunks.len();
    lagging.world.start(slow);
    assert_eq!(lagging.world.shard(slow).position(ONLY), None, "half a snapshot is no state");
    lagging.arrives();
    let sent = seen.borrow();
    let next = sent.chunks.get(count).expect("it goes on");
    assert!(next.from >= before, "what was on disk is not asked for again");
}

#[test]
fn a_sender_that_restarts_sends_only_what_has_changed() {
    let mut lagging = lagging(26);
    let seen = watch(&mut lagging.world, |_, _, _| true);
    lagging.until_chunks(&seen, 6);
    let leader = lagging.leader;
    lagging.changes();
    let before = seen.borrow().chunks.len();
    lagging.world.crash(leader);
    lagging.world.start(leader);
    lagging.arrives();
    let sent = seen.borrow();
    assert!(sent.chunks[before..].iter().any(|chunk| chunk.rows.is_none()), "equal rows are not sent again");
    let (first, again) = (bytes(&sent.chunks[..before]), bytes(&sent.chunks[before..]));
    let whole = 160 * 8_000;
    assert!(first > whole / 3 && again < whole, "{first} bytes, and then {again} again");
}

#[test]
fn both_sides_crash_again_and_again_and_it_still_arrives() {
    let mut lagging = lagging(27);
    lagging.world.cut.clear();
    for round in 0..30 {
        lagging.world.millis(80 + 13 * round);
        let victim = if round % 2 == 0 { lagging.slow } else { lagging.leader };
        if lagging.world.is_up(victim) {
            lagging.world.crash(victim);
            lagging.world.start(victim);
        }
    }
    lagging.arrives();
}

#[test]
fn a_snapshot_that_is_offered_late_is_no_news() {
    let mut lagging = lagging(28);
    let kept: Rc<RefCell<Vec<gomer_core::shard::PeerMessage>>> = Rc::default();
    let keep = kept.clone();
    lagging.world.meddle = Some(Box::new(move |_, _, message| {
        if let PeerBody::Transfer(Transfer::Offer { .. } | Transfer::Chunk(_)) = &message.body {
            keep.borrow_mut().push(message.clone());
        }
        true
    }));
    let slow = lagging.slow;
    let mut world = lagging.arrives();
    world.meddle = None;
    let id = world.id();
    for _ in 0..30 {
        world.write(increment(id, &[]));
    }
    let before = world.shard(slow).position(ONLY);
    let snapshots = world.shard(slow).status().snapshots;
    for message in kept.borrow_mut().drain(..) {
        world.deliver(slow, message);
    }
    world.millis(3_000);
    assert!(world.shard(slow).position(ONLY) >= before, "it has its state");
    assert_eq!(world.shard(slow).status().snapshots, snapshots);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_replica_without_state_answers_nothing_leads_nothing_and_still_votes() {
    let mut lagging = lagging(29);
    // The snapshot never ends.
    let mut chunks = 0;
    let seen = watch(&mut lagging.world, move |_, _, transfer| {
        chunks += usize::from(matches!(transfer, Transfer::Chunk(_)));
        chunks < 4 || !matches!(transfer, Transfer::Chunk(_))
    });
    lagging.until_chunks(&seen, 4);
    let (leader, slow) = (lagging.leader, lagging.slow);
    lagging.world.millis(2_000);
    assert_eq!(lagging.world.shard(slow).position(ONLY), None);
    assert_eq!(lagging.world.shard(slow).status().receiving, [ONLY]);
    lagging.world.begin_read(slow, ONLY);
    let id = lagging.world.id();
    let ticket = lagging.world.begin_write(slow, increment(id, &[]));
    lagging.world.millis(100);
    assert!(matches!(lagging.world.answers.remove(&ticket), Some(Answered::Elsewhere(_))));
    // The leader dies: the other one needs this one's vote.
    lagging.world.crash(leader);
    lagging.world.millis(8_000);
    let next = 3 - leader - slow;
    assert!(lagging.world.shard(next).leader_term(ONLY).is_some(), "two of three elect");
    assert_eq!(lagging.world.leader(ONLY), None, "and what the one has alone is not committed");
    lagging.world.meddle = None;
    lagging.world.write(increment(id, &[]));
    lagging.arrives();
}

/// A member's disk changes a row by itself; a reader finds out.
fn rots(world: &mut World, member: usize, id: Id) -> StoreFault {
    world.checkpoint_now(member);
    let place = Place { partition: ONLY, app: APP, root: Root::post(id) };
    let key = node::key(place, id);
    let mut row = world.members[member].state.snapshot().unwrap().get(&key).unwrap().expect("it is there");
    row[3] ^= 1;
    let batch = StateBatch::from_iter([(key, Some(row))]);
    world.members[member].state.commit(&batch).unwrap();
    StoreFault::Corrupt("a row did not check".into())
}

#[test]
fn a_damaged_row_is_never_sent_and_its_owner_is_repaired() {
    let mut lagging = lagging(30);
    let (leader, slow) = (lagging.leader, lagging.slow);
    let id = lagging.ids[100];
    rots(&mut lagging.world, leader, id);
    // The next checkpoint shows it to the reader of the snapshot.
    let new = lagging.world.id();
    lagging.world.write_at(leader, increment(new, &[]));
    lagging.world.checkpoint_now(leader);
    lagging.world.cut.clear();
    lagging.world.millis(40_000);
    let suspects = std::mem::take(&mut lagging.world.checks.suspects);
    assert_eq!(suspects.len(), 1, "{suspects:?}");
    assert_eq!(suspects[0].0, leader, "it is the leader's row that is damaged");
    let StoreFault::Corrupt(what) = &suspects[0].2 else { panic!("{suspects:?}") };
    assert!(what.contains("a row of partition 0 does not check"), "{what}");
    assert_eq!(lagging.world.shard(leader).status().suspect, [], "it has others' rows now");
    assert_eq!(lagging.world.number(slow, id), 1);
    assert_eq!(lagging.world.number(leader, id), 1);
    lagging.arrives();
}

#[test]
fn a_row_that_a_reader_found_damaged_is_replaced() {
    let mut world = World::new(31, 3, 1);
    world.checkpoint_one_in = 5;
    let ids: Vec<Id> = (0..40).map(|_| world.id()).collect();
    for &id in &ids {
        world.write(large(id, 1));
    }
    for member in 0..3 {
        let fault = rots(&mut world, member, ids[member]);
        // What is read is as of a checkpoint: the damage is seen after the next one.
        world.write(large(ids[39], 2));
        world.millis(300);
        world.checkpoint_now(member);
        world.damaged(member, ONLY, fault);
        assert_eq!(world.shard(member).position(ONLY), None);
        assert_eq!(world.shard(member).status().suspect, [ONLY]);
        world.millis(20_000);
        assert_eq!(world.shard(member).status().suspect, []);
        assert_eq!(world.number(member, ids[member]), 1);
    }
    assert_eq!(std::mem::take(&mut world.checks.suspects).len(), 3, "each was said");
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_lone_replica_with_a_damaged_row_has_nobody_to_ask_and_writes_no_more() {
    let mut world = World::new(32, 1, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    let fault = rots(&mut world, 0, id);
    world.damaged(0, ONLY, fault);
    let ticket = world.begin_write(0, increment(id, &[]));
    world.millis(5_000);
    assert_eq!(world.answers.remove(&ticket), Some(Answered::Done(Err(Fault::Corrupt))));
    assert_eq!(world.shard(0).status().suspect, [ONLY]);
    assert_eq!(world.shard(0).status().receiving, []);
}

/// What the leader of a partition sends is damaged on a member's disk.
fn outbox_rots(world: &mut World, member: usize) {
    world.checkpoint_now(member);
    let from = KeyWriter::of_partition(ONLY, Kind::ChannelOut).end();
    let mut found = None;
    let state = world.members[member].state.snapshot().unwrap();
    state
        .scan(&from, &after_prefix(&from), Direction::Up, &mut |key, row| {
            found = Some((key.to_vec(), row.to_vec()));
            ControlFlow::Break(())
        })
        .unwrap();
    let (key, mut row) = found.expect("steps were sent");
    row[1] ^= 1;
    world.members[member].state.commit(&StateBatch { rows: [(key.into(), Some(row))].into() }).unwrap();
}

/// What only a leader needs is read when it becomes one: damage there ended the process, in a turn.
#[test]
fn a_damaged_outbox_is_taken_from_others_or_said_when_a_lone_member_opens() {
    let mut world = World::new(33, 3, 1);
    let ids = [world.id(), world.id()];
    for _ in 0..10 {
        world.write(increment(ids[0], &[ids[1]]));
    }
    world.millis(2_000);
    let leader = world.wait_for_leader(ONLY);
    let victim = (leader + 1) % 3;
    outbox_rots(&mut world, victim);
    world.crash(victim);
    world.start(victim);
    let peer = world.peer(victim, ONLY);
    for member in 0..3 {
        world.shard(member).prefer(ONLY, Some(peer));
    }
    world.checkpoint_one_in = 5;
    world.millis(30_000);
    let suspects = std::mem::take(&mut world.checks.suspects);
    assert_eq!((suspects.len(), suspects[0].0), (1, victim), "{suspects:?}");
    assert_eq!(world.shard(victim).status().suspect, []);
    world.write(increment(ids[0], &[ids[1]]));
    world.heal();
    assert_eq!(world.leader(ONLY), Some(victim), "it is preferred, and whole again");
    world.checks.healed(&world.members, world.partitions);

    let mut alone = World::new(34, 1, 1);
    alone.write(increment(ids[0], &[ids[1]]));
    alone.millis(2_000);
    outbox_rots(&mut alone, 0);
    alone.crash(0);
    let fault = alone.try_start(0).expect_err("it is damaged");
    assert!(matches!(fault, StoreFault::Corrupt(_)), "{fault}");
}

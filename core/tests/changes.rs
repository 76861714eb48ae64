//! Whoever follows an app in a whole partition has the live set at the end, however it was paged, whatever was written
//! while it read, and across restarts that leave the journal behind, snapshots of memory tables and forgotten deletions.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{APP, World};
use gomer_core::id::{AppId, Id, LinkType, NodeType, Partition, Position, Root, Section, StreamId};
use gomer_core::mutant::Mutants;
use gomer_core::rows::RowRef;
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::query::{Answer, ChangesFrom, ChangesPage, DeltaItem, Query};
use gomer_core::vnode::read;
use proptest::collection::vec;
use proptest::prelude::*;

const OTHER: AppId = AppId(2);
const STREAM: StreamId = StreamId(1);
const SECTIONS: [Section; 3] = [Section::PRIVATE, Section::PUBLIC, Section::INTERNAL];

#[derive(Debug, Clone)]
enum Op {
    Node(u8, u8),
    Patch(u8, u8),
    Delete(u8),
    Link(u8, u8),
    Unlink(u8),
    Append(u8),
    Retract(u8),
}

#[derive(Debug, Clone)]
enum Act {
    Write { other_app: bool, root: u8, ops: Vec<Op> },
    Pull { follower: usize, limit: u32, pages: u8, journal: bool },
    Crash,
    Checkpoint,
    Month,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0u8..3, 0u8..3).prop_map(|(id, section)| Op::Node(id, section)),
        (0u8..3, any::<u8>()).prop_map(|(id, n)| Op::Patch(id, n)),
        (0u8..3).prop_map(Op::Delete),
        (0u8..3, any::<u8>()).prop_map(|(to, n)| Op::Link(to, n)),
        (0u8..3).prop_map(Op::Unlink),
        (0u8..4).prop_map(Op::Append),
        (0u8..4).prop_map(Op::Retract),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let write = (prop::bool::weighted(0.1), 0u8..5, vec(op(), 1..4))
        .prop_map(|(other_app, root, ops)| Act::Write { other_app, root, ops });
    let pull = (0usize..3, 1u32..6, 1u8..4, prop::bool::weighted(0.8))
        .prop_map(|(follower, limit, pages, journal)| Act::Pull { follower, limit, pages, journal });
    prop_oneof![10 => write, 5 => pull, 1 => Just(Act::Crash), 1 => Just(Act::Checkpoint), 1 => Just(Act::Month)]
}

fn small(n: u8) -> Id {
    Id::from_bytes([n + 1; 16])
}

fn operation(op: &Op, root: u8, author: Id) -> Operation {
    let (section, n) = (SECTIONS[usize::from(root) % 2], "n".to_owned());
    match op {
        Op::Node(id, section) => Operation::CreateNode {
            id: small(*id),
            ty: NodeType(1),
            section: SECTIONS[usize::from(*section)],
            author,
            flags: Flags(0),
            attrs: vec![],
        },
        Op::Patch(id, to) => {
            Operation::PatchNode { id: small(*id), attrs: vec![(n, Some(to.to_string()))], edited: None }
        }
        Op::Delete(id) => Operation::DeleteNode { id: small(*id) },
        Op::Link(to, data) => {
            let (ty, to, data) = (LinkType(1), small(*to), data.to_string());
            Operation::PutLink { ty, to, section, time: None, data }
        }
        Op::Unlink(to) => Operation::DeleteLink { ty: LinkType(1), to: small(*to) },
        Op::Append(id) => {
            let object = Root::post(small(*id));
            let activity = Activity { actor: author, verb: 1, object, target: None, extra: String::new() };
            Operation::Append { stream: STREAM, id: small(*id), section, activity }
        }
        Op::Retract(id) => Operation::Retract { stream: STREAM, id: small(*id) },
    }
}

type Held = BTreeMap<(Root, RowRef), (Position, String)>;

/// As simple as can be.
#[derive(Default)]
struct Follower {
    from: Option<ChangesFrom>,
    rows: Held,
    touched: Option<BTreeSet<(Root, RowRef)>>,
    /// The order of what came since the last walk.
    last: Position,
}

fn row_of(item: &DeltaItem) -> RowRef {
    match item {
        DeltaItem::Node(id, _) => RowRef::Node(*id),
        DeltaItem::Link(ty, view) => RowRef::Link(*ty, view.to),
        DeltaItem::Count(ty, _) => RowRef::Count(*ty),
        DeltaItem::Entry(stream, view) => RowRef::Entry(*stream, view.entry.id),
        DeltaItem::Mark(stream, _) => RowRef::Mark(*stream),
        DeltaItem::Gone(row, ..) => *row,
    }
}

impl Follower {
    fn take(&mut self, page: ChangesPage) {
        let from = self.from.unwrap_or(ChangesFrom::START);
        let walks = page.resync || from.walk.is_some() || page.next.walk.is_some() || from.history == 0;
        if page.resync {
            self.touched = Some(BTreeSet::new());
        }
        assert!(page.items.is_sorted_by_key(|change| change.position()), "in order within a page");
        for change in &page.items {
            assert_ne!(change.section, Section::INTERNAL);
            // Beyond what it had, and in order: but for a walk, which goes by roots. One that fits in a page looks like
            // a tail from outside.
            if !walks {
                assert!(change.position() > from.position && change.position() <= page.next.position);
            }
        }
        for change in page.items {
            let key = (change.root, row_of(&change.item));
            if let Some(touched) = &mut self.touched {
                touched.insert(key);
            }
            let position = change.position();
            match change.item {
                DeltaItem::Gone(..) => self.rows.remove(&key),
                item => self.rows.insert(key, (position, format!("{item:?}"))),
            };
        }
        assert!(page.resync || page.next.position >= from.position, "nothing is read twice without a reason");
        self.last = page.next.position;
        self.from = Some(page.next);
        if page.end
            && let Some(touched) = self.touched.take()
        {
            self.rows.retain(|row, _| touched.contains(row));
        }
    }
}

fn pull(world: &mut World, app: AppId, follower: &mut Follower, limit: u32, journal: bool) -> bool {
    let from = follower.from.unwrap_or(ChangesFrom::START);
    let query = Query::Changes { from, limit };
    let journals = journal.then(|| world.shard().journals());
    let reader = world.shard().reader();
    let any = Root::profile(Id::NIL);
    let reading =
        read::answer_with(&reader.view(), journals.as_ref(), Partition(0), app, any, &query, Mutants::NONE);
    let Answer::Changes(page) = reading.expect("rows check").answer else { panic!("changes answer changes") };
    let end = page.end;
    follower.take(page);
    end
}

/// The rows as they are, read root by root through the deltas that phones read.
fn live(world: &mut World) -> Held {
    let mut rows = Held::new();
    for root in 0..5 {
        let root = Root::profile(small(root));
        for section in SECTIONS {
            let from = gomer_core::vnode::query::DeltaFrom::START;
            let Answer::Delta(page) = world.read(root, Query::Delta { section, from, limit: 1_000 }) else {
                panic!("a delta answers a delta")
            };
            assert!(page.end);
            for item in page.items {
                let position = match &item {
                    DeltaItem::Node(_, node) => node.rev,
                    DeltaItem::Link(_, view) => view.link.rev,
                    DeltaItem::Count(_, count) => count.rev,
                    DeltaItem::Entry(_, view) => view.entry.rev,
                    DeltaItem::Mark(_, mark) => mark.rev,
                    DeltaItem::Gone(..) => continue,
                };
                rows.insert((root, row_of(&item)), (position, format!("{item:?}")));
            }
        }
    }
    rows
}

fn write(world: &mut World, app: AppId, root: u8, ops: &[Op]) {
    let author = Id::from_bytes([0xaa; 16]);
    let mut write = Write::new(app, Root::profile(small(root)), author);
    write.ops = ops.iter().map(|op| operation(op, root, author)).collect();
    // A refusal is as good as a success: it must leave no trace.
    let _ = world.write(write);
    world.now.wall = world.now.wall + Duration::from_millis(7);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn followers_of_a_partition_have_the_live_set(acts in vec(act(), 1..80), limit in 1u32..8) {
        let mut world = World::new(1);
        let mut followers: [Follower; 3] = Default::default();
        for act in acts {
            match act {
                Act::Write { other_app, root, ops } => {
                    write(&mut world, if other_app { OTHER } else { APP }, root, &ops);
                }
                Act::Pull { follower, limit, pages, journal } => {
                    for _ in 0..pages {
                        pull(&mut world, APP, &mut followers[follower], limit, journal);
                    }
                }
                Act::Crash => world.crash(),
                Act::Checkpoint => world.checkpoint(),
                Act::Month => world.jump(Duration::from_secs(31 * 24 * 3_600)),
            }
        }
        let live = live(&mut world);
        for (number, follower) in followers.iter_mut().enumerate() {
            let journal = number != 2;
            let pages = (0..2_000).take_while(|_| !pull(&mut world, APP, follower, limit, journal)).count();
            prop_assert!(pages < 2_000, "an end is reached, also by a resync");
            prop_assert_eq!(&follower.rows, &live);
        }
    }
}

#[test]
fn the_tail_is_in_order_of_position_across_roots_and_a_walk_is_not_needed() {
    let mut world = World::new(1);
    let mut follower = Follower::default();
    while !pull(&mut world, APP, &mut follower, 3, true) {}
    for round in 0..40 {
        write(&mut world, APP, round % 5, &[Op::Node(round % 3, 1), Op::Patch(round % 3, round)]);
        write(&mut world, OTHER, round % 5, &[Op::Node(0, 1)]);
    }
    let (mut positions, mut ended) = (Vec::new(), false);
    while !ended {
        let query = Query::Changes { from: follower.from.unwrap(), limit: 3 };
        let (journals, reader) = (world.shard().journals(), world.shard().reader());
        let any = Root::profile(Id::NIL);
        let reading =
            read::answer_with(&reader.view(), Some(&journals), Partition(0), APP, any, &query, Mutants::NONE);
        let Answer::Changes(page) = reading.unwrap().answer else { panic!() };
        assert!(page.next.walk.is_none() && !page.resync);
        positions.extend(page.items.iter().map(|change| change.position()));
        ended = page.end;
        follower.take(page);
    }
    // Each of the fifteen nodes once, where it stands now.
    assert_eq!(positions.len(), 15);
    assert!(positions.is_sorted_by(|a, b| a < b));
}

#[test]
fn a_place_of_another_log_or_beyond_the_end_begins_again_and_the_end_is_told_without_reading() {
    let mut world = World::new(1);
    for round in 0..6 {
        write(&mut world, APP, round % 5, &[Op::Node(round % 3, 1)]);
    }
    let ask = |world: &mut World, from: ChangesFrom, limit: u32| {
        let reader = world.shard().reader();
        let any = Root::profile(Id::NIL);
        let query = Query::Changes { from, limit };
        let reading = read::answer(&reader.view(), Partition(0), APP, any, &query, Mutants::NONE).unwrap();
        let Answer::Changes(page) = reading.answer else { panic!() };
        (page, reading.position)
    };
    let (end, head) = ask(&mut world, ChangesFrom::START, 0);
    assert!(end.items.is_empty() && end.end && !end.resync && end.next.position == head);
    let (nothing, _) = ask(&mut world, end.next, 100);
    assert!(nothing.items.is_empty() && nothing.end && !nothing.resync);
    for wrong in [
        ChangesFrom { history: end.next.history ^ 1, ..end.next },
        ChangesFrom { era: end.next.era ^ 1, ..end.next },
        ChangesFrom { position: Position(head.0 + 1), ..end.next },
    ] {
        let (page, _) = ask(&mut world, wrong, 100);
        assert!(page.resync && page.end && page.items.len() == 6, "{wrong:?}");
    }
}

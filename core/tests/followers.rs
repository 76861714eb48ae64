//! Whatever is written, in whatever order: a follower that has read to the end has exactly the live set,
//! counts and digest agree with the rows they are derived from.

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use common::{APP, World};
use gomer_core::id::{Id, LinkType, NodeType, Order, Partition, Root, Section, StreamId};
use gomer_core::rows::applied::{self, Applied};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::rows::txn::row_hash;
use gomer_core::rows::{RowRef, get};
use gomer_core::store::{Direction, StateRead};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::query::{Answer, DeltaFrom, DeltaItem, DeltaPage, Query};
use proptest::collection::vec;
use proptest::prelude::*;

const STREAM: StreamId = StreamId(1);
const SECTION: Section = Section::PRIVATE;

/// What a test does, with small numbers for ids, so that they meet again.
#[derive(Debug, Clone)]
enum Act {
    Write(Vec<Op>),
    Pull { follower: usize, limit: u32, pages: usize },
    Crash,
    Checkpoint,
    Month,
}

#[derive(Debug, Clone)]
enum Op {
    Create(u8),
    Put(u8, u8),
    Patch(u8, u8, Option<u16>),
    Add(u8, i8),
    Flag(u8, bool),
    Delete(u8),
    Link(u8, u8, Option<u16>, u8),
    Unlink(u8, u8),
    Retype(u8, u8, u8),
    Append(u8),
    Retract(u8),
    Amend(u8, u8),
    Trim(u8),
    Mark(u8, bool),
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0u8..6;
    let ty = 1u8..4;
    prop_oneof![
        id.clone().prop_map(Op::Create),
        (id.clone(), any::<u8>()).prop_map(|(a, b)| Op::Put(a, b)),
        (id.clone(), 0u8..4, any::<Option<u16>>()).prop_map(|(a, b, c)| Op::Patch(a, b, c)),
        (id.clone(), any::<i8>()).prop_map(|(a, b)| Op::Add(a, b)),
        (id.clone(), any::<bool>()).prop_map(|(a, b)| Op::Flag(a, b)),
        id.clone().prop_map(Op::Delete),
        (ty.clone(), id.clone(), any::<Option<u16>>(), 0u8..2).prop_map(|(a, b, c, d)| Op::Link(a, b, c, d)),
        (ty.clone(), id.clone()).prop_map(|(a, b)| Op::Unlink(a, b)),
        (ty.clone(), ty, id.clone()).prop_map(|(a, b, c)| Op::Retype(a, b, c)),
        (0u8..20).prop_map(Op::Append),
        (0u8..20).prop_map(Op::Retract),
        (0u8..20, 0u8..4).prop_map(|(a, b)| Op::Amend(a, b)),
        (0u8..5).prop_map(Op::Trim),
        (any::<u8>(), any::<bool>()).prop_map(|(a, b)| Op::Mark(a, b)),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => vec(op(), 1..6).prop_map(Act::Write),
        6 => (0usize..3, 1u32..8, 1usize..4).prop_map(|(follower, limit, pages)| Act::Pull { follower, limit, pages }),
        1 => Just(Act::Crash),
        2 => Just(Act::Checkpoint),
        1 => Just(Act::Month),
    ]
}

fn small(n: u8) -> Id {
    Id::from_bytes([n + 1; 16])
}

fn operation(op: &Op, author: Id, now: Time) -> Operation {
    let attrs = |n: u8| vec![("a".to_owned(), n.to_string())];
    let link = |n: u8| LinkType(n.into());
    let time = |back: &Option<u16>| back.map(|back| now - Duration::from_millis(back.into()));
    match op {
        Op::Create(id) => {
            let (id, ty, flags) = (small(*id), NodeType(1), Flags::default());
            Operation::CreateNode { id, ty, section: SECTION, author, flags, attrs: attrs(0) }
        }
        Op::Put(id, n) => {
            Operation::PutNode { id: small(*id), ty: NodeType(1), section: SECTION, author, attrs: attrs(*n) }
        }
        Op::Patch(id, n, back) => Operation::PatchNode {
            id: small(*id),
            attrs: vec![("a".into(), (*n > 0).then(|| n.to_string()))],
            edited: time(back),
        },
        Op::Add(id, delta) => {
            Operation::AddToAttr { id: small(*id), name: "n".into(), delta: (*delta).into() }
        }
        Op::Flag(id, on) => {
            let (set, clear) = if *on { (Flags::BANNED, Flags(0)) } else { (Flags(0), Flags::BANNED) };
            Operation::FlagNode { id: small(*id), set, clear }
        }
        Op::Delete(id) => Operation::DeleteNode { id: small(*id) },
        Op::Link(ty, to, back, data) => Operation::PutLink {
            ty: link(*ty),
            to: small(*to),
            section: SECTION,
            time: time(back),
            data: data.to_string(),
        },
        Op::Unlink(ty, to) => Operation::DeleteLink { ty: link(*ty), to: small(*to) },
        Op::Retype(from, into, to) => {
            Operation::RetypeLink { from: link(*from), into: link(*into), to: small(*to) }
        }
        Op::Append(id) => {
            let object = Root::post(small(*id));
            let activity = Activity { actor: author, verb: 1, object, target: None, extra: String::new() };
            Operation::Append { stream: STREAM, id: small(*id), section: SECTION, activity }
        }
        Op::Retract(id) => Operation::Retract { stream: STREAM, id: small(*id) },
        Op::Amend(id, n) => Operation::Amend { stream: STREAM, id: small(*id), extra: n.to_string() },
        Op::Trim(keep) => Operation::Trim { stream: STREAM, keep: (*keep).into() },
        Op::Mark(n, forward_only) => {
            let at = Order { position: gomer_core::id::Position((*n).into()), ordinal: 0 };
            Operation::Mark { stream: STREAM, at, edited: None, forward_only: *forward_only }
        }
    }
}

/// A phone's view of one scope, as simple as can be.
#[derive(Default)]
struct Follower {
    from: Option<DeltaFrom>,
    rows: BTreeMap<RowRef, String>,
    /// While it is being resynced: what was sent since.
    touched: Option<Vec<RowRef>>,
}

impl Follower {
    fn take(&mut self, page: DeltaPage) {
        if page.resync {
            self.touched = Some(Vec::new());
        }
        for item in page.items {
            let (row, value) = match item {
                DeltaItem::Node(id, node) => (RowRef::Node(id), Some(format!("{node:?}"))),
                DeltaItem::Link(ty, view) => (RowRef::Link(ty, view.to), Some(format!("{view:?}"))),
                DeltaItem::Count(ty, count) => {
                    (RowRef::Count(ty), (count.count > 0).then(|| count.count.to_string()))
                }
                DeltaItem::Entry(stream, view) => {
                    (RowRef::Entry(stream, view.entry.id), Some(format!("{view:?}")))
                }
                DeltaItem::Mark(stream, mark) => (RowRef::Mark(stream), Some(format!("{mark:?}"))),
                DeltaItem::Gone(row, ..) => (row, None),
            };
            if let Some(touched) = &mut self.touched {
                touched.push(row);
            }
            match value {
                Some(value) => self.rows.insert(row, value),
                None => self.rows.remove(&row),
            };
        }
        self.from = Some(page.next);
        if page.end
            && let Some(touched) = self.touched.take()
        {
            self.rows.retain(|row, _| touched.contains(row));
        }
    }
}

fn pull(world: &mut World, follower: &mut Follower, root: Root, limit: u32) -> bool {
    let from = follower.from.unwrap_or(DeltaFrom::START);
    let Answer::Delta(page) = world.read(root, Query::Delta { section: SECTION, from, limit }) else {
        panic!("a delta answers a delta")
    };
    let end = page.end;
    follower.take(page);
    end
}

/// The rows as they are, read without the change index.
fn live(world: &mut World, root: Root) -> BTreeMap<RowRef, String> {
    let mut rows = BTreeMap::new();
    let Answer::Nodes(nodes) = world.read(root, Query::Nodes { limit: 1_000 }) else { panic!() };
    rows.extend(nodes.into_iter().map(|(id, node)| (RowRef::Node(id), format!("{node:?}"))));
    for ty in (1..4).map(LinkType) {
        let page = Query::LinkPage { ty, after: None, since: None, until: None, limit: 1_000 };
        let Answer::LinkPage(links, true) = world.read(root, page) else { panic!() };
        assert!(links.is_sorted_by_key(|view| (u64::MAX - view.time.as_millis(), view.to)), "newest first");
        assert_eq!(
            world.read(root, Query::LinkCounts(vec![ty])),
            Answer::LinkCounts(vec![links.len() as u64])
        );
        // A follower is told of a list that has become empty, and who asks cannot tell it from one that never was.
        rows.extend((!links.is_empty()).then(|| (RowRef::Count(ty), links.len().to_string())));
        rows.extend(links.into_iter().map(|view| (RowRef::Link(ty, view.to), format!("{view:?}"))));
    }
    let page = Query::EntryPage { stream: STREAM, from: None, newest_first: false, limit: 1_000 };
    let Answer::EntryPage(entries, true) = world.read(root, page) else { panic!() };
    rows.extend(entries.into_iter().map(|view| (RowRef::Entry(STREAM, view.entry.id), format!("{view:?}"))));
    if let Answer::Mark(Some(mark)) = world.read(root, Query::Mark(STREAM)) {
        rows.insert(RowRef::Mark(STREAM), format!("{mark:?}"));
    }
    rows
}

fn digest_holds(world: &mut World) {
    let reader = world.shard().reader();
    let view = reader.view();
    let own = applied::key(Partition(0));
    let mut sum = 0u64;
    view.scan(&[], &[0xff; 8], Direction::Up, &mut |key, value| {
        if key != own {
            sum = sum.wrapping_add(row_hash(key, value));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let applied: Applied = get(&view, &own).unwrap().unwrap();
    assert_eq!(applied.digest, sum, "the running digest is the sum over the rows");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn followers_have_the_live_set_and_sums_agree(acts in vec(act(), 1..60)) {
        let mut world = World::new(1);
        let author = Id::from_bytes([0xaa; 16]);
        let root = Root::profile(author);
        let mut followers: [Follower; 3] = Default::default();
        for act in acts {
            match act {
                Act::Write(ops) => {
                    let mut write = Write::new(APP, root, author);
                    let now = world.now.wall;
                    write.ops = ops.iter().map(|op| operation(op, author, now)).collect();
                    // A refusal is as good as a success: it must leave no trace.
                    let _ = world.write(write);
                    world.now.wall = world.now.wall + Duration::from_millis(7);
                }
                Act::Pull { follower, limit, pages } => {
                    for _ in 0..pages {
                        pull(&mut world, &mut followers[follower], root, limit);
                    }
                }
                Act::Crash => world.crash(),
                Act::Checkpoint => world.checkpoint(),
                Act::Month => {
                    world.jump(Duration::from_secs(31 * 24 * 3_600));
                }
            }
        }
        digest_holds(&mut world);
        let live = live(&mut world, root);
        for follower in &mut followers {
            let pages = (0..1_000).take_while(|_| !pull(&mut world, follower, root, 3)).count();
            prop_assert!(pages < 1_000, "an end is reached, also by a resync");
            prop_assert_eq!(&follower.rows, &live);
        }
    }
}

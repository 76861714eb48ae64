//! Vnodes in their shard: writes, replays, steps, fan-outs, timers, crashes.

mod common;

use std::time::Duration;

use common::{APP, World};
use gomer_core::fault::Fault;
use gomer_core::id::{Id, LinkType, NodeType, Position, Root, RootKind, Section, StreamId};
use gomer_core::rows::entry::Activity;
use gomer_core::rows::node::Flags;
use gomer_core::shard::last_stamp;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Done, Known, OpKey, Operation, Precondition, Step, Write};
use gomer_core::vnode::query::{Answer, DeltaFrom, DeltaItem, DeltaPage, Query};

const POST: NodeType = NodeType(2);
const LIKES: LinkType = LinkType(8);
const LIKED_BY: LinkType = LinkType(9);
const FOLLOWED_BY: LinkType = LinkType(2);
const HOME: StreamId = StreamId(1);

fn create(id: Id, author: Id) -> Operation {
    Operation::CreateNode {
        id,
        ty: POST,
        section: Section::PUBLIC,
        author,
        flags: Flags::default(),
        attrs: vec![("text".into(), "\"hello\"".into())],
    }
}

fn link(ty: LinkType, to: Id) -> Operation {
    Operation::PutLink { ty, to, section: Section::INVERSE, time: None, data: String::new() }
}

fn entry(id: Id, actor: Id) -> Operation {
    let activity = Activity { actor, verb: 1, object: Root::post(id), target: None, extra: String::new() };
    Operation::Append { stream: HOME, id, section: Section::PRIVATE, activity }
}

fn count(world: &mut World, root: Root, ty: LinkType) -> u64 {
    match world.read(root, Query::LinkCounts(vec![ty])) {
        Answer::LinkCounts(counts) => counts[0],
        other => panic!("{other:?}"),
    }
}

fn home(world: &mut World, person: Id) -> Vec<Id> {
    let query = Query::EntryPage { stream: HOME, from: None, newest_first: true, limit: 1_000 };
    match world.read(Root::profile(person), query) {
        Answer::EntryPage(entries, _) => entries.into_iter().map(|view| view.entry.id).collect(),
        other => panic!("{other:?}"),
    }
}

fn delta(world: &mut World, root: Root, section: Section, from: DeltaFrom, limit: u32) -> DeltaPage {
    match world.read(root, Query::Delta { section, from, limit }) {
        Answer::Delta(page) => page,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_is_there_after_a_crash_and_its_repetition_changes_nothing() {
    let mut world = World::new(8);
    let (id, ann) = (world.id(), world.id());
    let op = OpKey { id: world.id(), fingerprint: [1; 16] };
    let mut write = Write::new(APP, Root::post(id), ann).op(create(id, ann));
    write.op = Some(op);
    write.reply = vec![b"{\"rev\":\"".to_vec(), b"\"}".to_vec()];
    let first = world.write(write.clone()).unwrap();
    assert_eq!(first.done, [Done::Created(first.position)]);
    world.crash();
    let again = world.write(write.clone()).unwrap();
    assert_eq!(again.position, first.position, "the first write's position");
    assert_eq!(again.era, first.era, "in the era it was made in");
    assert_eq!(again.replayed, Some(write.reply.clone()));
    write.op = Some(OpKey { fingerprint: [2; 16], ..op });
    assert_eq!(world.write(write), Err(Fault::KeyReused));
    let Answer::Node(Some(node)) = world.read(Root::post(id), Query::Node(id)) else { panic!("lost") };
    assert_eq!((node.rev, node.attr("text")), (first.position, Some("\"hello\"")));
}

#[test]
fn an_id_belongs_to_its_first_author_also_after_deletion() {
    let mut world = World::new(4);
    let (id, ann, ben) = (world.id(), world.id(), world.id());
    let by = |author| Write::new(APP, Root::post(id), author).op(create(id, author));
    let first = world.write(by(ann)).unwrap();
    assert_eq!(world.write(by(ann)).unwrap().done, [Done::Unchanged(first.position)]);
    assert_eq!(world.write(by(ben)), Err(Fault::IdTaken));
    world.write(Write::new(APP, Root::post(id), ann).op(Operation::DeleteNode { id })).unwrap();
    assert_eq!(world.write(by(ann)), Err(Fault::Present), "deletes are final");
    assert_eq!(world.write(by(ben)), Err(Fault::IdTaken));
}

#[test]
fn a_refused_write_leaves_nothing_behind() {
    let mut world = World::new(4);
    let (id, other, ann) = (world.id(), world.id(), world.id());
    let write = Write::new(APP, Root::post(id), ann)
        .op(create(id, ann))
        .op(Operation::FlagNode { id: other, set: Flags::BANNED, clear: Flags::default() })
        .step(Step::to(Root::profile(ann), vec![link(LIKES, id)]));
    assert_eq!(world.write(write), Err(Fault::Absent));
    world.settle();
    assert_eq!(world.read(Root::post(id), Query::Node(id)), Answer::Node(None));
    assert_eq!(count(&mut world, Root::profile(ann), LIKES), 0);
    let page = delta(&mut world, Root::post(id), Section::PUBLIC, DeltaFrom::START, 10);
    assert!(page.items.is_empty() && page.end);
}

#[test]
fn a_stale_revision_is_refused_with_the_present_one() {
    let mut world = World::new(4);
    let (id, ann) = (world.id(), world.id());
    let root = Root::post(id);
    let first = world.write(Write::new(APP, root, ann).op(create(id, ann))).unwrap().position;
    let patch = |text: &str| Operation::PatchNode {
        id,
        attrs: vec![("text".into(), Some(text.into()))],
        edited: None,
    };
    let guarded = |rev, text| Write::new(APP, root, ann).when(Precondition::NodeRev(id, rev)).op(patch(text));
    let second = world.write(guarded(first, "1")).unwrap().position;
    assert_eq!(world.write(guarded(first, "2")), Err(Fault::Stale(second)));
    assert!(world.write(guarded(second, "2")).is_ok());
}

/// A phone made a post in a tunnel and corrected it there. Both arrive an hour later; the creation is
/// stamped by the server's clock, the correction claims the tunnel's. It was taken for an older edit and lost.
#[test]
fn an_edit_made_offline_is_not_overruled_by_the_creation_that_came_with_it() {
    let mut world = World::new(1);
    let (id, ann) = (world.id(), world.id());
    let root = Root::post(id);
    let in_the_tunnel = world.now.wall;
    world.now.wall = world.now.wall + Duration::from_secs(3_600);
    world.write(Write::new(APP, root, ann).op(create(id, ann))).unwrap();
    let attrs = vec![("text".to_owned(), Some("\"corrected\"".to_owned()))];
    let patch = Operation::PatchNode { id, attrs, edited: Some(in_the_tunnel) };
    let outcome = world.write(Write::new(APP, root, ann).op(patch)).unwrap();
    assert!(outcome.overruled.is_empty());
    let Answer::Node(Some(node)) = world.read(root, Query::Node(id)) else { panic!("there") };
    assert_eq!(node.attr("text"), Some("\"corrected\""));
}

fn like(world: &mut World, ann: Id, post: Id) {
    let back = Step::to(Root::post(post), vec![link(LIKED_BY, ann)]);
    world.write(Write::new(APP, Root::profile(ann), ann).op(link(LIKES, post)).step(back)).unwrap();
}

#[test]
fn a_step_takes_effect_exactly_once_however_often_the_process_dies() {
    let mut world = World::new(8);
    let people: Vec<Id> = (0..20).map(|_| world.id()).collect();
    let post = world.id();
    for (i, &ann) in people.iter().enumerate() {
        world.deaf = i % 3 == 0;
        like(&mut world, ann, post);
        like(&mut world, ann, post);
        match i % 4 {
            0 => world.crash(),
            1 => world.settle(),
            2 => world.turn(),
            _ => {}
        }
    }
    world.deaf = false;
    world.pass(Duration::from_secs(3));
    assert_eq!(count(&mut world, Root::post(post), LIKED_BY), 20);
    assert_eq!(world.shard().status().steps, 0, "the outbox is empty once everything is kept");
}

/// The step before was lost, the one after it arrives: it must not be remembered as on its way, or the
/// repetition of both would be taken for known and the queue would stand still for ever.
#[test]
fn a_lost_message_with_later_ones_behind_it_is_made_up_for() {
    let mut world = World::new(1);
    let post = world.id();
    world.deaf = true;
    for lost in [true, false, true, false] {
        world.deaf = lost;
        let ann = world.id();
        like(&mut world, ann, post);
        world.turn();
    }
    world.pass(Duration::from_secs(3));
    assert_eq!(count(&mut world, Root::post(post), LIKED_BY), 4);
}

#[test]
fn quick_changes_of_mind_arrive_in_order() {
    let mut world = World::new(8);
    let (ann, post) = (world.id(), world.id());
    for _ in 0..5 {
        like(&mut world, ann, post);
        let back = Step::to(Root::post(post), vec![Operation::DeleteLink { ty: LIKED_BY, to: ann }]);
        let unlike = Operation::DeleteLink { ty: LIKES, to: post };
        world.write(Write::new(APP, Root::profile(ann), ann).op(unlike).step(back)).unwrap();
    }
    world.settle();
    assert_eq!(count(&mut world, Root::post(post), LIKED_BY), 0);
    like(&mut world, ann, post);
    world.settle();
    assert_eq!(count(&mut world, Root::post(post), LIKED_BY), 1);
}

#[test]
fn a_fan_out_reaches_every_follower_once_through_crashes() {
    let mut world = World::new(16);
    let (ann, post) = (world.id(), world.id());
    let followers: Vec<Id> = (0..6_000).map(|_| world.id()).collect();
    for chunk in followers.chunks(200) {
        let mut write = Write::new(APP, Root::profile(ann), ann);
        write.ops = chunk.iter().map(|&to| link(FOLLOWED_BY, to)).collect();
        world.write(write).unwrap();
    }
    let step = Step { bulk: true, ..Step::to(Root::profile(ann), vec![entry(post, ann)]) };
    let fan_out = Operation::FanOut { pipe: post, links: FOLLOWED_BY, step: Box::new(step) };
    world.write(Write::new(APP, Root::profile(ann), ann).op(fan_out)).unwrap();
    for turns in [1, 2, 3, 5] {
        for _ in 0..turns {
            world.turn();
        }
        world.crash();
    }
    world.pass(Duration::from_secs(3));
    for &follower in &followers {
        assert_eq!(home(&mut world, follower), [post]);
    }
    let status = world.shard().status();
    assert_eq!((status.steps, status.pipes), (0, 0));
}

#[test]
fn a_follower_that_pages_small_has_exactly_the_live_set() {
    let mut world = World::new(1);
    let ann = world.id();
    let root = Root::profile(ann);
    let mut write = Write::new(APP, root, ann);
    for _ in 0..10 {
        let id = world.id();
        write.ops.push(create(id, ann));
    }
    world.write(write).unwrap();
    let page = delta(&mut world, root, Section::PUBLIC, DeltaFrom::START, 3);
    assert_eq!(page.items.len(), 10, "a page never ends inside a position");
    assert!(page.end && !page.resync);
    let nothing = delta(&mut world, root, Section::PUBLIC, page.next, 3);
    assert!(nothing.items.is_empty() && nothing.end && !nothing.resync);
    let DeltaItem::Node(id, _) = page.items[4] else { panic!("a node") };
    world.write(Write::new(APP, root, ann).op(Operation::DeleteNode { id })).unwrap();
    let news = delta(&mut world, root, Section::PUBLIC, page.next, 3);
    assert!(matches!(news.items[..], [DeltaItem::Gone(..)]), "{news:?}");
    let anew = delta(&mut world, root, Section::PUBLIC, DeltaFrom::START, 100);
    assert_eq!(anew.items.len(), 9, "who has nothing is told nothing of deletions");
}

/// A copy of the disk was put back that lacks a write. Where that write was, the copy's log goes on with an entry
/// of Raft's own, and only the next one opens the era: a follower that had come to the write's position was taken
/// for one of the new log, and kept what was lost for ever. Found by the simulator.
#[test]
fn where_a_lost_write_was_nothing_is_known_of_the_era_before() {
    let mut world = World::new(1);
    let ann = world.id();
    let (kept, lost) = (world.id(), world.id());
    let at = |id: Id| Write::new(APP, Root::post(kept), ann).op(create(id, ann));
    world.write(at(kept)).unwrap();
    let (log, state) = (world.log.store().clone(), world.state.store().clone());
    world.write(at(lost)).unwrap();
    let page = delta(&mut world, Root::post(kept), Section::PUBLIC, DeltaFrom::START, 100);
    assert_eq!((page.items.len(), page.end), (2, true));
    *world.log.store() = log;
    *world.state.store() = state;
    world.crash();
    let page = delta(&mut world, Root::post(kept), Section::PUBLIC, page.next, 100);
    assert!(page.resync, "{page:?}");
    assert_eq!(page.items.len(), 1);
    let page = delta(&mut world, Root::post(kept), Section::PUBLIC, page.next, 100);
    assert!(!page.resync && page.items.is_empty(), "{page:?}");
}

#[test]
fn a_follower_from_before_the_horizon_is_resynced_once_not_at_every_page() {
    let mut world = World::new(1);
    let ann = world.id();
    let root = Root::profile(ann);
    let ids: Vec<Id> = (0..10).map(|_| world.id()).collect();
    for &id in &ids {
        world.write(Write::new(APP, root, ann).op(create(id, ann))).unwrap();
    }
    let old = delta(&mut world, root, Section::PUBLIC, DeltaFrom::START, 100).next;
    world.write(Write::new(APP, root, ann).op(Operation::DeleteNode { id: ids[0] })).unwrap();
    world.jump(Duration::from_secs(31 * 24 * 3_600));
    world.jump(Duration::from_secs(3_601));
    let mut page = delta(&mut world, root, Section::PUBLIC, old, 4);
    assert!(page.resync, "its deletion is forgotten");
    let mut live = 0;
    let mut pages = 0;
    loop {
        live += page.items.len();
        pages += 1;
        if page.end {
            break;
        }
        page = delta(&mut world, root, Section::PUBLIC, page.next, 4);
        assert!(!page.resync, "checked against the position at which it began");
    }
    assert_eq!((live, pages), (9, 3));
    let queued =
        |id: Id, known| Write { known: Some(known), ..Write::new(APP, root, ann).op(create(id, ann)) };
    let known = |from: DeltaFrom| Known::UpTo { position: from.position, era: from.era };
    let replayed = queued(ids[0], known(old));
    assert_eq!(world.write(replayed), Err(Fault::Expired), "a create replayed after the horizon");
    let (position, era) = (page.next.position, page.next.era);
    for (known, why) in [
        (Known::UpTo { position, era: era ^ 1 }, "a position that was reached in another log"),
        (Known::UpTo { position: Position(position.0 + 1_000), era }, "one that this log has not reached"),
    ] {
        assert_eq!(world.write(queued(ids[0], known)), Err(Fault::Expired), "{why}");
    }
    let fresh = world.id();
    world.write(queued(fresh, known(page.next))).unwrap();
    let fresh = world.id();
    world.write(queued(fresh, Known::Nothing)).unwrap();
}

/// Who makes a post, a node, says nothing of its root, which did not exist. Where it did exist, was deleted and is
/// forgotten, the creation came too late.
#[test]
fn a_root_that_was_deleted_and_forgotten_is_not_made_again_from_an_old_queue() {
    let mut world = World::new(1);
    let (ann, post) = (world.id(), world.id());
    let root = Root::new(RootKind::Post, post);
    let create = || Write { known: Some(Known::Nothing), ..Write::new(APP, root, ann).op(create(post, ann)) };
    world.write(create()).unwrap();
    world.write(create()).unwrap();
    world.write(Write::new(APP, root, ann).op(Operation::DeleteNode { id: post })).unwrap();
    assert_eq!(world.write(create()), Err(Fault::Present), "the deletion is remembered");
    world.jump(Duration::from_secs(31 * 24 * 3_600));
    world.jump(Duration::from_secs(3_601));
    assert_eq!(world.write(create()), Err(Fault::Expired));
}

#[test]
fn the_last_stamp_of_a_store_is_told_before_anything_runs_on_it() {
    let mut world = World::new(2);
    let stamp = |world: &World| last_stamp(&world.log, &world.state, world.partitions.all()).unwrap();
    let (ann, started) = (world.id(), world.now.wall);
    assert_eq!(stamp(&world), started, "a group of one opens an era when it starts");
    world.now.wall = world.now.wall + Duration::from_secs(7 * 24 * 3_600);
    let id = world.id();
    let write = Write::new(APP, Root::profile(ann), ann).op(create(id, ann));
    world.write(write).unwrap();
    assert_eq!(stamp(&world), world.now.wall, "it stands in the log alone, or in the rows");
    let unused = World::new(2).partitions.all();
    assert_eq!(last_stamp(&MapLog::default(), &MapState::default(), unused), Ok(Time::ZERO));
}

#[test]
fn a_cursor_from_a_past_that_did_not_happen_is_resynced() {
    let mut world = World::new(1);
    let ann = world.id();
    let root = Root::profile(ann);
    let backup_log = world.log.store().clone();
    let backup_state = world.state.store().clone();
    for _ in 0..10 {
        let id = world.id();
        world.write(Write::new(APP, root, ann).op(create(id, ann))).unwrap();
    }
    let lost = delta(&mut world, root, Section::PUBLIC, DeltaFrom::START, 100).next;
    *world.log.store() = backup_log;
    *world.state.store() = backup_state;
    world.crash();
    for _ in 0..20 {
        let id = world.id();
        world.write(Write::new(APP, root, ann).op(create(id, ann))).unwrap();
    }
    let page = delta(&mut world, root, Section::PUBLIC, lost, 100);
    assert!(page.resync, "position {} was reached in another era", lost.position);
    assert_eq!(page.items.len(), 20);
}

#[test]
fn a_timer_fires_once_when_it_is_due_also_after_a_crash() {
    let mut world = World::new(2);
    let (id, ann) = (world.id(), world.id());
    let root = Root::post(id);
    let due = world.now.wall + Duration::from_secs(60);
    let later = Write::new(APP, root, ann).op(Operation::AddToAttr { id, name: "fired".into(), delta: 1 });
    let timer = Operation::SetTimer { id: ann, due, write: Box::new(later) };
    world.write(Write::new(APP, root, ann).op(create(id, ann)).op(timer)).unwrap();
    world.pass(Duration::from_secs(59));
    let fired = |world: &mut World| match world.read(root, Query::Node(id)) {
        Answer::Node(Some(node)) => node.attr("fired").map(str::to_owned),
        other => panic!("{other:?}"),
    };
    assert_eq!(fired(&mut world), None);
    world.crash();
    world.pass(Duration::from_secs(2));
    assert_eq!(fired(&mut world).as_deref(), Some("1"));
    world.crash();
    world.pass(Duration::from_secs(2));
    assert_eq!(fired(&mut world).as_deref(), Some("1"));
}

#[test]
fn an_amended_entry_keeps_its_place_and_a_retracted_one_stays_gone() {
    let mut world = World::new(1);
    let (ann, first, second) = (world.id(), world.id(), world.id());
    let root = Root::profile(ann);
    let write = |op| Write::new(APP, root, ann).op(op);
    let amend = |id, extra: &str| Operation::Amend { stream: HOME, id, extra: extra.into() };
    let made = world.write(write(entry(first, ann)).when(Precondition::EntryAbsent(HOME, first))).unwrap();
    world.write(write(entry(second, ann))).unwrap();
    let from = match delta(&mut world, root, Section::PRIVATE, DeltaFrom::START, 10) {
        DeltaPage { items, next, end: true, .. } if items.len() == 2 => next,
        other => panic!("{other:?}"),
    };
    // An edit moves the revision and is told to followers; the order is as before.
    let guarded = Precondition::EntryRev(HOME, first, made.rev);
    let edited = world.write(write(amend(first, "new")).when(guarded.clone())).unwrap();
    assert_eq!(edited.done, [Done::Changed(edited.position)]);
    assert_eq!(home(&mut world, ann), [second, first]);
    let page = delta(&mut world, root, Section::PRIVATE, from, 10);
    assert!(
        matches!(&page.items[..], [DeltaItem::Entry(HOME, view)]
            if view.entry.id == first && view.entry.activity.extra == "new" && view.order.position == made.rev),
        "{page:?}"
    );
    // The same text again changes nothing; the revision that was read first no longer holds.
    assert!(!world.write(write(amend(first, "new"))).unwrap().changed());
    assert_eq!(world.write(write(amend(first, "other")).when(guarded)), Err(Fault::Stale(edited.rev)));
    // What is gone is neither edited nor made again, and what never was is not there.
    world.write(write(Operation::Retract { stream: HOME, id: first })).unwrap();
    assert_eq!(world.write(write(amend(first, "late"))), Err(Fault::Absent));
    let again = write(entry(first, ann)).when(Precondition::EntryAbsent(HOME, first));
    assert_eq!(world.write(again), Err(Fault::Present));
    let never = world.id();
    assert_eq!(world.write(write(amend(never, "x"))), Err(Fault::Absent));
    let unseen = write(amend(second, "x")).when(Precondition::EntryRev(HOME, never, edited.rev));
    assert_eq!(world.write(unseen), Err(Fault::Absent));
    let long = write(amend(second, &"x".repeat(32 * 1024 + 1)));
    assert!(matches!(world.write(long), Err(Fault::TooLarge(_))));
}

#[test]
fn a_name_never_has_two_owners() {
    let mut world = World::new(8);
    let (ann, ben) = (world.id(), world.id());
    let name = Root::name("handle", "ann");
    let due = world.now.wall + Duration::from_secs(600);
    let reserve = |owner, reservation| {
        let ask = Operation::AskName {
            reservation,
            name,
            node: owner,
            attr: "handle".into(),
            used: "\"ann\"".into(),
        };
        let timer = Write::new(APP, name, Id::NIL).step(Step::to(Root::profile(owner), vec![ask]));
        Write::new(APP, name, owner)
            .op(Operation::ReserveName { owner, reservation, due })
            .op(Operation::SetTimer { id: reservation, due, write: Box::new(timer) })
    };
    let (claim, other) = (world.id(), world.id());
    world.write(reserve(ann, claim)).unwrap();
    assert_eq!(world.write(reserve(ben, other)), Err(Fault::NameTaken));
    world.jump(Duration::from_secs(601));
    assert_eq!(world.read(name, Query::Name), Answer::Name(None), "asked, refused, released");
    world.write(reserve(ben, other)).unwrap();
    let late =
        Write::new(APP, Root::profile(ann), ann).when(Precondition::NotRefused(claim)).op(create(ann, ann));
    assert_eq!(world.write(late), Err(Fault::NameTaken), "the confirmation that came too late");
}

#[test]
fn positions_begin_where_the_log_begins_and_never_repeat() {
    let mut world = World::new(1);
    let ann = world.id();
    let mut last = Position::ZERO;
    for i in 0..30 {
        let id = world.id();
        let outcome = world.write(Write::new(APP, Root::post(id), ann).op(create(id, ann))).unwrap();
        assert!(outcome.position > last);
        last = outcome.position;
        if i % 7 == 0 {
            world.shard().checkpoint().unwrap();
            world.crash();
        }
    }
}

#[test]
fn a_root_is_erased_in_slices_and_no_other_one_is_touched() {
    let mut world = World::new(4);
    let (ann, ben) = (world.id(), world.id());
    let (own, other) = (Root::profile(ann), Root::profile(ben));
    for (root, person) in [(own, ann), (other, ben)] {
        for _ in 0..40 {
            let (node, to, id) = (world.id(), world.id(), world.id());
            let op = OpKey { id: world.id(), fingerprint: [7; 16] };
            let mut write = Write::new(APP, root, person)
                .op(create(node, person))
                .op(link(LIKES, to))
                .op(entry(id, person));
            write.op = Some(op);
            write.reply = vec![b"what was answered".to_vec()];
            world.write(write).unwrap();
        }
    }
    let left = |world: &mut World, root: Root| {
        let Answer::Nodes(nodes) = world.read(root, Query::Nodes { limit: 1_000 }) else { panic!() };
        let person = root.id;
        (nodes.len(), count(world, root, LIKES), home(world, person).len())
    };
    assert_eq!(left(&mut world, own), (40, 40, 40));
    let erase = |records_of, rows| Write::new(APP, own, Id::NIL).op(Operation::Erase { records_of, rows });
    for rows in [0, 257] {
        assert!(matches!(world.write(erase(None, rows)), Err(Fault::TooLarge(_))), "{rows}");
    }
    // Only what was answered to her; nobody else's, and none of the rest.
    assert!(!world.write(erase(Some(ben), 256)).unwrap().changed());
    assert!(world.write(erase(Some(ann), 256)).unwrap().changed());
    assert!(!world.write(erase(Some(ann), 256)).unwrap().changed());
    assert_eq!(left(&mut world, own), (40, 40, 40));
    let fresh = DeltaFrom { position: Position::ZERO, resync: None, history: 0, era: 0 };
    let phone = delta(&mut world, own, Section::PUBLIC, fresh, 1_000).next;
    let mut slices = 0;
    while world.write(erase(None, 7)).unwrap().changed() {
        slices += 1;
        if slices == 5 {
            world.crash();
        }
        assert!(slices < 100);
    }
    assert_eq!((slices, left(&mut world, own)), (18, (0, 0, 0)), "120 rows, 7 at a time");
    assert_eq!(left(&mut world, other), (40, 40, 40));
    // Who follows the root is told of every deletion.
    let items = delta(&mut world, own, Section::PUBLIC, phone, 1_000).items;
    assert_eq!(items.iter().filter(|item| matches!(item, DeltaItem::Gone(..))).count(), 40, "{items:?}");
}

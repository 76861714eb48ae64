//! Follows and blocks that cross on the way, over channels whose delays the test decides.

#[path = "../../core/tests/common/mod.rs"]
mod common;

use std::time::Duration;

use common::{APP, World};
use gomer::methods::profile::ties;
use gomer::model::{FOLLOWED_BY, FOLLOWS, LAST_BLOCKED_BY, PROFILE, REQUESTED, REQUESTED_BY};
use gomer_core::fault::Fault;
use gomer_core::id::{Id, LinkType, Partition, Root, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Write};
use gomer_core::vnode::query::{Answer, Query};

/// Two people whose roots are in different partitions.
struct Two {
    world: World,
    ann: Id,
    bob: Id,
}

impl Two {
    fn new() -> Two {
        let mut world = World::new(2);
        let ann = world.id();
        let mut bob = world.id();
        while world.partitions.of(APP, Root::profile(bob)) == world.partitions.of(APP, Root::profile(ann)) {
            bob = world.id();
        }
        for id in [ann, bob] {
            let (ty, section, flags) = (PROFILE, Section::PUBLIC, Flags::default());
            let create = Operation::CreateNode { id, ty, section, author: id, flags, attrs: Vec::new() };
            world.write(Write::new(APP, Root::profile(id), id).op(create)).unwrap();
        }
        Two { world, ann, bob }
    }

    fn on(&self, who: Id) -> Write {
        Write::new(APP, Root::profile(who), who)
    }

    fn partition(&self, who: Id) -> Partition {
        self.world.partitions.of(APP, Root::profile(who))
    }

    fn data(&mut self, of: Id, ty: LinkType, to: Id) -> Option<String> {
        let Answer::Links(links) = self.world.read(Root::profile(of), Query::Links { ty, to: vec![to] })
        else {
            panic!("links answer links")
        };
        links.into_iter().flatten().next().map(|view| view.link.data)
    }

    /// Ann follows Bob, or asks to, as her root has it now.
    fn approach(&mut self, asks: bool) -> Write {
        let (ann, bob) = (self.ann, self.bob);
        let heard = self.data(ann, LAST_BLOCKED_BY, bob);
        match asks {
            true => ties::ask(self.on(ann), ann, bob, heard, "\"request\"".into()),
            false => ties::follow(self.on(ann), ann, bob, heard),
        }
    }

    /// Whether the link is at Ann's root, and its inverse at Bob's.
    fn ends(&mut self, asks: bool) -> (bool, bool) {
        let (ann, bob) = (self.ann, self.bob);
        let (link, inverse) = if asks { (REQUESTED, REQUESTED_BY) } else { (FOLLOWS, FOLLOWED_BY) };
        (self.data(ann, link, bob).is_some(), self.data(bob, inverse, ann).is_some())
    }

    fn arrive(&mut self) {
        self.world.cut = None;
        self.world.pass(Duration::from_secs(3));
    }
}

/// A follow that was on its way while Bob blocked Ann and lifted it again left Bob a follower who does not follow.
#[test]
fn a_follow_that_arrives_after_a_block_that_came_and_went_leaves_no_phantom() {
    for asks in [false, true] {
        let mut two = Two::new();
        let (ann, bob) = (two.ann, two.bob);
        two.world.cut = Some((two.partition(ann), two.partition(bob)));
        let follow = two.approach(asks);
        two.world.write(follow).unwrap();
        let block = two.world.id();
        let block = ties::block(two.on(bob), bob, ann, block);
        two.world.write(block).unwrap();
        two.world.settle();
        let unblock = ties::unblock(two.on(bob), bob, ann);
        two.world.write(unblock).unwrap();
        two.world.settle();
        assert_eq!(two.ends(asks), (false, false), "the block has ended it where it began");
        two.arrive();
        assert_eq!(two.ends(asks), (false, false));
        // And nothing stands in the way of a new one.
        let again = two.approach(asks);
        two.world.write(again).unwrap();
        two.arrive();
        assert_eq!(two.ends(asks), (true, true));
    }
}

#[test]
fn a_follow_that_was_begun_before_the_block_was_heard_of_is_refused_or_ended() {
    for (blocks, asks) in [(1, false), (2, false), (1, true), (2, true)] {
        let mut two = Two::new();
        let (ann, bob) = (two.ann, two.bob);
        // Read by a handler before the block, committed after it.
        let early = two.approach(asks);
        two.world.cut = Some((two.partition(bob), two.partition(ann)));
        for _ in 0..blocks {
            let block = two.world.id();
            let block = ties::block(two.on(bob), bob, ann, block);
            two.world.write(block).unwrap();
            let unblock = ties::unblock(two.on(bob), bob, ann);
            two.world.write(unblock).unwrap();
        }
        // Bob's steps are still on their way: it is taken here, and does not count there.
        two.world.write(early.clone()).unwrap();
        two.world.settle();
        assert_eq!(two.ends(asks), (true, false));
        two.arrive();
        assert_eq!(two.ends(asks), (false, false), "{blocks} blocks");
        // Now they have arrived, and with them that there was a block in between.
        assert_eq!(two.world.write(early), Err(Fault::Present), "{blocks} blocks");
        assert_eq!(two.ends(asks), (false, false));
    }
}

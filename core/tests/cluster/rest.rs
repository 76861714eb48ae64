//! Cluster: groups without traffic rest, and wake in time.

use gomer_core::id::Partition;
use gomer_core::vnode::peer::PeerBody;

use crate::world::{World, increment, peer};

const ONLY: Partition = Partition(0);

/// A group that rests.
fn resting(seed: u64) -> (World, usize) {
    let mut world = World::new(seed, 3, 1);
    world.links = true;
    let id = world.id();
    world.write(increment(id, &[]));
    world.millis(9_000);
    for member in 0..3 {
        assert_eq!(world.shard(member).status().resting, 1, "member {member}");
    }
    let leader = world.leader(ONLY).expect("it leads while it rests");
    (world, leader)
}

#[test]
fn a_quiet_group_says_nothing_and_takes_the_next_write_at_once() {
    let (mut world, leader) = resting(80);
    let (frames, elections) = (world.frames, world.checks.elections);
    world.millis(60_000);
    assert_eq!(world.frames, frames, "nothing is said");
    let id = world.id();
    world.write_at(leader, increment(id, &[]));
    assert_eq!(world.shard(leader).status().resting, 0);
    world.millis(20_000);
    assert_eq!(world.shard(leader).status().resting, 1, "and it rests again");
    assert_eq!(world.checks.elections, elections);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn the_first_read_after_rest_asks_a_majority() {
    let (mut world, leader) = resting(81);
    let reads = world.reads;
    let frames = world.frames;
    world.begin_read(leader, ONLY);
    world.millis(100);
    assert_eq!(world.reads, reads + 1);
    assert!(world.frames > frames, "it had no lease");
    world.begin_read((leader + 1) % 3, ONLY);
    world.millis(100);
    assert_eq!(world.reads, reads + 2, "a follower's too");
}

#[test]
fn a_leader_that_dies_at_rest_is_replaced_within_two_seconds() {
    for seed in 82..90 {
        let (mut world, leader) = resting(seed);
        world.crash(leader);
        let before = world.time;
        let id = world.id();
        world.wait_for_leader(ONLY);
        world.write(increment(id, &[]));
        assert!((world.time - before).as_millis() < 2_000, "seed {seed}: {:?}", world.time - before);
        world.heal();
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn a_member_that_restarts_between_two_signs_of_life_wakes_its_groups() {
    for who in 0..2 {
        let (mut world, leader) = resting(90 + who);
        let victim = (leader + who as usize) % 3;
        world.crash(victim);
        world.start(victim);
        world.millis(6_000);
        assert!(world.leader(ONLY).is_some());
        let id = world.id();
        world.write(increment(id, &[]));
        world.heal();
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn a_silent_link_wakes_those_who_count_on_it() {
    let (mut world, leader) = resting(92);
    let follower = (leader + 1) % 3;
    world.cut.insert((leader, follower));
    world.millis(1_500);
    assert_eq!(world.shard(follower).status().resting, 0);
    world.cut.clear();
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

/// One follower hears the leader's member no more, and the leader knows nothing of it.
#[test]
fn a_follower_that_wakes_alone_is_answered_before_it_stands_for_election() {
    for seed in 96..104 {
        let (mut world, leader) = resting(seed);
        let (follower, elections) = ((leader + 1) % 3, world.checks.elections);
        world.silent.insert((leader, follower));
        // Longer than a group is quiet before it rests.
        world.millis(9_000);
        assert_eq!(world.shard(leader).status().resting, 0, "it was told");
        assert_eq!((world.leader(ONLY), world.checks.elections), (Some(leader), elections), "seed {seed}");
        world.silent.clear();
        world.millis(9_000);
        assert_eq!(world.shard(follower).status().resting, 1);
        world.heal();
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn without_signs_of_life_nobody_rests() {
    let mut world = World::new(93, 3, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    world.millis(30_000);
    for member in 0..3 {
        assert_eq!(world.shard(member).status().resting, 0);
    }
}

#[test]
fn a_follower_that_was_not_told_does_no_harm() {
    let mut world = World::new(94, 3, 1);
    world.links = true;
    let id = world.id();
    world.write(increment(id, &[]));
    let leader = world.wait_for_leader(ONLY);
    let deaf = (leader + 1) % 3;
    world.meddle = Some(Box::new(move |_, _, message| {
        !(message.to == peer(deaf, ONLY) && matches!(message.body, PeerBody::Rest { now: true, .. }))
    }));
    let elections = world.checks.elections;
    world.millis(60_000);
    assert_eq!(world.checks.elections, elections, "it asks, and the leader wakes");
    world.write_at(leader, increment(id, &[]));
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_group_with_something_to_do_does_not_rest() {
    let (mut world, leader) = resting(95);
    let id = world.id();
    // A follower is behind: the others must go on telling it.
    let follower = (leader + 1) % 3;
    world.isolate(follower);
    world.write(increment(id, &[]));
    world.millis(10_000);
    assert_eq!(world.shard(leader).status().resting, 0);
    world.cut.clear();
    world.millis(10_000);
    assert_eq!(world.number(follower, id), 1);
    assert_eq!(world.shard(leader).status().resting, 1);
}

//! Cluster: who leads, when nothing is wrong.

use gomer_core::id::Partition;

use crate::world::{Answered, World, increment};

const ONLY: Partition = Partition(0);

#[test]
fn a_member_that_drains_leads_nothing_soon_and_nothing_is_refused_for_long() {
    let mut world = World::new(50, 3, 4);
    world.millis(5_000);
    let id = world.id();
    world.write(increment(id, &[]));
    let leader = world.wait_for_leader(ONLY);
    assert!(!world.shard(leader).is_drained());
    world.shard(leader).drain(true);
    let before = world.time;
    while !world.shard(leader).is_drained() {
        world.millis(20);
        assert!((world.time - before).as_millis() < 1_000, "a healthy group hands over at once");
    }
    world.write(increment(id, &[]));
    assert!((world.time - before).as_millis() < 2_000, "took {:?}", world.time - before);
    // It stays so, also through elections.
    let next = world.wait_for_leader(ONLY);
    world.crash(next);
    world.millis(6_000);
    assert!(world.shard(leader).is_drained(), "the third one leads now");
    world.start(next);
    world.shard(leader).drain(false);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_member_without_others_in_reach_goes_on_leading_while_it_drains() {
    let mut world = World::new(51, 3, 1);
    let id = world.id();
    let leader = world.wait_for_leader(ONLY);
    world.millis(1_500);
    for other in (0..3).filter(|&other| other != leader) {
        world.crash(other);
    }
    world.shard(leader).drain(true);
    world.millis(500);
    assert!(!world.shard(leader).is_drained(), "nobody could take over");
    let mut alone = World::new(52, 1, 1);
    alone.wait_for_leader(ONLY);
    alone.shard(0).drain(true);
    assert!(alone.shard(0).is_drained(), "there is nobody else");
    alone.write(increment(id, &[]));
}

#[test]
fn leadership_goes_to_who_is_preferred_and_to_others_only_in_need() {
    let mut world = World::new(53, 3, 1);
    let leader = world.wait_for_leader(ONLY);
    let preferred = (leader + 1) % 3;
    let peer = world.peer(preferred, ONLY);
    for member in 0..3 {
        world.shard(member).prefer(ONLY, Some(peer));
    }
    world.millis(10_000);
    assert_eq!(world.leader(ONLY), Some(preferred));
    world.crash(preferred);
    world.millis(5_000);
    let other = world.leader(ONLY).expect("others lead in need");
    let id = world.id();
    for _ in 0..50 {
        world.write_at(other, increment(id, &[]));
    }
    world.start(preferred);
    world.shard(preferred).prefer(ONLY, Some(peer));
    world.millis(12_000);
    assert_eq!(world.leader(ONLY), Some(preferred), "it is back, and has caught up");
    world.millis(20_000);
    assert_eq!(world.leader(ONLY), Some(preferred));
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_preferred_member_that_cannot_be_reached_takes_nothing_from_the_leader() {
    let mut world = World::new(54, 3, 1);
    let leader = world.wait_for_leader(ONLY);
    let preferred = (leader + 1) % 3;
    let peer = world.peer(preferred, ONLY);
    world.isolate(preferred);
    for member in 0..3 {
        world.shard(member).prefer(ONLY, Some(peer));
    }
    let id = world.id();
    for _ in 0..400 {
        let ticket = world.begin_write(leader, increment(id, &[]));
        world.millis(25);
        assert!(matches!(world.answers.remove(&ticket), Some(Answered::Done(Ok(_)))));
    }
    assert_eq!(world.leader(ONLY), Some(leader));
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn no_lease_is_kept_over_a_transfer() {
    let mut world = World::new(55, 3, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    let leader = world.wait_for_leader(ONLY);
    world.millis(1_500);
    world.shard(leader).drain(true);
    for _ in 0..200 {
        world.begin_read(leader, ONLY);
        world.millis(5);
        let other = (leader + 1) % 3;
        world.begin_write(other, increment(id, &[]));
        world.begin_write((leader + 2) % 3, increment(id, &[]));
    }
    assert!(world.reads > 0);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

/// A replica that had never seen a term, and preferred itself, refused with a term of zero: the crate
/// panicked.
#[test]
fn who_prefers_itself_may_refuse_before_the_first_term() {
    for seed in 56..66 {
        let mut world = World::new(seed, 3, 1);
        world.shard(0).drain(true);
        world.shard(1).drain(true);
        world.wait_for_leader(ONLY);
        let id = world.id();
        world.write(increment(id, &[]));
    }
}

/// Of many partitions that a member led, none may be unlucky: the last one to have another leader is what
/// people notice.
#[test]
fn all_that_a_dead_member_led_is_soon_led_again() {
    for seed in 70..80 {
        let mut world = World::new(seed, 3, 64);
        // Their ticks do not fall together.
        for member in 0..3 {
            world.crash(member);
            world.millis(37);
            world.start(member);
        }
        world.millis(4_000);
        let led = |world: &World, member| {
            world.partitions.all().filter(|&p| world.leader(p) == Some(member)).collect::<Vec<_>>()
        };
        // It leads what somebody must take over.
        let victim = (0..3).max_by_key(|&member| led(&world, member).len()).unwrap();
        let orphans = led(&world, victim);
        let before = world.time;
        world.crash(victim);
        while orphans.iter().any(|&partition| world.leader(partition).is_none()) {
            world.millis(20);
            assert!((world.time - before).as_millis() < 1_700, "seed {seed}, of {}", orphans.len());
        }
        println!("seed {seed}: {} partitions after {:?}", orphans.len(), world.time - before);
    }
}

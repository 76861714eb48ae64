//! Cluster: writes reach all, and outlive those who took them.

use gomer_core::fault::Fault;
use gomer_core::id::Partition;

use crate::disk::Bug;
use crate::world::{Answered, CALM, Net, World, increment};

const ONLY: Partition = Partition(0);

#[test]
fn groups_of_one_to_five_elect_a_leader_and_agree() {
    for members in 1..=5 {
        let mut world = World::new(members as u64, members, 2);
        let ids = [world.id(), world.id(), world.id()];
        for round in 0..20 {
            world.write(increment(ids[round % 3], &[ids[(round + 1) % 3]]));
        }
        world.heal();
        world.checks.healed(&world.members, world.partitions);
        for member in 0..members {
            let sum: u64 = ids.iter().map(|&id| world.number(member, id)).sum();
            assert_eq!(sum, 40, "member {member} of {members}: 20 writes and 20 steps");
        }
    }
}

#[test]
fn a_leaders_death_loses_nothing_and_the_rest_go_on() {
    let mut world = World::new(3, 3, 1);
    let id = world.id();
    for _ in 0..10 {
        world.write(increment(id, &[]));
    }
    let old = world.wait_for_leader(ONLY);
    world.crash(old);
    let before = world.time;
    world.write(increment(id, &[]));
    assert!((world.time - before).as_secs() < 4, "took {:?}", world.time - before);
    world.heal();
    assert_eq!(world.number(old, id), 11);
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn who_is_not_the_leader_says_who_is() {
    let mut world = World::new(4, 3, 1);
    let id = world.id();
    let leader = world.wait_for_leader(ONLY);
    world.millis(300);
    let ticket = world.begin_write((leader + 1) % 3, increment(id, &[]));
    let Some(Answered::Elsewhere(Some(hint))) = world.answers.remove(&ticket) else { panic!("no hint") };
    assert_eq!(hint.0 as usize, leader);
    world.millis(1_000);
    assert_eq!(world.number(leader, id), 0, "nothing was done");
}

#[test]
fn a_leader_cut_off_never_says_failed_of_what_may_still_happen() {
    let mut world = World::new(5, 3, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    let old = world.wait_for_leader(ONLY);
    world.isolate(old);
    let ticket = world.begin_write(old, increment(id, &[]));
    world.millis(1_900);
    assert_eq!(world.answers.get(&ticket), None, "nobody knows");
    world.millis(300);
    assert_eq!(world.answers.remove(&ticket), Some(Answered::Done(Err(Fault::Timeout))), "unknown");
}

#[test]
fn who_learns_that_its_entry_was_replaced_says_that_nothing_was_done() {
    let mut world = World::new(6, 3, 1);
    let (id, other) = (world.id(), world.id());
    world.write(increment(id, &[]));
    let old = world.wait_for_leader(ONLY);
    world.isolate(old);
    let lost = world.begin_write(old, increment(id, &[]));
    // Others elect, and fill the same index, within the two seconds of patience.
    let next = (0..40).find_map(|_| {
        world.millis(50);
        (0..3).find(|&m| m != old && world.shard(m).leads(ONLY))
    });
    let ticket = world.begin_write(next.expect("a majority elects"), increment(other, &[]));
    world.millis(40);
    assert!(matches!(world.answers.remove(&ticket), Some(Answered::Done(Ok(_)))));
    assert_eq!(world.answers.get(&lost), None);
    world.cut.clear();
    world.millis(250);
    assert_eq!(world.answers.remove(&lost), Some(Answered::Done(Err(Fault::Unavailable))), "it is certain");
    world.heal();
    assert_eq!(world.number(old, id), 1);
}

#[test]
fn a_minority_takes_no_writes_and_a_majority_of_five_survives_two() {
    let mut world = World::new(7, 5, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    world.crash(0);
    world.crash(1);
    world.write(increment(id, &[]));
    world.crash(2);
    world.millis(5_000);
    assert_eq!(world.leader(ONLY), None, "two of five lead nobody");
    world.start(0);
    world.write(increment(id, &[]));
    world.heal();
    assert_eq!(world.number(4, id), 3);
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_slow_follower_is_served_from_the_log_store_and_memory_stays_small() {
    let mut world = World::new(8, 3, 1);
    world.log_slack = 100_000;
    let id = world.id();
    world.write(increment(id, &[]));
    let leader = world.wait_for_leader(ONLY);
    let slow = (leader + 1) % 3;
    world.isolate(slow);
    // More than stays in memory: 600 entries of more than a kilobyte.
    for _ in 0..600 {
        let mut write = increment(id, &[]);
        write.reply = vec![vec![7; 1_000]];
        let ticket = world.begin_write(leader, write);
        world.millis(12);
        assert!(matches!(world.answers.remove(&ticket), Some(Answered::Done(Ok(_)))));
    }
    world.cut.clear();
    world.heal();
    assert_eq!(world.number(slow, id), 601);
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn messages_of_a_turn_share_a_frame_and_leave_before_the_sync() {
    let mut world = World::new(9, 3, 8);
    world.millis(5_000);
    for partition in world.partitions.all().collect::<Vec<_>>() {
        world.wait_for_leader(partition);
    }
    let (frames, early) = (world.frames, world.early);
    world.millis(1_000);
    let (frames, early) = (world.frames - frames, world.early - early);
    // Heartbeats: ten turns of three members, eight groups, each leader to two followers, and the answers,
    // of which those that arrive together leave together.
    assert!(frames <= 10 * 3 * 4 + 12, "{frames} frames a second for 160 heartbeats and answers");
    assert!(early >= 20, "{early} frames did not wait for the disk");
}

#[test]
fn a_bad_network_changes_nothing_but_the_time_it_takes() {
    let mut world = World::new(10, 3, 2);
    world.net = Net { loss: 15, double: 15, delay_max: 60 };
    let ids = [world.id(), world.id()];
    let mut done = 0;
    for round in 0..60 {
        let mut write = increment(ids[round % 2], &[ids[(round + 1) % 2]]);
        // The same operation however often it is tried.
        write.op = Some(gomer_core::vnode::command::OpKey { id: world.id(), fingerprint: [1; 16] });
        write.reply = vec![b"done".to_vec(), Vec::new()];
        world.write(write);
        done += 1;
    }
    world.net = CALM;
    world.heal();
    world.checks.healed(&world.members, world.partitions);
    assert_eq!(world.number(0, ids[0]) + world.number(0, ids[1]), 2 * done);
}

/// A leader is cut off, others elect and write; a reader asks it all the while.
fn reads_at_a_leader_that_is_cut_off(seed: u64, bug: Option<Bug>) {
    let mut world = World::with(seed, 3, 3, 1, bug);
    let id = world.id();
    world.write(increment(id, &[]));
    // The first to be elected has a fast clock. Somebody else leads, so that its lease may be the longer one.
    let first = world.wait_for_leader(ONLY);
    world.millis(1_500);
    world.shard(first).drain(true);
    world.millis(1_500);
    world.shard(first).drain(false);
    let old = world.wait_for_leader(ONLY);
    world.millis(1_500);
    world.isolate(old);
    for _ in 0..400 {
        world.millis(10);
        world.begin_read(old, ONLY);
        if let Some(next) = (0..3).find(|&m| m != old && world.shard(m).leads(ONLY)) {
            world.begin_write(next, increment(id, &[]));
        }
    }
    assert!(world.reads > 0, "some were served, while the lease lasted");
}

#[test]
fn a_leader_that_is_cut_off_serves_no_stale_read() {
    for seed in 100..120 {
        reads_at_a_leader_that_is_cut_off(seed, None);
    }
}

#[test]
fn leases_that_are_believed_too_long_are_caught() {
    for bug in [Bug::LeaseWithoutEnd, Bug::ClocksBeyondBound] {
        let caught = (100..160).find(|&seed| {
            std::panic::catch_unwind(|| reads_at_a_leader_that_is_cut_off(seed, Some(bug))).is_err()
        });
        assert!(caught.is_some(), "{bug:?} is not caught");
        println!("{bug:?} is caught by seed {caught:?}");
    }
}

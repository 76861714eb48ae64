//! Cluster: replicas come and go, one at a time.

use gomer_core::fault::Fault;
use gomer_core::id::Partition;
use gomer_core::rng::Rng;
use gomer_core::rows::replicas::Replicas;
use gomer_core::shard::ReplicaSet;
use gomer_core::vnode::peer::ReplicaRole::{Gone, Learner, Voter};

use crate::world::{Answered, World, increment};

const ONLY: Partition = Partition(0);

fn replicas(world: &mut World) -> Replicas {
    let leader = world.wait_for_leader(ONLY);
    world.shard(leader).replicas(ONLY).expect("it lives here")
}

#[test]
fn one_replica_becomes_three_and_survives_the_first_ones_loss() {
    let mut world = World::with(60, 3, 1, 1, None);
    world.checkpoint_one_in = 5;
    let id = world.id();
    for _ in 0..60 {
        world.write(increment(id, &[]));
    }
    for member in 1..3 {
        let peer = world.peer(member, ONLY);
        world.change(ONLY, &[(peer, Learner)]);
        world.change(ONLY, &[(peer, Voter)]);
        world.write(increment(id, &[]));
    }
    assert_eq!(replicas(&mut world).voters, [1_001, 2_001, 3_001]);
    world.wipe(0);
    for _ in 0..5 {
        world.write(increment(id, &[]));
    }
    let other = world.wait_for_leader(ONLY);
    assert_eq!(world.number(other, id), 67);
    // What comes back is somebody else, and takes the lost one's place.
    world.start(0);
    let peer = world.peer(0, ONLY);
    world.change(ONLY, &[(peer, Learner)]);
    world.change(ONLY, &[(peer, Voter), (1_001, Gone)]);
    assert_eq!(replicas(&mut world).voters, [1_101, 2_001, 3_001]);
    world.heal();
    assert_eq!(world.number(0, id), 67);
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_voter_has_to_follow_first_with_all_rows() {
    let mut world = World::with(61, 4, 3, 1, None);
    world.checkpoint_one_in = 5;
    let id = world.id();
    for _ in 0..60 {
        world.write(increment(id, &[]));
    }
    let new = world.peer(3, ONLY);
    let leader = world.wait_for_leader(ONLY);
    assert_eq!(world.try_change(leader, ONLY, &[(new, Voter)]), Err(Some(Fault::Absent)));
    world.crash(3);
    world.change(ONLY, &[(new, Learner)]);
    let leader = world.wait_for_leader(ONLY);
    for _ in 0..10 {
        assert_eq!(
            world.try_change(leader, ONLY, &[(new, Voter)]),
            Err(Some(Fault::Busy)),
            "it is not there"
        );
        world.millis(500);
    }
    world.start(3);
    world.change(ONLY, &[(new, Voter)]);
    assert_eq!(replicas(&mut world).voters.len(), 4);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_learner_has_no_vote_and_no_say_in_what_is_acknowledged() {
    let mut world = World::with(62, 4, 3, 1, None);
    let id = world.id();
    world.write(increment(id, &[]));
    let learner = world.peer(3, ONLY);
    world.change(ONLY, &[(learner, Learner)]);
    world.millis(5_000);
    let leader = world.wait_for_leader(ONLY);
    for other in (0..3).filter(|&other| other != leader) {
        world.crash(other);
    }
    // One voter of three and a learner are no majority.
    let ticket = world.begin_write(leader, increment(id, &[]));
    world.millis(6_000);
    assert!(!matches!(world.answers.remove(&ticket), Some(crate::world::Answered::Done(Ok(_)))));
    assert_eq!(world.leader(ONLY), None);
    assert!(world.shard(3).leader_term(ONLY).is_none(), "a learner leads nothing");
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_leader_that_is_to_go_hands_over_first() {
    let mut world = World::with(63, 4, 4, 1, None);
    let id = world.id();
    world.write(increment(id, &[]));
    let old = world.wait_for_leader(ONLY);
    world.millis(1_500);
    let peer = world.peer(old, ONLY);
    world.change(ONLY, &[(peer, Gone)]);
    assert_ne!(world.wait_for_leader(ONLY), old);
    assert_eq!(replicas(&mut world).voters.len(), 3);
    world.write(increment(id, &[]));
    // Who is gone disturbs nobody.
    let elections = world.checks.elections;
    world.millis(20_000);
    assert_eq!(world.checks.elections, elections);
}

#[test]
fn one_change_at_a_time_and_who_is_not_the_leader_makes_none() {
    let mut world = World::with(64, 5, 3, 1, None);
    let id = world.id();
    world.write(increment(id, &[]));
    let leader = world.wait_for_leader(ONLY);
    let (fourth, fifth) = (world.peer(3, ONLY), world.peer(4, ONLY));
    let other = (leader + 1) % 3;
    assert_eq!(world.try_change(other, ONLY, &[(fourth, Learner)]), Err(None));
    // Both in flight: the links are cut, so the first one cannot be through.
    world.isolate(leader);
    world.begin_change(leader, ONLY, &[(fourth, Learner)]);
    let second = world.begin_change(leader, ONLY, &[(fifth, Learner)]);
    world.millis(10);
    assert!(matches!(world.answers.remove(&second), Some(crate::world::Answered::Done(Err(Fault::Busy)))));
    world.cut.clear();
    world.change(ONLY, &[(fourth, Learner)]);
    world.change(ONLY, &[(fifth, Learner)]);
    world.heal();
    assert_eq!(replicas(&mut world).learners, [4_001, 5_001]);
}

#[test]
fn a_leader_that_dies_in_the_middle_of_a_change_leaves_one_set_or_the_other() {
    for seed in 65..75 {
        let mut world = World::with(seed, 4, 3, 1, None);
        world.checkpoint_one_in = 5;
        let id = world.id();
        for _ in 0..30 {
            world.write(increment(id, &[]));
        }
        let new = world.peer(3, ONLY);
        world.change(ONLY, &[(new, Learner)]);
        world.millis(6_000);
        let leader = world.wait_for_leader(ONLY);
        let gone = (leader + 1) % 3;
        let old = world.peer(gone, ONLY);
        world.begin_change(leader, ONLY, &[(new, Voter), (old, Gone)]);
        let soon = world.rng.below(12_000);
        world.run(std::time::Duration::from_micros(soon));
        world.crash(leader);
        world.millis(8_000);
        world.write(increment(id, &[]));
        let set = replicas(&mut world);
        assert!(set.outgoing.is_empty(), "no change is left half done (seed {seed})");
        assert_eq!(set.voters.len(), 3, "seed {seed}");
        world.start(leader);
        world.write(increment(id, &[]));
        if set.voters.contains(&new) {
            world.gone(gone);
        }
        world.heal();
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn a_rolled_back_disk_promises_nothing_and_is_named() {
    let mut world = World::new(76, 3, 1);
    let id = world.id();
    world.write(increment(id, &[]));
    world.millis(500);
    let leader = world.wait_for_leader(ONLY);
    let victim = (leader + 1) % 3;
    let old = world.members[victim].log.durable();
    for _ in 0..10 {
        world.write(increment(id, &[]));
    }
    world.millis(500);
    world.crash(victim);
    world.members[victim].log.put_back(old);
    world.start(victim);
    world.millis(3_000);
    let suspects = std::mem::take(&mut world.checks.suspects);
    assert_eq!((suspects.len(), suspects[0].0), (1, victim), "{suspects:?}");
    assert!(suspects[0].2.to_string().contains("before what this replica has acknowledged"), "{suspects:?}");
    // It cannot help to elect anybody: what it had acknowledged is lost to it.
    world.crash(leader);
    world.millis(8_000);
    assert_eq!(world.leader(ONLY), None);
    world.start(leader);
    // The way out: an empty disk, under another name.
    world.wipe(victim);
    world.start(victim);
    let (new, gone) = (world.peer(victim, ONLY), crate::world::peer(victim, ONLY));
    world.change(ONLY, &[(new, Learner)]);
    world.change(ONLY, &[(new, Voter), (gone, Gone)]);
    world.heal();
    assert_eq!(world.number(victim, id), 11);
    world.checks.healed(&world.members, world.partitions);
}

#[test]
fn a_replica_comes_to_a_member_that_runs_and_goes_again() {
    for seed in 80..86 {
        let mut world = World::with(seed, 4, 3, 1, None);
        world.checkpoint_one_in = 5;
        let id = world.id();
        world.shard(3).release(ONLY);
        assert!(!world.shard(3).holds(ONLY));
        for _ in 0..60 {
            world.write(increment(id, &[]));
        }
        let (new, old) = (world.peer(3, ONLY), world.peer(0, ONLY));
        let set = ReplicaSet { peer: new, voters: vec![1_001, 2_001, 3_001], preferred: false };
        world.shard(3).adopt(ONLY, set.clone()).unwrap();
        assert!(world.shard(3).is_live(), "who is of no group yet keeps nobody waiting");
        world.change(ONLY, &[(new, Learner)]);
        world.shard(3).adopt(ONLY, set.clone()).unwrap();
        world.change(ONLY, &[(new, Voter), (old, Gone)]);
        world.millis(3_000);
        world.shard(0).release(ONLY);
        for _ in 0..60 {
            world.write(increment(id, &[]));
        }
        assert_eq!(replicas(&mut world).voters.len(), 3);
        // It comes back with what it had: late, and not lost.
        let back = ReplicaSet { peer: old, ..set };
        world.shard(0).adopt(ONLY, back).unwrap();
        world.change(ONLY, &[(old, Learner)]);
        world.change(ONLY, &[(old, Voter)]);
        world.heal();
        assert_eq!(world.number(0, id), 120);
        assert_eq!(world.number(3, id), 120);
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn what_is_acknowledged_while_a_learner_becomes_a_voter_is_on_a_majority_and_survives_a_disk() {
    for seed in 90..110 {
        let mut world = World::with(seed, 4, 3, 1, None);
        world.checkpoint_one_in = 5;
        let id = world.id();
        for _ in 0..30 {
            world.write(increment(id, &[]));
        }
        let new = world.peer(3, ONLY);
        world.change(ONLY, &[(new, Learner)]);
        // Until its rows were compared.
        world.millis(6_000);
        let leader = world.wait_for_leader(ONLY);
        let gone = (leader + 1) % 3;
        let old = world.peer(gone, ONLY);
        // From now on it gets what it is told late: it is a learner close behind, and then a voter close behind.
        let mut late = Rng::new(seed);
        world.meddle = Some(Box::new(move |_, to, _| to != 3 || late.below(3) == 0));
        let mut done = 30;
        let mut change = world.begin_change(leader, ONLY, &[(new, Voter), (old, Gone)]);
        for _ in 0..60 {
            // Each answer is held against the disks at that instant: `Checks::acknowledged`.
            world.write(increment(id, &[]));
            done += 1;
            if world.answers.remove(&change).is_some_and(|answer| !matches!(answer, Answered::Done(Ok(_)))) {
                let leader = world.wait_for_leader(ONLY);
                change = world.begin_change(leader, ONLY, &[(new, Voter), (old, Gone)]);
            }
            let set = replicas(&mut world);
            if set.outgoing.is_empty() && !set.voters.contains(&old) {
                break;
            }
        }
        let set = replicas(&mut world);
        assert!(set.voters.contains(&new) && set.voters.len() == 3, "seed {seed}: {set:?}");
        // The disk that had it first is lost at once.
        let leader = world.wait_for_leader(ONLY);
        world.wipe(leader);
        world.meddle = None;
        let other = world.wait_for_leader(ONLY);
        assert_eq!(world.number(other, id), done, "seed {seed}");
    }
}

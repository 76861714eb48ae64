//! Cluster: replicas notice when their rows differ, and say so.

use gomer_core::id::{Id, Partition, Root};
use gomer_core::rows::node::{self, Node};
use gomer_core::rows::{Place, get, seal};
use gomer_core::store::{StateBatch, StateStore, StoreFault};

use crate::world::{APP, World, increment};

const ONLY: Partition = Partition(0);

/// A member has another row than it should, and it checks: a bug, not damage. Its next write is summed
/// over it.
fn tamper(world: &mut World, member: usize, id: Id) {
    world.millis(1_000);
    world.checkpoint_now(member);
    let key = node::key(Place { partition: ONLY, app: APP, root: Root::post(id) }, id);
    let state = world.members[member].state.snapshot().unwrap();
    let mut row: Node = get(&state, &key).unwrap().expect("it is there");
    row.author = Id::NIL;
    let batch = StateBatch::from_iter([(key.clone(), Some(seal(&key, &row)))]);
    world.members[member].state.commit(&batch).unwrap();
    // A restart reads it, and nothing else of the past. It does not lead then: it would refuse what the others
    // take, because of that row.
    world.crash(member);
    if world.members.len() > 2 {
        world.wait_for_leader(ONLY);
    }
    world.start(member);
    world.wait_for_leader(ONLY);
    world.millis(1_000);
}

#[test]
fn who_differs_from_a_majority_is_named_and_rebuilt() {
    for victim in 0..3 {
        let mut world = World::new(40 + victim as u64, 3, 1);
        world.checks.tolerant = true;
        let id = world.id();
        world.write(increment(id, &[]));
        tamper(&mut world, victim, id);
        world.write(increment(id, &[]));
        // A log that rests is compared.
        world.checkpoint_one_in = 5;
        world.millis(20_000);
        let differences = std::mem::take(&mut world.checks.differences);
        assert!(!differences.is_empty(), "everybody says so");
        let own = world.peer(victim, ONLY);
        for (_, _, _, digests) in &differences {
            let victims = digests.iter().find(|(peer, _)| *peer == own).expect("it is one of them").1;
            assert!(digests.iter().any(|(_, digest)| *digest != victims));
        }
        let suspects = std::mem::take(&mut world.checks.suspects);
        let StoreFault::Corrupt(what) = &suspects[0].2 else { panic!("{suspects:?}") };
        assert_eq!((suspects.len(), suspects[0].0), (1, victim), "{suspects:?}");
        assert!(what.contains("a majority has other rows"), "{what}");
        assert_eq!(world.shard(victim).status().suspect, [], "it has been rebuilt");
        world.heal();
        world.checks.healed(&world.members, world.partitions);
    }
}

#[test]
fn of_two_both_say_so_and_nobody_stops() {
    let mut world = World::new(44, 2, 1);
    world.checks.tolerant = true;
    let id = world.id();
    world.write(increment(id, &[]));
    tamper(&mut world, 1, id);
    world.write(increment(id, &[]));
    world.millis(10_000);
    let mut who: Vec<usize> = world.checks.differences.iter().map(|difference| difference.0).collect();
    who.dedup();
    who.sort_unstable();
    assert_eq!(who, [0, 1]);
    assert_eq!(world.checks.suspects, []);
    world.write(increment(id, &[]));
}

#[test]
fn a_long_log_is_compared_on_the_way() {
    let mut world = World::new(45, 3, 1);
    world.checks.tolerant = true;
    let id = world.id();
    world.write(increment(id, &[]));
    tamper(&mut world, 2, id);
    let leader = world.wait_for_leader(ONLY);
    for _ in 0..300 {
        world.write_at(leader, increment(id, &[]));
        if !world.checks.differences.is_empty() {
            return;
        }
    }
    panic!("300 entries, and nobody has noticed");
}

#[test]
fn replicas_that_agree_say_nothing_and_a_stranger_has_no_say() {
    use gomer_core::shard::PeerMessage;
    use gomer_core::vnode::peer::PeerBody;
    let mut world = World::new(46, 3, 1);
    let id = world.id();
    for _ in 0..20 {
        world.write(increment(id, &[]));
    }
    world.millis(10_000);
    let position = world.shard(0).position(ONLY).unwrap().0;
    for from in [7_001, 9_999] {
        let body = PeerBody::Digest { position, digest: 1 };
        let to = world.peer(0, ONLY);
        world.deliver(0, PeerMessage { partition: ONLY, from, to, body });
    }
    world.millis(1_000);
    world.heal();
    world.checks.healed(&world.members, world.partitions);
}

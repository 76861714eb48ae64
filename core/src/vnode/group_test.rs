use super::*;
use crate::store::LogBatch;
use crate::store::map::MapLog;
use crate::time::Now;

fn open(priority: i64) -> Group {
    let config = GroupConfig {
        peer: 1,
        replicas: Replicas::of(vec![1, 2, 3]),
        seed: 7,
        priority,
        mutants: Mutants::NONE,
    };
    Group::open(&mut MapLog::new(), GroupId(1), &Applied::default(), config).unwrap()
}

/// Three new members started at once, and all three ended: who should lead was asked for its vote before it had
/// stood itself, refused it, and the crate panics over a refusal in term zero.
#[test]
fn a_replica_that_should_lead_refuses_its_first_vote_of_all() {
    let mut group = open(1);
    for _ in 0..ELECTION_TICKS {
        group.tick();
    }
    let asks = PeerBody::Vote {
        term: group.term() + 1,
        index: 0,
        log_term: 0,
        commit: 0,
        commit_term: 0,
        priority: 0,
        pre: true,
        transfer: false,
    };
    group.step(2, asks).unwrap();
    let (pending, early) = group.collect(Now::default(), &mut LogBatch::default()).expect("it answers");
    let late = group.persisted(Now::default(), pending).messages;
    let answers: Vec<_> =
        early.into_iter().chain(late).filter(|(to, _)| *to == 2).map(|(_, body)| body).collect();
    assert!(answers.iter().any(|body| matches!(body, PeerBody::Voted { granted: false, .. })), "{answers:?}");
}

/// What a group wants sent to that replica.
fn said(group: &mut Group, to: u64) -> Vec<PeerBody> {
    let (pending, early) = group.collect(Now::default(), &mut LogBatch::default()).expect("it speaks");
    let late = group.persisted(Now::default(), pending).messages;
    early.into_iter().chain(late).filter(|(peer, _)| *peer == to).map(|(_, body)| body).collect()
}

/// The crate forgets who has answered whenever it counts them, once in an election time-out. Replicas that move are asked about
/// once a second, which is as long: when both fell on one tick, a learner that followed closely was never seen, and its partition
/// moved no further.
#[test]
fn who_follows_closely_is_seen_at_every_tick() {
    let mut group = open(0);
    for _ in 0..2 * ELECTION_TICKS {
        group.tick();
    }
    for stage in [true, false] {
        let asked = said(&mut group, 2);
        let term = asked.iter().find_map(|body| match body {
            PeerBody::Vote { term, pre, .. } if *pre == stage => Some(*term),
            _ => None,
        });
        let term = term.unwrap_or_else(|| panic!("it asks for votes: {asked:?}"));
        let voted = PeerBody::Voted { term, pre: stage, granted: true, commit: 0, commit_term: 0 };
        group.step(2, voted).unwrap();
    }
    assert!(group.leads());
    let term = group.term();
    let alive = || PeerBody::Alive { term, commit: 0, context: Vec::new(), echo: 0 };
    group.step(2, alive()).unwrap();
    for tick in 0..3 * ELECTION_TICKS {
        group.tick();
        assert!(group.is_close(2), "tick {tick}");
        assert!(!group.is_close(3), "it never spoke");
        group.step(2, alive()).unwrap();
    }
    // Without an answer it is believed for one election time-out; here the quorum is lost, too.
    for _ in 0..=ELECTION_TICKS {
        group.tick();
    }
    assert!(!group.is_close(2));
}

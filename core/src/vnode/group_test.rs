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

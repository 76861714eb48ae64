use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::frame::{BODY_BYTES_MAX, messages};
use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    Lost(u32),
    Kept(u32),
    Long(Kind, Vec<u8>),
    /// Somebody waits for it.
    Awaited(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Lost,
    Kept,
}

use Word::{Kept, Lost};

impl Message for Word {
    fn class(&self) -> Class {
        match self {
            Word::Lost(_) | Word::Long(Kind::Lost, _) | Word::Awaited(_) => Class::Droppable,
            Word::Kept(_) | Word::Long(Kind::Kept, _) => Class::Reliable,
        }
    }

    fn instead(&self) -> Option<Word> {
        match self {
            Word::Awaited(bytes) => Some(Word::Lost(bytes.len() as u32)),
            _ => None,
        }
    }
}

fn outbox(frames: usize) -> Outbox {
    let share = Share { frames, bytes: 1_000 };
    let outbox = Outbox::new(share, share, Arc::default());
    outbox.connected();
    outbox
}

fn taken(outbox: &Outbox, sequence: u64) -> Option<Vec<Word>> {
    outbox.take(sequence).map(|body| messages(&body).unwrap())
}

fn dropped(outbox: &Outbox) -> (u64, u64) {
    (outbox.counts.of(PeerCount::DroppedFull), outbox.counts.of(PeerCount::DroppedDown))
}

#[test]
fn the_messages_of_a_call_share_a_frame() {
    let outbox = outbox(4);
    outbox.offer(vec![Lost(1), Kept(2), Lost(3)]).unwrap();
    outbox.offer(vec![Lost(4)]).unwrap();
    outbox.offer(Vec::<Word>::new()).unwrap();
    assert_eq!(taken(&outbox, 1), Some(vec![Lost(1), Kept(2), Lost(3)]));
    assert_eq!(taken(&outbox, 2), Some(vec![Lost(4)]));
    assert_eq!(taken(&outbox, 3), None);
}

#[test]
fn a_full_share_of_droppable_ones_drops_the_newest_and_leaves_the_other_share_alone() {
    let outbox = outbox(2);
    for number in 0..5 {
        outbox.offer(vec![Lost(number)]).unwrap();
    }
    assert_eq!(dropped(&outbox), (3, 0));
    outbox.offer(vec![Kept(7)]).unwrap();
    let order: Vec<_> = (1..4).filter_map(|sequence| taken(&outbox, sequence)).flatten().collect();
    assert_eq!(order, [Lost(0), Lost(1), Kept(7)]);
    outbox.offer(vec![Lost(9)]).unwrap();
    assert_eq!(taken(&outbox, 4), Some(vec![Lost(9)]));
}

#[test]
fn a_full_share_of_reliable_ones_gives_them_back_until_the_peer_has_taken_some() {
    let outbox = outbox(2);
    outbox.offer(vec![Kept(1)]).unwrap();
    outbox.offer(vec![Kept(2)]).unwrap();
    let given = outbox.offer(vec![Lost(0), Kept(3), Kept(4)]);
    assert_eq!(given, Err(NotTaken::Busy(vec![Kept(3), Kept(4)])));
    assert_eq!((dropped(&outbox), outbox.counts.of(PeerCount::Busy)), ((1, 0), 1));
    // Sent is not taken.
    assert!(taken(&outbox, 1).is_some() && taken(&outbox, 2).is_some());
    assert!(outbox.offer(vec![Kept(3)]).is_err() && !outbox.is_empty());
    outbox.taken(1);
    assert_eq!(outbox.offer(vec![Kept(3)]), Ok(()));
    assert!(outbox.offer(vec![Kept(4)]).is_err());
    // And Raft is not held up by any of it.
    outbox.offer(vec![Lost(5)]).unwrap();
    assert_eq!(taken(&outbox, 3), Some(vec![Kept(3)]));
    assert_eq!(taken(&outbox, 4), Some(vec![Lost(5)]));
    outbox.taken(u64::MAX);
    assert!(outbox.is_empty());
    assert_eq!(outbox.load(), (0, 0));
}

#[test]
fn after_a_break_what_is_reliable_is_sent_again_first_and_in_order() {
    let outbox = outbox(9);
    for number in 0..3 {
        outbox.offer(vec![Lost(number), Kept(number)]).unwrap();
        outbox.offer(vec![Lost(10 + number)]).unwrap();
    }
    for sequence in 1..=4 {
        outbox.take(sequence);
    }
    outbox.taken(1);
    outbox.disconnected();
    assert_eq!(dropped(&outbox), (0, 1));
    assert_eq!(outbox.counts.of(PeerCount::Resent), 1);
    outbox.offer(vec![Lost(20), Kept(20)]).unwrap();
    assert_eq!(dropped(&outbox), (0, 2));
    outbox.connected();
    let order: Vec<_> = (1..9).filter_map(|sequence| taken(&outbox, sequence)).flatten().collect();
    assert_eq!(order, [Lost(1), Kept(1), Lost(2), Kept(2), Kept(20)]);
    outbox.taken(8);
    assert_eq!(outbox.load(), (0, 0));
}

#[test]
fn nothing_droppable_waits_for_a_peer_that_is_away() {
    let outbox = outbox(9);
    outbox.disconnected();
    outbox.offer(vec![Lost(1), Lost(2)]).unwrap();
    assert_eq!((dropped(&outbox), outbox.load()), ((0, 2), (0, 0)));
}

#[test]
fn one_call_may_go_beyond_the_bytes_when_nothing_else_waits() {
    let outbox = outbox(9);
    let long = |class| Word::Long(class, vec![0; 2_000]);
    outbox.offer(vec![long(Kind::Kept)]).unwrap();
    assert!(matches!(outbox.offer(vec![Kept(1)]), Err(NotTaken::Busy(_))));
    outbox.offer(vec![long(Kind::Lost)]).unwrap();
    outbox.offer(vec![Lost(1)]).unwrap();
    assert_eq!(dropped(&outbox), (1, 0));
}

#[test]
fn what_does_not_fit_into_one_frame_takes_several_in_order() {
    let outbox = outbox(9);
    let third = || Word::Long(Kind::Kept, vec![0; BODY_BYTES_MAX / 3]);
    outbox.offer(vec![Kept(1), third(), third(), third(), Kept(2)]).unwrap();
    let frames: Vec<_> = (1..4).filter_map(|sequence| taken(&outbox, sequence)).collect();
    assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
    assert_eq!((&frames[0][0], &frames[1][1]), (&Kept(1), &Kept(2)));
    let long = |class| Word::Long(class, vec![0; BODY_BYTES_MAX]);
    assert_eq!(outbox.offer(vec![Kept(1), long(Kind::Kept)]), Err(NotTaken::TooLarge));
    outbox.taken(3);
    outbox.offer(vec![Lost(1), long(Kind::Lost), Lost(2)]).unwrap();
    assert_eq!(taken(&outbox, 4), Some(vec![Lost(1)]));
    assert_eq!(taken(&outbox, 5), Some(vec![Lost(2)]));
}

#[test]
fn what_fits_into_no_frame_and_is_awaited_is_told_by_something_shorter_in_its_place() {
    let outbox = outbox(9);
    let long = || Word::Awaited(vec![0; BODY_BYTES_MAX]);
    outbox.offer(vec![Lost(1), long(), Word::Awaited(vec![7])]).unwrap();
    let told: Vec<_> = (1..9).filter_map(|sequence| taken(&outbox, sequence)).flatten().collect();
    assert_eq!(told, [Lost(1), Lost(BODY_BYTES_MAX as u32), Word::Awaited(vec![7])]);
    assert_eq!(dropped(&outbox), (0, 0));
    outbox.disconnected();
    outbox.offer(vec![long()]).unwrap();
    assert_eq!(dropped(&outbox), (0, 1), "it is droppable all the same");
}

#[tokio::test]
async fn a_sender_waits_for_room_and_is_let_go_when_it_ends() {
    let outbox = Arc::new(outbox(1));
    outbox.offer(vec![Kept(1)]).unwrap();
    let send = |number| {
        let outbox = outbox.clone();
        tokio::spawn(async move { outbox.offer_all(vec![Kept(number)]).await })
    };
    let waiting = send(2);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    outbox.take(1);
    outbox.taken(1);
    assert_eq!(waiting.await.unwrap(), Ok(()));
    let waiting = send(3);
    tokio::time::sleep(Duration::from_millis(20)).await;
    outbox.close();
    assert_eq!(waiting.await.unwrap(), Err(NotTaken::Closed));
    assert_eq!(outbox.offer(vec![Kept(4)]), Err(NotTaken::Closed));
}

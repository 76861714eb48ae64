//! What members may rely on once they know each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gomer_net::peer::counts::{ListenerCount, PeerCount};
use gomer_net::peer::handshake::Versions;
use gomer_net::peer::identity::Superseded;
use gomer_net::peer::{NotTaken, Share};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::{Member, Word, local, member, plain, plain_with, until};
use gomer_net::peer::Plain;

#[tokio::test]
async fn messages_of_a_call_arrive_together_and_in_order() {
    let (a, b) = (plain(1).await, plain(2).await);
    a.dial(&b);
    b.dial(&a);
    a.until_up(b.id).await;
    for number in 0..200 {
        a.links.send(b.id, vec![Word::Lost(number), Word::Kept(number)]).unwrap();
    }
    until("all came", || b.heard.frames.lock().unwrap().len() == 200).await;
    for (at, (from, words)) in b.heard.frames.lock().unwrap().iter().enumerate() {
        let at = at as u64;
        assert_eq!((*from, words), (a.id, &vec![Word::Lost(at), Word::Kept(at)]));
    }
    until("all is known to be taken", || a.links.waiting(b.id) == (0, 0)).await;
    until("a heartbeat is answered", || a.links.counts(b.id).unwrap().round_trip().is_some()).await;
    assert!(a.links.send(member(9), vec![Word::Lost(1)]) == Err(NotTaken::Closed));
}

#[tokio::test]
async fn a_frame_of_eight_megabytes_passes_and_a_longer_message_is_refused_at_once() {
    let (a, b) = (plain(1).await, plain(2).await);
    a.dial(&b);
    a.until_up(b.id).await;
    let long = Word::Long(vec![7; (8 << 20) - 16]);
    a.links.send(b.id, vec![long.clone()]).unwrap();
    until("it came", || b.heard.words() == [long.clone()]).await;
    assert_eq!(a.links.send(b.id, vec![Word::Long(vec![7; 8 << 20])]), Err(NotTaken::TooLarge));
    assert_eq!(b.heard.events_of(a.id), [""; 0]);
}

#[tokio::test]
async fn a_member_that_was_away_gets_what_is_reliable_and_nothing_stale() {
    let (a, b) = (plain(1).await, plain(2).await);
    a.dial(&b);
    a.until_up(b.id).await;
    let port = b.links.local_addr().port();
    b.links.stop(Duration::from_secs(1)).await;
    until("it is missed", || !a.links.is_up(b.id)).await;
    assert_eq!(a.heard.events_of(b.id), ["up", "down: the peer is stopping"]);
    a.links.send(b.id, vec![Word::Lost(1)]).unwrap();
    a.links.send(b.id, vec![Word::Kept(2), Word::Lost(3)]).unwrap();
    let counts = a.links.counts(b.id).unwrap();
    until("it was tried in vain", || counts.of(PeerCount::ConnectFailures) > 0).await;
    let b = Member::start(2, Plain::new(local(0)).unwrap(), port, |_| {}).await;
    until("it came", || !b.heard.words().is_empty()).await;
    assert_eq!(b.heard.words(), [Word::Kept(2)]);
    assert_eq!((counts.of(PeerCount::DroppedDown), counts.of(PeerCount::Connects)), (2, 2));
}

#[tokio::test]
async fn a_slow_peer_is_felt_by_who_sends_to_it_and_by_nobody_else() {
    let small = Share { frames: 8, bytes: 1 << 20 };
    let a = plain_with(1, |config| (config.reliable, config.timing.stall) = (small, Duration::from_secs(60)))
        .await;
    let (slow, fast) = (plain(2).await, plain(3).await);
    slow.heard.gate.forget_permits(usize::MAX);
    a.dial(&slow);
    a.dial(&fast);
    a.until_up(slow.id).await;
    a.until_up(fast.id).await;
    for number in 0..8 {
        a.links.send(slow.id, vec![Word::Kept(number)]).unwrap();
    }
    assert_eq!(a.links.send(slow.id, vec![Word::Kept(8)]), Err(NotTaken::Busy(vec![Word::Kept(8)])));
    // Raft's share is its own.
    a.links.send(slow.id, vec![Word::Lost(0)]).unwrap();
    let waits = a.links.send_all(slow.id, vec![Word::Kept(8)]);
    let goes = async {
        for number in 0..1_000 {
            a.links.send_all(fast.id, vec![Word::Kept(number)]).await.unwrap();
        }
        until("the fast one has all", || fast.heard.words().len() == 1_000).await;
        assert!(slow.heard.words().is_empty());
        slow.heard.gate.add_permits(1_000);
    };
    let (waited, ()) = tokio::join!(waits, goes);
    waited.unwrap();
    until("the slow one has all", || slow.heard.words().len() == 10).await;
}

#[tokio::test]
async fn a_full_outbox_of_droppable_messages_drops_and_says_so() {
    let small = Share { frames: 4, bytes: 1 << 20 };
    let a = plain_with(1, |config| config.droppable = small).await;
    let b = plain(2).await;
    a.dial(&b);
    a.until_up(b.id).await;
    // Nothing yields in between, so that nothing is sent.
    for number in 0..100 {
        a.links.send(b.id, vec![Word::Lost(number)]).unwrap();
    }
    until("some came", || b.heard.words().len() == 4).await;
    assert_eq!(b.heard.words(), [0, 1, 2, 3].map(Word::Lost));
    assert_eq!(a.links.counts(b.id).unwrap().of(PeerCount::DroppedFull), 96);
}

#[tokio::test]
async fn a_peer_that_lives_and_takes_nothing_is_given_up() {
    let (a, b) = (plain(1).await, plain(2).await);
    b.heard.gate.forget_permits(usize::MAX);
    a.dial(&b);
    a.until_up(b.id).await;
    a.links.send(b.id, vec![Word::Kept(1)]).unwrap();
    until("it is noticed", || a.heard.events_of(b.id).contains(&"down: the peer takes nothing".to_owned()))
        .await;
    b.heard.gate.add_permits(10);
    until("it came after all", || b.heard.words().contains(&Word::Kept(1))).await;
}

/// A proxy that can stop passing bytes on, in both directions, without closing anything.
async fn proxy(to: std::net::SocketAddr, stuck: tokio::sync::watch::Receiver<bool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind(local(0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else { continue };
            let (near, far) = (tokio::io::split(near), tokio::io::split(far));
            for (mut from, mut into) in [(near.0, far.1), (far.0, near.1)] {
                let mut stuck = stuck.clone();
                tokio::spawn(async move {
                    let mut bytes = [0; 4_096];
                    while let Ok(count @ 1..) = from.read(&mut bytes).await {
                        if stuck.wait_for(|stuck| !stuck).await.is_err() {
                            return;
                        }
                        if into.write_all(&bytes[..count]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    address
}

#[tokio::test]
async fn a_half_open_connection_is_noticed_by_both_sides_and_made_again() {
    let (a, b) = (plain(1).await, plain(2).await);
    let (stuck, seen) = tokio::sync::watch::channel(false);
    let address = proxy(b.links.local_addr(), seen).await;
    a.links.connect::<Word>(b.id, &address.to_string());
    a.until_up(b.id).await;
    a.links.send(b.id, vec![Word::Kept(1)]).unwrap();
    until("it came", || b.heard.words() == [Word::Kept(1)]).await;
    stuck.send(true).unwrap();
    let begun = Instant::now();
    a.links.send(b.id, vec![Word::Kept(2)]).unwrap();
    until("it is noticed", || !a.links.is_up(b.id)).await;
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(a.heard.events_of(b.id), ["up", "down: nothing came for too long"]);
    stuck.send(false).unwrap();
    a.until_up(b.id).await;
    until("it came", || b.heard.words().contains(&Word::Kept(2))).await;
}

/// Its process lives, and its loops stand still: groups that rest must not count on it, and its links are no worse.
#[tokio::test]
async fn a_member_that_takes_no_turns_is_not_heard_and_keeps_its_links() {
    let turns = Arc::new(AtomicBool::new(true));
    let shown = turns.clone();
    let a = plain(1).await;
    let b = plain_with(2, |config| config.turns = Arc::new(move || shown.load(Ordering::SeqCst))).await;
    a.dial(&b);
    b.dial(&a);
    a.until_up(b.id).await;
    b.until_up(a.id).await;
    let heard = |member: &Member<Plain>| member.heard.beats.load(Ordering::SeqCst);
    until("it is heard", || heard(&a) > 3).await;
    turns.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (silent, other) = (heard(&a), heard(&b));
    // Longer than a silent connection lives.
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    assert_eq!(heard(&a), silent, "it beats no more");
    assert!(heard(&b) > other, "and hears the other");
    assert_eq!((a.heard.events_of(b.id), b.heard.events_of(a.id)), (vec!["up".into()], vec!["up".into()]));
    turns.store(true, Ordering::SeqCst);
    until("it is heard again", || heard(&a) > silent).await;
}

#[tokio::test]
async fn a_superseded_disk_is_refused_at_the_door_and_found_by_a_heartbeat() {
    let least = Arc::new(AtomicU64::new(5));
    let rule = least.clone();
    let b = plain_with(2, |config| {
        config.admit = Arc::new(move |peer, disk| {
            let old = peer == member(1) && disk.tide < rule.load(Ordering::SeqCst);
            if old { Err(Superseded) } else { Ok(()) }
        });
    })
    .await;
    let a = plain(1).await;
    a.dial(&b);
    a.until_up(b.id).await;
    // Another copy of its disk shows a higher tide.
    least.store(11, Ordering::SeqCst);
    let refused = "refused: the disk was wiped, rolled back or cloned";
    until("it is told while connected", || a.heard.events_of(b.id).iter().any(|event| event == refused))
        .await;
    assert!(
        a.heard.events_of(b.id)[1].starts_with("down: the peer refuses us"),
        "{:?}",
        a.heard.events_of(b.id)
    );
    until("it is refused at the door", || b.links.listener_counts().of(ListenerCount::Refused) > 0).await;
    assert!(!a.links.is_up(b.id));
    // The one with the right tide is welcome.
    a.tide.store(11, Ordering::SeqCst);
    a.until_up(b.id).await;
}

#[tokio::test]
async fn versions_and_members_that_do_not_fit_are_refused_with_a_reason() {
    let b = plain(2).await;
    let old = plain_with(1, |config| config.versions = Versions { least: 7, most: 9 }).await;
    old.dial(&b);
    until("it is told", || !old.heard.events_of(b.id).is_empty()).await;
    let told = old.heard.events_of(b.id)[0].clone();
    assert!(told.contains("no common protocol version") && told.contains("1 to 1"), "{told}");
    // Somebody else at the address.
    let lost = plain(3).await;
    lost.links.connect::<Word>(member(4), &b.links.local_addr().to_string());
    until("it is told", || !lost.heard.events_of(member(4)).is_empty()).await;
    assert!(lost.heard.events_of(member(4))[0].contains(&b.id.to_string()));
    assert!(!lost.links.is_up(member(4)));
}

#[tokio::test]
async fn a_newer_connection_of_a_member_takes_the_place_of_the_older() {
    let b = plain(2).await;
    let first = plain(1).await;
    first.dial(&b);
    first.until_up(b.id).await;
    let second = plain(1).await;
    second.dial(&b);
    until("one is replaced", || b.links.listener_counts().of(ListenerCount::Replaced) > 0).await;
}

#[tokio::test]
async fn stopping_sends_what_waits_and_leaves_no_task() {
    let (a, b) = (plain(1).await, plain(2).await);
    a.dial(&b);
    a.until_up(b.id).await;
    for number in 0..500 {
        a.links.send(b.id, vec![Word::Kept(number)]).unwrap();
    }
    a.links.stop(Duration::from_secs(10)).await;
    assert_eq!(b.heard.words().len(), 500);
    // A peer that takes nothing holds it up only so long.
    let c = plain(3).await;
    b.heard.gate.forget_permits(usize::MAX);
    c.dial(&b);
    c.until_up(b.id).await;
    c.links.send(b.id, vec![Word::Kept(1)]).unwrap();
    let begun = Instant::now();
    c.links.stop(Duration::from_millis(300)).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_peer_can_be_forgotten_and_moved() {
    let (a, b, c) = (plain(1).await, plain(2).await, plain(3).await);
    a.dial(&b);
    a.until_up(b.id).await;
    a.links.connect::<Word>(b.id, &c.links.local_addr().to_string());
    until("the old connection ends", || !a.links.is_up(b.id)).await;
    a.dial(&b);
    a.until_up(b.id).await;
    a.links.forget(b.id);
    until("it ends", || a.heard.events_of(b.id).last().is_some_and(|event| event.starts_with("down"))).await;
    assert_eq!(a.links.send(b.id, vec![Word::Kept(1)]), Err(NotTaken::Closed));
}

//! TLS between members: who is proven, who is not, and what it costs.

use std::time::{Duration, SystemTime};

use gomer_net::peer::authority::Authority;
use gomer_net::peer::counts::ListenerCount;
use gomer_net::peer::identity::ClusterId;
use gomer_net::peer::tls::TlsFault;
use gomer_net::peer::{Plain, Timing};

use crate::kit::{Member, Office, Word, cluster, exchange, id, local, member, until};

/// Dials, and expects that nothing comes of it on either side.
async fn in_vain<S: gomer_net::peer::Secure, O: gomer_net::peer::Secure>(a: &Member<S>, b: &Member<O>) {
    a.dial(b);
    let failures = || a.links.counts(b.id).unwrap().of(gomer_net::peer::counts::PeerCount::ConnectFailures);
    until("it has failed twice", || failures() >= 2).await;
    assert_eq!(a.heard.events_of(b.id), [""; 0]);
    assert!(b.heard.words().is_empty());
    assert!(b.links.listener_counts().of(ListenerCount::Strangers) > 0);
}

#[tokio::test]
async fn members_of_one_authority_talk() {
    let office = Office::new(cluster());
    let (a, b) = (office.member(1).await, office.member(2).await);
    a.dial(&b);
    b.dial(&a);
    a.until_up(b.id).await;
    b.until_up(a.id).await;
    let words = vec![Word::Kept(1), Word::Long(vec![3; 5 << 20]), Word::Lost(2)];
    a.links.send(b.id, words.clone()).unwrap();
    b.links.send(a.id, vec![Word::Lost(4)]).unwrap();
    until("all came", || b.heard.words() == words && a.heard.words() == [Word::Lost(4)]).await;
    a.links.stop(Duration::from_secs(5)).await;
    until("it is said", || b.heard.events_of(member(1)).contains(&"down: the peer is stopping".to_owned()))
        .await;
}

#[tokio::test]
async fn a_member_of_another_authority_is_a_stranger_to_both_sides() {
    let (ours, theirs) = (Office::new(cluster()), Office::new(cluster()));
    let (a, b) = (theirs.member(1).await, ours.member(2).await);
    in_vain(&a, &b).await;
    in_vain(&b, &a).await;
}

#[tokio::test]
async fn a_member_of_another_cluster_is_a_stranger_even_with_the_same_key() {
    let (authority, issued) = Authority::make(cluster(), SystemTime::now()).unwrap();
    let ours = Office { authority, certificate: issued.certificate.clone() };
    // The same name on its certificates, as nobody could have it who keeps the key to one cluster.
    let other = ClusterId(id(101));
    let theirs =
        Office { authority: Authority::open(other, &issued.key).unwrap(), certificate: issued.certificate };
    let papers = theirs.papers(member(1));
    assert!(matches!(papers.tls(cluster(), member(1)), Err(TlsFault::Certificate(_))));
    let elsewhere = Office::new(other);
    let tls = elsewhere.papers(member(1)).tls(other, member(1)).unwrap();
    let a = Member::start(1, tls, 0, |config| config.cluster = other).await;
    let b = ours.member(2).await;
    in_vain(&a, &b).await;
}

#[tokio::test]
async fn a_member_that_says_it_is_another_is_a_stranger() {
    let office = Office::new(cluster());
    let b = office.member(2).await;
    // Member 3's certificate, used by a program that says it is member 1.
    let tls = office.papers(member(3)).tls(cluster(), member(3)).unwrap();
    let liar = Member::start(1, tls, 0, |_| {}).await;
    in_vain(&liar, &b).await;
    // And nobody who dials member 1 takes it for that.
    let c = office.member(4).await;
    c.dial(&liar);
    until("it has failed", || {
        c.links.counts(liar.id).unwrap().of(gomer_net::peer::counts::PeerCount::ConnectFailures) >= 2
    })
    .await;
    assert!(!c.links.is_up(liar.id));
}

#[tokio::test]
async fn an_expired_certificate_is_refused_at_the_start_and_by_peers() {
    let office = Office::new(cluster());
    let expired = office.papers_for(member(1), Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let Err(TlsFault::Certificate(why)) = expired.tls(cluster(), member(1)) else { panic!("it is taken") };
    assert!(why.contains("expired"), "{why}");
    // One that expires while its owner runs.
    let life = Duration::from_secs(2);
    let tls = office.papers_for(member(1), life).tls(cluster(), member(1)).unwrap();
    let a = Member::start(1, tls, 0, |_| {}).await;
    tokio::time::sleep(life + Duration::from_millis(1_100)).await;
    let b = office.member(2).await;
    in_vain(&a, &b).await;
    in_vain(&b, &a).await;
}

#[tokio::test]
async fn who_speaks_no_tls_gets_nothing_and_is_gone_in_three_seconds() {
    let office = Office::new(cluster());
    let b = office.member(2).await;
    for bytes in [&b""[..], b"\x16", b"GET / HTTP/1.1\r\n\r\n", &[0; 100], b"\x16\x03\x01\x40"] {
        let (answer, took) = exchange(b.links.local_addr(), bytes).await;
        assert_eq!(answer, b"", "{bytes:?}");
        assert!(took < Duration::from_millis(4_500), "{took:?}");
    }
    let plain = Member::start(1, Plain::new(local(0)).unwrap(), 0, |_| {}).await;
    in_vain(&plain, &b).await;
}

#[test]
fn credentials_that_do_not_fit_are_refused_with_a_reason() {
    let office = Office::new(cluster());
    let (one, two) = (office.papers(member(1)), office.papers(member(2)));
    assert!(one.tls(cluster(), member(1)).is_ok());
    assert!(matches!(one.tls(cluster(), member(2)), Err(TlsFault::Certificate(_))));
    assert!(matches!(one.tls(ClusterId(id(101)), member(1)), Err(TlsFault::Certificate(_))));
    let mut mixed = office.papers(member(1));
    mixed.own.key = two.own.key;
    assert!(matches!(mixed.tls(cluster(), member(1)), Err(TlsFault::Key(_))));
    for part in ["certificate", "key", "authority's certificate"] {
        let mut torn = office.papers(member(1));
        let text = match part {
            "certificate" => &mut torn.own.certificate,
            "key" => &mut torn.own.key,
            _ => &mut torn.authority,
        };
        text.truncate(text.len() / 2);
        assert_eq!(torn.tls(cluster(), member(1)).err(), Some(TlsFault::Unreadable(part)));
    }
}

/// Memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

#[tokio::test]
async fn a_hundred_idle_peers_cost_little() {
    let office = Office::new(cluster());
    let calm =
        Timing { heartbeat: Duration::from_millis(250), idle: Duration::from_secs(5), ..Timing::default() };
    let with = |byte: u8| {
        let tls = office.papers(member(byte)).tls(cluster(), member(byte)).unwrap();
        Member::start(byte, tls, 0, move |config| {
            config.timing = calm;
            config.handshakes.all_max = 200;
        })
    };
    let hub = with(200).await;
    let mut others = Vec::new();
    for byte in 0..99 {
        others.push(with(byte).await);
    }
    let before = resident_kib();
    for other in &others {
        hub.dial(other);
        other.dial(&hub);
    }
    for other in &others {
        hub.until_up(other.id).await;
        other.until_up(hub.id).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let grown = resident_kib().saturating_sub(before);
    // 198 connections with both ends in this process.
    eprintln!("99 peers, 198 connections of two ends each: {grown} KiB, {} KiB an end", grown / 396);
    assert!(grown < 396 * 128, "{grown} KiB");
    assert!(others.iter().all(|other| hub.links.is_up(other.id)));
}

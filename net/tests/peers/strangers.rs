//! Who does not belong to the cluster learns nothing, and does not stay.

use std::time::Duration;

use gomer_net::peer::counts::ListenerCount;
use gomer_net::peer::frame::{Binding, Body, Direction, HELLO_BYTES_MAX, Writer};
use gomer_net::peer::handshake::{Hello, VERSIONS};
use gomer_net::peer::identity::{ClusterId, Disk};
use gomer_net::peer::{HandshakeLimits, Plain};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::kit::{Word, cluster, exchange, id, local, member, plain, plain_with, until};

fn hello(cluster: ClusterId, to: u8) -> Hello {
    let disk = Disk { incarnation: id(9), tide: 1 };
    Hello { versions: VERSIONS, cluster, member: member(9), to: member(to), disk, features: vec![] }
}

fn said(body: Body) -> Vec<u8> {
    Writer::new(Binding::unknown(Direction::Out)).frame(&body)
}

#[tokio::test]
async fn a_stranger_is_answered_with_nothing_and_gone_in_three_seconds() {
    let b = plain(2).await;
    let address = b.links.local_addr();
    let good = said(Body::Hello(hello(cluster(), 2)));
    let mut oversized = good.clone();
    oversized[..4].copy_from_slice(&(HELLO_BYTES_MAX as u32 + 1).to_le_bytes());
    let mut flipped = good.clone();
    flipped[30] ^= 1;
    for (what, bytes) in [
        ("nothing", vec![]),
        ("half a head", good[..10].to_vec()),
        ("a frame cut in the middle", good[..40].to_vec()),
        ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        ("zeros", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("a flipped bit", flipped),
        ("a frame that is too long", oversized),
        ("another cluster", said(Body::Hello(hello(ClusterId(id(101)), 2)))),
        ("a heartbeat", said(Body::Ping(1, Disk { incarnation: id(9), tide: 1 }))),
        ("messages", said(Body::Goodbye)),
        ("the other direction", Writer::new(Binding::unknown(Direction::Back)).frame(&Body::Goodbye)),
    ] {
        let (answer, took) = exchange(address, &bytes).await;
        assert_eq!(answer, b"", "{what}");
        // Three seconds, and a busy machine.
        assert!(took < Duration::from_millis(4_500), "{what}: {took:?}");
    }
    let counts = b.links.listener_counts();
    assert!(counts.of(ListenerCount::HandshakeTimeout) >= 3, "{:?}", counts);
    assert!(counts.of(ListenerCount::Strangers) >= 8, "{counts:?}");
    // Who belongs to it is answered.
    let mut stream = TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &good).await.unwrap();
    let mut answer = [0; 20];
    stream.read_exact(&mut answer).await.unwrap();
}

#[tokio::test]
async fn strangers_do_not_keep_members_out_for_long() {
    let limits = HandshakeLimits { all_max: 4, per_address_max: 2 };
    let b = plain_with(2, |config| {
        config.handshakes = limits;
        config.timing.handshake = Duration::from_millis(500);
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(b.links.local_addr()).await.unwrap());
    }
    until("all are accepted", || b.links.listener_counts().of(ListenerCount::Accepted) == 4).await;
    // One too many is closed at once, without a word.
    let (answer, _) = exchange(b.links.local_addr(), b"").await;
    assert_eq!((answer, b.links.listener_counts().of(ListenerCount::OverHandshakes)), (vec![], 1));
    let a = plain(1).await;
    a.dial(&b);
    a.until_up(b.id).await;
}

#[tokio::test]
async fn a_member_sends_away_a_connection_that_breaks_the_rules() {
    let b = plain(2).await;
    let mut stream = TcpStream::connect(b.links.local_addr()).await.unwrap();
    let mut writer = Writer::new(Binding::unknown(Direction::Out));
    let mut bytes = writer.frame(&Body::Hello(hello(cluster(), 2)));
    writer.bind(Binding::agreed(1, cluster(), Direction::Out));
    let ping = writer.frame(&Body::Ping(1, Disk { incarnation: id(9), tide: 1 }));
    bytes.extend_from_slice(&ping);
    // The same again: doubled on the way.
    bytes.extend_from_slice(&ping);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await.unwrap().ok();
    assert!(b.heard.words().is_empty() && !b.links.is_up(member(9)));
    assert_eq!(b.links.send(member(9), vec![Word::Lost(1)]), Err(gomer_net::peer::NotTaken::Closed));
}

#[test]
fn without_tls_nobody_beyond_this_machine_is_talked_to() {
    for address in ["0.0.0.0:0", "10.1.2.3:7000", "[::]:0", "[2001:db8::1]:1"] {
        let refused = Plain::new(address.parse().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied, "{address}");
    }
    for address in [local(0), "[::1]:0".parse().unwrap(), "[::ffff:127.0.0.1]:0".parse().unwrap()] {
        assert!(Plain::new(address).is_ok(), "{address}");
    }
}

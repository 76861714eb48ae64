//! Members that talk to each other, and what they were told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use gomer_core::id::Id;
use gomer_net::peer::authority::{Authority, Issued, Request};
use gomer_net::peer::frame::{Class, Message};
use gomer_net::peer::identity::{ClusterId, Disk, MemberId};
use gomer_net::peer::tls::{Credentials, Tls, TlsFault};
use gomer_net::peer::{LinkEvent, Links, LinksConfig, Plain, Secure, Timing, Upward};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    Lost(u64),
    Kept(u64),
    Long(Vec<u8>),
}

impl Message for Word {
    fn class(&self) -> Class {
        match self {
            Word::Lost(_) => Class::Droppable,
            Word::Kept(_) | Word::Long(_) => Class::Reliable,
        }
    }
}

pub fn id(byte: u8) -> Id {
    Id::from_bytes([byte; 16])
}

pub fn member(byte: u8) -> MemberId {
    MemberId(id(byte))
}

pub fn cluster() -> ClusterId {
    ClusterId(id(100))
}

/// What a member was told.
pub struct Heard {
    /// Frames, in order.
    pub frames: Mutex<Vec<(MemberId, Vec<Word>)>>,
    /// Changes of links, as text.
    pub events: Mutex<Vec<(MemberId, String)>>,
    /// Beats that say that turns are taken.
    pub beats: AtomicU64,
    /// A frame is only taken with a permit.
    pub gate: Semaphore,
}

impl Heard {
    pub fn words(&self) -> Vec<Word> {
        self.frames.lock().unwrap().iter().flat_map(|(_, words)| words.clone()).collect()
    }

    pub fn events_of(&self, peer: MemberId) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|(from, _)| *from == peer).map(|(_, event)| event.clone()).collect()
    }
}

impl Upward<Word> for Heard {
    async fn received(&self, from: MemberId, messages: Vec<Word>) {
        self.gate.acquire().await.unwrap().forget();
        self.frames.lock().unwrap().push((from, messages));
    }

    fn heard(&self, _: MemberId) {
        self.beats.fetch_add(1, Ordering::SeqCst);
    }

    fn link(&self, peer: MemberId, event: LinkEvent) {
        let text = match event {
            LinkEvent::Up { .. } => "up".to_owned(),
            LinkEvent::Down(end) => format!("down: {end}"),
            LinkEvent::Refused(refusal) => format!("refused: {refusal}"),
        };
        self.events.lock().unwrap().push((peer, text));
    }
}

pub struct Member<S> {
    pub id: MemberId,
    pub links: Links<S, Heard>,
    pub heard: Arc<Heard>,
    /// Its tide.
    pub tide: Arc<AtomicU64>,
}

/// Times that make slowness testable.
pub fn quick() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(50),
        idle: Duration::from_millis(800),
        stall: Duration::from_millis(1_500),
        backoff: (Duration::from_millis(10), Duration::from_millis(100)),
        ..Timing::default()
    }
}

pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl<S: Secure> Member<S> {
    pub async fn start(byte: u8, secure: S, port: u16, change: impl FnOnce(&mut LinksConfig)) -> Member<S> {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        let (frames, events, beats) = Default::default();
        let heard = Arc::new(Heard { frames, events, beats, gate });
        let disk = Disk { incarnation: id(byte), tide: 0 };
        let tide = Arc::new(AtomicU64::new(10));
        let mut config = LinksConfig::new(local(port), cluster(), member(byte), disk);
        let shown = tide.clone();
        config.disk = Arc::new(move || Disk { tide: shown.load(Ordering::SeqCst), ..disk });
        config.timing = quick();
        config.seed = byte.into();
        change(&mut config);
        let id = config.member;
        let links = Links::start::<Word>(config, secure, heard.clone()).await.unwrap();
        Member { id, links, heard, tide }
    }

    pub fn dial<O: Secure>(&self, other: &Member<O>) {
        self.links.connect::<Word>(other.id, &other.links.local_addr().to_string());
    }

    pub async fn until_up(&self, peer: MemberId) {
        until("the link is up", || self.links.is_up(peer)).await;
    }
}

pub async fn plain(byte: u8) -> Member<Plain> {
    plain_with(byte, |_| {}).await
}

pub async fn plain_with(byte: u8, change: impl FnOnce(&mut LinksConfig)) -> Member<Plain> {
    Member::start(byte, Plain::new(local(0)).unwrap(), 0, change).await
}

/// Credentials as files would hold them.
pub struct Papers {
    pub authority: String,
    pub own: Issued,
}

impl Papers {
    pub fn tls(&self, cluster: ClusterId, member: MemberId) -> Result<Tls, TlsFault> {
        let given = Credentials {
            certificate: self.own.certificate.as_bytes(),
            key: self.own.key.as_bytes(),
            authority: self.authority.as_bytes(),
        };
        Tls::new(cluster, member, given)
    }
}

/// An authority whose certificates can be strange.
pub struct Office {
    pub authority: Authority,
    pub certificate: String,
}

impl Office {
    pub fn new(cluster: ClusterId) -> Office {
        let (authority, issued) = Authority::make(cluster, SystemTime::now()).unwrap();
        Office { authority, certificate: issued.certificate }
    }

    pub fn papers(&self, member: MemberId) -> Papers {
        self.papers_for(member, Duration::from_secs(3_600))
    }

    pub fn papers_for(&self, member: MemberId, life: Duration) -> Papers {
        let from = SystemTime::now();
        let (hosts, addresses) = (vec!["a.example".to_owned()], vec!["127.0.0.1".parse().unwrap()]);
        let request = Request { member, name: "a".to_owned(), hosts, addresses, from, until: from + life };
        let own = self.authority.issue(&request).unwrap();
        Papers { authority: self.certificate.clone(), own }
    }

    pub async fn member(&self, byte: u8) -> Member<Tls> {
        let tls = self.papers(member(byte)).tls(cluster(), member(byte)).unwrap();
        Member::start(byte, tls, 0, |_| {}).await
    }
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends bytes, then reads until the other side closes. What it said, and how long it took.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before everything is sent.
    let _ = stream.write_all(bytes).await;
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    read.expect("the connection is closed").ok();
    (said, begun.elapsed())
}

/// Patience with a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

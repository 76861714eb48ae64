//! All links of a member: started, given peers and messages, stopped.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use gomer_core::rng::Rng;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::connection::{End, Stop, Timing};
use super::counts::{ListenerCounts, PeerCounts};
use super::frame::Message;
use super::handshake::{Hello, Refusal, VERSIONS, Versions};
use super::identity::{Admit, ClusterId, Disk, Feature, MemberId};
use super::link::{self, Link};
use super::listener::{self, Handshakes, Seat};
use super::outbox::{NotTaken, Outbox, Share};
use super::secure::Secure;

/// Where what comes from peers goes.
pub trait Upward<T>: Send + Sync + 'static {
    /// The messages of one frame, in the order in which they were handed over. While this waits, nothing more
    /// is read from that peer, and from no other; it may be dropped while it waits.
    fn received(&self, from: MemberId, messages: Vec<T>) -> impl Future<Output = ()> + Send;

    /// A peer shows that it takes its turns ([`LinksConfig::turns`]), several times a second. Must not wait.
    fn heard(&self, peer: MemberId);

    /// The link to a peer has changed. Must not wait.
    fn link(&self, peer: MemberId, event: LinkEvent);
}

/// What happens to the link to a peer. `Up` and `Down` take turns, beginning with `Up`.
#[derive(Debug)]
pub enum LinkEvent {
    /// It was reached, and answered.
    Up {
        /// The protocol version in force.
        version: u16,
        /// Its disk.
        disk: Disk,
        /// What its program can do.
        features: Vec<Feature>,
    },
    /// It answers no more. What is droppable is dropped from now on.
    Down(End),
    /// It is there and refuses this member. [`Refusal::ends_this_member`] says whether this process must stop.
    Refused(Refusal),
}

/// How a member's links are set up.
pub struct LinksConfig {
    /// Where peers connect.
    pub listen: SocketAddr,
    /// The cluster.
    pub cluster: ClusterId,
    /// This member.
    pub member: MemberId,
    /// Its disk as it is now; asked at each handshake and heartbeat.
    pub disk: Arc<dyn Fn() -> Disk + Send + Sync>,
    /// Whether this member takes its turns. While it does not, its links stay and it answers its peers' beats, but
    /// does not beat itself where they listen for that.
    pub turns: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Tells whether a peer's disk is superseded.
    pub admit: Arc<Admit>,
    /// What this program can do.
    pub features: Vec<Feature>,
    /// What it speaks.
    pub versions: Versions,
    /// How long things may take.
    pub timing: Timing,
    /// Room for droppable messages, per peer.
    pub droppable: Share,
    /// Room for reliable messages, per peer.
    pub reliable: Share,
    /// How many strangers may be listened to at once.
    pub handshakes: HandshakeLimits,
    /// For the jitter of pauses.
    pub seed: u64,
}

/// How many handshakes may go on at once. What is beyond is closed without a word.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    /// Together.
    pub all_max: usize,
    /// From one address; loopback is exempt.
    pub per_address_max: usize,
}

impl LinksConfig {
    /// Usual settings: everybody is admitted, no features, turns are always taken.
    pub fn new(listen: SocketAddr, cluster: ClusterId, member: MemberId, disk: Disk) -> LinksConfig {
        LinksConfig {
            listen,
            cluster,
            member,
            disk: Arc::new(move || disk),
            turns: Arc::new(|| true),
            admit: Arc::new(|_, _| Ok(())),
            features: Vec::new(),
            versions: VERSIONS,
            timing: Timing::default(),
            droppable: Share { frames: 4_096, bytes: 16 << 20 },
            reliable: Share { frames: 4_096, bytes: 16 << 20 },
            handshakes: HandshakeLimits { all_max: 64, per_address_max: 8 },
            seed: 0,
        }
    }
}

/// The links of a running member to its peers. `S` secures them, `U` takes what comes.
pub struct Links<S, U> {
    shared: Arc<Shared<S, U>>,
    address: SocketAddr,
    rng: Mutex<Rng>,
}

/// What all tasks of the links share.
pub(super) struct Shared<S, U> {
    pub(super) config: LinksConfig,
    pub(super) secure: S,
    pub(super) upward: Arc<U>,
    pub(super) stop: watch::Sender<Stop>,
    pub(super) handshakes: Handshakes,
    pub(super) listener_counts: Arc<ListenerCounts>,
    links: RwLock<BTreeMap<MemberId, Arc<Link>>>,
    seats: Mutex<BTreeMap<MemberId, Arc<Seat>>>,
    running: AtomicUsize,
    ended: Notify,
}

impl<S: Secure, U> Links<S, U> {
    /// Listens for peers. Nobody is dialled yet.
    pub async fn start<T>(config: LinksConfig, secure: S, upward: Arc<U>) -> io::Result<Links<S, U>>
    where
        T: Message,
        U: Upward<T>,
    {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let rng = Mutex::new(Rng::new(config.seed));
        let shared = Arc::new(Shared {
            config,
            secure,
            upward,
            stop: watch::channel(Stop::No).0,
            handshakes: Handshakes::default(),
            listener_counts: Arc::default(),
            links: RwLock::default(),
            seats: Mutex::default(),
            running: AtomicUsize::new(0),
            ended: Notify::new(),
        });
        let (running, accepting) = (shared.running(), listener::accept::<T, S, U>(listener, shared.clone()));
        tokio::spawn(async move {
            accepting.await;
            drop(running);
        });
        Ok(Links { shared, address, rng })
    }

    /// Where peers connect, really.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Keeps a connection to that peer from now on; it is at `host:port`. Again with another address: it has moved.
    pub fn connect<T>(&self, peer: MemberId, address: &str)
    where
        T: Message,
        U: Upward<T>,
    {
        assert!(peer != self.shared.config.member, "a member has no link to itself");
        let mut links = self.shared.links.write().expect(UNPOISONED);
        if let Some(link) = links.get(&peer) {
            link.set_address(Some(address.to_owned()));
            return;
        }
        let config = &self.shared.config;
        let counts = Arc::new(PeerCounts::default());
        let outbox = Outbox::new(config.droppable, config.reliable, counts.clone());
        let link = Arc::new(Link::new(address.to_owned(), outbox, counts));
        links.insert(peer, link.clone());
        let rng = self.rng.lock().expect(UNPOISONED).split(1);
        let running = self.shared.running();
        let dialling = link::run::<T, S, U>(self.shared.clone(), peer, link, rng);
        tokio::spawn(async move {
            dialling.await;
            drop(running);
        });
    }

    /// Ends the link to a peer. What waits for it is dropped.
    pub fn forget(&self, peer: MemberId) {
        if let Some(link) = self.shared.links.write().expect(UNPOISONED).remove(&peer) {
            link.set_address(None);
        }
    }

    /// Hands over messages, which travel in one frame if they fit into one, and in this order. Never waits; what
    /// happens when there is no room is up to their [`Class`](super::frame::Class). May be called on any thread.
    pub fn send<T: Message>(&self, peer: MemberId, messages: Vec<T>) -> Result<(), NotTaken<T>> {
        self.shared.link(peer).ok_or(NotTaken::Closed)?.outbox.offer(messages)
    }

    /// Like [`send`](Links::send), and waits until there is room for what is reliable: the back-pressure of a slow
    /// peer, felt only by who sends to it.
    pub async fn send_all<T: Message>(&self, peer: MemberId, messages: Vec<T>) -> Result<(), NotTaken<T>> {
        self.shared.link(peer).ok_or(NotTaken::Closed)?.outbox.offer_all(messages).await
    }

    /// Whether the peer answers now.
    pub fn is_up(&self, peer: MemberId) -> bool {
        self.shared.link(peer).is_some_and(|link| link.is_up())
    }

    /// Counters of a peer that there is a link to.
    pub fn counts(&self, peer: MemberId) -> Option<Arc<PeerCounts>> {
        self.shared.link(peer).map(|link| link.counts.clone())
    }

    /// Frames and bytes that wait for a peer.
    pub fn waiting(&self, peer: MemberId) -> (usize, usize) {
        self.shared.link(peer).map_or((0, 0), |link| link.outbox.load())
    }

    /// Counters of the listener.
    pub fn listener_counts(&self) -> Arc<ListenerCounts> {
        self.shared.listener_counts.clone()
    }

    /// Takes nothing more, sends what waits to whoever can be reached, says goodbye and ends; after `within`, at
    /// once. Afterwards no task of the links is left.
    pub async fn stop(&self, within: Duration) {
        for link in self.shared.links.read().expect(UNPOISONED).values() {
            link.outbox.close();
        }
        self.shared.advance(Stop::Drain);
        if tokio::time::timeout(within, self.shared.until_ended()).await.is_err() {
            self.shared.advance(Stop::Cut);
            self.shared.until_ended().await;
        }
    }
}

impl<S, U> Drop for Links<S, U> {
    fn drop(&mut self) {
        self.shared.advance(Stop::Cut);
    }
}

impl<S, U> Shared<S, U> {
    /// What this member shows.
    pub(super) fn hello(&self, to: MemberId) -> Hello {
        let config = &self.config;
        Hello {
            versions: config.versions,
            cluster: config.cluster,
            member: config.member,
            to,
            disk: (config.disk)(),
            features: config.features.clone(),
        }
    }

    pub(super) fn seat(&self, peer: MemberId) -> Arc<Seat> {
        self.seats.lock().expect(UNPOISONED).entry(peer).or_default().clone()
    }

    /// The peer lives: dial it now.
    pub(super) fn nudge(&self, peer: MemberId) {
        if let Some(link) = self.link(peer).filter(|link| !link.is_up()) {
            link.nudge.notify_one();
        }
    }

    /// Where to count what comes from a peer: with its link, if there is one.
    pub(super) fn peer_counts(&self, peer: MemberId) -> Arc<PeerCounts> {
        self.link(peer).map(|link| link.counts.clone()).unwrap_or_default()
    }

    /// One more task that the end waits for, until it is dropped.
    pub(super) fn running(self: &Arc<Self>) -> Running<S, U> {
        self.running.fetch_add(1, Ordering::AcqRel);
        Running { shared: self.clone() }
    }

    fn link(&self, peer: MemberId) -> Option<Arc<Link>> {
        self.links.read().expect(UNPOISONED).get(&peer).cloned()
    }

    fn advance(&self, to: Stop) {
        self.stop.send_if_modified(|stop| {
            let moves = to > *stop;
            *stop = to.max(*stop);
            moves
        });
    }

    async fn until_ended(&self) {
        while self.running.load(Ordering::Acquire) > 0 {
            self.ended.notified().await;
        }
    }
}

/// A task that is running.
pub(super) struct Running<S, U> {
    shared: Arc<Shared<S, U>>,
}

impl<S, U> Drop for Running<S, U> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::AcqRel);
        self.shared.ended.notify_one();
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

//! The other members of the cluster: what this one tells and asks them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::MemberId;

use crate::asks::Asks;
use crate::beats::Beats;
use crate::between::{Answered, Ask, Asked, Between};
use crate::peer::counts::{ListenerCounts, PeerCounts};
use crate::peer::identity;
use crate::peer::{Links, Secure, Upward};
use crate::ring::Ring;
use crate::routes::Routes;

/// What a member knows of its cluster.
pub(crate) struct Peers {
    pub(crate) ring: Ring,
    pub(crate) routes: Routes,
    pub(crate) asks: Asks,
    /// Who takes its turns, here and elsewhere.
    pub(crate) beats: Arc<Beats>,
    /// Shards that have been live.
    pub(crate) live: AtomicUsize,
    /// What came from other members and found no room. It comes again, or is asked for again.
    pub(crate) dropped: AtomicU64,
    /// Members whose programs know the commands of the membership.
    versed: Mutex<BTreeSet<MemberId>>,
    links: OnceLock<Weak<dyn Outward>>,
}

/// The way out, whatever secures it.
pub(crate) trait Outward: Send + Sync {
    fn send(&self, to: identity::MemberId, messages: Vec<Between>);
    fn is_up(&self, peer: identity::MemberId) -> bool;
    fn waiting(&self, peer: identity::MemberId) -> (usize, usize);
    fn counts(&self, peer: identity::MemberId) -> Option<Arc<PeerCounts>>;
    fn listener_counts(&self) -> Arc<ListenerCounts>;
}

impl<S: Secure, U: Upward<Between>> Outward for Links<S, U> {
    fn send(&self, to: identity::MemberId, messages: Vec<Between>) {
        // All of them may be dropped; the links count it.
        let _ = Links::send(self, to, messages);
    }

    fn is_up(&self, peer: identity::MemberId) -> bool {
        Links::is_up(self, peer)
    }

    fn waiting(&self, peer: identity::MemberId) -> (usize, usize) {
        Links::waiting(self, peer)
    }

    fn counts(&self, peer: identity::MemberId) -> Option<Arc<PeerCounts>> {
        Links::counts(self, peer)
    }

    fn listener_counts(&self) -> Arc<ListenerCounts> {
        Links::listener_counts(self)
    }
}

impl Peers {
    /// `first`: where questions begin to be numbered; another one at each start.
    pub(crate) fn new(ring: Ring, first: u64, beats: Arc<Beats>) -> Peers {
        let routes = Routes::new(ring.own().number, ring.partitions());
        let (live, dropped) = (AtomicUsize::new(0), AtomicU64::new(0));
        let (asks, versed, links) = (Asks::new(first), Mutex::default(), OnceLock::new());
        Peers { ring, routes, asks, beats, live, dropped, versed, links }
    }

    /// From now on there is a way to them.
    pub(crate) fn link(&self, links: Weak<dyn Outward>) {
        assert!(self.links.set(links).is_ok(), "a member has its links once");
    }

    /// The links, while they live.
    pub(crate) fn links(&self) -> Option<Arc<dyn Outward>> {
        self.links.get()?.upgrade()
    }

    /// Tells a member. May be lost.
    pub(crate) fn send(&self, to: MemberId, messages: Vec<Between>) {
        if let (Some(links), Some(member)) = (self.links(), self.ring.numbered(to)) {
            links.send(member.id, messages);
        }
    }

    /// Whether that member answers now.
    pub(crate) fn is_up(&self, member: MemberId) -> bool {
        let member = self.ring.numbered(member);
        self.links().zip(member).is_some_and(|(links, member)| links.is_up(member.id))
    }

    /// Whether any other member answers now.
    pub(crate) fn reaches_any(&self) -> bool {
        self.ring.others().any(|member| self.is_up(member.number))
    }

    /// A link has come up: whether the program at its other end knows the commands of the membership.
    pub(crate) fn speaks(&self, member: MemberId, versed: bool) {
        let mut all = self.versed.lock().expect(UNPOISONED);
        if versed {
            all.insert(member);
        } else {
            all.remove(&member);
        }
    }

    /// Whether every other member's program is known to know the commands of the membership. One that does not would take
    /// them for damage.
    pub(crate) fn all_versed(&self) -> bool {
        let versed = self.versed.lock().expect(UNPOISONED);
        self.ring.others().all(|member| versed.contains(&member.number))
    }

    /// Asks a member. Nothing: it did not answer in time, or was lost; what it did is unknown.
    /// It was not asked: [`Fault::Busy`], too much waits for it, or [`Fault::Unavailable`], its link is down.
    pub(crate) async fn ask(
        &self,
        member: MemberId,
        what: Asked,
        wait: Duration,
    ) -> Result<Option<Answered>, Fault> {
        let mut put = self.asks.put(member)?;
        // Looked at when the question is known to be there: if the link goes down from now on, it is told.
        if !self.is_up(member) {
            return Err(Fault::Unavailable);
        }
        let left_ms = wait.as_millis().try_into().unwrap_or(u32::MAX);
        let ask = Ask { id: put.id, generation: self.ring.generation(), left_ms, what };
        self.send(member, vec![Between::Ask(Box::new(ask))]);
        Ok(tokio::time::timeout(wait, put.answer()).await.ok().flatten())
    }

    /// Counts what was dropped.
    pub(crate) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

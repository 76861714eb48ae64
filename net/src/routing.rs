//! A request's way through a cluster: to the leader of its partition, here or one hop away.
//!
//! The member that took the request keeps it until it is answered; another member answers it or says who
//! leads, and never passes it on. While nobody leads, it waits a little: an election takes a second or two.

use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{AppId, MemberId, Partition, Position, Root};
use gomer_core::meta::command::MetaCommand;
use gomer_core::ring::partition::META;
use gomer_core::shard::{Input, Ticket};
use gomer_core::time::Monotonic;
use gomer_core::vnode::command::{Outcome, Write};
use gomer_core::vnode::query::{Query, Reading};
use tokio::sync::watch;

use crate::between::{Answered, Asked};
use crate::cluster::{Attempt, Cluster};
use crate::peers::Peers;
use crate::routes::Reach;

/// How long a request waits for somebody to lead its partition: two elections.
pub const PATIENCE: Duration = Duration::from_millis(3_000);
/// How long a read waits for one answer before it looks again for who leads.
const READ_WAIT: Duration = Duration::from_millis(1_000);
/// How soon it is looked again for a leader, if nothing was heard of one.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often a request follows a redirect at once. Leaders that change faster are waited for.
const REDIRECTS: usize = 3;

/// Something that is to be done once, at the leader of a partition.
#[derive(Clone)]
pub(crate) enum Order {
    /// A write of one root.
    Write(Partition, Box<Write>),
    /// A change of the metadata.
    Meta(Box<MetaCommand>),
}

impl Order {
    fn partition(&self) -> Partition {
        match self {
            Order::Write(partition, _) => *partition,
            Order::Meta(_) => META,
        }
    }

    fn input(&self, ticket: Ticket) -> Input {
        match self.clone() {
            Order::Write(partition, write) => Input::Write { ticket, partition, write },
            Order::Meta(command) => Input::Meta { ticket, command },
        }
    }

    fn asked(&self) -> Asked {
        match self.clone() {
            Order::Write(partition, write) => Asked::Write { partition, write },
            Order::Meta(command) => Asked::Meta(command),
        }
    }

    /// Whether it takes effect once, however often it is done.
    fn is_repeatable(&self) -> bool {
        matches!(self, Order::Write(_, write) if write.op.is_some())
    }
}

/// What is left of a request's time, and news of who leads.
struct Trip<'a> {
    cluster: &'a Cluster,
    peers: &'a Peers,
    partition: Partition,
    until: Monotonic,
    changes: watch::Receiver<u64>,
    /// Who was said to lead by who does not.
    hint: Option<MemberId>,
    redirects: usize,
    guesses: usize,
}

impl<'a> Trip<'a> {
    fn begin(cluster: &'a Cluster, peers: &'a Peers, partition: Partition) -> Trip<'a> {
        let (until, changes) = (cluster.now().mono + PATIENCE, peers.routes.changes());
        Trip { cluster, peers, partition, until, changes, hint: None, redirects: 0, guesses: 0 }
    }

    fn left(&self) -> Duration {
        self.until.since(self.cluster.now().mono)
    }

    /// Somebody who does not hold the partition can only guess, and is told.
    fn guess(&mut self) -> Option<MemberId> {
        let holders = self.cluster.inner.holders(self.partition);
        if holders.is_empty() || holders.contains(&self.peers.ring.own().number) {
            return None;
        }
        self.guesses += 1;
        Some(holders[(self.guesses - 1) % holders.len()])
    }

    /// That member does not lead; `other` may.
    fn redirected(&mut self, from: MemberId, other: Option<MemberId>) {
        let hint = other.filter(|other| *other != from);
        if !self.cluster.inner.holds(self.partition) {
            self.peers.routes.learn(self.partition, hint);
        }
        self.hint = hint;
    }

    /// That member did not answer: who holds nothing of the partition forgets that it led, or would ask it for ever.
    fn unanswered(&self, member: MemberId) {
        let own = self.peers.ring.own().number;
        if member != own && !self.cluster.inner.holds(self.partition) {
            self.peers.routes.learn(self.partition, None);
        }
    }

    /// Waits until it is worth looking again; false: the time is over.
    async fn again(&mut self) -> bool {
        if self.hint.is_some() && self.redirects < REDIRECTS {
            self.redirects += 1;
            return true;
        }
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        let _ = tokio::time::timeout(LOOK_AGAIN.min(left), self.changes.changed()).await;
        true
    }

    /// Asks another member. Nothing: no answer came, and what it did is unknown.
    async fn ask(&self, member: MemberId, what: Asked, wait: Duration) -> Result<Option<Answered>, Fault> {
        let wait = wait.min(self.left());
        if wait.is_zero() {
            return Err(Fault::Unavailable);
        }
        self.peers.ask(member, what, wait).await
    }
}

impl Cluster {
    /// Has an order carried out by who leads its partition.
    pub(crate) async fn carry(&self, peers: &Peers, order: Order) -> Result<Outcome, Fault> {
        let partition = order.partition();
        let own = peers.ring.own().number;
        let mut trip = Trip::begin(self, peers, partition);
        let mut unknown = false;
        loop {
            let leader = trip.hint.take().or_else(|| peers.routes.leader(partition)).or_else(|| trip.guess());
            let attempt = match leader {
                None => Ok(Some(Attempt::Elsewhere(None))),
                Some(leader) if leader == own => {
                    let input = order.input(self.inner.ticket());
                    self.ask_here(self.inner.shard_of(partition), input, Some(trip.until)).await.map(Some)
                }
                Some(leader) => {
                    let answered = trip.ask(leader, order.asked(), PATIENCE).await;
                    answered.map(|answered| answered.and_then(as_attempt))
                }
            };
            if let (Some(leader), Err(Fault::Unavailable | Fault::Timeout) | Ok(None)) = (leader, &attempt) {
                trip.unanswered(leader);
            }
            match attempt {
                // Certainly not done.
                Err(Fault::Unavailable) | Ok(Some(Attempt::Done(Err(Fault::Unavailable)))) => {}
                // Nobody knows.
                Err(Fault::Timeout) | Ok(None | Some(Attempt::Done(Err(Fault::Timeout)))) => {
                    if !order.is_repeatable() {
                        return Err(Fault::Timeout);
                    }
                    unknown = true;
                }
                Err(fault) => return Err(fault),
                Ok(Some(Attempt::Done(result))) => {
                    // An earlier attempt may have done what this one was refused for.
                    return if unknown && result.is_err() { Err(Fault::Timeout) } else { result };
                }
                Ok(Some(Attempt::Elsewhere(other))) => {
                    if let Some(leader) = leader {
                        trip.redirected(leader, other);
                    }
                }
                Ok(Some(Attempt::Readable(_))) => {}
            }
            if !trip.again().await {
                return Err(if unknown { Fault::Timeout } else { Fault::Unavailable });
            }
        }
    }

    /// Reads a root where that is certain to be up to date.
    pub(crate) async fn find(
        &self,
        peers: &Peers,
        partition: Partition,
        app: AppId,
        root: Root,
        query: Query,
    ) -> Result<Reading, Fault> {
        let mut trip = Trip::begin(self, peers, partition);
        let read_here = || self.inner.shard_of(partition).reader.read(partition, app, root, &query);
        loop {
            let reach = match trip.hint.take() {
                Some(hint) if hint != peers.ring.own().number => Reach::There(hint),
                _ => peers.routes.reach(self.now().mono, partition),
            };
            let reach = match reach {
                Reach::Nowhere => trip.guess().map_or(Reach::Nowhere, Reach::There),
                known => known,
            };
            match reach {
                Reach::Here => return read_here(),
                Reach::Confirm => match self.confirm(partition, trip.until).await {
                    Ok(()) => return read_here(),
                    Err(Fault::Unavailable | Fault::Timeout) => {}
                    Err(fault) => return Err(fault),
                },
                Reach::There(leader) => {
                    let what = Asked::Read { partition, app, root, query: Box::new(query.clone()) };
                    match trip.ask(leader, what, READ_WAIT).await {
                        Ok(Some(Answered::Read(Ok(reading)))) => return Ok(reading),
                        Ok(Some(Answered::Read(Err(refused)))) => match Fault::from(refused) {
                            Fault::Unavailable | Fault::Timeout => {}
                            fault => return Err(fault),
                        },
                        Ok(Some(Answered::Elsewhere(other))) => trip.redirected(leader, other),
                        Ok(_) | Err(Fault::Unavailable | Fault::Timeout) => trip.unanswered(leader),
                        Err(fault) => return Err(fault),
                    }
                }
                Reach::Nowhere => {}
            }
            if !trip.again().await {
                return Err(Fault::Unavailable);
            }
        }
    }

    /// Asks a majority whether this member still leads: what it has published may then be read.
    pub(crate) async fn confirm(&self, partition: Partition, until: Monotonic) -> Result<(), Fault> {
        let input = Input::ReadIndex { ticket: self.inner.ticket(), partition };
        match self.ask_here(self.inner.shard_of(partition), input, Some(until)).await? {
            Attempt::Readable(result) => result,
            Attempt::Done(_) | Attempt::Elsewhere(_) => Err(Fault::Unavailable),
        }
    }

    /// Waits until this member's copy of the metadata has that position, but not for ever: it may be cut off.
    pub async fn until_followed(&self, position: Position) {
        let mut followed = self.inner.meta_followed.subscribe();
        let until = self.now().mono + PATIENCE;
        let mut applied = false;
        while *followed.borrow_and_update() < position && self.now().mono < until {
            // A change that changed nothing is applied and not told.
            if applied {
                return;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, followed.changed()).await;
            applied = self.inner.meta_shard.reader.position(META).is_some_and(|at| at >= position);
        }
    }
}

fn as_attempt(answered: Answered) -> Option<Attempt> {
    match answered {
        Answered::Written(result) => Some(Attempt::Done(result.map_err(Fault::from))),
        Answered::Elsewhere(leader) => Some(Attempt::Elsewhere(leader)),
        Answered::Generation(_) => Some(Attempt::Elsewhere(None)),
        // Not an answer to this question: as if none had come.
        Answered::Read(_) | Answered::Status(_) => None,
    }
}

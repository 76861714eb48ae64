//! One call: who asks for what, when, and the handle to the data. What a handler is given.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gomer_core::fault::Fault;
use gomer_core::id::{Id, Position, Root};
use gomer_core::meta::state::App;
use gomer_core::mutant::Mutant;
use gomer_core::rows::node::Node;
use gomer_core::time::{Now, Time};
use gomer_core::vnode::command::{OpKey, Outcome, Precondition, Write};
use gomer_core::vnode::query::{Answer, Query};
use gomer_net::cluster::Cluster;
use serde::Serialize;

use super::reads::NodeView;
use super::reply::{Cache, Payload, Rendered, Reply, Stop, render};
use super::rev::{self, Rev};
use crate::host::Host;
use crate::limits::{Decision, Subject};
use crate::methods::sync::known::KnownRoot;
use crate::problem::{Code, Problem, stale};
use crate::registry::{Method, Rate};

/// A call. Owned, and cheap to clone.
#[derive(Clone)]
pub struct Call {
    /// The data.
    pub cluster: Cluster,
    /// What lives as long as the process.
    pub host: Arc<Host>,
    /// The tenant; [`Host::nowhere`] for calls on `/v1/-/`.
    pub app: Arc<App>,
    /// Who asks.
    pub caller: Caller,
    /// When the request was read. Not read again during a call.
    pub now: Now,
    /// The method's name.
    pub method: &'static str,
    /// From `Idempotency-Key` or an operation of `sync.push`.
    pub op: Option<OpKey>,
    /// From `If-Match`.
    pub if_match: Option<Rev>,
    /// What the caller knew when it queued this (`sync.push`).
    pub known: Option<KnownRoot>,
    /// When the device says that it was edited (`sync.push`).
    pub edited: Option<Time>,
    /// From `Last-Event-ID`.
    pub last_event_id: Option<String>,
    /// The body, of a method that takes bytes as they are.
    pub bytes: Bytes,
    /// The address that asks.
    pub client: IpAddr,
    /// Whether a stream of events is to go over a WebSocket.
    pub websocket: bool,
    /// Names this call in logs and problems.
    pub trace: Trace,
    pub(crate) seen: Arc<AtomicU64>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Somebody with the app's client key.
    Anonymous,
    /// Somebody signed in.
    User {
        /// The person.
        profile: Id,
        /// The device that the session belongs to.
        device: Id,
        /// Roles that were granted, as far as the method asked for them.
        roles: Vec<String>,
    },
    /// The app's own server.
    Server {
        /// On whose behalf: `Gomer-As`.
        acting_as: Option<Id>,
    },
    /// An administrator of the app.
    Admin,
    /// Who operates the cluster.
    Operator,
}

/// Names one call: 16 bytes, shown as 32 hex digits. Taken from `traceparent` if there is one.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace(pub [u8; 16]);

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Call {
    /// The profile on whose behalf this is: the one signed in, or the one that a server key names in
    /// `Gomer-As`. 401 for everybody else.
    pub fn me(&self) -> Result<Id, Stop> {
        self.maybe_me().ok_or_else(|| match self.caller {
            Caller::Anonymous => Code::Unauthenticated.into(),
            _ => Stop::from(
                Problem::new(Code::Unauthenticated)
                    .detail("Say for which profile, with the header `Gomer-As`."),
            ),
        })
    }

    /// The same, or nothing.
    pub fn maybe_me(&self) -> Option<Id> {
        match self.caller {
            Caller::User { profile, .. } => Some(profile),
            Caller::Server { acting_as } => acting_as,
            Caller::Anonymous | Caller::Admin | Caller::Operator => None,
        }
    }

    /// The device of the session, if there is one.
    pub fn device(&self) -> Option<Id> {
        match self.caller {
            Caller::User { device, .. } => Some(device),
            _ => None,
        }
    }

    /// Whether the caller is the app's own server or an administrator, and does not act for a user.
    pub fn is_app_admin(&self) -> bool {
        match &self.caller {
            Caller::Admin => true,
            Caller::Server { acting_as } => acting_as.is_none(),
            Caller::User { roles, .. } => roles.iter().any(|role| role == crate::model::ADMIN_ROLE),
            Caller::Anonymous | Caller::Operator => false,
        }
    }

    /// Whom writes are booked to: the profile, or nobody for the app's server and administrators.
    pub fn author(&self) -> Id {
        self.maybe_me().unwrap_or(Id::NIL)
    }

    /// If this very operation was done before on this root, stops with the reply that was given then; with
    /// another body, 422 `key-reused`. First line of every procedure whose root is known.
    pub async fn replay(&self, root: Root) -> Result<(), Stop> {
        let Some(op) = self.op else { return Ok(()) };
        let query = Query::Operation { caller: self.author(), op: op.id };
        let reading = self.cluster.read(self.app.id, root, query).await?;
        let Answer::Operation(record) = reading.answer else {
            return Err(Code::Internal.into());
        };
        let Some(record) = record else { return Ok(()) };
        if record.fingerprint != op.fingerprint && !self.cluster.mutants().has(Mutant::OtherBodyAccepted) {
            return Err(Code::KeyReused.into());
        }
        Err(replayed(&record.reply, Rev::of(record.rev, &reading.eras), record.position))
    }

    /// Writes one root and gives the reply, in which every [`Rev::Pending`] is the revision of what the
    /// first operation speaks of. The reply is recorded under the operation id.
    pub async fn write<R: Serialize>(&self, mut write: Write, reply: R) -> Result<Reply<R>, Stop> {
        let parts = rev::split(&render(&reply)?);
        if self.op.is_some() {
            write.reply.clone_from(&parts);
        }
        let outcome = self.commit(write).await?;
        let rev = Rev::At(outcome.rev, outcome.era);
        Ok(Reply::json(rev::join(&parts, rev)).rev(rev).position(outcome.position))
    }

    /// The same for a reply with a secret in it: what is recorded, and a repeat gets, has none.
    pub async fn write_secret<R: Serialize>(
        &self,
        mut write: Write,
        recorded: &R,
        reply: &R,
    ) -> Result<Reply<R>, Stop> {
        if self.op.is_some() {
            write.reply = rev::split(&render(recorded)?);
        }
        let parts = rev::split(&render(reply)?);
        let outcome = self.commit(write).await?;
        let rev = Rev::At(outcome.rev, outcome.era);
        let reply = Reply::json(rev::join(&parts, rev)).rev(rev).position(outcome.position);
        Ok(reply.cache(Cache::Never))
    }

    /// Writes one root and gives what became of it, for handlers whose reply depends on that. What is to be
    /// answered to a repeat must stand in `write.reply` (see [`Call::write`]).
    pub async fn commit(&self, mut write: Write) -> Result<Outcome, Stop> {
        write.app = self.app.id;
        write.caller = self.author();
        write.op = self.op;
        write.known = self.known.map(|known| known.at(write.root));
        let root = write.root;
        // Beyond that its outcome is unknown; the operation id makes a retry safe.
        let written = tokio::time::timeout(WRITE_TIMEOUT, self.cluster.write(write)).await;
        match written.unwrap_or(Err(Fault::Timeout)) {
            Ok(Outcome { replayed: Some(parts), rev, era, position, .. }) => {
                Err(replayed(&parts, Rev::At(rev, era), position))
            }
            Ok(outcome) => {
                self.seen.store(outcome.position.0, Ordering::Relaxed);
                Ok(outcome)
            }
            Err(Fault::Stale(rev)) => {
                let eras = self.cluster.read(self.app.id, root, Query::Name).await?.eras;
                Err(stale(Rev::of(rev, &eras)).into())
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// An empty write on that root by this caller.
    pub fn on(&self, root: Root) -> Write {
        Write::new(self.app.id, root, self.author())
    }

    /// The precondition that `If-Match` or the body's `ifRev` asks for, if any. 412 with the present entity
    /// if it cannot hold.
    pub fn guard(
        &self,
        id: Id,
        node: &NodeView,
        if_rev: Option<Rev>,
        entity: &impl Serialize,
    ) -> Result<Option<Precondition>, Stop> {
        match if_rev.or(self.if_match) {
            Some(_) if self.cluster.mutants().has(Mutant::ConditionIgnored) => Ok(None),
            None => Ok(None),
            Some(rev) if rev == node.rev => Ok(Some(Precondition::NodeRev(id, node.node.rev))),
            Some(_) => Err(Problem::new(Code::StaleRevision).current(node.rev, entity).into()),
        }
    }

    /// When the device says that it edited this node, but no later than a write is sure to be that is made now: than
    /// this member's clock, and than anything in the node. To be written with the edit, so that what is foreseen of
    /// it here is what comes of it when it is applied, also after the clock was set back.
    pub fn edited_in(&self, node: &Node) -> Option<Time> {
        let latest = node.attrs.values().map(|attr| attr.stamp.time).max();
        let sure = latest.map_or(self.now.wall, |latest| latest.max(self.now.wall));
        self.edited.map(|edited| edited.min(sure))
    }

    /// Takes one call more from a bucket than the declaration says; for limits per account.
    pub fn take(&self, rate: Rate, subject: Subject) -> Result<(), Stop> {
        match self.host.limits.take(&self.app, subject, rate, self.now.mono) {
            Decision::Refused { retry_after_s, .. } => {
                Err(Problem::new(Code::RateLimited).retry_after(retry_after_s).into())
            }
            Decision::Allowed(_) | Decision::Unlimited => Ok(()),
        }
    }

    /// A call that the process itself makes, as this caller, without HTTP.
    pub(crate) fn own(host: &Arc<Host>, app: Arc<App>, caller: Caller, method: &'static str) -> Call {
        Call {
            cluster: host.cluster.clone(),
            host: host.clone(),
            app,
            caller,
            now: host.cluster.now(),
            method,
            op: None,
            if_match: None,
            known: None,
            edited: None,
            last_event_id: None,
            bytes: Bytes::new(),
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            websocket: false,
            trace: Trace::default(),
            seen: Arc::default(),
        }
    }

    /// The same call as if it asked for another method: for batches and queued operations. Role and rate
    /// of that method are still to be checked (`Registry::run`).
    #[must_use]
    pub fn nested(&self, method: &Method, op: Option<OpKey>, if_match: Option<Rev>) -> Call {
        Call { method: method.name, op, if_match, seen: Arc::default(), bytes: Bytes::new(), ..self.clone() }
    }
}

fn replayed(parts: &[Vec<u8>], rev: Rev, position: Position) -> Stop {
    Stop::Replay(Box::new(Rendered {
        content: Payload::Json(rev::join(parts, rev).into()),
        rev: Some(rev),
        position: Some(position),
        cache: super::reply::Cache::Private,
        replayed: true,
    }))
}

/// Longest that a call waits for its write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

//! What the phone wants done: the actions that a driver carries out, and how one event collects them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::cache::Key;
use super::commit::Commit;
use super::queue::{OpId, Report, WriteError};

/// Something for the driver to do. To be done in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Store this, as a whole or not at all, **before** the actions after it. It is the first action or
    /// absent. If it cannot be stored, drop the phone and restore it from what is stored.
    Store(Box<Commit>),
    /// Answers an `AppWrites` (or an `AppAnswers` with a write): the id under which the write is kept, or
    /// why it is not.
    Written(Result<OpId, WriteError>),
    /// These may look different now: read them again. In order, each once.
    Changed(Vec<Key>),
    /// An operation did not end as the person meant it. Comes again after a restart, until it is answered.
    Report(Box<Report>),
    /// Ask the person to sign in.
    SignIn(SignIn),
    /// The reply to this is no longer wanted. A driver may ignore it.
    Cancel(RequestId),
    /// Send this to any member of the cluster.
    Send(HttpRequest),
}

/// Why the person must sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// The session ended: its tokens are too old or were revoked. Cache and queue are kept.
    Expired,
    /// Somebody else signed in on this phone's state. Nothing was changed: another person needs a
    /// phone with a state of their own.
    OtherPerson,
}

/// Names a request within one life of a phone. A driver drops what is under way when it restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request to be sent; the driver adds the address.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// To be named in the answer.
    pub id: RequestId,
    /// `POST`.
    pub method: &'static str,
    /// `/v1/{app}/{service.verbNoun}`.
    pub path: String,
    /// Headers, in order.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
    /// How long to wait for the reply before it counts as failed.
    pub timeout: Duration,
}

impl fmt::Debug for HttpRequest {
    /// Without headers and body, which carry tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (request {}, {} bytes)", self.method, self.path, self.id.0, self.body.len())
    }
}

/// What one event has led to so far. The parts of the phone write into it whatever they change, in the
/// same lines in which they change it, so that what is stored never differs from what is in memory.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub commit: Commit,
    changed: BTreeSet<Key>,
    news: Vec<Action>,
    requests: Vec<HttpRequest>,
}

impl Turn {
    pub fn changed(&mut self, key: &Key) {
        self.changed.insert(key.clone());
    }

    pub fn written(&mut self, result: Result<OpId, WriteError>) {
        self.news.push(Action::Written(result));
    }

    pub fn report(&mut self, report: Report) {
        self.news.push(Action::Report(Box::new(report)));
    }

    pub fn sign_in(&mut self, why: SignIn) {
        self.news.push(Action::SignIn(why));
    }

    pub fn cancel(&mut self, request: Option<RequestId>) {
        self.news.extend(request.map(Action::Cancel));
    }

    pub fn send(&mut self, request: HttpRequest) {
        self.requests.push(request);
    }

    #[cfg(test)]
    pub fn changes(&self) -> &BTreeSet<Key> {
        &self.changed
    }

    /// The actions in the order in which they must be done: nothing is shown or sent that is not stored.
    pub fn into_actions(self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.commit != Commit::default() {
            actions.push(Action::Store(Box::new(self.commit)));
        }
        actions.extend(self.news);
        if !self.changed.is_empty() {
            actions.push(Action::Changed(self.changed.into_iter().collect()));
        }
        actions.extend(self.requests.into_iter().map(Action::Send));
        actions
    }
}

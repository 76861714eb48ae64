//! The plain calls of a person: one after the other, each waiting for its answer, while the phone does what phones
//! do. What is posted by calls is changed by calls alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::rng::Rng;
use gomer_core::time::Time;
use gomer_sim::history::{Mischief, Outcome};
use gomer_sim::workload::{Call, Operation, app_mark};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::member::{app_name, client_key};
use crate::net::http::Client;
use crate::phone::Handset;
use crate::witness::{Asked, Witness, outcome};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Posts that are chosen from: the newest.
const NEWEST: usize = 8;

/// What all who call know together. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Square(Arc<Mutex<BTreeMap<u32, Board>>>);

/// What is known of one app.
#[derive(Default)]
struct Board {
    posts: Vec<Posted>,
    people: Vec<(u32, Id)>,
    /// The latest token and the latest cursor of each of them.
    tokens: BTreeMap<u32, String>,
    cursors: BTreeMap<u32, String>,
}

/// A post that was made by a call.
#[derive(Clone)]
struct Posted {
    id: Id,
    author: u32,
    /// The revision that was last seen by anybody.
    rev: Option<String>,
    /// The one that was seen before it: a condition on it must fail.
    before: Option<String>,
    /// Whether somebody asked for its deletion.
    deleted: bool,
}

impl Square {
    /// Somebody lives in an app.
    pub fn enter(&self, app: u32, person: u32, profile: Id) {
        self.of(app, |board| board.people.push((person, profile)));
    }

    /// Every post that was made by calls in an app, with its author.
    pub fn posts(&self, app: u32) -> Vec<(u32, Id)> {
        self.of(app, |board| board.posts.iter().map(|post| (post.author, post.id)).collect())
    }

    fn of<T>(&self, app: u32, what: impl FnOnce(&mut Board) -> T) -> T {
        what(self.0.lock().expect(UNPOISONED).entry(app).or_default())
    }

    /// Something of another app.
    fn elsewhere<T>(&self, app: u32, what: impl Fn(&Board) -> Option<T>) -> Option<T> {
        self.0.lock().expect(UNPOISONED).iter().filter(|(other, _)| **other != app).find_map(|(_, b)| what(b))
    }
}

/// Somebody who calls. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    /// Who it is.
    pub name: String,
    /// Which of the people.
    pub person: u32,
    /// The app.
    pub app: u32,
    /// The profile.
    pub profile: Id,
    /// How the server is reached.
    pub client: Client,
    /// Whose session it is.
    pub handset: Handset,
    /// What all know.
    pub square: Square,
    /// Who writes it down.
    pub witness: Witness,
    /// What is still to be done.
    pub todo: Todo,
}

/// What a caller has still to do. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Todo {
    waiting: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Todo {
    /// Nothing more is begun.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is under way.
    pub fn is_done(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }

    /// One thing more.
    pub fn add(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request in the making.
struct Request {
    method: &'static str,
    args: Value,
    op: Option<Id>,
    token: Option<String>,
    mischief: Option<Mischief>,
}

impl Caller {
    /// Does what it is told, in order.
    pub async fn run(self, mut inbox: mpsc::UnboundedReceiver<(Operation, Call)>) {
        let mut last_done = None;
        while let Some((operation, call)) = inbox.recv().await {
            if !self.todo.over.load(Ordering::Relaxed) {
                self.act(&operation, call, &mut last_done).await;
            }
            self.todo.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn act(&self, operation: &Operation, call: Call, last_done: &mut Option<(Id, Value)>) {
        let Ok(token) = self.handset.token() else { return };
        self.square.of(self.app, |board| board.tokens.insert(self.person, token.clone()));
        let Some(request) = self.request(operation, call, token, last_done) else { return };
        let write = request.op;
        let outcome = self.send(&request).await;
        self.learn(&request, &outcome);
        // Now and then it is sent again: because nothing was heard, or for no reason.
        let again = match outcome {
            Outcome::Unknown { .. } => operation.pick.is_multiple_of(2),
            Outcome::Ok { .. } => operation.pick.is_multiple_of(8),
            Outcome::Failed { .. } => false,
        };
        if write.is_some() && request.mischief.is_none() {
            if again {
                let outcome = self.send(&request).await;
                self.learn(&request, &outcome);
            }
            if request.method == "post.update" && matches!(outcome, Outcome::Ok { .. }) {
                *last_done = write.map(|op| (op, request.args));
            }
        }
    }

    /// What is sent. Nothing, if there is nothing to do it to.
    fn request(
        &self,
        operation: &Operation,
        call: Call,
        token: String,
        last_done: &Option<(Id, Value)>,
    ) -> Option<Request> {
        let mut rng = Rng::new(operation.pick ^ operation.at_ms << 24 ^ u64::from(self.person + 64) << 56);
        let mut mint = || Id::mint(Time::from_millis(operation.at_ms), &mut rng);
        let pick = operation.pick as usize;
        let text = || {
            let Operation { at_ms, pick, .. } = operation;
            format!("{} {} calls it {pick} at {at_ms}", app_mark(&app_name(self.app)), self.name)
        };
        let write = |method, args, op| Request {
            method,
            args,
            op: Some(op),
            token: Some(token.clone()),
            mischief: None,
        };
        let read =
            |method, args| Request { method, args, op: None, token: Some(token.clone()), mischief: None };
        let post = |post: &Posted| json!({ "id": post.id.to_string() });
        Some(match call {
            Call::Publish(audience) => {
                let id = mint();
                let posted = Posted { id, author: self.person, rev: None, before: None, deleted: false };
                self.square.of(self.app, |board| board.posts.push(posted));
                let args = json!({ "id": id.to_string(), "text": text(), "audience": audience.name() });
                write("post.create", args, mint())
            }
            Call::Change => {
                let posted = self.pick(pick, true)?;
                write("post.update", json!({ "id": posted.id.to_string(), "text": text() }), mint())
            }
            Call::ChangeIf => {
                let posted = self.pick(pick, true)?;
                // Now and then by a revision that is known to be an old one.
                let old = posted.before.filter(|_| pick.is_multiple_of(4));
                let rev = old.or(posted.rev)?;
                let args = json!({ "id": posted.id.to_string(), "text": text(), "ifRev": rev });
                write("post.update", args, mint())
            }
            Call::Read => read("post.get", post(&self.pick(pick, false)?)),
            Call::Delete => {
                let posted = self.pick(pick, true)?;
                self.square.of(self.app, |board| {
                    let found = board.posts.iter_mut().find(|other| other.id == posted.id);
                    found.expect("posts stay").deleted = true;
                });
                write("post.delete", post(&posted), mint())
            }
            Call::Like => write("like.put", post(&self.pick(pick, false)?), mint()),
            Call::Unlike => write("like.delete", post(&self.pick(pick, false)?), mint()),
            Call::Follow => write("follow.create", self.other(pick)?, mint()),
            Call::Unfollow => write("follow.delete", self.other(pick)?, mint()),
            Call::Block => write("block.create", self.other(pick)?, mint()),
            Call::Unblock => write("block.delete", self.other(pick)?, mint()),
            Call::Home => read("timeline.getHome", json!({ "limit": 1 + pick % 20 })),
            Call::Posts => {
                let of = self.square.of(self.app, |board| board.people[pick % board.people.len()].1);
                read("post.listByProfile", json!({ "id": of.to_string(), "limit": 1 + pick % 20 }))
            }
            Call::Mischief(mischief) => return self.mischief(mischief, pick, read, last_done),
        })
    }

    /// Something that must be refused.
    fn mischief(
        &self,
        mischief: Mischief,
        pick: usize,
        read: impl Fn(&'static str, Value) -> Request,
        last_done: &Option<(Id, Value)>,
    ) -> Option<Request> {
        let (app, me) = (self.app, self.person);
        let request = match mischief {
            Mischief::TokenChanged => {
                let home = read("timeline.getHome", json!({}));
                Request { token: home.token.map(|token| changed(&token, pick)), ..home }
            }
            Mischief::TokenOfAnotherApp => {
                let token = self.square.elsewhere(app, |board| board.tokens.values().next().cloned())?;
                Request { token: Some(token), ..read("timeline.getHome", json!({})) }
            }
            Mischief::IdOfAnotherApp => {
                let id = self.square.elsewhere(app, |board| Some(board.posts.first()?.id))?;
                read("post.get", json!({ "id": id.to_string() }))
            }
            Mischief::CursorChanged => {
                let own = self.square.of(app, |board| board.cursors.get(&me).cloned())?;
                read("timeline.getHome", json!({ "cursor": changed(&own, pick) }))
            }
            Mischief::CursorOfAnotherUser => {
                let others = self.square.of(app, |board| board.cursors.clone());
                let (_, cursor) = others.into_iter().find(|(other, _)| *other != me)?;
                read("timeline.getHome", json!({ "cursor": cursor }))
            }
            Mischief::CursorOfAnotherApp => {
                let cursor = self.square.elsewhere(app, |board| board.cursors.values().next().cloned())?;
                read("timeline.getHome", json!({ "cursor": cursor }))
            }
            Mischief::UnknownField => read("timeline.getHome", json!({ "sudo": true })),
            Mischief::WrongType => read("post.get", json!({ "id": pick })),
            Mischief::OtherBody => {
                let (op, mut args) = last_done.clone()?;
                args["text"] = json!(format!("{} something else {pick}", app_mark(&app_name(app))));
                Request { op: Some(op), ..read("post.update", args) }
            }
        };
        Some(Request { mischief: Some(mischief), ..request })
    }

    /// One of the newest posts that were made by calls; of one's own only, if told to.
    fn pick(&self, pick: usize, own: bool) -> Option<Posted> {
        self.square.of(self.app, |board| {
            let fits = |post: &&Posted| !own || (post.author == self.person && !post.deleted);
            let fit: Vec<&Posted> = board.posts.iter().rev().filter(fits).take(NEWEST).collect();
            fit.get(pick % fit.len().max(1)).map(|post| (*post).clone())
        })
    }

    /// Somebody else.
    fn other(&self, pick: usize) -> Option<Value> {
        self.square.of(self.app, |board| {
            let others: Vec<Id> =
                board.people.iter().filter(|(p, _)| *p != self.person).map(|(_, id)| *id).collect();
            others.get(pick % others.len().max(1)).map(|id| json!({ "id": id.to_string() }))
        })
    }

    /// Remembers revisions and cursors.
    fn learn(&self, request: &Request, outcome: &Outcome) {
        let Outcome::Ok { value, .. } = outcome else { return };
        self.square.of(self.app, |board| {
            if let (Some(rev), Some(id)) = (value["rev"].as_str(), request.args["id"].as_str())
                && let Some(post) = board.posts.iter_mut().find(|post| post.id.to_string() == id)
            {
                if post.rev.as_deref() != Some(rev) {
                    post.before = post.rev.replace(rev.to_owned());
                }
            }
            if request.method == "timeline.getHome"
                && let Some(cursor) = value["cursor"].as_str()
            {
                board.cursors.insert(self.person, cursor.to_owned());
            }
        });
    }

    async fn send(&self, request: &Request) -> Outcome {
        let app = app_name(self.app);
        let mut headers =
            vec![("gomer-key", client_key(self.app)), ("content-type", "application/json".to_owned())];
        headers.extend(request.token.iter().map(|token| ("authorization", format!("Bearer {token}"))));
        headers.extend(request.op.iter().map(|op| ("idempotency-key", format!("\"{op}\""))));
        let path = format!("/v1/{app}/{}", request.method);
        let asked = Asked {
            process: format!("{}-calls", self.name),
            app,
            user: Some(self.profile.to_string()),
            op: request.op.map(|op| op.to_string()),
            method: request.method.to_owned(),
            args: request.args.clone(),
            mischief: request.mischief,
        };
        let invoked = self.witness.micros();
        let sent = self.client.send(Method::POST, &path, &headers, request.args.to_string());
        let outcome = match tokio::time::timeout(PATIENCE, sent).await {
            Ok(Ok(answer)) => outcome(&answer),
            Ok(Err(_)) | Err(_) => Outcome::LOST,
        };
        self.witness.saw(asked, invoked, outcome.clone());
        outcome
    }
}

/// A token or cursor that is not quite right.
fn changed(token: &str, pick: usize) -> String {
    let mut chars: Vec<char> = token.chars().collect();
    // Not the very last: its lowest bits may stand for nothing.
    let at = pick % chars.len().saturating_sub(1).max(1);
    if let Some(char) = chars.get_mut(at) {
        *char = if *char == 'A' { 'B' } else { 'A' };
    }
    chars.into_iter().collect()
}

const UNPOISONED: &str = "nothing panics under this lock";

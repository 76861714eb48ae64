//! A phone that takes part: `gomer_core::client` with a store, a network and a clock.
//!
//! The machine decides everything; what is here carries out its actions, and keeps what the checks look at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use gomer_core::client::{
    Action, Config, Event, HttpRequest, Key, Phone, Report, RequestId, Response, Saved,
};
use gomer_core::id::Id;
use hyper::Method;
use madsim::runtime::NodeHandle;
use serde_json::Value;
use tokio::sync::mpsc;

use gomer_sim::history::{Outcome, Row, View};

use crate::clock::SimClock;
use crate::net::http::{Answer, Client};
use crate::trace::Trace;
use crate::witness::{Asked, Witness, outcome};

/// A phone on a node of its own. Cheap to clone.
#[derive(Clone)]
pub struct Handset {
    name: Arc<str>,
    client: Client,
    clock: SimClock,
    trace: Trace,
    witness: Witness,
    app: Arc<str>,
    user: Arc<str>,
    shared: Arc<Mutex<Shared>>,
    errands: mpsc::UnboundedSender<Errand>,
}

/// What the checks look at, beside the phone itself.
#[derive(Default)]
pub struct Kept {
    /// What is on its flash.
    pub saved: Saved,
    /// Bodies of every `sync.push` that was sent.
    pub pushes: Vec<String>,
    /// What came of each operation, by its id, when it was first told.
    pub results: BTreeMap<String, Value>,
    /// Operations that did not end as the person meant them.
    pub reports: Vec<Report>,
    /// Requests that were sent.
    pub sent: usize,
    /// Requests that had no reply.
    pub lost: usize,
}

struct Shared {
    phone: Phone,
    kept: Kept,
}

/// What the phone's task is told.
enum Errand {
    /// To send this.
    Send(HttpRequest),
    /// To look at the clock: the time that the phone waits for has changed.
    Look,
}

impl Handset {
    /// A new phone of this profile on this node.
    #[allow(clippy::too_many_arguments, reason = "what a phone is made of")]
    pub fn start(
        node: &NodeHandle,
        name: &str,
        profile: Id,
        config: Config,
        client: Client,
        clock: SimClock,
        trace: Trace,
        witness: Witness,
    ) -> Handset {
        let (errands, inbox) = mpsc::unbounded_channel();
        let (app, user) = (config.app.as_str().into(), profile.to_string().into());
        let shared = Shared { phone: Phone::new(config, Saved::default()), kept: Kept::default() };
        let (name, shared) = (name.into(), Arc::new(Mutex::new(shared)));
        let handset = Handset { name, client, clock, trace, witness, app, user, shared, errands };
        node.spawn(handset.clone().run(inbox));
        handset
    }

    /// Tells the phone what happened, and does what it says.
    pub fn tell(&self, event: Event) {
        let mut shared = self.shared.lock().expect(UNPOISONED);
        let actions = shared.phone.handle(self.clock.read(), event);
        for action in actions {
            match action {
                Action::Store(commit) => shared.kept.saved.apply(*commit),
                Action::Written(result) => {
                    let op = result.expect("the queue is neither full nor is an operation too large");
                    self.trace.note(&self.name, "write", op);
                }
                Action::Report(report) => {
                    let what = format_args!("{} {:?}", report.operation.method, report.verdict);
                    self.trace.note(&self.name, "report", what);
                    shared.kept.reports.push(*report);
                }
                Action::SignIn(why) => self.trace.note(&self.name, "sign-in", format_args!("{why:?}")),
                Action::Send(request) => {
                    let bytes = request.body.len();
                    self.trace.note(
                        &self.name,
                        "send",
                        format_args!("{} {} {bytes} B", request.id.0, request.path),
                    );
                    shared.kept.sent += 1;
                    if request.path.ends_with("/sync.push") {
                        shared.kept.pushes.push(request.body.clone());
                    }
                    self.errand(Errand::Send(request));
                }
                // Nobody looks at a screen, and a reply that is not wanted is ignored.
                Action::Changed(_) | Action::Cancel(_) => {}
            }
        }
        self.errand(Errand::Look);
    }

    /// Looks at the phone and at what was kept.
    pub fn look<T>(&self, what: impl FnOnce(&Phone, &Kept) -> T) -> T {
        let shared = self.shared.lock().expect(UNPOISONED);
        what(&shared.phone, &shared.kept)
    }

    /// Whether nothing waits to be sent, and the cache is as the server was.
    pub fn is_settled(&self) -> bool {
        self.look(|phone, _| {
            phone.is_caught_up()
                && phone.queue().operations().next().is_none()
                && !phone.cache().is_resyncing()
        })
    }

    /// The rows of the cache, to be compared: key, position of the last write, value.
    pub fn rows(&self) -> BTreeMap<String, String> {
        self.rows_but(&|_, _| false)
    }

    /// The same, without rows that are left out.
    pub fn rows_but(&self, left_out: &dyn Fn(&Key, &Value) -> bool) -> BTreeMap<String, String> {
        self.look(|phone, _| {
            let shown = phone.cache().rows().filter(|(key, row)| !left_out(key, &row.value));
            let rows = shown.map(|(key, row)| {
                let name = format!(
                    "{}/{} {:?} {} {}",
                    key.scope.root, key.scope.section, key.kind, key.of_type, key.id
                );
                (name, format!("{} {}", position(&row.rev), row.value))
            });
            rows.collect()
        })
    }

    /// The access token that it has now.
    pub fn token(&self) -> anyhow::Result<String> {
        let token =
            self.look(|_, kept| kept.saved.session.as_ref().map(|tokens| tokens.access.reveal().to_owned()));
        token.with_context(|| format!("{} has not signed in", self.name))
    }

    /// What it holds, for the history.
    pub fn view(&self) -> View {
        let rows = self.look(|phone, _| {
            let rows = phone.cache().rows().map(|(key, row)| Row {
                root: key.scope.root.clone(),
                section: key.scope.section.clone(),
                of_type: key.of_type.clone(),
                id: key.id.clone(),
                rev: row.rev.clone(),
                value: row.value.clone(),
            });
            rows.collect()
        });
        let (app, user) = (self.app.to_string(), self.user.to_string());
        View { process: self.name.to_string(), app, user, roots: Vec::new(), rows }
    }

    fn errand(&self, errand: Errand) {
        self.errands.send(errand).expect("the phone's task runs as long as the run");
    }

    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Errand>) {
        loop {
            let due = self.look(|phone, _| phone.poll_timeout());
            // A tick that nobody asked for is harmless.
            let wait = due.map_or(LONG, |due| due.0.saturating_sub(self.clock.read().mono.0));
            tokio::select! {
                biased;
                errand = inbox.recv() => match errand {
                    Some(Errand::Send(request)) => drop(tokio::spawn(self.clone().carry(request))),
                    Some(Errand::Look) => {}
                    None => return,
                },
                () = tokio::time::sleep(wait) => self.tell(Event::Tick),
            }
        }
    }

    /// Carries one request to the server, and the reply back.
    async fn carry(self, request: HttpRequest) {
        let HttpRequest { id, path, headers, body, timeout, .. } = request;
        let invoked = self.witness.micros();
        let sent = self.client.send(Method::POST, &path, &headers, body.clone());
        let answer = tokio::time::timeout(timeout, sent).await;
        let method = path.rsplit('/').next().unwrap_or_default();
        self.testify(method, &body, invoked, answer.as_ref().ok().and_then(|answer| answer.as_ref().ok()));
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return self.lose(id, &format!("{error:#}")),
            Err(_) => return self.lose(id, "no reply in time"),
        };
        self.trace.note(
            &self.name,
            "reply",
            format_args!("{} {} {} B", id.0, answer.status, answer.body.len()),
        );
        if path.ends_with("/sync.push") {
            self.keep_results(&answer.body);
        }
        let retry_after = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        self.tell(Event::Response(Response {
            request: id,
            status: answer.status,
            retry_after: retry_after.map(Duration::from_secs),
            position: answer.header("gomer-position").map(str::to_owned),
            body: answer.body,
        }));
    }

    /// Writes down what came of a request: of a push, of each operation in it.
    fn testify(&self, method: &str, body: &str, invoked: u64, answer: Option<&Answer>) {
        let asked = Asked {
            process: self.name.to_string(),
            app: self.app.to_string(),
            user: Some(self.user.to_string()),
            op: None,
            method: method.to_owned(),
            args: serde_json::from_str(body).unwrap_or_default(),
            mischief: None,
        };
        let came = answer.map_or(Outcome::LOST, outcome);
        match method {
            "sync.push" => self.witness.saw_push(&asked, invoked, &came),
            _ => self.witness.saw(asked, invoked, came),
        }
    }

    fn lose(&self, id: RequestId, why: &str) {
        self.trace.note(&self.name, "lost", format_args!("{} {why}", id.0));
        self.shared.lock().expect(UNPOISONED).kept.lost += 1;
        self.tell(Event::Failed(id));
    }

    fn keep_results(&self, body: &str) {
        let mut shared = self.shared.lock().expect(UNPOISONED);
        for (op, result) in results(body) {
            if result["status"].as_u64().is_some_and(|status| (200..300).contains(&status)) {
                shared.kept.results.entry(op).or_insert(result);
            }
        }
    }
}

/// The results in the reply to a `sync.push`, by operation, but for eras and whether they were told before.
pub fn results(body: &str) -> Vec<(String, Value)> {
    let reply: Value = serde_json::from_str(body).unwrap_or_default();
    let results = reply["results"].as_array().cloned().unwrap_or_default();
    let of = |mut result: Value| {
        let op = result["op"].as_str()?.to_owned();
        result.as_object_mut()?.remove("replayed");
        strip_eras(&mut result);
        Some((op, result))
    };
    results.into_iter().filter_map(of).collect()
}

/// A revision without its era: a lone member opens a new one at each start, and says everything in it.
fn position(rev: &str) -> &str {
    rev.split_once('.').map_or(rev, |(position, _)| position)
}

/// The same for a whole reply.
fn strip_eras(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(rev) if name == "rev" => *rev = position(rev).to_owned(),
                    other => strip_eras(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_eras),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How a phone of this app is set up.
pub fn config(app: &str, client_key: &str, device: Id, seed: u64) -> Config {
    Config { app: app.to_owned(), client_key: client_key.to_owned(), device, seed }
}

/// How long the phone's task sleeps when the phone waits for nothing.
const LONG: Duration = Duration::from_secs(3_600);

const UNPOISONED: &str = "a run ends with the first panic";

//! A phone on its own, and what is made up for it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::action::{Action, HttpRequest};
use crate::client::cache::{Key, Scope};
use crate::client::commit::Saved;
use crate::client::event::{Event, Response};
use crate::client::merge::{Change, Edit};
use crate::client::phone::{Config, Phone};
use crate::client::queue::{OpId, Verdict, Write};
use crate::client::session::Secret;
use crate::id::Id;
use crate::time::{Monotonic, Now, Time};

pub(super) const ANN: Id = Id::from_bytes([1; 16]);
pub(super) const NOON: u64 = 1_795_435_200_000;

/// A phone, what is stored of it, and what it wants sent.
pub(super) struct Pocket {
    pub(super) phone: Phone,
    pub(super) saved: Saved,
    pub(super) elapsed: Duration,
    pub(super) out: Vec<HttpRequest>,
    pub(super) heard: Vec<Action>,
}

pub(super) fn config() -> Config {
    Config { app: "demo".to_owned(), client_key: "ck".to_owned(), device: ANN, seed: 1 }
}

pub(super) fn signed_in(n: u32) -> Event {
    let (access, refresh) = (Secret::new(format!("access-{n}")), Secret::new(format!("refresh-{n}")));
    Event::SignedIn { profile: ANN, access, refresh }
}

pub(super) fn scope() -> Scope {
    Scope { root: "post:1".to_owned(), section: "public".to_owned() }
}

pub(super) fn write(id: &str, text: &str) -> Write {
    let change = Change::Create(json!({ "text": text }).as_object().unwrap().clone());
    Write {
        method: "post.create".to_owned(),
        args: json!({ "id": id, "text": text }),
        if_rev: None,
        edit: Some(Edit { key: Key::entity(&scope(), "post", id), change }),
    }
}

pub(super) fn put(id: &str, text: &str) -> Value {
    let Scope { root, section } = scope();
    let value = json!({ "text": text });
    json!({"op": "put", "root": root, "section": section, "type": "post", "id": id, "rev": "1", "value": value})
}

pub(super) fn page(items: Vec<Value>, cursor: &str, end: bool) -> Value {
    json!({"items": items, "cursor": cursor, "end": end})
}

pub(super) fn problem(code: &str) -> Value {
    json!({ "code": code, "title": code })
}

impl Pocket {
    pub(super) fn new() -> Pocket {
        let phone = Phone::new(config(), Saved::default());
        let (out, heard) = (Vec::new(), Vec::new());
        Pocket { phone, saved: Saved::default(), elapsed: Duration::ZERO, out, heard }
    }

    /// A phone that is signed in, has pulled `items` to the end and holds a long poll open.
    pub(super) fn at_rest(items: Vec<Value>) -> Pocket {
        let mut pocket = Pocket::new();
        pocket.tell(signed_in(0));
        pocket.answer("sync.pull", 200, page(items, "c1", true));
        assert_eq!(pocket.methods(), ["sync.pull"]);
        pocket
    }

    pub(super) fn tell(&mut self, event: Event) {
        let wall = Time::from_millis(NOON) + self.elapsed;
        let actions = self.phone.handle(Now { mono: Monotonic(self.elapsed), wall }, event);
        for (at, action) in actions.into_iter().enumerate() {
            match action {
                Action::Store(commit) => {
                    assert_eq!(at, 0, "stored before anything is shown or sent");
                    self.saved.apply(*commit);
                }
                Action::Send(request) => self.out.push(request),
                Action::Cancel(id) => self.out.retain(|out| out.id != id),
                heard => self.heard.push(heard),
            }
        }
    }

    pub(super) fn wait(&mut self, span: Duration) {
        self.elapsed += span;
        self.tell(Event::Tick);
    }

    pub(super) fn wait_for_deadline(&mut self) {
        let at = self.phone.poll_timeout().expect("waits for a time");
        assert!(at.0 >= self.elapsed, "a deadline lies ahead");
        self.wait(at.0 - self.elapsed);
    }

    pub(super) fn restart(&mut self) {
        self.phone = Phone::new(config(), self.saved.clone());
        (self.out, self.heard) = (Vec::new(), Vec::new());
        self.tell(Event::Tick);
    }

    /// The methods that are out.
    pub(super) fn methods(&self) -> Vec<&str> {
        self.out.iter().map(|request| request.path.strip_prefix("/v1/demo/").unwrap()).collect()
    }

    pub(super) fn take(&mut self, method: &str) -> HttpRequest {
        let at = self.methods().iter().position(|out| *out == method);
        let at = at.unwrap_or_else(|| panic!("{method} is not out: {:?}", self.methods()));
        self.out.remove(at)
    }

    pub(super) fn answer(&mut self, method: &str, status: u16, body: Value) -> Value {
        self.answer_with(method, status, body, None, None)
    }

    /// Answers the call of this method that is out; what it had asked.
    pub(super) fn answer_with(
        &mut self,
        method: &str,
        status: u16,
        body: Value,
        retry_after: Option<Duration>,
        position: Option<&str>,
    ) -> Value {
        let HttpRequest { id: request, body: asked, .. } = self.take(method);
        let position = position.map(str::to_owned);
        let body = body.to_string();
        self.tell(Event::Response(Response { request, status, retry_after, position, body }));
        serde_json::from_str(&asked).unwrap()
    }

    pub(super) fn fail(&mut self, method: &str) -> String {
        let HttpRequest { id, body, .. } = self.take(method);
        self.tell(Event::Failed(id));
        body
    }

    /// Answers a push: each of its operations gets the next status.
    pub(super) fn settle(&mut self, statuses: &[(u16, &str)]) {
        let asked: Value = serde_json::from_str(&self.peek("sync.push").body).unwrap();
        let results = asked["operations"].as_array().unwrap().iter().zip(statuses);
        let results =
            results.map(|(op, (status, code))| json!({"op": op["op"], "status": status, "code": code}));
        self.answer("sync.push", 200, json!({"results": results.collect::<Vec<_>>()}));
    }

    pub(super) fn peek(&self, method: &str) -> &HttpRequest {
        let out = self.out.iter().find(|request| request.path.ends_with(method));
        out.unwrap_or_else(|| panic!("{method} is not out: {:?}", self.methods()))
    }

    pub(super) fn header(&self, method: &str, name: &str) -> Option<&str> {
        let headers = &self.peek(method).headers;
        headers.iter().find(|(key, _)| *key == name).map(|(_, value)| &value[..])
    }

    pub(super) fn reports(&self) -> Vec<&Verdict> {
        let reports = self.heard.iter().filter_map(|action| match action {
            Action::Report(report) => Some(&report.verdict),
            _ => None,
        });
        reports.collect()
    }

    pub(super) fn written(&self) -> Vec<OpId> {
        let written = self.heard.iter().filter_map(|action| match action {
            Action::Written(result) => Some(result.unwrap()),
            _ => None,
        });
        written.collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let seen = self.phone.view_scope(&scope());
        seen.iter().map(|(key, value)| format!("{}={}", key.id, value["text"].as_str().unwrap())).collect()
    }
}

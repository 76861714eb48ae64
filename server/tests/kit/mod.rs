//! A whole member in memory, called in process: requests go through the same code as those from a socket.

#![allow(dead_code, reason = "each test file uses its part of the kit")]

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gomer::auth::mail::KeptMail;
use gomer::host::{Edges, Host};
use gomer::http::{Api, Side};
use gomer::outside::Scripted;
use gomer::secrets;
use gomer_core::id::Id;
use gomer_core::meta::command::{KeyKind, MetaCommand};
use gomer_core::ring::partition::PartitionCount;
use gomer_core::rng::Rng;
use gomer_core::store::map::{MapLog, MapState};
use gomer_core::store::shared::Shared;
use gomer_core::store::{Direction, StateRead as _, StateStore as _};
use gomer_core::time::{Monotonic, Now, Time};
use gomer_net::edges::{Clock, Entropy};
use gomer_net::http::live::LiveBody;
use gomer_net::http::{Body, Request, Service};
use gomer_net::runtime::{Edges as MemberEdges, Member, MemberConfig, Spawner};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

/// A member with two apps, `one` and `two`.
pub struct Kit {
    pub host: Arc<Host>,
    pub mail: Arc<KeptMail>,
    clock: Arc<SkipClock>,
    api: Api,
    admin_api: Api,
    /// The OpenAPI document's operations, by method.
    operations: BTreeMap<String, Value>,
    member: Member,
    disks: Disks,
    seed: AtomicU64,
}

/// What outlives the process.
#[derive(Default, Clone)]
struct Disks {
    shards: [(Shared<MapLog>, Shared<MapState>); 2],
    meta: (Shared<MapLog>, Shared<MapState>),
    starts: u64,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// This very answer, if its status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Checks status and code of a problem.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Answer {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        self
    }

    /// A text in the reply.
    #[track_caller]
    pub fn str(&self, pointer: &str) -> String {
        let found = self.json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.text)).to_owned()
    }

    /// The bytes without the trace id: for answers that must be the same.
    pub fn untraced(&self) -> String {
        let mut json = self.json.clone();
        if let Some(problem) = json.as_object_mut() {
            problem.remove("instance");
        }
        format!("{} {json}", self.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What came back from an address that needs no headers.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// The size that is announced, of a file.
    pub size: Option<u64>,
}

impl Fetched {
    /// This very answer, if its status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Fetched {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Somebody who signed up.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub handle: String,
    pub token: String,
    pub refresh: String,
}

/// How a call differs from a plain one.
#[derive(Debug, Clone, Default)]
pub struct With<'a> {
    pub app: Option<&'a str>,
    pub token: Option<&'a str>,
    pub headers: &'a [(&'static str, &'a str)],
    pub client: Option<IpAddr>,
}

impl Kit {
    /// Starts it.
    pub async fn start() -> Kit {
        let (edges, mail) = Edges::cheap();
        Kit::start_with(edges, mail).await
    }

    /// Starts it with an outside world that follows scripts.
    pub async fn start_outside() -> (Kit, Arc<Scripted>) {
        let (edges, mail) = Edges::cheap();
        let outside = Arc::new(Scripted::default());
        (Kit::start_with(Edges { outside: outside.clone(), ..edges }, mail).await, outside)
    }

    /// Starts it with other edges than the cheap ones.
    pub async fn start_with(edges: Edges, mail: Arc<KeptMail>) -> Kit {
        let clock = Arc::new(SkipClock {
            started: Instant::now(),
            skipped: AtomicU64::new(0),
            behind: AtomicU64::new(0),
        });
        let kit = Kit::on(edges, mail, clock, Disks::default(), 1).await;
        for (number, name) in ["one", "two"].into_iter().enumerate() {
            make_app(&kit.host, number as u8 + 1, name).await;
        }
        let operator = MetaCommand::SetOperator { hash: secrets::hash(&operator_token()) };
        kit.host.cluster.change_meta(operator).await.expect("the operator is set");
        kit
    }

    /// Ends the process and starts it again on the same disks.
    pub async fn restart(self) -> Kit {
        let (edges, mail) = Edges::cheap();
        self.restart_with(edges, mail).await
    }

    /// The same with other edges than the cheap ones.
    pub async fn restart_with(self, edges: Edges, mail: Arc<KeptMail>) -> Kit {
        let Kit { member, clock, disks, seed, .. } = self;
        member.stop().await;
        Kit::on(edges, mail, clock, disks, seed.into_inner()).await
    }

    /// The same, with an outside world that follows scripts.
    pub async fn restart_outside(self) -> (Kit, Arc<Scripted>) {
        let (edges, mail) = Edges::cheap();
        let outside = Arc::new(Scripted::default());
        let edges = Edges { outside: outside.clone(), ..edges };
        (self.restart_with(edges, mail).await, outside)
    }

    async fn on(
        host_edges: Edges,
        mail: Arc<KeptMail>,
        clock: Arc<SkipClock>,
        mut disks: Disks,
        seed: u64,
    ) -> Kit {
        disks.starts += 1;
        let edges = MemberEdges {
            clock: clock.clone(),
            entropy: Arc::new(Seeded(AtomicU64::new(7_000_000 * disks.starts))),
            spawner: Arc::new(Tasks),
            fatal: Arc::new(|fault| panic!("a store failed: {fault}")),
        };
        let config = MemberConfig {
            partitions: PartitionCount::new(8).expect("eight is a power of two"),
            ..MemberConfig::new(1)
        };
        let member = Member::start(config, edges, disks.shards.to_vec(), disks.meta.clone()).await;
        let member = member.expect("a member in memory starts");
        let host = Host::new(member.cluster().clone(), host_edges);
        host.health.start();
        let api = Api::new(host.clone(), Side::Public);
        let admin_api = Api::new(host.clone(), Side::Admin);
        let operations = operations();
        Kit { host, mail, clock, api, admin_api, operations, member, disks, seed: AtomicU64::new(seed) }
    }

    /// Calls a method of app `one`.
    pub async fn call(&self, method: &str, token: Option<&str>, body: Value) -> Answer {
        self.call_with(method, With { token, ..With::default() }, body).await
    }

    /// Calls a method as said, a millisecond after the call before at the earliest: within one, what comes first is nobody's choice.
    pub async fn call_with(&self, method: &str, with: With<'_>, body: Value) -> Answer {
        self.skip(Duration::from_millis(1));
        let app = with.app.unwrap_or("one");
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name: HeaderName = name.parse().expect("a test's header has a name");
            headers.insert(name, HeaderValue::from_str(value).expect("a test's header has a value"));
        };
        add("gomer-key", &client_key(app));
        add("content-type", "application/json");
        if let Some(token) = with.token {
            add("authorization", &format!("Bearer {token}"));
        }
        for (name, value) in with.headers {
            add(name, value);
        }
        let request = Request {
            method: Method::POST,
            path: format!("/v1/{app}/{method}"),
            query: None,
            headers,
            body: Bytes::from(body.to_string()),
            client: with.client.unwrap_or_else(|| self.address()),
            websocket: false,
        };
        self.ask(Side::Public, request).await
    }

    /// Any request, on either listener.
    pub async fn ask(&self, side: Side, request: Request) -> Answer {
        let path = request.path.clone();
        let api = if side == Side::Public { &self.api } else { &self.admin_api };
        let response = api.call(request).await;
        let Body::Full(bytes) = response.body else { panic!("{path} gives a stream") };
        let text = String::from_utf8(bytes.to_vec()).expect("answers are text");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Answer { status: response.status.as_u16(), headers: response.headers, text, json };
        self.check_documented(side, &path, &answer);
        answer
    }

    /// A request without a key to any address: for those that need none. With the bytes of the answer.
    pub async fn fetch(
        &self,
        verb: Method,
        address: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Fetched {
        let mut request = self.bare(verb, address);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a test's header has a value");
            request.headers.insert(HeaderName::from_static(name), value);
        }
        request.body = body;
        let response = self.api.call(request).await;
        let mut bytes = Vec::new();
        let mut size = None;
        match response.body {
            Body::Full(full) => bytes = full.to_vec(),
            Body::Sized(mut sized) => {
                size = Some(sized.left());
                while let Some(Ok(piece)) = sized.next().await {
                    bytes.extend_from_slice(&piece);
                }
            }
            Body::Stream(_) => panic!("{address} gives a stream"),
        }
        Fetched { status: response.status.as_u16(), headers: response.headers, bytes, size }
    }

    /// Calls a method of app `one` whose body is bytes as they are.
    pub async fn send(&self, address: &str, token: Option<&str>, bytes: &[u8]) -> Answer {
        let mut request = self.bare(Method::POST, &format!("/v1/one/{address}"));
        let value = |text: &str| HeaderValue::from_str(text).expect("a test's header has a value");
        request.headers.insert("gomer-key", value(&client_key("one")));
        request.headers.insert("content-type", value("application/octet-stream"));
        if let Some(token) = token {
            request.headers.insert("authorization", value(&format!("Bearer {token}")));
        }
        request.body = Bytes::copy_from_slice(bytes);
        self.ask(Side::Public, request).await
    }

    /// Whatever a test provokes: the OpenAPI document must list it for that method.
    fn check_documented(&self, side: Side, path: &str, answer: &Answer) {
        let method =
            path.strip_prefix("/v1/").and_then(|rest| rest.split_once('/')).map(|(_, method)| method);
        let Some(operation) = method.and_then(|method| self.operations.get(method)) else { return };
        let listed = &operation["responses"][answer.status.to_string()];
        let codes = &listed["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"];
        let is_listed = match answer.json.get("code").filter(|_| answer.status >= 400) {
            Some(code) => codes.as_array().is_some_and(|codes| codes.contains(code)),
            None => !listed.is_null(),
        };
        // A preflight is the browser's, not the method's.
        assert!(
            is_listed || answer.status == 204,
            "{path} answers on {side:?} what the document does not list: {} {}",
            answer.status,
            answer.text
        );
    }

    /// Opens a stream of app `one` by a GET, without a key but with these headers; or the refusal.
    pub async fn open(&self, address: &str, headers: &[(&'static str, &str)]) -> Result<LiveBody, Answer> {
        let (path, query) =
            address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a test's header has a value"),
            )
        });
        let request = Request {
            method: Method::GET,
            path: format!("/v1/one/{path}"),
            query: query.map(str::to_owned),
            headers: headers.collect(),
            body: Bytes::new(),
            client: self.address(),
            websocket: false,
        };
        let response = self.api.call(request).await;
        match response.body {
            Body::Stream(stream) => Ok(stream),
            Body::Sized(_) => panic!("{address} gives a file"),
            Body::Full(bytes) => {
                let text = String::from_utf8(bytes.to_vec()).expect("answers are text");
                let json = serde_json::from_str(&text).unwrap_or(Value::Null);
                Err(Answer { status: response.status.as_u16(), headers: response.headers, text, json })
            }
        }
    }

    /// A request without a body and without headers.
    pub fn bare(&self, method: Method, path: &str) -> Request {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Request {
            method,
            path: path.to_owned(),
            query,
            headers,
            body,
            client: self.address(),
            websocket: false,
        }
    }

    /// Signs somebody up in app `one`.
    pub async fn person(&self, handle: &str) -> Person {
        self.person_in("one", handle).await
    }

    /// Signs somebody up, each from an address of their own.
    pub async fn person_in(&self, app: &str, handle: &str) -> Person {
        let id = self.uuid();
        let body = json!({ "id": id, "handle": handle, "password": PASSWORD });
        let with = With { app: Some(app), ..With::default() };
        let answer = self.call_with("auth.createAccount", with, body).await.expect(200);
        Person {
            id,
            handle: handle.to_owned(),
            token: answer.str("/accessToken"),
            refresh: answer.str("/refreshToken"),
        }
    }

    /// Somebody posts: the post's id.
    pub async fn publish(&self, author: &Person, text: &str, audience: &str) -> String {
        let id = self.uuid();
        let body = json!({ "id": id, "text": text, "audience": audience });
        self.call("post.create", Some(&author.token), body).await.expect(200);
        id
    }

    /// Somebody follows somebody, and both sides know.
    pub async fn follow(&self, who: &Person, whom: &Person) {
        self.call("follow.create", Some(&who.token), json!({ "id": whom.id })).await.expect(200);
        let seen = |answer: &Answer| answer.text.contains(&who.id);
        self.until("follow.listFollowers", Some(&whom.token), json!({ "id": whom.id }), seen).await;
    }

    /// A new id, as a client would choose it.
    pub fn uuid(&self) -> String {
        let mut rng = Rng::new(self.seed.fetch_add(1, Ordering::Relaxed));
        Id::mint(self.host.cluster.now().wall, &mut rng).to_string()
    }

    /// An address that nobody called from before: limits per address are not what most tests are about.
    pub fn address(&self) -> IpAddr {
        let number = self.seed.fetch_add(1, Ordering::Relaxed) as u32;
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    /// The rows that hold a text, as the disks had them when the process was last ended; readable as far as they are text.
    pub fn rows_holding(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let stores = self.disks.shards.iter().map(|(_, state)| state).chain([&self.disks.meta.1]);
        for state in stores {
            let rows = state.snapshot().expect("a map has a snapshot");
            rows.scan(&[], &[0xff; 128], Direction::Up, &mut |_, value| {
                if value.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(String::from_utf8_lossy(value).into_owned());
                }
                ControlFlow::Continue(())
            })
            .expect("a map can be read");
        }
        found
    }

    /// Lets time pass at once.
    pub fn skip(&self, span: Duration) {
        self.clock.skipped.fetch_add(span.as_millis() as u64, Ordering::Relaxed);
    }

    /// Sets the member's wall clock back.
    pub fn set_back(&self, span: Duration) {
        self.clock.behind.fetch_add(span.as_millis() as u64, Ordering::Relaxed);
    }

    /// Calls until the answer is as wanted: for what reaches another root by a step.
    pub async fn until(
        &self,
        method: &str,
        token: Option<&str>,
        body: Value,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let mut last = None;
        for _ in 0..400 {
            let answer = self.call(method, token, body.clone()).await;
            if wanted(&answer) {
                return answer;
            }
            last = Some(answer);
            tokio::time::sleep(Duration::from_millis(25)).await;
            // Reads are limited too.
            self.skip(Duration::from_millis(100));
        }
        panic!("{method} {body} never became as wanted: {}", last.map(|last| last.text).unwrap_or_default());
    }
}

/// The password of everybody in tests.
pub const PASSWORD: &str = "correct horse battery";

/// The client key of an app.
pub fn client_key(app: &str) -> String {
    secrets::key_text(KeyKind::Client, &[app.as_bytes()[0]; 32])
}

/// A token of the app's administrators.
pub fn admin_key(app: &str) -> String {
    secrets::key_text(KeyKind::Admin, &[app.as_bytes()[0]; 32])
}

/// The operator's token.
pub fn operator_token() -> String {
    secrets::operator_text(&[9; 32])
}

/// The server key of an app.
pub fn server_key(app: &str) -> String {
    secrets::key_text(KeyKind::Server, &[app.as_bytes()[0]; 32])
}

/// The operations of the OpenAPI document, by method.
pub fn operations() -> BTreeMap<String, Value> {
    let document: Value = serde_json::from_str(&gomer::openapi::document()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    let verbs = paths.values().flat_map(|item| item.as_object().expect("a path has operations").values());
    verbs
        .map(|operation| {
            let name = operation["operationId"].as_str().expect("an operation has its id");
            (name.to_owned(), operation.clone())
        })
        .collect()
}

async fn make_app(host: &Host, number: u8, name: &str) {
    let id = Id::derived("test app", name.as_bytes());
    let (title, secret) = (format!("App {name}"), [number; 32]);
    let create = MetaCommand::CreateApp { id, name: name.to_owned(), title, secret };
    host.cluster.change_meta(create).await.expect("an app is made");
    let meta = host.cluster.meta();
    let app = meta.apps.get(name).expect("the app was made").id;
    let keys = [
        (KeyKind::Client, client_key(name)),
        (KeyKind::Server, server_key(name)),
        (KeyKind::Admin, admin_key(name)),
    ];
    for (kind, text) in keys {
        let id = Id::derived("test key", text.as_bytes());
        let put = MetaCommand::PutKey { app, id, kind, name: "test".into(), hash: secrets::hash(&text) };
        host.cluster.change_meta(put).await.expect("a key is put");
    }
}

/// The real clock, with what was skipped on top.
struct SkipClock {
    started: Instant,
    skipped: AtomicU64,
    /// How far the wall clock was set back.
    behind: AtomicU64,
}

impl Clock for SkipClock {
    fn now(&self) -> Now {
        let span = self.started.elapsed() + Duration::from_millis(self.skipped.load(Ordering::Relaxed));
        let behind = Duration::from_millis(self.behind.load(Ordering::Relaxed));
        Now { mono: Monotonic(span), wall: Time::from_millis(1_795_456_500_000) + span - behind }
    }
}

/// Not random at all.
struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = Rng::new(self.0.fetch_add(1, Ordering::Relaxed));
        for chunk in bytes.chunks_mut(16) {
            chunk.copy_from_slice(&rng.bytes16()[..chunk.len()]);
        }
    }
}

/// Tasks of the test's own runtime.
struct Tasks;

impl Spawner for Tasks {
    fn spawn(&self, _: String, run: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(run);
    }
}

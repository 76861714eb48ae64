//! Somebody with a phone, and what they do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gomer_core::client::{Change, Edit, Event, Key, Roots, Scope, Secret, Write};
use gomer_core::id::Id;
use gomer_core::rng::Rng;
use hyper::Method;
use madsim::runtime::{Handle, NodeHandle};
use serde_json::{Value, json};

use gomer_sim::history::Outcome;
use gomer_sim::workload::app_mark;
use tokio::sync::mpsc;

use crate::caller::{Caller, Square, Todo};
use crate::clock::{self, SimClock};
use crate::member::{app_name, client_key};
use crate::net::Net;
use crate::net::http::{Answer, Client};
use crate::phone::{self, Handset};
use crate::plan::{Act, Call, Operation};
use crate::trace::Trace;
use crate::witness::{Asked, Witness, outcome};

/// Everybody's.
const PASSWORD: &str = "correct horse battery";
/// How long something that must happen may take, in the run's time.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How many posts of the others somebody has open.
const OPEN: usize = 12;

/// Somebody with a phone.
pub struct Person {
    /// Their handle.
    pub name: String,
    /// Which of the people.
    pub number: u32,
    /// Their app.
    pub app: u32,
    /// Their profile.
    pub profile: Id,
    /// Their phone.
    pub handset: Handset,
    /// The same connections, for calls that are not the phone's.
    pub client: Client,
    /// The calls that are not the phone's.
    pub calls: Todo,
    callers: mpsc::UnboundedSender<(Operation, Call)>,
    witness: Witness,
    apps: u32,
    members: usize,
    node: NodeHandle,
}

/// What everybody of one app has done.
#[derive(Default)]
pub struct Told {
    /// Posts: author and latest text.
    pub posts: BTreeMap<Id, Post>,
    /// Who likes what.
    pub likes: BTreeSet<(u32, Id)>,
    /// The posts in the order in which they were made.
    order: Vec<Id>,
    /// The latest posts, which everybody opens.
    recent: VecDeque<Id>,
}

/// A post as its author meant it.
pub struct Post {
    /// Who wrote it.
    pub author: u32,
    /// What it says in the end.
    pub text: String,
}

/// What a person and their network are made of.
pub struct Surroundings {
    /// The links.
    pub net: Net,
    /// Where the members are.
    pub servers: Arc<Vec<SocketAddr>>,
    /// What is seen.
    pub trace: Trace,
    /// Who writes the history.
    pub witness: Witness,
    /// What those who call know together.
    pub square: Square,
    /// How many apps there are.
    pub apps: u32,
}

impl Person {
    /// Somebody with a new phone on a node of their own.
    pub fn new(number: u32, app: u32, clock: SimClock, rng: &mut Rng, around: &Surroundings) -> Person {
        let profile = Id::mint(clock.read().wall, rng);
        around.square.enter(app, number, profile);
        Person::with_phone(&format!("p{number}"), number, number as u8, app, profile, clock, rng, around)
    }

    /// Another phone of this person, on another node.
    pub fn fresh(&self, rng: &mut Rng, around: &Surroundings) -> Person {
        let (name, host) = (format!("p{}-new", self.number), 100 + self.number as u8);
        Person::with_phone(&name, self.number, host, self.app, self.profile, SimClock::default(), rng, around)
    }

    #[allow(clippy::too_many_arguments, reason = "two callers, both just above")]
    fn with_phone(
        name: &str,
        number: u32,
        host: u8,
        app: u32,
        profile: Id,
        clock: SimClock,
        rng: &mut Rng,
        around: &Surroundings,
    ) -> Person {
        let node = Handle::current().create_node().name(name).ip(ip(2, host + 1)).build();
        let client = Client::new(around.net.clone(), number, around.servers.clone());
        let device = Id::mint(clock.read().wall, rng);
        let config = phone::config(&app_name(app), &client_key(app), device, rng.next_u64());
        let (trace, witness) = (around.trace.clone(), around.witness.clone());
        let handset =
            Handset::start(&node, name, profile, config, client.clone(), clock, trace, witness.clone());
        let (callers, inbox) = mpsc::unbounded_channel();
        let calls = Todo::default();
        let caller = Caller {
            name: name.to_owned(),
            person: number,
            app,
            profile,
            client: client.clone(),
            handset: handset.clone(),
            square: around.square.clone(),
            witness: witness.clone(),
            todo: calls.clone(),
        };
        node.spawn(caller.run(inbox));
        Person {
            name: name.to_owned(),
            number,
            app,
            profile,
            handset,
            client,
            calls,
            callers,
            witness,
            apps: around.apps,
            members: around.servers.len(),
            node,
        }
    }

    /// Makes an account, or finds it made by a try whose answer was lost.
    pub async fn sign_up(&self) -> Result<()> {
        let account = json!({
            "id": self.profile.to_string(),
            "handle": self.handle(),
            "password": PASSWORD,
            "name": self.mark(),
        });
        let (status, opened) = self.ask("auth.createAccount", None, account).await?;
        match status {
            200 | 201 => self.begin_session(&opened),
            409 => self.sign_in().await,
            _ => bail!("auth.createAccount of {}: {status} {opened}", self.name),
        }
    }

    fn handle(&self) -> String {
        // The same in every app: names are each app's own.
        format!("person{}", self.number / self.apps)
    }

    /// Signs the phone in.
    pub async fn sign_in(&self) -> Result<()> {
        let session = json!({ "handle": self.handle(), "password": PASSWORD });
        let (status, opened) = self.ask("auth.createSession", None, session).await?;
        ensure!(matches!(status, 200 | 201), "auth.createSession of {}: {status} {opened}", self.name);
        self.begin_session(&opened)
    }

    fn begin_session(&self, opened: &Value) -> Result<()> {
        let token = |name: &str| {
            let text = opened[name].as_str().with_context(|| format!("no {name} in {opened}"));
            text.map(Secret::new)
        };
        let (access, refresh) = (token("accessToken")?, token("refreshToken")?);
        self.handset.tell(Event::SignedIn { profile: self.profile, access, refresh });
        Ok(())
    }

    /// The access token that the phone has now.
    pub fn token(&self) -> Result<String> {
        self.handset.token()
    }

    /// Follows somebody.
    pub fn follow(&self, other: Id) {
        self.write("follow.create", json!({ "id": other.to_string() }), None);
    }

    /// Does one thing of the plan.
    pub fn act(&self, operation: &Operation, told: &mut Told) {
        match operation.act {
            Act::Post => self.post(operation, told),
            Act::Like => self.like(operation, told),
            Act::Edit => self.edit(operation, told),
            Act::Offline => self.handset.tell(Event::WentOffline),
            Act::Online => self.handset.tell(Event::CameOnline),
            Act::Call(call) => {
                self.calls.add();
                let told = self.callers.send((operation.clone(), call));
                told.expect("who calls listens as long as the run");
            }
        }
    }

    fn post(&self, operation: &Operation, told: &mut Told) {
        let mut rng = Rng::new(operation.pick ^ operation.at_ms << 24 ^ u64::from(self.number) << 60);
        let id = Id::mint(gomer_core::time::Time::from_millis(operation.at_ms), &mut rng);
        let text = format!("{} says {} at {}", self.mark(), operation.pick, operation.at_ms);
        let attributes = json!({ "text": text, "author": self.profile.to_string() });
        let attributes = attributes.as_object().cloned().unwrap_or_default();
        let edit = Edit { key: post_key(id), change: Change::Create(attributes) };
        let args = json!({ "id": id.to_string(), "text": text });
        self.write("post.create", args, Some(edit));
        told.posts.insert(id, Post { author: self.number, text });
        told.order.push(id);
        told.recent.push_back(id);
        if told.recent.len() > OPEN {
            told.recent.pop_front();
        }
    }

    fn mark(&self) -> String {
        format!("{} {}", app_mark(&app_name(self.app)), self.name)
    }

    /// Likes what is known to have arrived.
    fn like(&self, operation: &Operation, told: &mut Told) {
        let there = told.order.iter().rev().take(40).filter(|id| !told.likes.contains(&(self.number, **id)));
        let there: Vec<Id> = there.copied().collect();
        let Some(post) = pick(&there, operation) else { return self.post(operation, told) };
        if told.posts[&post].author != self.number && !self.has_seen(post) {
            return self.post(operation, told);
        }
        self.write("like.put", json!({ "id": post.to_string() }), None);
        told.likes.insert((self.number, post));
    }

    fn has_seen(&self, post: Id) -> bool {
        let key = post_key(post);
        self.handset.look(|phone, _| phone.cache().rows().any(|(known, _)| *known == key))
    }

    fn edit(&self, operation: &Operation, told: &mut Told) {
        let mine = told.order.iter().rev().filter(|id| told.posts[*id].author == self.number).take(10);
        let mine: Vec<Id> = mine.copied().collect();
        let Some(post) = pick(&mine, operation) else { return self.post(operation, told) };
        let text = format!("{} meant {} at {}", self.mark(), operation.pick, operation.at_ms);
        let attributes = json!({ "text": text }).as_object().cloned().unwrap_or_default();
        let edit = Edit { key: post_key(post), change: Change::Update(attributes) };
        self.write("post.update", json!({ "id": post.to_string(), "text": text }), Some(edit));
        told.posts.get_mut(&post).expect("just found").text = text;
    }

    /// Opens what is new: the others' profiles, and the latest posts.
    pub fn open(&self, others: impl IntoIterator<Item = Id>, told: &Told) -> Result<()> {
        let posts = told.recent.iter().map(|id| format!("post:{id}"));
        let profiles = others.into_iter().map(|id| format!("profile:{id}"));
        let roots = Roots::new(posts.chain(profiles)).map_err(|error| anyhow::anyhow!("{error}"))?;
        self.handset.tell(Event::AppFollows(roots));
        Ok(())
    }

    fn write(&self, method: &str, args: Value, edit: Option<Edit>) {
        self.handset.tell(Event::AppWrites(Write { method: method.to_owned(), args, if_rev: None, edit }));
    }

    /// Waits until the member is found to serve.
    pub async fn until_served(&self) -> Result<()> {
        let begun = clock::elapsed();
        loop {
            let answer = self.call(Method::GET, "/healthz", Vec::new(), String::new()).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            ensure!(clock::elapsed() < begun + PATIENCE, "the member does not serve");
            madsim::time::sleep(LOOK).await;
        }
    }

    /// Calls a method until the server has an answer of its own.
    pub async fn ask(&self, method: &str, mut token: Option<String>, args: Value) -> Result<(u16, Value)> {
        let begun = clock::elapsed();
        loop {
            let mut headers =
                vec![("gomer-key", client_key(self.app)), ("content-type", "application/json".to_owned())];
            headers.extend(token.clone().map(|token| ("authorization", format!("Bearer {token}"))));
            let path = format!("/v1/{}/{method}", app_name(self.app));
            let asked = Asked {
                process: format!("{}-asks", self.name),
                app: app_name(self.app),
                user: (token.is_some() || method == "auth.createAccount").then(|| self.profile.to_string()),
                op: None,
                method: method.to_owned(),
                args: args.clone(),
                mischief: None,
            };
            let invoked = self.witness.micros();
            let answer = self.call(Method::POST, &path, headers, args.to_string()).await;
            let came = answer.as_ref().map_or(Outcome::LOST, outcome);
            match method {
                "sync.push" => self.witness.saw_push(&asked, invoked, &came),
                _ => self.witness.saw(asked, invoked, came),
            }
            match answer.map(|answer| (answer.status, answer.body)) {
                // Where clocks differ by more than a token lives, it has ended for one member and not for another.
                Ok((401, _))
                    if token.is_some() && self.members > 1 && clock::elapsed() < begun + PATIENCE =>
                {
                    Box::pin(self.sign_in()).await?;
                    token = Some(self.token()?);
                }
                Ok((status, body)) if status != 429 && status < 500 => {
                    let body = serde_json::from_str(&body).with_context(|| format!("{method}: {body}"))?;
                    return Ok((status, body));
                }
                Ok((status, body)) if clock::elapsed() > begun + PATIENCE => {
                    bail!("{method} is still refused: {status} {body}");
                }
                Err(error) if clock::elapsed() > begun + PATIENCE => {
                    return Err(error.context(format!("{method} still fails")));
                }
                _ => madsim::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// One request from the person's node.
    async fn call(
        &self,
        verb: Method,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Answer> {
        let (client, path) = (self.client.clone(), path.to_owned());
        let sent = self.node.spawn(async move {
            let sent = client.send(verb, &path, &headers, body);
            tokio::time::timeout(Duration::from_secs(30), sent).await.context("no reply")?
        });
        sent.await.context("the node of a person is never killed")?
    }
}

/// Waits until something holds.
pub async fn until(what: &str, holds: impl FnMut() -> bool) -> Result<()> {
    until_within(PATIENCE, LOOK, what, holds).await
}

/// The same, with a patience of its own, looking so often.
pub async fn until_within(
    patience: Duration,
    look: Duration,
    what: &str,
    mut holds: impl FnMut() -> bool,
) -> Result<()> {
    let begun = clock::elapsed();
    while !holds() {
        ensure!(clock::elapsed() < begun + patience, "not within {} s: {what}", patience.as_secs());
        madsim::time::sleep(look).await;
    }
    Ok(())
}

fn pick(of: &[Id], operation: &Operation) -> Option<Id> {
    of.get(operation.pick as usize % of.len().max(1)).copied()
}

fn post_key(id: Id) -> Key {
    let scope = Scope { root: format!("post:{id}"), section: "public".to_owned() };
    Key::entity(&scope, "post", &id.to_string())
}

/// An address in one of the run's networks.
pub fn ip(net: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, net, host))
}

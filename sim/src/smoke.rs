//! The smoke run: one member, two people with a phone each, and a kill in the middle of their work.
//!
//! What happens is drawn from the seed; what must hold is in [`crate::checks`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gomer_core::client::{Change, Edit, Event, Key, Roots, Scope, Secret, Write};
use gomer_core::id::Id;
use gomer_core::rng::Rng;
use hyper::Method;
use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};
use serde_json::{Value, json};

use crate::http::Client;
use crate::member::{self, APP, Machine};
use crate::phone::{self, Handset};
use crate::trace::Trace;
use crate::{checks, clock};

/// Everybody's.
const PASSWORD: &str = "correct horse battery";
/// How often everything goes offline, dies and comes back.
const ROUNDS: usize = 3;
/// How long something that must happen may take, in the run's time.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long nobody does anything before the checks.
const REST: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Everything of one run.
pub struct World {
    /// What was seen.
    pub trace: Trace,
    /// The two.
    pub people: [Person; 2],
    /// What must be true in the end.
    pub told: Told,
    rng: Rng,
    machine: Machine,
    server: NodeHandle,
}

/// Somebody with a phone.
pub struct Person {
    /// Their handle.
    pub name: &'static str,
    /// Their profile.
    pub profile: Id,
    /// Their phone.
    pub handset: Handset,
    /// The same connections, for calls that are not the phone's.
    pub client: Client,
    node: NodeHandle,
}

/// What the people have done.
#[derive(Default)]
pub struct Told {
    /// Posts: author and latest text.
    pub posts: BTreeMap<Id, (usize, String)>,
    /// Who likes what.
    pub likes: BTreeSet<(usize, Id)>,
}

/// Runs it. `Err` is what did not hold; `Ok` a summary in a few words.
pub async fn run(seed: u64, trace: Trace) -> Result<String> {
    let mut world = World::begin(seed, trace).await?;
    world.get_to_know().await?;
    for round in 0..ROUNDS {
        world.round(round).await?;
    }
    // What goes from one root to another arrives a moment later.
    madsim::time::sleep(REST).await;
    world.settle().await?;
    checks::all(&mut world).await?;
    let (sent, lost) = world.people.iter().fold((0, 0), |(sent, lost), person| {
        person.handset.look(|_, kept| (sent + kept.sent, lost + kept.lost))
    });
    let (posts, likes, seconds) =
        (world.told.posts.len(), world.told.likes.len(), clock::elapsed().as_secs());
    Ok(format!("{posts} posts, {likes} likes, {lost} of {sent} requests lost, {seconds} s"))
}

impl World {
    /// A member that serves, and two people who have signed up.
    async fn begin(seed: u64, trace: Trace) -> Result<World> {
        let mut rng = Rng::new(seed);
        let address = SocketAddr::new(ip(1, 1), 8080);
        let machine = Machine::new("member", address, rng.next_u64(), trace.clone());
        let server = machine.start();
        let people = [
            Person::new("ada", 1, address, &mut rng, &trace),
            Person::new("bruno", 2, address, &mut rng, &trace),
        ];
        let world = World { trace, people, told: Told::default(), rng, machine, server };
        world.until_served(0).await?;
        for person in &world.people {
            person.sign_up().await?;
        }
        world.settle().await?;
        Ok(world)
    }

    /// They follow each other, write something, and open it.
    async fn get_to_know(&mut self) -> Result<()> {
        for who in 0..2 {
            let other = self.people[1 - who].profile.to_string();
            self.people[who].write("follow.create", json!({ "id": other }), None);
            self.post(who);
        }
        self.settle().await?;
        self.like(0);
        self.like(1);
        self.open_everything();
        self.settle().await
    }

    /// One of them is offline and works on, while the server dies under the other.
    async fn round(&mut self, round: usize) -> Result<()> {
        self.trace.note("run", "round", round);
        let away = self.draw(2);
        let there = 1 - away;
        self.go(away, false);
        for _ in 0..2 + self.draw(4) {
            self.work(away);
            self.pause(500).await;
        }
        for _ in 0..1 + self.draw(4) {
            self.work(there);
            self.pause(12).await;
        }
        self.kill().await?;
        self.work(there);
        self.pause(8_000).await;
        self.trace.note("run", "restart", "");
        Handle::current().restart(self.server.id());
        if self.draw(2) == 0 {
            self.until_served(there).await?;
        }
        self.go(away, true);
        self.work(away);
        self.settle().await?;
        self.open_everything();
        self.settle().await
    }

    /// Kills the member between any two of its steps: what is under way is lost.
    async fn kill(&mut self) -> Result<()> {
        self.pause(25).await;
        self.trace.note("run", "kill", "");
        Handle::current().kill(self.server.id());
        // The simulator drops the tasks of a dead process when it next looks at them.
        madsim::time::sleep(Duration::from_millis(1)).await;
        self.machine.disk.crash(&mut self.rng);
        Ok(())
    }

    /// One thing that a person does.
    fn work(&mut self, who: usize) {
        match self.draw(4) {
            0 | 1 => self.post(who),
            2 => self.like(who),
            _ => self.edit(who),
        }
    }

    fn post(&mut self, who: usize) {
        let id = Id::mint(clock::now().wall, &mut self.rng);
        let text = format!("{} says {}", self.people[who].name, self.rng.below(1_000_000));
        let attributes = json!({ "text": text }).as_object().cloned().unwrap_or_default();
        let edit = Edit { key: post_key(id), change: Change::Create(attributes) };
        self.people[who].write("post.create", json!({ "id": id.to_string(), "text": text }), Some(edit));
        self.told.posts.insert(id, (who, text));
    }

    fn like(&mut self, who: usize) {
        let posts = self.told.posts.iter().filter(|(id, (author, _))| {
            // What somebody else wrote in the meantime may not have arrived yet.
            let known = *author == who || self.has_open(who, **id);
            known && !self.told.likes.contains(&(who, **id))
        });
        let posts: Vec<Id> = posts.map(|(id, _)| *id).collect();
        if posts.is_empty() {
            return self.post(who);
        }
        let post = posts[self.draw(posts.len())];
        self.people[who].write("like.put", json!({ "id": post.to_string() }), None);
        self.told.likes.insert((who, post));
    }

    fn edit(&mut self, who: usize) {
        // Not those that the server may not have yet: it stamps what a post says at first with the time at
        // which it gets it, so that an edit from before then counts as the older one.
        let mine =
            self.told.posts.iter().filter(|(id, (author, _))| *author == who && self.has_open(who, **id));
        let mine: Vec<Id> = mine.map(|(id, _)| *id).collect();
        let post = mine[self.draw(mine.len())];
        let text = format!("{} meant {}", self.people[who].name, self.rng.below(1_000_000));
        let attributes = json!({ "text": text }).as_object().cloned().unwrap_or_default();
        let edit = Edit { key: post_key(post), change: Change::Update(attributes) };
        self.people[who].write("post.update", json!({ "id": post.to_string(), "text": text }), Some(edit));
        self.told.posts.insert(post, (who, text));
    }

    /// Both have each other's profile and all posts open.
    fn open_everything(&self) {
        for (who, person) in self.people.iter().enumerate() {
            person.handset.tell(Event::AppFollows(self.roots(who)));
        }
    }

    /// What somebody has open: the other's profile and the posts.
    pub fn roots(&self, who: usize) -> Roots {
        let posts = self.told.posts.keys().map(|id| format!("post:{id}"));
        let other = format!("profile:{}", self.people[1 - who].profile);
        Roots::new(posts.chain([other])).expect("a run has fewer posts than a phone can follow")
    }

    fn has_open(&self, who: usize, post: Id) -> bool {
        let root = format!("post:{post}");
        self.people[who].handset.look(|phone, _| phone.cursor().roots.as_set().contains(&root))
    }

    fn go(&self, who: usize, online: bool) {
        let person = &self.people[who];
        let (network, node) = (NetSim::current(), person.node.id());
        if online {
            network.unclog_node(node);
            person.handset.tell(Event::CameOnline);
        } else {
            network.clog_node(node);
            person.handset.tell(Event::WentOffline);
        }
        self.trace.note(person.name, if online { "online" } else { "offline" }, "");
    }

    /// Waits until both phones have sent everything and seen everything.
    pub async fn settle(&self) -> Result<()> {
        for person in &self.people {
            until(&format!("{} has sent and seen everything", person.name), || person.handset.is_settled())
                .await
                .with_context(|| person.handset.look(|phone, _| format!("{:#?}", phone.queue())))?;
        }
        Ok(())
    }

    /// Waits until somebody who is online finds the member.
    async fn until_served(&self, who: usize) -> Result<()> {
        let begun = clock::elapsed();
        loop {
            let answer = self.people[who].call(Method::GET, "/healthz", Vec::new(), String::new()).await;
            if answer.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            ensure!(clock::elapsed() < begun + PATIENCE, "the member does not serve");
            madsim::time::sleep(LOOK).await;
        }
    }

    fn draw(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// Lets up to so many milliseconds pass.
    async fn pause(&mut self, millis_max: usize) {
        let pause = Duration::from_millis(self.draw(millis_max + 1) as u64);
        madsim::time::sleep(pause).await;
    }
}

impl Person {
    /// Somebody with a new phone on a node of their own.
    pub fn new(name: &'static str, host: u8, server: SocketAddr, rng: &mut Rng, trace: &Trace) -> Person {
        let node = Handle::current().create_node().name(name).ip(ip(2, host)).build();
        let profile = Id::mint(clock::now().wall, rng);
        let client = Client::new(server);
        let config =
            phone::config(APP, &member::client_key(), Id::mint(clock::now().wall, rng), rng.next_u64());
        let handset = Handset::start(&node, name, config, client.clone(), trace.clone());
        Person { name, profile, handset, client, node }
    }

    /// Another phone of somebody who has one, on another node.
    pub fn fresh(name: &'static str, host: u8, profile: Id, world: &mut World) -> Person {
        let (mut rng, address) = (Rng::new(world.rng.next_u64()), world.machine.address);
        Person { profile, ..Person::new(name, host, address, &mut rng, &world.trace) }
    }

    async fn sign_up(&self) -> Result<()> {
        let account = json!({
            "id": self.profile.to_string(),
            "handle": self.name,
            "password": PASSWORD,
            "name": self.name,
        });
        self.begin_session("auth.createAccount", account).await
    }

    /// Signs the phone in to the account of this handle.
    pub async fn sign_in(&self, handle: &str) -> Result<()> {
        let session = json!({ "handle": handle, "password": PASSWORD });
        self.begin_session("auth.createSession", session).await
    }

    async fn begin_session(&self, method: &str, args: Value) -> Result<()> {
        let (status, opened) = self.ask(method, None, args).await?;
        ensure!(matches!(status, 200 | 201), "{method} of {}: {status} {opened}", self.name);
        let token = |name: &str| {
            let text = opened[name].as_str().with_context(|| format!("{method} gives no {name}"));
            text.map(Secret::new)
        };
        let (access, refresh) = (token("accessToken")?, token("refreshToken")?);
        self.handset.tell(Event::SignedIn { profile: self.profile, access, refresh });
        Ok(())
    }

    /// The access token that the phone has now.
    pub fn token(&self) -> Result<String> {
        let token = self
            .handset
            .look(|_, kept| kept.saved.session.as_ref().map(|tokens| tokens.access.reveal().to_owned()));
        token.with_context(|| format!("{} has not signed in", self.name))
    }

    fn write(&self, method: &str, args: Value, edit: Option<Edit>) {
        self.handset.tell(Event::AppWrites(Write { method: method.to_owned(), args, if_rev: None, edit }));
    }

    /// Calls a method until the server has an answer of its own.
    pub async fn ask(&self, method: &str, token: Option<String>, args: Value) -> Result<(u16, Value)> {
        let begun = clock::elapsed();
        loop {
            let mut headers =
                vec![("gomer-key", member::client_key()), ("content-type", "application/json".to_owned())];
            headers.extend(token.clone().map(|token| ("authorization", format!("Bearer {token}"))));
            let path = format!("/v1/{APP}/{method}");
            match self.call(Method::POST, &path, headers, args.to_string()).await {
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
    ) -> Result<(u16, String)> {
        let (client, path) = (self.client.clone(), path.to_owned());
        let sent = self.node.spawn(async move {
            let sent = client.send(verb, &path, &headers, body);
            let answer = tokio::time::timeout(Duration::from_secs(30), sent).await.context("no reply")??;
            anyhow::Ok((answer.status, answer.body))
        });
        sent.await.context("the node of a person is never killed")?
    }
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let begun = clock::elapsed();
    while !holds() {
        ensure!(clock::elapsed() < begun + PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        madsim::time::sleep(LOOK).await;
    }
    Ok(())
}

fn post_key(id: Id) -> Key {
    let scope = Scope { root: format!("post:{id}"), section: "public".to_owned() };
    Key::entity(&scope, "post", &id.to_string())
}

fn ip(net: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, net, host))
}

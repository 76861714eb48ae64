//! Two phones, one server, and everything that goes wrong between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gomer_core::client::{
    Action, Change, Config, Edit, Event, HttpRequest, Key, Kind, Phone, Progress, Report, RequestId,
    Response, Roots, Saved, Scope, Secret, SignIn, Verdict, Write,
};
use gomer_core::id::Id;
use gomer_core::time::{Monotonic, Now, Time};
use serde_json::{Value, json};

use crate::server::{Asked, Luck, Reply, RowKey, Server};

/// 2026-11-23, in milliseconds.
const START: u64 = 1_795_456_500_000;
/// Rounds in which a healed world must have come to rest.
const ROUNDS: usize = 2_000;

/// What the person on a phone does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    Create,
    Update,
    Clear,
    Delete,
    /// Two rows in one write, which the app does not foresee.
    Pair,
    Mark,
    /// Finally refused.
    Poison,
    /// Refused, and the person must decide.
    Ancient,
}

/// A deed, and to what.
#[derive(Debug, Clone)]
pub struct Act {
    pub deed: Deed,
    pub scope: usize,
    pub id: usize,
    pub attribute: usize,
    pub value: u8,
    /// Only if the revision is still the one that the phone knows.
    pub if_rev: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Answered,
    /// Never arrives.
    Lost,
    /// Takes effect, but the reply is lost.
    ReplyLost,
    /// Arrives twice; the second reply is taken in.
    Doubled,
    /// The reply is delivered twice.
    ReplyDoubled,
    Busy,
    TimedOut,
    HotelPage,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Step {
    Does {
        phone: usize,
        act: Act,
    },
    Network {
        phone: usize,
        which: usize,
        fate: Fate,
        luck: (usize, usize, Option<usize>, bool),
    },
    /// The battery dies: now (nothing), or while the actions of the next event are being done.
    Crash {
        phone: usize,
        after: Option<usize>,
    },
    Offline {
        phone: usize,
    },
    Online {
        phone: usize,
    },
    Answers {
        phone: usize,
        redo: bool,
    },
    Follows {
        phone: usize,
        roots: u8,
    },
    Wait {
        seconds: u64,
    },
    SetClock {
        phone: usize,
        millis: i64,
    },
    Grant {
        phone: usize,
        scope: usize,
        given: bool,
    },
    Forget,
    NewEra,
    EndAccess {
        phone: usize,
    },
    RevokeSession {
        phone: usize,
    },
}

/// A phone with its store and its network.
struct Handset {
    user: String,
    phone: Phone,
    /// What is on its flash.
    stored: Saved,
    out: Vec<HttpRequest>,
    /// Crash after this many actions of the next event.
    crash_after: Option<usize>,
    clock: i64,
    lives: u64,
    signed_out: bool,
    /// Intents that are known to be done, but shown over the cache until it holds their results.
    applied: BTreeSet<u64>,
    /// Intents that are stored, so that they must never be lost silently.
    owed: BTreeSet<u64>,
    /// What the app was told about them.
    told: BTreeMap<u64, Verdict>,
    /// The instant up to which the server asked for quiet, by method.
    quiet_until: BTreeMap<String, Duration>,
}

impl Handset {
    /// The app is told what became of an operation.
    fn hears(&mut self, report: &Report) {
        let intent = report.operation.args["intent"].as_u64().unwrap();
        let earlier = self.told.insert(intent, report.verdict.clone());
        assert!(earlier.is_none_or(|earlier| earlier == report.verdict), "told twice, differently");
    }
}

pub struct World {
    pub server: Server,
    handsets: Vec<Handset>,
    now: Duration,
    intents: u64,
}

fn config(user: &str, lives: u64) -> Config {
    let device = Id::from_bytes([user.as_bytes()[0]; 16]);
    Config { app: "demo".to_owned(), client_key: "key".to_owned(), device, seed: lives }
}

fn profile(user: &str) -> Id {
    Id::from_bytes([user.as_bytes()[0]; 16])
}

impl World {
    pub fn new() -> World {
        let mut server = Server::default();
        let mut handsets = Vec::new();
        for user in ["ann", "bob"] {
            for chat in ["chat:1", "chat:2"] {
                server.grant(user, &(chat.to_owned(), "members".to_owned()), true);
            }
            handsets.push(Handset {
                user: user.to_owned(),
                phone: Phone::new(config(user, 0), Saved::default()),
                stored: Saved::default(),
                applied: BTreeSet::new(),
                out: Vec::new(),
                crash_after: None,
                clock: 0,
                lives: 0,
                signed_out: true,
                owed: BTreeSet::new(),
                told: BTreeMap::new(),
                quiet_until: BTreeMap::new(),
            });
        }
        let mut world = World { server, handsets, now: Duration::ZERO, intents: 0 };
        (0..2).for_each(|n| world.sign_in(n));
        world
    }

    fn wall(&self) -> u64 {
        START + self.now.as_millis() as u64
    }

    fn now_of(&self, n: usize) -> Now {
        let wall = self.wall().saturating_add_signed(self.handsets[n].clock);
        Now { mono: Monotonic(self.now), wall: Time::from_millis(wall) }
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Does { phone, act } => {
                let write = self.write(phone, act);
                self.tell(phone, Event::AppWrites(write));
            }
            Step::Network { phone, which, fate, luck: (page, lag, stop_at, stop_late) } => {
                let out = &mut self.handsets[phone].out;
                if !out.is_empty() {
                    let request = out.remove(which % out.len());
                    self.deliver(phone, request, fate, Luck { page, lag, stop_at, stop_late });
                }
            }
            Step::Crash { phone, after: None } => self.crash(phone),
            Step::Crash { phone, after } => self.handsets[phone].crash_after = after,
            Step::Offline { phone } => self.tell(phone, Event::WentOffline),
            Step::Online { phone } => self.tell(phone, Event::CameOnline),
            Step::Answers { phone, redo } => self.answer_report(phone, redo),
            Step::Follows { phone, roots } => {
                let names = ["post:1", "post:2"].into_iter().enumerate();
                let chosen = names.filter(|(bit, _)| roots & 1 << bit != 0).map(|(_, root)| root.to_owned());
                self.tell(phone, Event::AppFollows(Roots::new(chosen).unwrap()));
            }
            Step::Wait { seconds } => {
                self.now += Duration::from_secs(seconds);
                (0..2).for_each(|n| self.tell(n, Event::Tick));
            }
            Step::SetClock { phone, millis } => self.handsets[phone].clock += millis,
            Step::Grant { phone, scope, given } => {
                let chat = ["chat:1", "chat:2"][scope % 2];
                let user = self.handsets[phone].user.clone();
                self.server.grant(&user, &(chat.to_owned(), "members".to_owned()), given);
            }
            Step::Forget => self.server.forget(),
            Step::NewEra => self.server.new_era(),
            Step::EndAccess { phone } => self.server.end_access(&self.handsets[phone].user.clone()),
            Step::RevokeSession { phone } => self.server.revoke_session(&self.handsets[phone].user.clone()),
        }
        for n in 0..2 {
            self.sign_in(n);
        }
    }

    fn write(&mut self, n: usize, act: Act) -> Write {
        let Act { deed, scope, id, attribute, value, if_rev } = act;
        let user = &self.handsets[n].user;
        let (root, section) = match scope % 5 {
            0 => (format!("profile:{user}"), "private"),
            1 => ("chat:1".to_owned(), "members"),
            2 => ("chat:2".to_owned(), "members"),
            3 => ("post:1".to_owned(), "public"),
            _ => ("post:2".to_owned(), "public"),
        };
        let id = format!("n{}", id % 4);
        let name = ["a", "b", "c"][attribute % 3];
        let attributes = match deed {
            Deed::Create | Deed::Pair => json!({"a": value, "b": value}),
            Deed::Clear => json!({ name: null }),
            _ => json!({ name: value }),
        };
        self.intents += 1;
        let args = json!({
            "intent": self.intents, "root": root, "section": section, "id": id, "attributes": attributes,
        });
        let scope = Scope { root, section: section.to_owned() };
        let mut key = Key::entity(&scope, "note", &id);
        let attributes = attributes.as_object().unwrap().clone();
        let (method, change) = match deed {
            Deed::Create => ("note.create", Some(Change::Create(attributes))),
            Deed::Update | Deed::Clear => ("note.update", Some(Change::Update(attributes))),
            Deed::Delete => ("note.delete", Some(Change::Delete)),
            Deed::Pair => ("note.pair", None),
            Deed::Mark => {
                key.kind = Kind::Mark;
                ("note.mark", Some(Change::Create(attributes)))
            }
            Deed::Poison => ("note.poison", Some(Change::Create(attributes))),
            Deed::Ancient => ("note.ancient", Some(Change::Create(attributes))),
        };
        let known = self.handsets[n].phone.cache().get(&key).map(|row| row.rev.clone());
        Write {
            method: method.to_owned(),
            args,
            if_rev: known.filter(|_| if_rev),
            edit: change.map(|change| Edit { key, change }),
        }
    }

    fn answer_report(&mut self, n: usize, redo: bool) {
        let Some(report) = self.handsets[n].phone.queue().reports().next().cloned() else { return };
        // Who answers has read it, in the list of reports if the phone was off when it came.
        self.handsets[n].hears(&report);
        let mut operation = report.operation;
        let instead = redo.then(|| {
            self.intents += 1;
            operation.args["intent"] = json!(self.intents);
            Write { method: operation.method, args: operation.args, if_rev: None, edit: operation.edit }
        });
        self.tell(n, Event::AppAnswers { op: operation.op, instead });
    }

    fn deliver(&mut self, n: usize, request: HttpRequest, fate: Fate, luck: Luck) {
        let is_refresh = request.path.ends_with("auth.refreshSession");
        match fate {
            Fate::Answered => {
                let reply = self.ask(n, &request, luck);
                self.reply(n, request.id, reply);
            }
            Fate::Lost => self.tell(n, Event::Failed(request.id)),
            Fate::ReplyLost => {
                self.ask(n, &request, luck);
                self.tell(n, Event::Failed(request.id));
            }
            Fate::Doubled => {
                self.ask(n, &request, luck);
                let reply = self.ask(n, &request, luck);
                self.reply(n, request.id, reply);
            }
            Fate::ReplyDoubled => {
                let reply = self.ask(n, &request, luck);
                self.reply(n, request.id, reply.clone());
                self.reply(n, request.id, Reply { equals: None, ..reply });
            }
            Fate::Busy => {
                self.handsets[n].quiet_until.insert(request.path, self.now + Duration::from_secs(7));
                self.reply(n, request.id, Reply::problem(503, "busy", Some(7)));
            }
            // Took effect, but nobody can say so. (Not for an exchange of tokens: that one answers.)
            Fate::TimedOut => {
                if !is_refresh {
                    self.ask(n, &request, luck);
                }
                self.reply(n, request.id, Reply::problem(504, "timeout", None));
            }
            Fate::HotelPage => {
                let page = Reply { body: "<html>Welcome</html>".to_owned(), ..Reply::problem(200, "", None) };
                self.reply(n, request.id, page);
            }
        }
    }

    fn ask(&mut self, n: usize, request: &HttpRequest, luck: Luck) -> Reply {
        let header =
            |name: &str| request.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| &value[..]);
        assert_eq!((request.method, header("gomer-key")), ("POST", Some("key")));
        let asked = Asked {
            method: request.path.strip_prefix("/v1/demo/").expect("the app's path").to_owned(),
            access: header("authorization").unwrap_or_default().trim_start_matches("Bearer ").to_owned(),
            position: header("gomer-position").map_or(0, |position| position.parse().unwrap()),
            body: request.body.clone(),
        };
        let wall = self.wall();
        self.server.answer(&self.handsets[n].user, &asked, wall, luck)
    }

    fn reply(&mut self, n: usize, request: RequestId, reply: Reply) {
        let retry_after = reply.retry_after_s.map(Duration::from_secs);
        let life = self.handsets[n].lives;
        let Reply { status, position, body, equals, .. } = reply;
        self.tell(n, Event::Response(Response { request, status, retry_after, position, body }));
        // Only at the end of a pull is the phone's state one that the server had; but then it is.
        if let Some(expected) = equals.filter(|_| self.handsets[n].lives == life) {
            assert_eq!(self.cached(n), expected, "{} after the end of a pull", self.handsets[n].user);
        }
    }

    fn cached(&self, n: usize) -> BTreeMap<RowKey, (String, Value)> {
        let rows = self.handsets[n].phone.cache().rows();
        rows.map(|(key, row)| {
            let op = if key.kind == Kind::Mark { "mark" } else { "put" };
            let scope = (key.scope.root.clone(), key.scope.section.clone());
            ((scope, op, key.id.clone()), (row.rev.clone(), row.value.clone()))
        })
        .collect()
    }

    /// Hands an event to a phone and does what it says, perhaps not to the end.
    fn tell(&mut self, n: usize, event: Event) {
        let now = self.now_of(n);
        let handset = &mut self.handsets[n];
        let actions = handset.phone.handle(now, event);
        let stores = actions.iter().filter(|action| matches!(action, Action::Store(_))).count();
        assert!(stores == 0 || stores == 1 && matches!(actions[0], Action::Store(_)), "stored first");
        self.check_own_writes(n);
        let doable = self.handsets[n].crash_after.take();
        for (done, action) in actions.into_iter().enumerate() {
            if doable == Some(done) {
                return self.crash(n);
            }
            self.carry_out(n, action);
        }
        if doable.is_some() {
            return self.crash(n);
        }
        self.check_stored(n);
    }

    /// What is in memory and what is stored never differ once the actions are done.
    fn check_stored(&self, n: usize) {
        let Handset { phone, stored, .. } = &self.handsets[n];
        assert!(phone.cache().rows().eq(&stored.rows), "rows");
        assert!(phone.queue().operations().eq(stored.operations.values()), "operations");
        assert!(phone.queue().reports().eq(stored.reports.values()), "reports");
        assert_eq!(*phone.cursor(), stored.cursor);
    }

    /// A phone reads its own writes: an edit lies over the cache until the cache holds its result.
    fn check_own_writes(&mut self, n: usize) {
        let handset = &mut self.handsets[n];
        let operations = handset.phone.queue().operations();
        let applied = operations.filter(|operation| operation.progress == Progress::Applied);
        let applied = applied.map(|operation| operation.args["intent"].as_u64().unwrap()).collect();
        let before = std::mem::replace(&mut handset.applied, applied);
        for done in before.difference(&handset.applied) {
            let seen = handset.phone.cursor().token.as_deref().map_or(0, Server::position_in);
            assert!(seen >= self.server.revisions[done], "{done} was forgotten before it was seen");
        }
    }

    fn carry_out(&mut self, n: usize, action: Action) {
        let now = self.now;
        let handset = &mut self.handsets[n];
        match action {
            Action::Store(commit) => {
                let stored = commit.operations.values().flatten();
                handset.owed.extend(stored.map(|operation| operation.args["intent"].as_u64().unwrap()));
                let text = serde_json::to_string(&commit).unwrap();
                handset.stored.apply(serde_json::from_str(&text).unwrap());
            }
            Action::Written(result) => drop(result.expect("room in the queue")),
            Action::Changed(_) => {}
            Action::Report(report) => handset.hears(&report),
            Action::SignIn(why) => {
                assert_eq!(why, SignIn::Expired);
                handset.signed_out = true;
            }
            // Given up: it may or may not have arrived.
            Action::Cancel(id) => {
                if let Some(at) = handset.out.iter().position(|request| request.id == id) {
                    let request = handset.out.remove(at);
                    if id.0 % 2 == 0 {
                        self.ask(n, &request, Luck::default());
                    }
                }
            }
            Action::Send(request) => {
                let quiet = handset.quiet_until.get(&request.path).copied().unwrap_or_default();
                assert!(quiet <= now, "{} was told to wait", request.path);
                assert!(
                    handset.out.iter().all(|out| out.path != request.path),
                    "one {} at a time",
                    request.path
                );
                handset.out.push(request);
            }
        }
    }

    fn crash(&mut self, n: usize) {
        let handset = &mut self.handsets[n];
        handset.lives += 1;
        handset.out.clear();
        handset.crash_after = None;
        handset.quiet_until.clear();
        handset.applied.clear();
        let text = serde_json::to_string(&handset.stored).unwrap();
        let saved: Saved = serde_json::from_str(&text).unwrap();
        assert_eq!(saved, handset.stored, "what is stored survives its text");
        handset.signed_out = saved.session.as_ref().is_none_or(|tokens| tokens.expired);
        handset.phone = Phone::new(config(&handset.user, handset.lives), saved);
    }

    fn sign_in(&mut self, n: usize) {
        if std::mem::take(&mut self.handsets[n].signed_out) {
            let user = self.handsets[n].user.clone();
            let (access, refresh) = self.server.sign_in(&user, self.wall());
            let (access, refresh) = (Secret::new(access), Secret::new(refresh));
            self.tell(n, Event::SignedIn { profile: profile(&user), access, refresh });
        }
    }

    /// Ends all faults and lets everything come to rest.
    pub fn heal(&mut self) {
        for n in 0..2 {
            self.handsets[n].crash_after = None;
            self.tell(n, Event::CameOnline);
        }
        for _ in 0..ROUNDS {
            for n in 0..2 {
                self.sign_in(n);
                let (resting, busy): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.handsets[n].out).into_iter().partition(|out| self.rests(n, out));
                self.handsets[n].out = resting;
                for request in busy {
                    self.deliver(n, request, Fate::Answered, Luck { page: 2, ..Luck::default() });
                }
            }
            let mut all = (0..2).flat_map(|n| self.handsets[n].out.iter().map(move |out| (n, out)));
            if (0..2).all(|n| !self.handsets[n].out.is_empty()) && all.all(|(n, out)| self.rests(n, out)) {
                return;
            }
            // Whoever has nothing out waits for a time.
            let idle = self.handsets.iter().filter(|handset| handset.out.is_empty());
            if let Some(at) = idle.filter_map(|handset| handset.phone.poll_timeout()).min() {
                self.now = self.now.max(at.0);
                (0..2).for_each(|n| self.tell(n, Event::Tick));
            }
        }
        let phones = self.handsets.iter().map(|handset| (&handset.phone, &handset.out));
        panic!("no rest: {:#?}", phones.collect::<Vec<_>>());
    }

    /// Whether nothing is left to do but to wait for something new by this long poll.
    fn rests(&self, n: usize, request: &HttpRequest) -> bool {
        let handset = &self.handsets[n];
        let user = handset.user.clone();
        request.body.contains("\"waitS\"")
            && handset.phone.queue().operations().next().is_none()
            && self.server.has_nothing_for(&user, &request.body)
    }

    /// What must hold when everything has come to rest.
    pub fn check(&self) {
        for (n, handset) in self.handsets.iter().enumerate() {
            let roots = handset.phone.cursor().roots.as_set();
            let expected = self.server.state.visible(&handset.user, roots);
            assert_eq!(self.cached(n), expected, "{} sees what the server has", handset.user);
            for (key, row) in handset.phone.cache().rows() {
                assert_eq!(handset.phone.view(key).as_ref(), Some(&row.value), "nothing lies over the cache");
            }
            assert!(!handset.phone.cache().is_resyncing());
            for intent in &handset.owed {
                let effects = self.server.effects.get(intent).copied().unwrap_or(0);
                let overruled = self.server.overruled.get(intent).cloned().unwrap_or_default();
                match (effects, handset.told.get(intent)) {
                    (1, None) => assert!(overruled.is_empty(), "{intent}: {overruled:?} not reported"),
                    (1, Some(Verdict::Overruled { lost })) => {
                        let lost: BTreeSet<String> = lost.iter().map(|lost| lost.attribute.clone()).collect();
                        assert_eq!(lost, overruled, "{intent}");
                    }
                    (0, Some(Verdict::Refused { .. } | Verdict::NeedsDecision { .. })) => {}
                    (0, None) => panic!("{intent} was lost without a report"),
                    (n, told) => panic!("{intent} took effect {n} times and was reported as {told:?}"),
                }
            }
        }
        let twice: Vec<_> = self.server.effects.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "took effect more than once: {twice:?}");
        assert!(!self.server.reused, "a retired refresh token was shown");
    }
}

//! The phone, `gomer_core::client`, against the real server, over a network that loses requests and replies while
//! hours pass: access tokens run out, refresh tokens are replaced behind its back, its battery dies. It is never signed
//! out, and everything counts once.

mod kit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use gomer::http::Side;
use gomer_core::client::{Action, Config, Event, HttpRequest, Phone, Response, Saved, Secret, Write};
use gomer_core::id::Id;
use gomer_core::rng::Rng;
use gomer_net::http::Request;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use kit::{Answer, Kit, PASSWORD, Person, client_key};
use serde_json::{Value, json};

/// A phone, its flash memory, and what lies between it and the server.
struct Handset<'k> {
    kit: &'k Kit,
    config: Config,
    phone: Phone,
    saved: Saved,
    out: VecDeque<HttpRequest>,
    rng: Rng,
    /// Of each hundred requests so many are lost on the way, and so many replies on the way back.
    loss: u64,
    /// Exchanges of tokens whose reply was lost.
    exchanges_lost: usize,
}

impl<'k> Handset<'k> {
    fn new(kit: &'k Kit, person: &Person, seed: u64) -> Handset<'k> {
        let device = Id::mint(kit.host.cluster.now().wall, &mut Rng::new(seed));
        let config = Config { app: "one".into(), client_key: client_key("one"), device, seed };
        let phone = Phone::new(config.clone(), Saved::default());
        let (saved, out, rng) = (Saved::default(), VecDeque::new(), Rng::new(seed));
        let mut handset = Handset { kit, config, phone, saved, out, rng, loss: 0, exchanges_lost: 0 };
        let (access, refresh) = (Secret::new(&*person.token), Secret::new(&*person.refresh));
        handset.tell(Event::SignedIn { profile: person.id.parse().unwrap(), access, refresh });
        handset
    }

    fn tell(&mut self, event: Event) {
        for action in self.phone.handle(self.kit.host.cluster.now(), event) {
            match action {
                Action::Store(commit) => self.saved.apply(*commit),
                Action::Send(request) => self.out.push_back(request),
                Action::Cancel(id) => self.out.retain(|request| request.id != id),
                Action::SignIn(why) => panic!("the phone asks its person to sign in: {why:?}"),
                Action::Report(report) => panic!("{report:?}"),
                Action::Written(result) => drop(result.expect("there is room in the queue")),
                Action::Changed(_) => {}
            }
        }
    }

    /// The battery is empty, then full again.
    fn restart(&mut self) {
        self.config.seed += 1_000;
        self.out.clear();
        self.phone = Phone::new(self.config.clone(), self.saved.clone());
        self.tell(Event::Tick);
    }

    /// Carries one request, or lets the time pass for which the phone waits.
    async fn step(&mut self) {
        let Some(request) = self.out.pop_front() else {
            let due = self.phone.poll_timeout().expect("a phone that is online waits for something");
            self.kit.skip(due.since(self.kit.host.cluster.now().mono) + Duration::from_millis(1));
            return self.tell(Event::Tick);
        };
        let luck = self.rng.below(100);
        if luck < self.loss {
            return self.tell(Event::Failed(request.id));
        }
        let response = self.carry(&request).await;
        if luck < 2 * self.loss {
            self.exchanges_lost += usize::from(request.path.ends_with("/auth.refreshSession"));
            return self.tell(Event::Failed(request.id));
        }
        self.tell(Event::Response(response));
    }

    async fn carry(&self, request: &HttpRequest) -> Response {
        let mut body: Value = serde_json::from_str(&request.body).unwrap();
        // A test has no time to wait for something new.
        body.as_object_mut().unwrap().remove("waitS");
        let mut asked: Request = self.kit.bare(Method::POST, &request.path);
        asked.body = Bytes::from(body.to_string());
        for (name, value) in &request.headers {
            asked.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let answer = self.kit.ask(Side::Public, asked).await;
        let seconds = answer.header("retry-after").and_then(|text| text.parse().ok());
        Response {
            request: request.id,
            status: answer.status,
            retry_after: seconds.map(Duration::from_secs),
            position: answer.header("gomer-position").map(str::to_owned),
            body: answer.text,
        }
    }

    fn is_settled(&self) -> bool {
        self.phone.is_caught_up()
            && self.phone.queue().operations().next().is_none()
            && !self.phone.cache().is_resyncing()
    }

    async fn settle(&mut self) {
        for _ in 0..2_000 {
            if self.is_settled() && self.out.iter().all(|request| request.path.ends_with("/sync.pull")) {
                return;
            }
            self.step().await;
        }
        panic!("the phone does not settle");
    }

    fn rows(&self) -> BTreeMap<String, String> {
        let rows = self.phone.cache().rows();
        rows.map(|(key, row)| (format!("{key:?}"), format!("{} {}", row.rev, row.value))).collect()
    }
}

#[tokio::test]
async fn a_phone_on_a_lossy_network_is_never_signed_out_and_everything_counts_once() {
    let mut exchanges_lost = 0;
    for seed in 0..12 {
        let kit = Kit::start().await;
        let ann = kit.person("ann").await;
        let mut phone = Handset::new(&kit, &ann, seed);
        phone.loss = 30;
        let mut posts = BTreeSet::new();
        for _ in 0..40 {
            match phone.rng.below(8) {
                0..=2 => {
                    let id = kit.uuid();
                    let args = json!({ "id": id, "text": "From a train" });
                    posts.insert(id);
                    let method = "post.create".to_owned();
                    phone.tell(Event::AppWrites(Write { method, args, if_rev: None, edit: None }));
                }
                3 => phone.restart(),
                4 => {
                    phone.tell(Event::WentOffline);
                    kit.skip(Duration::from_secs(60 * phone.rng.below(40)));
                    phone.tell(Event::CameOnline);
                }
                // The phone sleeps with a request out, or none.
                5 => kit.skip(Duration::from_secs(60 * phone.rng.below(30))),
                _ => {}
            }
            for _ in 0..phone.rng.below(8) {
                phone.step().await;
            }
        }
        phone.loss = 0;
        phone.settle().await;
        exchanges_lost += phone.exchanges_lost;
        // Signed in anew: the phone's own access token may be about to run out.
        let body = json!({ "id": kit.uuid(), "handle": ann.handle, "password": PASSWORD });
        let session = kit.call("auth.createSession", None, body).await.expect(200);
        let (token, refresh) = (session.str("/accessToken"), session.str("/refreshToken"));
        let list = json!({ "id": ann.id, "limit": 100 });
        // It reaches the list by a step.
        let all = |answer: &Answer| answer.json["items"].as_array().is_some_and(|it| it.len() >= posts.len());
        let listed = kit.until("post.listByProfile", Some(&token), list, all).await;
        let listed: Vec<&str> = listed.json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|post| post["id"].as_str().unwrap())
            .collect();
        assert_eq!(listed.len(), posts.len(), "seed {seed}: one post for each");
        assert!(listed.iter().all(|id| posts.contains(*id)), "seed {seed}");
        // Who comes later, over a good network, sees the same.
        let person = Person { token, refresh, ..ann };
        let mut twin = Handset::new(&kit, &person, seed + 100);
        for _ in 0..100 {
            phone.tell(Event::CameOnline);
            phone.settle().await;
            twin.settle().await;
            if phone.rows() == twin.rows() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            for late in [&mut phone, &mut twin] {
                late.step().await;
                late.step().await;
            }
        }
        assert_eq!(phone.rows(), twin.rows(), "seed {seed}");
    }
    assert!(exchanges_lost >= 10, "{exchanges_lost}: it never came to what this is about");
}

/// The story of the reply that was lost for good: the pair is given again with little time left, the phone is offline
/// until that has run out, and shows it.
#[tokio::test]
async fn a_pair_given_again_that_ran_out_before_its_first_use_is_exchanged_once_more() {
    let kit = Kit::start().await;
    let ann = kit.person("ann").await;
    let mut phone = Handset::new(&kit, &ann, 1);
    phone.settle().await;
    let minutes = |n: u64| Duration::from_secs(60 * n);
    phone.tell(Event::WentOffline);
    kit.skip(minutes(20));
    phone.tell(Event::CameOnline);
    let exchange = phone.out.pop_front().expect("the access token has run out");
    assert!(exchange.path.ends_with("/auth.refreshSession"), "{exchange:?}");
    // The server replaces the pair, and the reply is lost.
    let first = phone.carry(&exchange).await;
    assert_eq!(first.status, 200, "{}", first.body);
    phone.tell(Event::Failed(exchange.id));
    phone.tell(Event::WentOffline);
    kit.skip(minutes(9));
    phone.tell(Event::CameOnline);
    let exchange = phone.out.pop_front().expect("the same once more");
    let second = phone.carry(&exchange).await;
    phone.tell(Event::Response(second));
    // Before it is used, the phone is offline until it has run out; by the phone's own clock it has not.
    phone.tell(Event::WentOffline);
    kit.skip(minutes(7));
    phone.tell(Event::CameOnline);
    phone.settle().await;
    assert!(!phone.phone.session().is_expired());
}

//! A crowd: people who read, post and like at once, and remember what the server has acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gomer_core::id::Id;
use gomer_core::rng::Rng;
use gomer_core::time::Time;
use gomer_tests::{Api, Gomer};
use serde_json::{Value, json};

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// The profile's id.
    pub id: String,
    handle: String,
    session: Session,
}

/// Tokens of one session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

/// Good for everybody here.
const PASSWORD: &str = "correct horse battery";

impl Person {
    /// Makes an account.
    pub fn sign_up(api: &Api, name: &str) -> Person {
        let id = uuid();
        let handle = format!("{name}_{}", &id[24..]);
        let body = json!({"id": id, "handle": handle, "password": PASSWORD});
        let reply = api.clone().call("auth.createAccount", &body).expect(200).json();
        Person { id, handle, session: session(&reply) }
    }

    /// Signs in once more, as on another device.
    pub fn sign_in(&self, server: &Gomer) -> Session {
        let demo = server.credentials("demo.json");
        let mut api = Api::new(server.http(), "demo", demo["clientKey"].as_str().expect("a key"));
        let body = json!({"id": uuid(), "handle": self.handle, "password": PASSWORD});
        session(&api.call("auth.createSession", &body).expect(200).json())
    }

    /// Calls as this person.
    pub fn api(&self, api: &Api) -> Api {
        api.with_token(&self.session.access)
    }
}

fn session(reply: &Value) -> Session {
    let token = |name: &str| {
        let found = reply.get(name).or_else(|| reply["session"].get(name)).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {name} in {reply}")).to_owned()
    };
    Session { access: token("accessToken"), refresh: token("refreshToken") }
}

/// People who all follow each other.
pub struct Crowd {
    /// All of them.
    pub people: Vec<Person>,
}

/// What was answered with success.
#[derive(Debug, Default)]
pub struct Acknowledged {
    /// Author (by number) and id.
    pub posts: Vec<(usize, String)>,
    /// Who (by number) likes what.
    likes: Vec<(usize, String)>,
}

impl Crowd {
    /// Signs so many up and lets everybody follow everybody.
    pub fn sign_up(api: &Api, count: usize) -> Crowd {
        let people: Vec<Person> = (0..count).map(|at| Person::sign_up(api, &format!("p{at}"))).collect();
        for person in &people {
            let mut api = person.api(api);
            for other in people.iter().filter(|other| other.id != person.id) {
                api.call("follow.create", &json!({"id": other.id})).expect(200);
            }
        }
        Crowd { people }
    }

    /// Everybody at once, together so many requests. With a server to kill, it is killed half-way; what is under
    /// way then has no answer, and nobody goes on.
    pub fn work(&self, api: &Api, requests: usize, victim: Option<Gomer>) -> Acknowledged {
        let made = AtomicUsize::new(0);
        let half = victim.as_ref().map(|_| requests / 2);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.people.len())
                .map(|at| {
                    let (made, api) = (&made, self.people[at].api(api));
                    let is_doomed = half.is_some();
                    scope.spawn(move || self.worker(at, api, requests, made, is_doomed))
                })
                .collect();
            if let (Some(victim), Some(half)) = (victim, half) {
                while made.load(Ordering::Relaxed) < half {
                    thread::sleep(Duration::from_millis(1));
                }
                victim.kill();
            }
            let all = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
            all.fold(Acknowledged::default(), Acknowledged::and)
        })
    }

    /// One person's requests: mostly reads, some writes. Ends early only when the server was to be killed.
    fn worker(
        &self,
        at: usize,
        mut api: Api,
        requests: usize,
        made: &AtomicUsize,
        is_doomed: bool,
    ) -> Acknowledged {
        let mut acknowledged = Acknowledged::default();
        let mut rng = Rng::new(at as u64 ^ 0x5eed ^ requests as u64);
        let mut seen: Vec<String> = Vec::new();
        while made.fetch_add(1, Ordering::Relaxed) < requests {
            let (method, body) = self.request(at, &mut rng, &seen);
            let reply = match api.attempt(method, &[], &body) {
                Ok(reply) => reply,
                Err(error) => {
                    assert!(is_doomed, "{method}: {error}");
                    return acknowledged;
                }
            };
            if is_doomed && reply.status == 503 {
                continue;
            }
            assert_eq!(reply.status, 200, "{method} {body}: {}", reply.told());
            let text = |name: &str| body[name].as_str().expect("it was put there").to_owned();
            match method {
                "post.create" => acknowledged.posts.push((at, text("id"))),
                "like.put" => acknowledged.likes.push((at, text("id"))),
                "timeline.getHome" => seen = posts_in(&reply.json()),
                _ => {}
            }
        }
        acknowledged
    }

    fn request(&self, at: usize, rng: &mut Rng, seen: &[String]) -> (&'static str, Value) {
        let some_post = (!seen.is_empty()).then(|| &seen[rng.below(seen.len() as u64) as usize]);
        match (rng.below(100), some_post) {
            (0..8, _) => {
                ("post.create", json!({"id": uuid(), "text": format!("from {at}, {}", rng.below(1_000_000))}))
            }
            (8..20, Some(post)) => ("like.put", json!({"id": post})),
            (20..45, Some(post)) => ("post.get", json!({"id": post})),
            (45..60, Some(post)) => ("like.getCounts", json!({"ids": [post]})),
            (60..75, _) => {
                ("profile.get", json!({"id": self.people[rng.below(self.people.len() as u64) as usize].id}))
            }
            (75..80, _) => ("sync.pull", json!({})),
            _ => ("timeline.getHome", json!({})),
        }
    }
}

impl Acknowledged {
    /// Both together.
    pub fn and(mut self, other: Acknowledged) -> Acknowledged {
        self.posts.extend(other.posts);
        self.likes.extend(other.likes);
        self
    }

    /// Panics unless every post is there, by its author, and every like stands.
    pub fn check(&self, api: &Api, crowd: &Crowd) {
        let mut reader = crowd.people[0].api(api);
        for page in self.posts.chunks(100) {
            let ids: Vec<&str> = page.iter().map(|(_, id)| id.as_str()).collect();
            let reply = reader.call("post.getMany", &json!({"ids": ids})).expect(200).json();
            let found: BTreeSet<(&str, &str)> = reply["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|post| Some((post["author"].as_str()?, post["id"].as_str()?)))
                .collect();
            for (author, id) in page {
                assert!(
                    found.contains(&(&crowd.people[*author].id, id)),
                    "lost: post {id} of {author} in {reply}"
                );
            }
        }
        for (at, person) in crowd.people.iter().enumerate() {
            let mut reader = person.api(api);
            let liked: BTreeSet<&str> =
                self.likes.iter().filter(|(who, _)| *who == at).map(|(_, post)| post.as_str()).collect();
            let liked: Vec<&str> = liked.into_iter().collect();
            for page in liked.chunks(100) {
                let reply = reader.call("like.getCounts", &json!({"ids": page})).expect(200).json();
                let items = reply["items"].as_array().expect("a list");
                let mine: BTreeSet<&str> = items
                    .iter()
                    .filter(|item| item["mine"] == "like")
                    .filter_map(|item| item["id"].as_str())
                    .collect();
                assert!(
                    page.iter().all(|post| mine.contains(post)),
                    "lost: a like of {at} among {page:?}: {reply}"
                );
            }
        }
    }

    /// Whether every post of somebody whom this person follows is among these.
    pub fn are_in(&self, posts: &[String], person: &Person, crowd: &Crowd) -> bool {
        let held: BTreeSet<&str> = posts.iter().map(String::as_str).collect();
        self.posts
            .iter()
            .filter(|(author, _)| crowd.people[*author].id != person.id)
            .all(|(_, post)| held.contains(post.as_str()))
    }
}

/// Ids of the posts in a page of a timeline.
fn posts_in(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().into_iter().flatten();
    items
        .filter_map(|item| item["object"]["id"].as_str().or(item["id"].as_str()))
        .map(str::to_owned)
        .collect()
}

/// A new id, as a phone would mint it.
pub fn uuid() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each `RandomState` has keys of its own: the only OS randomness in std.
    let seed = RandomState::new().hash_one(std::process::id());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    Id::mint(Time::from_millis(now.as_millis() as u64), &mut Rng::new(seed)).to_string()
}

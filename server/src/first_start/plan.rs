//! What the demo is: drawn from a seed, so that a start that was killed goes on where it was.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::id::Id;
use gomer_core::meta::command::KeyKind;
use gomer_core::rng::Rng;
use gomer_core::time::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::secrets;
use crate::types::Timestamp;

/// All that is random about a demo.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed {
    /// Where its secrets come from.
    pub secret: [u8; 32],
    /// When it was drawn.
    pub time: Time,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    secret: String,
    time: Timestamp,
}

impl Seed {
    /// As it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        let secret = URL_SAFE_NO_PAD.encode(self.secret);
        super::files::pretty(&Stored { secret, time: self.time.into() })
    }

    /// Reads what [`Seed::to_json`] wrote.
    pub fn from_json(json: &[u8]) -> Option<Seed> {
        let stored: Stored = serde_json::from_slice(json).ok()?;
        let secret = URL_SAFE_NO_PAD.decode(stored.secret).ok()?.try_into().ok()?;
        Some(Seed { secret, time: stored.time.0 })
    }

    /// 256 bits for one purpose.
    fn draw(&self, purpose: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"gomer demo\0");
        hasher.update(self.secret);
        hasher.update(purpose.as_bytes());
        hasher.finalize().into()
    }

    /// An id as a client might choose it.
    fn id(&self, purpose: &str) -> Id {
        let draw = self.draw(purpose);
        let number = u64::from_be_bytes(draw[..8].try_into().expect("eight bytes"));
        Id::mint(self.time, &mut Rng::new(number))
    }
}

/// A demo, wholly determined by its seed.
pub struct Plan {
    /// The app's id.
    pub app: Id,
    /// What its tokens are keyed with.
    pub app_secret: [u8; 32],
    /// Its keys.
    pub keys: [PlannedKey; 3],
    /// Its people.
    pub people: Vec<Person>,
    /// Its posts.
    pub posts: Vec<PlannedPost>,
    /// Who follows whom, by number.
    pub follows: Vec<(usize, usize)>,
    /// Who likes what, by numbers of person and post.
    pub likes: Vec<(usize, usize)>,
}

/// A key to be made.
pub struct PlannedKey {
    /// Its id.
    pub id: Id,
    /// What it may do.
    pub kind: KeyKind,
    /// What callers show.
    pub secret: String,
}

/// Somebody.
pub struct Person {
    /// The profile's id.
    pub id: Id,
    /// The handle.
    pub handle: &'static str,
    /// The name.
    pub name: &'static str,
    /// A line about them.
    pub about: &'static str,
    /// The password.
    pub password: String,
}

/// Something that somebody says.
pub struct PlannedPost {
    /// Its id.
    pub id: Id,
    /// Who says it, by number.
    pub author: usize,
    /// What.
    pub text: &'static str,
}

/// The app's name.
pub const APP: &str = "demo";

const PEOPLE: [(&str, &str, &str); 8] = [
    ("ada", "Ada Okafor", "Runs the hill race each spring, and the bakery on Canal Street."),
    ("bruno", "Bruno Carvalho", "Carpenter. Mostly chairs."),
    ("chiara", "Chiara Moretti", "Teaches physics, plays the viola badly."),
    ("dmytro", "Dmytro Kovalenko", "Trains, maps, and trains on maps."),
    ("emi", "Emi Tanaka", "Night photographer."),
    ("freya", "Freya Lindqvist", "Keeps bees on a roof in the city."),
    ("gabriel", "Gabriel Haddad", "Cooks for forty people on Sundays."),
    ("hana", "Hana Novak", "Doctor by day, climber at the weekend."),
];

const POSTS: [(usize, &str); 12] = [
    (0, "First sourdough out of the new oven. Come by before ten! #bread"),
    (1, "A chair is finished when nothing wobbles and nobody asks what it cost. #wood"),
    (4, "The harbour at four in the morning belongs to the cranes. #night"),
    (5, "The bees have moved into the second hive by themselves. #bees"),
    (3, "The night train is back, and it has a dining car. #trains"),
    (2, "Today a student asked why the sky is dark at night. Best question of the year. #physics"),
    (6, "Sunday: lentils, flatbread, and @freya brings the honey. #cooking"),
    (7, "Two of us, one rope, perfect rock. Pictures by @emi soon. #climbing"),
    (0, "The hill race is on again: twelve kilometres, all of it up. Who is in? #running"),
    (3, "I walked the old line to its end. There is a station there without a railway. #trains"),
    (4, "Stars over the north wall, forty minutes on one frame. #night #climbing"),
    (5, "First honey: eleven jars. Four are promised already. #bees #cooking"),
];

const FOLLOWS: [(usize, usize); 20] = [
    (0, 1),
    (0, 5),
    (0, 6),
    (1, 0),
    (1, 2),
    (2, 3),
    (2, 4),
    (2, 7),
    (3, 2),
    (3, 4), //
    (4, 3),
    (4, 7),
    (5, 0),
    (5, 6),
    (6, 0),
    (6, 5),
    (6, 7),
    (7, 4),
    (7, 0),
    (7, 2),
];

const LIKES: [(usize, usize); 22] = [
    (1, 0),
    (5, 0),
    (6, 0),
    (0, 1),
    (2, 1),
    (2, 2),
    (3, 2),
    (7, 2),
    (0, 3),
    (6, 3),
    (2, 4),
    (4, 4), //
    (1, 5),
    (3, 5),
    (5, 6),
    (0, 6),
    (4, 7),
    (2, 7),
    (7, 8),
    (4, 9),
    (7, 10),
    (6, 11),
];

impl Plan {
    /// The demo that a seed gives.
    pub fn new(seed: &Seed) -> Plan {
        let key = |kind, purpose: &str| PlannedKey {
            id: seed.id(&format!("key/{purpose}")),
            kind,
            secret: secrets::key_text(kind, &seed.draw(&format!("secret/{purpose}"))),
        };
        let person = |(handle, name, about): (&'static str, _, _)| Person {
            id: seed.id(&format!("person/{handle}")),
            handle,
            name,
            about,
            // 96 bits: nobody guesses them, and they can be typed.
            password: URL_SAFE_NO_PAD.encode(&seed.draw(&format!("password/{handle}"))[..12]),
        };
        let post = |(number, (author, text)): (usize, (usize, &'static str))| PlannedPost {
            id: seed.id(&format!("post/{number}")),
            author,
            text,
        };
        Plan {
            app: seed.id("app"),
            app_secret: seed.draw("app"),
            keys: [
                key(KeyKind::Client, "client"),
                key(KeyKind::Server, "server"),
                key(KeyKind::Admin, "admin"),
            ],
            people: PEOPLE.into_iter().map(person).collect(),
            posts: POSTS.into_iter().enumerate().map(post).collect(),
            follows: FOLLOWS.to_vec(),
            likes: LIKES.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn seed(byte: u8) -> Seed {
        Seed { secret: [byte; 32], time: Time::from_millis(1_700_000_000_000) }
    }

    #[test]
    fn a_seed_survives_its_file_and_gives_the_same_again() {
        let read = Seed::from_json(&seed(1).to_json()).unwrap();
        assert!(read == seed(1));
        assert!(Seed::from_json(b"{}").is_none());
        let (one, again, other) = (Plan::new(&seed(1)), Plan::new(&read), Plan::new(&seed(2)));
        assert_eq!(
            (one.app, one.people[3].id, &one.people[3].password),
            (again.app, again.people[3].id, &again.people[3].password)
        );
        assert_ne!(one.app, other.app);
        assert_ne!(one.keys[0].secret, other.keys[0].secret);
    }

    #[test]
    fn all_ids_are_different_and_such_as_clients_choose() {
        let plan = Plan::new(&seed(1));
        let ids: Vec<Id> = [plan.app]
            .into_iter()
            .chain(plan.keys.iter().map(|key| key.id))
            .chain(plan.people.iter().map(|person| person.id))
            .chain(plan.posts.iter().map(|post| post.id))
            .collect();
        assert!(ids.iter().all(|id| id.to_string().parse() == Ok(*id)));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn nobody_follows_or_likes_themselves_or_anything_twice() {
        let plan = Plan::new(&seed(1));
        assert!(plan.follows.iter().all(|(who, whom)| who != whom && whom.max(who) < &plan.people.len()));
        assert!(plan.likes.iter().all(|(who, what)| plan.posts[*what].author != *who));
        assert_eq!(plan.follows.iter().collect::<BTreeSet<_>>().len(), plan.follows.len());
        assert_eq!(plan.likes.iter().collect::<BTreeSet<_>>().len(), plan.likes.len());
    }
}

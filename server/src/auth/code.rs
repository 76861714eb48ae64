//! One-time codes: six digits to type, or a 256-bit token to follow as a link.
//!
//! A code is kept in the root of the e-mail address it is asked for, whether or not anybody owns that address,
//! so that asking costs and answers the same for everyone. Only its hash is kept. Each try is counted before it
//! is compared, so that tries side by side are no more than five either.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{OpKey, Operation, Precondition, Write};
use hmac::Mac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credential::any_id;
use super::tokens::keyed;
use crate::model::CODE;
use crate::problem::Code as Problem;
use crate::registry::{Call, NodeView, Stop};
use crate::types::Uuid;

/// Most times that a code is compared with what somebody shows.
pub const TRIES_MAX: u32 = 5;

/// What a code is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// To sign in.
    Login,
    /// To confirm an e-mail address.
    Confirm,
    /// To set a new password.
    Reset,
}

impl Purpose {
    /// How long a code is good.
    pub const fn life(self) -> Duration {
        match self {
            Purpose::Login => Duration::from_secs(10 * 60),
            Purpose::Confirm | Purpose::Reset => Duration::from_secs(30 * 60),
        }
    }

    /// Its name in mails and keys.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::Login => "login",
            Purpose::Confirm => "confirm",
            Purpose::Reset => "reset",
        }
    }

    /// A new code from random bytes: what ends all other sessions is long, the rest can be typed.
    pub fn mint(self, random: [u8; 32]) -> String {
        match self {
            Purpose::Reset => URL_SAFE_NO_PAD.encode(random),
            Purpose::Login | Purpose::Confirm => {
                let mut eight = [0; 8];
                eight.copy_from_slice(&random[..8]);
                format!("{:06}", u64::from_be_bytes(eight) % 1_000_000)
            }
        }
    }

    fn node(self) -> Id {
        Id::derived("code", self.name().as_bytes())
    }
}

/// Stores a new code in place of the one before. The same request again gives nothing: it was sent. `op` is
/// recorded, so that its id with another body is refused.
pub async fn store(
    call: &Call,
    root: Root,
    purpose: Purpose,
    request: Id,
    random: [u8; 32],
    op: Option<OpKey>,
) -> Result<Option<String>, Stop> {
    let id = purpose.node();
    if let Some(node) = call.node(root, id).await?
        && node.attr("request") == Some(&json(&Uuid(request)))
    {
        return Ok(None);
    }
    let text = purpose.mint(random);
    let attrs = vec![
        ("request".to_owned(), json(&Uuid(request))),
        ("hash".to_owned(), json(&hash(call, root, purpose, request, &text))),
        ("expires".to_owned(), (call.now.wall + purpose.life()).as_millis().to_string()),
        ("tries".to_owned(), "0".to_owned()),
    ];
    let put = Operation::PutNode { id, ty: CODE, section: Section::INTERNAL, author: Id::NIL, attrs };
    let mut write = Write::new(call.app.id, root, call.author()).op(put);
    write.op = op;
    let outcome = call.cluster.write(write).await?;
    Ok(outcome.replayed.is_none().then_some(text))
}

/// Uses a code up for what `mark` names; 401 if that cannot be. The same code for the same mark is good
/// again, so that a lost reply costs nothing: then this says `false`.
pub async fn spend(call: &Call, root: Root, purpose: Purpose, shown: &str, mark: Id) -> Result<bool, Stop> {
    let id = purpose.node();
    for _ in 0..RACES_MAX {
        let Some(node) = call.node(root, id).await? else { return refused() };
        let state = State::read(&node);
        if !state.may_try(call.now.wall, mark) {
            return refused();
        }
        let count = Write::new(call.app.id, root, Id::NIL)
            .when(Precondition::AttrIs(id, "request".into(), node.attr("request").map(str::to_owned)))
            .when(Precondition::AttrIs(id, "tries".into(), Some(state.tries.to_string())))
            .op(Operation::AddToAttr { id, name: "tries".into(), delta: 1 });
        match call.cluster.write(count).await {
            Ok(_) => {}
            // Somebody else tried at the same moment: look again.
            Err(Fault::Stale(_) | Fault::Absent) => continue,
            Err(fault) => return Err(fault.into()),
        }
        let Some(request) = state.request else { return refused() };
        if !matches(call, root, purpose, request, shown, &state.hash) {
            return refused();
        }
        let used = Write::new(call.app.id, root, Id::NIL)
            .when(Precondition::AttrIs(id, "request".into(), node.attr("request").map(str::to_owned)))
            .when(Precondition::AttrIs(id, "used".into(), node.attr("used").map(str::to_owned)))
            .op(Operation::PatchNode {
                id,
                attrs: vec![("used".into(), Some(json(&Uuid(mark))))],
                edited: None,
            });
        match call.cluster.write(used).await {
            Ok(_) => return Ok(state.used.is_none()),
            Err(Fault::Stale(_) | Fault::Absent) => continue,
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Problem::Busy.into())
}

/// Always the same answer: that there is no such code, person or address is not told.
fn refused() -> Result<bool, Stop> {
    Err(Problem::Unauthenticated.into())
}

struct State {
    request: Option<Id>,
    hash: String,
    expires: Time,
    tries: u32,
    used: Option<Id>,
}

impl State {
    fn read(node: &NodeView) -> State {
        let text = |name| node.attr(name).and_then(|json| serde_json::from_str::<String>(json).ok());
        let id = |name| text(name).as_deref().and_then(any_id);
        let number = |name| node.attr(name).and_then(|json| json.parse::<u64>().ok());
        State {
            request: id("request"),
            hash: text("hash").unwrap_or_default(),
            expires: Time::from_millis(number("expires").unwrap_or(0)),
            tries: number("tries").map_or(TRIES_MAX, |tries| tries.min(u64::from(TRIES_MAX)) as u32),
            used: id("used"),
        }
    }

    fn may_try(&self, now: Time, mark: Id) -> bool {
        now < self.expires && self.tries < TRIES_MAX && self.used.is_none_or(|used| used == mark)
    }
}

fn mac(call: &Call, root: Root, purpose: Purpose, request: Id, code: &str) -> hmac::Hmac<sha2::Sha256> {
    let mut mac = keyed(&call.app.secret, b"gomer one-time code");
    mac.update(&root.to_bytes());
    mac.update(request.as_bytes());
    mac.update(purpose.name().as_bytes());
    mac.update(b"\0");
    mac.update(code.as_bytes());
    mac
}

fn hash(call: &Call, root: Root, purpose: Purpose, request: Id, code: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(call, root, purpose, request, code).finalize().into_bytes())
}

fn matches(call: &Call, root: Root, purpose: Purpose, request: Id, shown: &str, hash: &str) -> bool {
    let Ok(hash) = URL_SAFE_NO_PAD.decode(hash) else { return false };
    mac(call, root, purpose, request, shown).verify_slice(&hash).is_ok()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("ids and texts are plain data, which JSON can hold")
}

/// Races against other tries before giving up.
const RACES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_shape_of_their_purpose() {
        for purpose in [Purpose::Login, Purpose::Confirm] {
            for n in 0..=255u8 {
                let code = purpose.mint([n; 32]);
                assert!(code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()), "{code}");
            }
        }
        assert_eq!(Purpose::Reset.mint([0xff; 32]).len(), 43);
        assert_ne!(Purpose::Login.node(), Purpose::Reset.node());
    }

    #[test]
    fn a_code_ends_by_time_by_tries_and_by_use() {
        let (now, mark, other) =
            (Time::from_millis(1_000), Id::derived("test", b"mark"), Id::derived("test", b"other"));
        let good = || State {
            request: Some(mark),
            hash: String::new(),
            expires: Time::from_millis(2_000),
            tries: 4,
            used: None,
        };
        assert!(good().may_try(now, mark));
        assert!(State { used: Some(mark), ..good() }.may_try(now, mark), "a lost reply");
        assert!(!State { used: Some(other), ..good() }.may_try(now, mark));
        assert!(!State { tries: 5, ..good() }.may_try(now, mark));
        assert!(!good().may_try(Time::from_millis(2_000), mark));
    }
}

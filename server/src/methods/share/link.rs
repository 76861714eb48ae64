//! Short links to objects. A link tells nobody more than they may see anyway: whoever resolves it sees the object
//! through their own eyes, or there is no such link.

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::Operation;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::object::{Object, Preview, shared};
use super::view::object_of;
use crate::methods::account::made::note_mine;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::json;
use crate::model::SHORT_LINK;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Stop};

/// Letters of a code: no vowels, so that no word comes out, and nothing that looks like something else.
const LETTERS: [u8; 20] = *b"bcdfghjkmnpqrstvwxyz";
/// Letters that a code has. 20 to the twelfth are 52 bits.
const CODE_LEN: usize = 12;
/// Codes that are tried for one link, if another link has the first.
const ATTEMPTS: u8 = 8;

/// The code of a short link: 12 small letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct LinkCode(#[schemars(regex(pattern = r"^[b-z]{12}$"))] pub String);

impl LinkCode {
    /// The code for somebody's link to an object; `attempt` makes it another one.
    fn of(author: Id, object: Root, attempt: u8) -> LinkCode {
        let mut name = author.as_bytes().to_vec();
        name.extend(object.to_bytes());
        name.push(attempt);
        let mut number = u128::from_be_bytes(*Id::derived("share.code", &name).as_bytes());
        let mut letter = || {
            let letter = LETTERS[(number % 20) as usize];
            number /= 20;
            letter as char
        };
        LinkCode((0..CODE_LEN).map(|_| letter()).collect())
    }

    fn id(&self) -> Id {
        Id::derived("share.link", self.0.as_bytes())
    }

    fn root(&self) -> Root {
        Root::new(RootKind::ShortLink, self.id())
    }
}

impl<'de> Deserialize<'de> for LinkCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<LinkCode, D::Error> {
        let text = String::deserialize(from)?;
        let good = text.len() == CODE_LEN && text.bytes().all(|letter| LETTERS.contains(&letter));
        if good { Ok(LinkCode(text)) } else { Err(D::Error::custom("format: the code of a short link")) }
    }
}

/// What to link to.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateLink {
    /// The object.
    object: Object,
}

/// A short link.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ShortLink")]
pub struct Link {
    /// Its code. The address in front of it is the app's own.
    code: LinkCode,
    /// Where it leads.
    object: Object,
    /// Tags for a page that shows where it leads, as whoever asks may see it.
    preview: Preview,
}

/// Makes my short link to an object; the same one each time.
pub async fn create(call: Call, args: CreateLink) -> Result<Reply<Link>, Stop> {
    let me = call.me()?;
    let object = args.object.0;
    for attempt in 0..ATTEMPTS {
        let code = LinkCode::of(me, object, attempt);
        let (id, root) = (code.id(), code.root());
        call.replay(root).await?;
        if let Some(view) = call.node(root, id).await?
            && (view.node.author != me || object_of(&view.node) != Some(object))
        {
            continue;
        }
        let seen = shared(&call, &mut Reader::new(&call), object).await?.ok_or_else(Stop::not_found)?;
        let link = Link { code, object: args.object, preview: seen.preview() };
        let make = Operation::CreateNode {
            id,
            ty: SHORT_LINK,
            section: Section::INTERNAL,
            author: me,
            flags: Flags::default(),
            attrs: vec![(super::view::OBJECT.to_owned(), json(&args.object))],
        };
        let mut write = call.on(root).op(make);
        write.steps.extend(note_mine(&call, root));
        match call.write(write, link).await {
            // Somebody else's link took this code at this moment.
            Err(stop) if stop.code() == Some(Code::IdTaken) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Which link.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetLink {
    /// Its code.
    code: LinkCode,
}

/// Shows where a short link leads.
pub async fn get(call: Call, args: GetLink) -> Result<Reply<Link>, Stop> {
    let view = call.node(args.code.root(), args.code.id()).await?.filter(|view| view.node.ty == SHORT_LINK);
    let view = view.ok_or_else(Stop::not_found)?;
    let mut reader = Reader::new(&call);
    // Who may not meet its maker does not find the link either.
    if !reader.sees_profile(view.node.author).await? {
        return Err(Stop::not_found());
    }
    let object = object_of(&view.node).ok_or_else(Stop::not_found)?;
    let seen = shared(&call, &mut reader, object).await?.ok_or_else(Stop::not_found)?;
    Ok(Reply::new(Link { code: args.code, object: Object(object), preview: seen.preview() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_by_author_object_and_attempt_and_read_as_they_are_written() {
        let id = |byte| Id::from_bytes([byte; 16]);
        let codes = [
            LinkCode::of(id(1), Root::post(id(2)), 0),
            LinkCode::of(id(1), Root::post(id(2)), 1),
            LinkCode::of(id(2), Root::post(id(2)), 0),
            LinkCode::of(id(1), Root::profile(id(2)), 0),
        ];
        for (at, code) in codes.iter().enumerate() {
            assert_eq!(serde_json::from_str::<LinkCode>(&json(code)).unwrap(), *code);
            assert!(codes[at + 1..].iter().all(|other| other != code));
        }
        for bad in ["", "bcdfghjkmnp", "bcdfghjkmnpqr", "acdfghjkmnpq", "BCDFGHJKMNPQ"] {
            assert!(serde_json::from_str::<LinkCode>(&json(&bad)).is_err(), "{bad}");
        }
    }
}

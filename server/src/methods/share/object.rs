//! What can be shared, and what one caller may see of it.

use gomer_core::id::{Id, Root, RootKind};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::methods::checkin::place::{Place, place};
use crate::methods::checkin::view::{CheckIn, checkins};
use crate::methods::news::view::{NewsItem, items};
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{Post, read};
use crate::methods::profile::view::NAME;
use crate::methods::sync::names;
use crate::methods::tweet::view::{Tweet, tweets};
use crate::model::PROFILE;
use crate::registry::{Call, Stop};
use crate::types::Uuid;
use crate::visibility::Sight;

/// An object that can be shared: `post:UUID`, `checkin:UUID`, `place:UUID` or `profile:UUID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
#[schemars(rename = "ShareableObject")]
pub struct Object(
    #[schemars(with = "String", regex(pattern = r"^(post|checkin|place|profile):[0-9a-fA-F-]{36}$"))] pub Root,
);

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        names::write_root(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object, D::Error> {
        let text = String::deserialize(from)?;
        let known = [RootKind::Post, RootKind::CheckIn, RootKind::Place, RootKind::Profile];
        names::parse_root(&text).filter(|root| known.contains(&root.kind)).map(Object).ok_or_else(|| {
            D::Error::custom("format: post, checkin, place or profile, and an id: `post:UUID`")
        })
    }
}

/// A shared object as the caller sees it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
#[schemars(rename = "SharedThing")]
pub enum Shared {
    /// A post.
    Post(Box<Post>),
    /// An item of news. It is named like a post.
    News(Box<NewsItem>),
    /// A tweet that was tracked. It is named like a post.
    Tweet(Box<Tweet>),
    /// A check-in.
    Checkin(Box<CheckIn>),
    /// A place.
    Place(Box<Place>),
    /// A profile.
    Profile(SharedProfile),
}

/// A profile that was shared. Its own page says more.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedProfile {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The object, if the caller may see it.
pub async fn shared(call: &Call, reader: &mut Reader, object: Root) -> Result<Option<Shared>, Stop> {
    let id = object.id;
    Ok(match object.kind {
        RootKind::Post => match reader.posts(&[id]).await?.pop() {
            Some(post) => Some(Shared::Post(Box::new(post))),
            None => elsewhere(call, reader, id).await?,
        },
        RootKind::CheckIn => {
            checkins(call, reader, &[id]).await?.pop().map(|checkin| Shared::Checkin(Box::new(checkin)))
        }
        RootKind::Place => place(call, reader, id).await?.map(|place| Shared::Place(Box::new(place))),
        RootKind::Profile if reader.sight_of_profile(id).await? > Sight::Nothing => {
            let view = call.node(object, id).await?.filter(|view| view.node.ty == PROFILE);
            view.map(|view| Shared::Profile(SharedProfile { id: Uuid(id), name: read(&view.node, NAME) }))
        }
        _ => None,
    })
}

/// What was read elsewhere and stands where posts do.
async fn elsewhere(call: &Call, reader: &mut Reader, id: Id) -> Result<Option<Shared>, Stop> {
    if let Some(item) = items(call, reader, &[id]).await?.pop() {
        return Ok(Some(Shared::News(Box::new(item))));
    }
    Ok(tweets(call, reader, &[id]).await?.pop().map(|tweet| Shared::Tweet(Box::new(tweet))))
}

/// Tags for a page that shows where a link leads, as the Open Graph protocol names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LinkPreview")]
pub struct Preview {
    /// `article`, `place` or `profile`.
    pub kind: &'static str,
    /// In a line.
    pub title: String,
    /// A little more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Shared {
    /// Tags that tell of it.
    pub fn preview(&self) -> Preview {
        let preview = |kind, title: &str, description: Option<String>| Preview {
            kind,
            title: cut(title, TITLE_CHARS),
            description: description.map(|text| cut(&text, DESCRIPTION_CHARS)),
        };
        match self {
            Shared::Post(post) => {
                let first = post.text.lines().next().unwrap_or_default();
                let rest = (first.len() < post.text.len() || first.chars().count() > TITLE_CHARS)
                    .then(|| post.text.clone());
                preview("article", first, rest)
            }
            Shared::News(item) => preview("article", &item.title, item.summary.clone()),
            Shared::Tweet(tweet) => preview("article", &tweet.handle, Some(tweet.text.clone())),
            Shared::Checkin(checkin) => {
                let name = checkin.place.name.as_deref().unwrap_or_default();
                preview("place", name, checkin.note.clone())
            }
            Shared::Place(place) => preview("place", &place.name, place.address.clone()),
            Shared::Profile(profile) => preview("profile", profile.name.as_deref().unwrap_or_default(), None),
        }
    }
}

/// Most characters of a preview's title.
const TITLE_CHARS: usize = 70;
/// Most characters of its description.
const DESCRIPTION_CHARS: usize = 200;

/// The text, cut with an ellipsis if it is longer.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::id::Id;
    use gomer_core::time::Time;

    #[test]
    fn previews_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        let text = format!("{}\nmore", "ä".repeat(80));
        let post = Post::new(Id::from_bytes([1; 16]), Id::from_bytes([2; 16]), text, Time::ZERO);
        let preview = Shared::Post(Box::new(post)).preview();
        assert_eq!(preview.title.chars().count(), TITLE_CHARS);
        assert!(preview.description.is_some_and(|text| text.ends_with("more")));
    }

    #[test]
    fn only_what_can_be_shared_is_read() {
        let id = "0190a6b2-5c1e-7a3b-8f00-0123456789ab";
        for kind in ["post", "checkin", "place", "profile"] {
            let object: Object = serde_json::from_str(&format!("\"{kind}:{id}\"")).unwrap();
            assert_eq!(serde_json::to_string(&object).unwrap(), format!("\"{kind}:{id}\""));
        }
        for bad in [format!("chat:{id}"), format!("node:{id}"), id.to_owned(), "post:7".to_owned()] {
            assert!(serde_json::from_str::<Object>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}

//! Typeahead: people, tags and places that begin like what somebody is writing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::eyes::{Eyes, Seen};
use super::{asked, lag_ms};
use crate::methods::checkin::place::Place;
use crate::methods::post::view::Tag;
use crate::methods::profile::view::Profile;
use crate::registry::{Call, Reply, Stop};
use crate::search::question::words_of;
use crate::search::words::fold;
use crate::types::{Limit, List, Text};

/// Posts that are looked at for their tags: the newest that the caller may see.
const POSTS_LOOKED_AT: usize = 50;

/// What is being written.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suggest {
    /// How it begins. After an `@` only people are meant, after a `#` only tags.
    text: Text<1, 64>,
    /// Of which kinds; if absent, of all that are meant.
    kinds: Option<List<SuggestedKind, 1, 3>>,
    /// How many of each kind at most.
    #[serde(default)]
    limit: Limit<5, 20>,
}

/// What can be suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum SuggestedKind {
    /// People.
    Profile,
    /// Tags.
    Tag,
    /// Places.
    Place,
}

/// Suggestions.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestions {
    /// People first, then tags, then places.
    items: Vec<Suggestion>,
    /// How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while
    /// the index is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
}

/// A suggestion.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Suggestion {
    /// Somebody whose handle or name begins so.
    Profile(Box<Profile>),
    /// A tag that begins so.
    Tag(SuggestedTag),
    /// A place whose name has words that begin so.
    Place(Box<Place>),
}

/// A tag.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SuggestedTag {
    /// The tag, without the `#`.
    tag: Tag,
    /// How many of the newest posts that the caller may see carry it; at most 50 were looked at.
    posts: u64,
}

pub async fn suggest(call: Call, args: Suggest) -> Result<Reply<Suggestions>, Stop> {
    use SuggestedKind::{Place, Profile, Tag};
    let text = args.text.0.trim();
    let words = asked::words(text)?;
    let meant: &[SuggestedKind] = match text.chars().next() {
        Some('@') => &[Profile],
        Some('#') => &[Tag],
        _ => &[Profile, Tag, Place],
    };
    let kinds = args.kinds.map(|list| list.0);
    let wants = |kind| meant.contains(&kind) && kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
    let (lag_ms, limit) = (lag_ms(&call), args.limit.0 as usize);
    let mut eyes = Eyes::unmuted(&call);
    let mut items = Vec::new();
    let suggestion = |thing| match thing {
        Seen::Profile(profile) => Some(Suggestion::Profile(profile)),
        Seen::Place(place) => Some(Suggestion::Place(place)),
        _ => None,
    };
    if wants(Profile) {
        let seen = eyes.look(&asked::called(&call, text, &words), None, limit).await?.seen;
        items.extend(seen.into_iter().filter_map(suggestion));
    }
    if wants(Tag) {
        let tags = tags(&call, &mut eyes, text, limit).await?;
        items.extend(tags.into_iter().map(Suggestion::Tag));
    }
    if wants(Place) {
        let seen = eyes.look(&[asked::places_called(&call, &words)], None, limit).await?.seen;
        items.extend(seen.into_iter().filter_map(suggestion));
    }
    Ok(Reply::new(Suggestions { items, lag_ms }))
}

/// Tags that begin so, of posts that the caller may see: a tag that only hidden posts carry is not told. Those that are used
/// most among the newest come first.
async fn tags(call: &Call, eyes: &mut Eyes<'_>, text: &str, limit: usize) -> Result<Vec<SuggestedTag>, Stop> {
    let beginning = fold(text.strip_prefix('#').unwrap_or(text));
    // No tag has a space or a stop in it.
    if words_of(&beginning).is_err() || !beginning.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(Vec::new());
    }
    let seen = eyes.look(&[asked::tagged(call, &beginning)], None, POSTS_LOOKED_AT).await?.seen;
    let mut counts = BTreeMap::<Tag, u64>::new();
    for thing in seen {
        let Seen::Post(post) = thing else { continue };
        for tag in post.tags {
            if fold(&tag.0).starts_with(&beginning) {
                *counts.entry(tag).or_default() += 1;
            }
        }
    }
    let mut tags: Vec<SuggestedTag> =
        counts.into_iter().map(|(tag, posts)| SuggestedTag { tag, posts }).collect();
    // Equals stay in the order of the alphabet.
    tags.sort_by_key(|tag| std::cmp::Reverse(tag.posts));
    tags.truncate(limit);
    Ok(tags)
}

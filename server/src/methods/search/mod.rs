//! `search`: people, posts, places and tags by words.
//!
//! What people write is words and never a query language: every word must be there, in any order; case and accents do not
//! count. The index of [`crate::search`] says which things may fit; [`eyes`] reads each of them for the caller, and what does
//! not fit as it is shown is not shown. So neither an index that is behind, nor a block, ban or audience that changed a moment
//! ago, ever shows something that its own method would not show.
//!
//! Reading order: [`documents`], [`follow`], [`eyes`], [`asked`].
//!
//! Must never learn: how the index is kept.

mod asked;
mod documents;
mod eyes;
pub mod follow;
mod suggest;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::eyes::{Eyes, Seen, Spot};
use crate::methods::album::view::Album;
use crate::methods::checkin::place::Place;
use crate::methods::photo::view::Photo;
use crate::methods::post::view::{Post, Tag};
use crate::methods::profile::view::Profile;
use crate::methods::reply::view::Comment;
use crate::problem::Code;
use crate::registry::{Call, Method, Reply, Role, Stop};
use crate::types::{Limit, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("search.findAll", find_all)
            .role(Role::Anonymous)
            .about("Finds people, posts, photos and places by words, the first few of each."),
        Method::query("search.findPhotos", find_photos)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Finds photos and albums by words, author, who is on them and time, newest first."),
        Method::query("search.findPosts", find_posts)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Finds posts and replies by words, author, tag and time, newest first."),
        Method::query("search.findProfiles", find_profiles)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Finds people by how the words of their handle and name begin, and by words of their profile, the best first."),
        Method::query("search.suggest", suggest::suggest)
            .role(Role::Anonymous)
            .about("Completes what somebody is writing: people to mention, tags and places."),
    ]
}

/// Words. At most 16 different ones.
type Words = Text<1, 200>;

/// What to find everywhere.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindAll {
    /// Plain words, each of which must be there; at most 16.
    text: Words,
    /// How many of each kind at most.
    #[serde(default)]
    limit: Limit<5, 20>,
}

/// What was found, by kind. For more of a kind there is a method of its own.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FoundAll {
    /// People.
    profiles: Vec<Profile>,
    /// Posts and replies, newest first.
    posts: Vec<FoundPost>,
    /// Photos and albums, newest first.
    photos: Vec<FoundPhoto>,
    /// Places, by name.
    places: Vec<Place>,
    /// How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while
    /// the index is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
}

async fn find_all(call: Call, args: FindAll) -> Result<Reply<FoundAll>, Stop> {
    let words = asked::words(&args.text.0)?;
    let lag_ms = lag_ms(&call);
    let limit = args.limit.0 as usize;
    let mut eyes = Eyes::unmuted(&call);
    let mut seen = eyes.look(&asked::people(&call, &args.text.0, &words), None, limit).await?.seen;
    let posts = asked::posts(&call, &words, &asked::Filters::default());
    seen.extend(eyes.look(&[posts], None, limit).await?.seen);
    let photos = asked::photos(&call, &words, &asked::Filters::default());
    seen.extend(eyes.look(&[photos], None, limit).await?.seen);
    seen.extend(eyes.look(&[asked::places(&call, &words)], None, limit).await?.seen);
    let (profiles, posts, photos, places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut found = FoundAll { profiles, posts, photos, places, lag_ms };
    for thing in seen {
        match thing {
            Seen::Profile(profile) => found.profiles.push(*profile),
            Seen::Post(post) => found.posts.push(FoundPost::Post(post)),
            Seen::Reply(reply) => found.posts.push(FoundPost::Reply(reply)),
            Seen::Photo(photo) => found.photos.push(FoundPhoto::Photo(photo)),
            Seen::Album(album) => found.photos.push(FoundPhoto::Album(album)),
            Seen::Place(place) => found.places.push(*place),
        }
    }
    Ok(Reply::new(found))
}

/// Which posts. At least one of text, author and tag.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindPosts {
    /// Plain words, each of which must be there; at most 16.
    text: Option<Words>,
    /// Whose.
    author: Option<Uuid>,
    /// The tag that they carry, with or without the `#`; accents do not count.
    tag: Option<Tag>,
    /// Not older than this.
    since: Option<Timestamp>,
    /// Not newer than this.
    until: Option<Timestamp>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page of the same question.
    cursor: Option<String>,
}

/// A post or a reply.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
enum FoundPost {
    /// A post.
    Post(Box<Post>),
    /// A reply to a post or to another reply.
    Reply(Box<Comment>),
}

/// A page of what was found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Found_{T}")]
struct Found<T> {
    /// What was found and the caller may see.
    items: Vec<T>,
    /// Where the next page begins; hand it back as it is. Absent when there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether this was the last page for now.
    end: bool,
    /// How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while
    /// the index is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
}

async fn find_posts(call: Call, args: FindPosts) -> Result<Reply<Found<FoundPost>>, Stop> {
    let words = match &args.text {
        Some(text) => asked::words(&text.0)?,
        None if args.author.is_none() && args.tag.is_none() => {
            return Err(Stop::invalid("/text", "missing", "Say a word, an author or a tag."));
        }
        None => Vec::new(),
    };
    let filters = asked::Filters {
        author: args.author,
        tag: args.tag,
        since: args.since.map(|since| since.0),
        until: args.until.map(|until| until.0),
        ..asked::Filters::default()
    };
    let list = format!("search.findPosts/{}/{}", words.join(" "), filters.name());
    let after: Option<Spot> = call.open_cursor(&list, args.cursor.as_deref())?;
    let lag_ms = lag_ms(&call);
    // Who asks for somebody by name gets them, muted or not.
    let mut eyes = if filters.author.is_some() { Eyes::new(&call) } else { Eyes::unmuted(&call) };
    let question = asked::posts(&call, &words, &filters);
    let sighted = eyes.look(&[question], after, args.limit.0 as usize).await?;
    let items = sighted.seen.into_iter().filter_map(|thing| match thing {
        Seen::Post(post) => Some(FoundPost::Post(post)),
        Seen::Reply(reply) => Some(FoundPost::Reply(reply)),
        _ => None,
    });
    let cursor = sighted.spot.map(|spot| call.seal_cursor(&list, &spot));
    Ok(Reply::new(Found { items: items.collect(), cursor, end: sighted.end, lag_ms }))
}

/// Which photos and albums. At least one of text, author and person.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindPhotos {
    /// Plain words, each of which must be there: in a caption, a description, the name of a place, a title; at most 16.
    text: Option<Words>,
    /// Whose.
    author: Option<Uuid>,
    /// Who is on it. Albums show nobody.
    person: Option<Uuid>,
    /// Not older than this.
    since: Option<Timestamp>,
    /// Not newer than this.
    until: Option<Timestamp>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page of the same question.
    cursor: Option<String>,
}

/// A photo or an album.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
enum FoundPhoto {
    /// A photo.
    Photo(Box<Photo>),
    /// An album.
    Album(Box<Album>),
}

async fn find_photos(call: Call, args: FindPhotos) -> Result<Reply<Found<FoundPhoto>>, Stop> {
    let words = match &args.text {
        Some(text) => asked::words(&text.0)?,
        None if args.author.is_none() && args.person.is_none() => {
            return Err(Stop::invalid("/text", "missing", "Say a word, an author or a person."));
        }
        None => Vec::new(),
    };
    let filters = asked::Filters {
        author: args.author,
        person: args.person,
        since: args.since.map(|since| since.0),
        until: args.until.map(|until| until.0),
        ..asked::Filters::default()
    };
    let list = format!("search.findPhotos/{}/{}", words.join(" "), filters.name());
    let after: Option<Spot> = call.open_cursor(&list, args.cursor.as_deref())?;
    let lag_ms = lag_ms(&call);
    let mut eyes = if filters.author.is_some() { Eyes::new(&call) } else { Eyes::unmuted(&call) };
    let question = asked::photos(&call, &words, &filters);
    let sighted = eyes.look(&[question], after, args.limit.0 as usize).await?;
    let items = sighted.seen.into_iter().filter_map(|thing| match thing {
        Seen::Photo(photo) => Some(FoundPhoto::Photo(photo)),
        Seen::Album(album) => Some(FoundPhoto::Album(album)),
        _ => None,
    });
    let cursor = sighted.spot.map(|spot| call.seal_cursor(&list, &spot));
    Ok(Reply::new(Found { items: items.collect(), cursor, end: sighted.end, lag_ms }))
}

/// Which people.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindProfiles {
    /// Plain words, each of which begins a word of handle and name, or is a word of the profile; at most 16.
    text: Words,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page of the same question.
    cursor: Option<String>,
}

async fn find_profiles(call: Call, args: FindProfiles) -> Result<Reply<Found<Profile>>, Stop> {
    let words = asked::words(&args.text.0)?;
    let questions = asked::people(&call, &args.text.0, &words);
    let list = format!("search.findProfiles/{}", crate::search::words::fold(&args.text.0));
    let after: Option<Spot> = call.open_cursor(&list, args.cursor.as_deref())?;
    let lag_ms = lag_ms(&call);
    let sighted = Eyes::new(&call).look(&questions, after, args.limit.0 as usize).await?;
    let items = sighted.seen.into_iter().filter_map(|thing| match thing {
        Seen::Profile(profile) => Some(*profile),
        _ => None,
    });
    let cursor = sighted.spot.map(|spot| call.seal_cursor(&list, &spot));
    Ok(Reply::new(Found { items: items.collect(), cursor, end: sighted.end, lag_ms }))
}

/// How far the index is behind.
fn lag_ms(call: &Call) -> Option<u64> {
    call.host.search.lag(call.now.mono).map(|lag| lag.as_millis() as u64)
}

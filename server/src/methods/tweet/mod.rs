//! `tweet`: messages of Mastodon and X that an app tracks, by account, tag or search; people like them and reply to them.
//!
//! Reading order: [`super::source`], [`view`], [`provider`], [`mastodon`], [`x`], [`quota`], [`read`].
//!
//! Must never learn: how anything is sent.

pub mod mastodon;
pub mod provider;
pub mod quota;
pub mod read;
pub mod view;
pub mod x;

#[cfg(test)]
mod tests;

use gomer_core::id::{Id, Order};
use gomer_core::vnode::query::LinkPlace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::view::{AccountName, ServerName, Service, Subject, Track, Tweet, tweets};
use super::news::view::Health;
use super::post::hydrate::Reader;
use super::post::view::Tag;
use super::source::{Kind, create as create_source, delete as delete_source, source, source_root, sources};
use crate::model::{ALL_SOURCE_ITEMS, SOURCE_ITEMS};
use crate::problem::Code;
use crate::registry::{Call, Idempotency, Method, Reply, Rev, Role, Stop};
use crate::types::{Limit, Page, Text, Timestamp, Uuid};

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("tweet.createTrack", create_track)
            .role(Role::AppAdmin)
            .idempotency(Idempotency::ClientId)
            .emits(&["track.created"])
            .errors(&[Code::IdTaken, Code::TooLarge, Code::CursorExpired])
            .about("Tracks an account or a tag at a server of Mastodon or at X, or a search at X."),
        Method::procedure("tweet.deleteTrack", delete_track)
            .role(Role::AppAdmin)
            .emits(&["track.deleted"])
            .errors(&[Code::NotFound, Code::StaleRevision])
            .about("Stops tracking; the tweets that were found go with it."),
        Method::query("tweet.listTracks", list_tracks)
            .role(Role::Anonymous)
            .errors(&[Code::CursorInvalid])
            .about("Lists what this app tracks, what was added last first."),
        Method::query("tweet.list", list)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound, Code::CursorInvalid])
            .about("Lists tweets of one track or of all, those found last first."),
        Method::query("tweet.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows one tweet with the likes and replies that were made here."),
    ]
}

/// What to track.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateTrack {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// Where.
    service: Service,
    /// At which server: for Mastodon, and only for it.
    server: Option<ServerName>,
    /// What this account writes. One of `account`, `tag` and `query` is given.
    account: Option<AccountName>,
    /// Or what carries this tag.
    tag: Option<Tag>,
    /// Or what this search finds, in the words of X; only there.
    query: Option<Text<1, 400>>,
}

async fn create_track(call: Call, args: CreateTrack) -> Result<Reply<Track>, Stop> {
    let id = args.id.0;
    call.replay(source_root(id)).await?;
    let subject = match (args.account, args.tag, args.query) {
        (Some(name), None, None) => Subject::Account(name.0),
        (None, Some(tag), None) => Subject::Tag(tag.0),
        (None, None, Some(query)) if args.service == Service::X => Subject::Query(query.0),
        (None, None, Some(_)) => return Err(Stop::invalid("/query", "value", "Only X has searches.")),
        _ => {
            let detail = "Give one of `account`, `tag` and `query`.";
            return Err(Stop::invalid("/account", "value", detail));
        }
    };
    if (args.service == Service::Mastodon) != args.server.is_some() {
        let detail = "A server is given for Mastodon, and only for it.";
        return Err(Stop::invalid("/server", "value", detail));
    }
    if let (Service::X, Subject::Account(name)) = (args.service, &subject)
        && (name.len() > 15 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    {
        let detail = "A name at X has 1 to 15 letters, digits or underscores.";
        return Err(Stop::invalid("/account", "format", detail));
    }
    let server = args.server.map(|server| server.0);
    let track = Track::new(args.id, args.service, server, subject, Timestamp(call.now.wall));
    if let Some(first) = made_before(&call, id, &track).await? {
        return Ok(first);
    }
    let again = track.clone();
    match create_source(&call, Kind::Track, id, track.attrs(), track).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, id, &again).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if this track was made before. 409 if the id is something else's or was deleted.
async fn made_before(call: &Call, id: Id, track: &Track) -> Result<Option<Reply<Track>>, Stop> {
    match call.node_or_tombstone(source_root(id), id).await? {
        (Some(view), _) if view.node.ty == Kind::Track.ty() => match Track::read(id, &view) {
            Some(first) if first.is_like(track) => Ok(Some(Reply::new(first).rev(view.rev))),
            _ => Err(Code::IdTaken.into()),
        },
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// Which track.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeleteTrack {
    /// The track.
    id: Uuid,
    /// Refuse if the track is not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// What is gone.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeletedTrack")]
struct Deleted {
    /// Its id.
    id: Uuid,
    /// Always true.
    deleted: bool,
}

async fn delete_track(call: Call, args: DeleteTrack) -> Result<Reply<Deleted>, Stop> {
    let id = args.id.0;
    call.replay(source_root(id)).await?;
    let deleted = Deleted { id: args.id, deleted: true };
    let (view, gone) = call.node_or_tombstone(source_root(id), id).await?;
    if view.is_none() && gone {
        return Ok(Reply::new(deleted));
    }
    let view = view.filter(|view| view.node.ty == Kind::Track.ty()).ok_or_else(Stop::not_found)?;
    let guard = call.guard(id, &view, args.if_rev, &Track::read(id, &view))?;
    delete_source(&call, id, Kind::Track, guard, deleted).await
}

/// Which page.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListTracks {
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list_tracks(call: Call, args: ListTracks) -> Result<Reply<Page<Track>>, Stop> {
    const LIST: &str = "tweet.listTracks";
    let after: Option<LinkPlace> = call.open_cursor(LIST, args.cursor.as_deref())?;
    let (found, place, end) = sources(&call, Kind::Track, after, args.limit.0).await?;
    let cursor = place.map(|place| call.seal_cursor(LIST, &place)).or(args.cursor);
    let mut items = Vec::with_capacity(found.len());
    for (id, view) in found {
        let Some(mut track) = Track::read(id, &view) else { continue };
        if call.is_app_admin() {
            track.health = Health::of(&call, id).await?;
        }
        items.push(track);
    }
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which tweets.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListTweets {
    /// Of this track; of all tracks, if absent.
    track: Option<Uuid>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

async fn list(call: Call, args: ListTweets) -> Result<Reply<Page<Tweet>>, Stop> {
    let (root, stream, list) = match args.track {
        Some(track) => (source_root(track.0), SOURCE_ITEMS, format!("tweet.list/{track}")),
        None => (Kind::Track.list_root(), ALL_SOURCE_ITEMS, "tweet.list".to_owned()),
    };
    let from: Option<Order> = call.open_cursor(&list, args.cursor.as_deref())?;
    if let Some(track) = args.track
        && source(&call, Kind::Track, track.0).await?.is_none()
    {
        return Err(Stop::not_found());
    }
    let (entries, end) = call.entry_page(root, stream, from, true, args.limit.0).await?;
    // The cursor is the place that was read, not the last item that was shown: nothing is skipped or repeated.
    let cursor = entries.last().map(|last| call.seal_cursor(&list, &last.order)).or(args.cursor);
    let ids: Vec<Id> = entries.iter().map(|view| view.entry.activity.object.id).collect();
    let items = tweets(&call, &mut Reader::new(&call), &ids).await?;
    Ok(Reply::new(Page { items, cursor, end }))
}

/// Which tweet.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetTweet {
    /// The tweet.
    id: Uuid,
}

async fn get(call: Call, args: GetTweet) -> Result<Reply<Tweet>, Stop> {
    let found = tweets(&call, &mut Reader::new(&call), &[args.id.0]).await?.pop();
    let tweet = found.ok_or_else(Stop::not_found)?;
    let rev = tweet.rev;
    Ok(Reply::new(tweet).rev(rev))
}

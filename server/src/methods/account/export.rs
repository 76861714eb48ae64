//! Taking along all that is held about oneself: a file of JSON lines, made by work that comes round, kept for a week behind
//! an address that is good for a day and is given anew as often as its owner asks.
//!
//! The file is an upload of the person's own like any other, so that it is stored, swept, moved and erased like one.
//! What is in it is the person's own root as their phones have it, the things that they made, and what they said in
//! chats. What others did (their home timeline, what they were told of) is not theirs to take.

use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, RootKind, Section, StreamId};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Write};
use gomer_core::vnode::query::{DeltaFrom, DeltaItem, LinkPlace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::made::thing_of;
use super::record::At;
use crate::auth::credential::Credential;
use crate::auth::session::Session;
use crate::blob::sniff::Format;
use crate::blob::{BlobFault, Key, Object, Scratch, Variant, hex};
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::chat::view::is_message;
use crate::methods::media::facts::{Facts, FileFacts, Life, Media};
use crate::methods::media::references::{
    Attached, FACTS, Place, claim, facts_of, hold, media_node, media_root, note_media, release, stand_on,
};
use crate::methods::media::{EXPIRES_AT, SHA256, SIZE, TYPE, blob_stop};
use crate::methods::post::view::json as text;
use crate::methods::sync::item::{Item, ItemValue};
use crate::methods::sync::names;
use crate::model::{
    ALBUMS, CHATS, CHECKED_IN, EXPORTS, HOME, MADE, MEDIA, MESSAGES, NOTIFICATIONS, PHOTOS, PUBLISHED,
    REVISIONS, SESSION, SHARES,
};
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Caller, Reply, Stop};
use crate::types::{Empty, Timestamp, Uuid};

/// How long an export is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long one may take to make.
const MAKING: Duration = Duration::from_secs(2 * 24 * 3_600);
/// Rows or things that one step reads.
const PAGE: u32 = 100;
/// Steps that one round takes for one person.
const STEPS_MAX: usize = 500;
/// How often it is tried again when somebody else changes the same record.
const ATTEMPTS: usize = 4;
/// The sections of their own root that a person's phones have.
const SECTIONS: [Section; 3] = [Section::PRIVATE, Section::PUBLIC, Section::INVERSE];

/// How far the file is. In this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    /// The account: names, sessions.
    Account,
    /// The own root, section by section.
    Own(usize),
    /// What stands in one of the streams of own things, stream by stream.
    Things(usize),
    /// What is noted as made.
    Made,
    /// What was said in chats.
    Said,
    /// All lines are there.
    Finish,
    /// It can be fetched.
    Ready,
}

/// Streams of own things.
const THINGS: [StreamId; 5] = [PUBLISHED, PHOTOS, ALBUMS, CHECKED_IN, SHARES];

/// An export. Its link leads from a root of the app to the person.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: Uuid,
    profile: Uuid,
    requested_at: Timestamp,
    stage: Stage,
    /// The upload that is made; another one each time that it begins anew.
    media: Uuid,
    /// Bytes that have been written.
    bytes: u64,
    /// Lines that have been written.
    lines: u64,
    #[serde(default)]
    at: At,
    /// Where in a section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<DeltaFrom>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready: Option<Finished>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finished {
    attached: Attached,
    expires_at: Timestamp,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ExportState {
    /// It is being made.
    Pending,
    /// It can be fetched.
    Ready,
}

/// An export of all that is held about a person.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Its id.
    id: Uuid,
    /// How far it is.
    state: ExportState,
    /// When it was asked for.
    requested_at: Timestamp,
    /// Lines so far.
    lines: u64,
    /// Bytes so far.
    bytes: u64,
    /// Where it is, when it is ready: a path on this server that needs no headers and is good for a day. Ask again for
    /// another one. Each line of it is a JSON object with a `type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// SHA-256 of its bytes, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Until when it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl Export {
    fn of(call: &Call, record: Record) -> Export {
        let Record { id, requested_at, lines, bytes, media, ready, .. } = record;
        let media: Option<Media> = ready
            .as_ref()
            .and_then(|ready| ready.attached.facts.show(&call.app, media.0, Life::Day, call.now.wall));
        Export {
            id,
            state: if ready.is_some() { ExportState::Ready } else { ExportState::Pending },
            requested_at,
            lines,
            bytes,
            url: media.map(|media| media.url),
            sha256: ready.as_ref().map(|ready| ready.attached.facts.sha256.clone()),
            expires_at: ready.map(|ready| ready.expires_at),
        }
    }
}

fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("exports", b""))
}

async fn of(call: &Call, profile: Id) -> Result<Option<(Record, String)>, Stop> {
    let Some(link) = call.link(root(), EXPORTS, profile).await? else { return Ok(None) };
    let record = serde_json::from_str(&link.link.data);
    let record =
        record.map_err(|_| Problem::new(Code::Internal).detail("An export's record cannot be read."))?;
    Ok(Some((record, link.link.data)))
}

/// Whether this is the file of the export that is kept for this person. For the sweep.
pub async fn keeps(call: &Call, profile: Id, media: Id, claim: Uuid) -> Result<bool, Stop> {
    let ready = of(call, profile).await?.and_then(|(record, _)| record.ready);
    Ok(ready.is_some_and(|ready| {
        (ready.attached.id.0, ready.attached.claim) == (media, claim) && ready.expires_at.0 > call.now.wall
    }))
}

/// A wish for an export.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestExport {
    /// Its id, chosen by the caller.
    id: Uuid,
}

/// Starts an export. While one is made, that one is it; one that is ready gives way to the next.
pub async fn request(call: Call, args: RequestExport) -> Result<Reply<Export>, Stop> {
    let me = call.me()?;
    call.replay(root()).await?;
    for _ in 0..ATTEMPTS {
        let known = of(&call, me).await?;
        if let Some((record, _)) = &known
            && (record.id == args.id || record.ready.is_none())
        {
            return Ok(Reply::new(Export::of(&call, record.clone())).cache(Cache::Never));
        }
        let record = Record {
            id: args.id,
            profile: Uuid(me),
            requested_at: Timestamp(call.now.wall),
            stage: Stage::Account,
            media: Uuid(call.cluster.mint()),
            bytes: 0,
            lines: 0,
            at: At::default(),
            from: None,
            ready: None,
        };
        let mut write = call.on(root()).op(put(&record)).when(match &known {
            Some((_, text)) => Precondition::LinkData(EXPORTS, me, text.clone()),
            None => Precondition::LinkAbsent(EXPORTS, me),
        });
        let old = known.and_then(|(record, _)| record.ready);
        write.steps.extend(old.map(|old| release(&call, &old.attached, Place::Export(Uuid(me)))));
        match call.write(write, Export::of(&call, record)).await {
            Ok(reply) => return Ok(reply.cache(Cache::Never)),
            Err(stop) if matches!(stop.code(), Some(Code::NotFound | Code::IdTaken)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

/// Shows how far my export is, and where it is.
pub async fn get(call: Call, _: Empty) -> Result<Reply<Export>, Stop> {
    let (record, _) = of(&call, call.me()?).await?.ok_or_else(Stop::not_found)?;
    if record.ready.as_ref().is_some_and(|ready| ready.expires_at.0 <= call.now.wall) {
        return Err(Stop::not_found());
    }
    Ok(Reply::new(Export::of(&call, record)).cache(Cache::Never))
}

fn put(record: &Record) -> Operation {
    Operation::PutLink {
        ty: EXPORTS,
        to: record.profile.0,
        section: Section::INTERNAL,
        time: None,
        data: text(record),
    }
}

/// Goes on with every export, in all apps, and removes those whose time is over.
pub async fn round(host: &Arc<Host>) -> Result<(), Stop> {
    let apps: Vec<Arc<App>> = host.cluster.meta().apps.values().cloned().collect();
    for app in apps {
        if app.state == AppState::Frozen || !host.cluster.leads(app.id, root()) {
            continue;
        }
        let call = Call::own(host, app, Caller::Server { acting_as: None }, "account.export");
        let mut after = None;
        loop {
            let (links, end) = call.link_page(root(), EXPORTS, after, PAGE).await?;
            after = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
            for link in &links {
                for _ in 0..STEPS_MAX {
                    if !step(host, &call.app, link.to).await? {
                        break;
                    }
                }
            }
            if end {
                break;
            }
        }
    }
    Ok(())
}

/// The job.
pub fn job() -> Job {
    let go = |host: Arc<Host>, _: u64| -> Round { Box::pin(async move { round(&host).await }) };
    Job { name: "account.export", every: Duration::from_secs(20), round: go }
}

/// Takes one step of somebody's export: whether there is another one to take now.
pub async fn step(host: &Arc<Host>, app: &Arc<App>, profile: Id) -> Result<bool, Stop> {
    let call = Call::own(host, app.clone(), Caller::Server { acting_as: Some(profile) }, "account.export");
    let Some((record, old)) = of(&call, profile).await? else { return Ok(false) };
    if let Some(ready) = &record.ready {
        if ready.expires_at.0 <= call.now.wall {
            drop_record(&call, profile, &old, Some(&ready.attached)).await?;
        }
        return Ok(false);
    }
    if call.node(Root::profile(profile), profile).await?.is_none() {
        // Erased meanwhile: there is nobody to give it to.
        call.host.blobs.discard(scratch(&call, &record)).await.map_err(blob_stop)?;
        drop_record(&call, profile, &old, None).await?;
        return Ok(false);
    }
    let next = match record.stage {
        Stage::Finish => finish(&call, record).await?,
        _ => write(&call, record).await?,
    };
    let more = next.ready.is_none();
    let store = Write::new(call.app.id, root(), Id::NIL)
        .when(Precondition::LinkData(EXPORTS, profile, old))
        .op(put(&next));
    match call.cluster.write(store).await {
        Ok(_) => Ok(more),
        // Another member was faster, or another export was asked for.
        Err(Fault::Absent) => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

/// Forgets an export, and lets go of its file.
pub async fn forget(call: &Call, profile: Id) -> Result<(), Stop> {
    let Some((record, old)) = of(call, profile).await? else { return Ok(()) };
    if record.ready.is_none() {
        call.host.blobs.discard(scratch(call, &record)).await.map_err(blob_stop)?;
    }
    drop_record(call, profile, &old, record.ready.as_ref().map(|ready| &ready.attached)).await
}

async fn drop_record(call: &Call, profile: Id, old: &str, file: Option<&Attached>) -> Result<(), Stop> {
    let mut write = Write::new(call.app.id, root(), Id::NIL)
        .when(Precondition::LinkData(EXPORTS, profile, old.to_owned()))
        .op(Operation::DeleteLink { ty: EXPORTS, to: profile });
    write.steps.extend(file.map(|file| release(call, file, Place::Export(Uuid(profile)))));
    match call.cluster.write(write).await {
        Ok(_) | Err(Fault::Absent) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

fn scratch(call: &Call, record: &Record) -> Scratch {
    Scratch { app: call.app.id, id: record.media.0 }
}

/// The upload, before anything is written to it.
async fn open(call: &Call, record: &Record) -> Result<(), Stop> {
    let (id, who) = (record.media.0, record.profile.0);
    let attrs = vec![
        (SIZE.to_owned(), text(&0)),
        (SHA256.to_owned(), text(&"")),
        (TYPE.to_owned(), text(&"application/x-ndjson")),
        (EXPIRES_AT.to_owned(), text(&Timestamp(call.now.wall + MAKING))),
    ];
    let make = Operation::CreateNode {
        id,
        ty: MEDIA,
        section: Section::INTERNAL,
        author: who,
        flags: Flags::default(),
        attrs,
    };
    // With a note, so that the sweep finds it if it is given up.
    let write = Write::new(call.app.id, media_root(id), who).op(make).step(note_media(call, id));
    call.cluster.write(write).await?;
    Ok(())
}

/// Reads the next page and adds its lines to the file. If the file is not as long as the record says (a crash between
/// the two, or another member's disk), the export begins anew.
async fn write(call: &Call, record: Record) -> Result<Record, Stop> {
    if record.bytes == 0 {
        open(call, &record).await?;
    }
    let (lines, next) = page(call, &record).await?;
    let bytes: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let scratch = scratch(call, &record);
    if bytes.is_empty() {
        return Ok(next);
    }
    let added = bytes.len() as u64;
    match call.host.blobs.append(scratch, record.bytes, bytes.into()).await {
        Ok(()) => {
            Ok(Record { bytes: record.bytes + added, lines: record.lines + lines.len() as u64, ..next })
        }
        Err(BlobFault::Moved(_) | BlobFault::Absent) => {
            call.host.blobs.discard(scratch).await.map_err(blob_stop)?;
            Ok(Record {
                stage: Stage::Account,
                media: Uuid(call.cluster.mint()),
                bytes: 0,
                lines: 0,
                at: At::default(),
                from: None,
                ..record
            })
        }
        Err(fault) => Err(blob_stop(fault)),
    }
}

/// The lines of the next page, and the record as it is behind it.
async fn page(call: &Call, record: &Record) -> Result<(Vec<Value>, Record), Stop> {
    let who = record.profile.0;
    let own = Root::profile(who);
    let to = |stage: Stage| Record { stage, at: At::default(), from: None, ..record.clone() };
    Ok(match record.stage {
        Stage::Account => (account(call, record).await?, to(Stage::Own(0))),
        Stage::Own(section) => {
            let from = record.from.unwrap_or(DeltaFrom {
                position: gomer_core::id::Position::ZERO,
                resync: None,
                history: 0,
                era: 0,
            });
            let section_id = SECTIONS[section];
            let (mut pages, eras) = call.deltas(own, &[(section_id, from)], PAGE).await?;
            let page = pages.pop().ok_or(Code::Internal)?;
            let is_own = |change: &DeltaItem| {
                !matches!(change, DeltaItem::Entry(HOME | NOTIFICATIONS, _) | DeltaItem::Gone(..))
            };
            let line = |change| {
                let item = Item::of_change(&call.app, own, section_id, &eras, change);
                let mut line = serde_json::to_value(&item).unwrap_or_default();
                line.as_object_mut().map(|line| line.remove("op"));
                line
            };
            let lines = page.items.into_iter().filter(is_own).map(line).collect();
            let next = match (page.end, section + 1) {
                (false, _) => Record { from: Some(page.next), ..record.clone() },
                (true, next) if next < SECTIONS.len() => to(Stage::Own(next)),
                (true, _) => to(Stage::Things(0)),
            };
            (lines, next)
        }
        Stage::Things(stream) => {
            let (page, end) = call.entry_page(own, THINGS[stream], record.at.order, false, PAGE).await?;
            let mut lines = Vec::new();
            for view in &page {
                // Everything that is published stands in its own stream too, but for posts.
                let object = view.entry.activity.object;
                if THINGS[stream] != PUBLISHED || object.kind == RootKind::Post {
                    lines.extend(thing(call, who, object).await?);
                }
            }
            let next = match (page.last(), stream + 1) {
                (Some(last), _) if !end => {
                    Record { at: At { order: Some(last.order), link: None }, ..record.clone() }
                }
                (_, next) if next < THINGS.len() => to(Stage::Things(next)),
                _ => to(Stage::Made),
            };
            (lines, next)
        }
        Stage::Made => {
            let (page, end) = call.link_page(own, MADE, record.at.link, PAGE).await?;
            let mut lines = Vec::new();
            for made in page.iter().filter_map(|link| thing_of(&link.link.data)) {
                lines.extend(thing(call, who, made).await?);
            }
            let next = match page.last() {
                Some(last) if !end => {
                    let place = LinkPlace { time: last.time, to: last.to };
                    Record { at: At { link: Some(place), order: None }, ..record.clone() }
                }
                _ => to(Stage::Said),
            };
            (lines, next)
        }
        Stage::Said => said(call, record).await?,
        Stage::Finish | Stage::Ready => (Vec::new(), record.clone()),
    })
}

/// The account: what no phone has, without anything that would let somebody in.
async fn account(call: &Call, record: &Record) -> Result<Vec<Value>, Stop> {
    let who = record.profile.0;
    let credential = Credential::load(call, who).await?.map(|(credential, _)| credential).unwrap_or_default();
    let mut lines = vec![json!({
        "type": "export", "version": 1, "profile": record.profile, "app": call.app.name,
        "requestedAt": record.requested_at,
    })];
    lines.push(json!({
        "type": "account",
        "handle": credential.handle.map(|(handle, _)| handle.as_str().to_owned()),
        "email": credential.email.map(|(email, _)| email.as_str().to_owned()),
        "emailConfirmed": credential.email_confirmed,
    }));
    let (sessions, _) = call.link_page(Root::profile(who), SESSION, None, PAGE).await?;
    for link in sessions {
        let Some(session) = Session::read(&link.link.data) else { continue };
        lines.push(json!({
            "type": "session", "id": session.id, "device": Uuid(link.to),
            "startedAt": Timestamp(session.started()), "refreshedAt": Timestamp(session.refreshed()),
        }));
    }
    Ok(lines)
}

/// The lines of something that this person made: its nodes, and what it said before its edits.
async fn thing(call: &Call, who: Id, root: Root) -> Result<Vec<Value>, Stop> {
    let mut lines = Vec::new();
    for (id, view) in call.nodes(root, PAGE).await?.into_iter().filter(|(_, view)| view.node.author == who) {
        let (name, rev) = (names::node(&call.app, view.node.ty).into_owned(), view.rev);
        let value = ItemValue::Node(id, view.node);
        lines.push(
            json!({ "type": name, "root": names::root(root), "id": Uuid(id), "rev": rev, "value": value }),
        );
    }
    if root.kind == RootKind::Post && !lines.is_empty() {
        let (entries, _) = call.entry_page(root, REVISIONS, None, false, PAGE).await?;
        for view in entries {
            let before: Value = serde_json::from_str(&view.entry.activity.extra).unwrap_or_default();
            lines.push(json!({ "type": "revision", "root": names::root(root), "value": before }));
        }
    }
    Ok(lines)
}

/// A page of what this person said in their chats, one chat after the other.
async fn said(call: &Call, record: &Record) -> Result<(Vec<Value>, Record), Stop> {
    let who = record.profile.0;
    let (chats, end) = call.link_page(Root::profile(who), CHATS, record.at.link, 1).await?;
    let finish = || Record { stage: Stage::Finish, at: At::default(), ..record.clone() };
    let Some(chat) = chats.first() else { return Ok((Vec::new(), finish())) };
    let root = Root::chat(chat.to);
    let (page, over) = call.entry_page(root, MESSAGES, record.at.order, false, PAGE).await?;
    let mut lines = Vec::new();
    for view in page.iter().filter(|view| view.entry.activity.actor == who && is_message(view)) {
        let content: Value = serde_json::from_str(&view.entry.activity.extra).unwrap_or_default();
        lines.push(json!({
            "type": "message", "root": names::root(root), "id": Uuid(view.entry.id),
            "at": Timestamp(view.entry.time), "value": content,
        }));
    }
    let next = match (page.last(), over) {
        (Some(last), false) => Record { at: At { order: Some(last.order), ..record.at }, ..record.clone() },
        _ if end => finish(),
        _ => {
            let place = LinkPlace { time: chat.time, to: chat.to };
            Record { at: At { link: Some(place), order: None }, ..record.clone() }
        }
    };
    Ok((lines, next))
}

/// Makes the file a media that is kept for a while.
async fn finish(call: &Call, record: Record) -> Result<Record, Stop> {
    let (id, who) = (record.media.0, record.profile.0);
    let Some(view) = media_node(call, id).await? else { return Err(Code::Internal.into()) };
    if facts_of(&view).is_none() {
        let scratch = scratch(call, &record);
        let (hash, _) = match call.host.blobs.digest(scratch).await {
            Ok(digest) => digest,
            Err(BlobFault::Absent) => {
                let media = Uuid(call.cluster.mint());
                return Ok(Record { stage: Stage::Account, media, bytes: 0, lines: 0, ..record });
            }
            Err(fault) => return Err(blob_stop(fault)),
        };
        let facts = match stand_on(call, &hash, id).await? {
            Some(facts) => facts,
            None => {
                let object = Object { app: call.app.id, hash, id: call.cluster.mint() };
                let key = Key { object, variant: Variant::Original };
                call.host.blobs.io(move |store| store.keep(scratch, key)).await.map_err(blob_stop)?;
                let file = FileFacts {
                    variant: Variant::Original,
                    format: Format::Bin,
                    bytes: record.bytes,
                    width: None,
                    height: None,
                };
                let facts = Facts {
                    object: Uuid(object.id),
                    sha256: hex(&hash),
                    uploaded: record.bytes,
                    animated: false,
                    blur_hash: None,
                    files: vec![file],
                };
                hold(call, facts, id).await?
            }
        };
        let attrs = vec![(FACTS.to_owned(), Some(text(&facts)))];
        let done = Write::new(call.app.id, media_root(id), who)
            .when(Precondition::NodePresent(id))
            .op(Operation::PatchNode { id, attrs, edited: None });
        call.cluster.write(done).await?;
    }
    let place = Place::Export(record.profile);
    let attached = claim(call, who, &[record.media], place, |_| "/id".to_owned()).await?.pop();
    let attached = attached.ok_or(Code::Internal)?;
    let expires_at = Timestamp(call.now.wall + KEPT);
    Ok(Record { stage: Stage::Ready, ready: Some(Finished { attached, expires_at }), ..record })
}

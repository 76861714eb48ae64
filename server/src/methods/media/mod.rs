//! `media`: uploads, and what becomes of them.
//!
//! An upload is announced with its size and hash; its bytes come over an address that needs no headers, or part by
//! part through [`put_part`]; then it is finished. What it becomes, a media, has the upload's id. Bytes that the app
//! has already need not come again.
//!
//! Reading order: [`facts`], [`references`], this, [`finish`], [`seen`], [`sweep`].
//!
//! Must never learn: where bytes are kept (that is `blob`'s), and what a post or a photo looks like.

pub mod facts;
pub mod finish;
pub mod references;
pub mod seen;
pub mod sweep;

use std::time::Duration;

use gomer_core::id::{Id, Section};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::facts::{Life, Media, Sha256Hex};
use self::references::{FACTS, facts_of, media_node, media_root, note_media, stand_on};
use crate::blob::sign::Signed;
use crate::blob::sniff::Format;
use crate::blob::{BlobFault, Scratch, UPLOAD_BYTES_MAX};
use crate::methods::post::view::{json, read};
use crate::model::{MEDIA, MEDIA_USED_BY};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Idempotency, Method, NodeView, Reply, Rev, Role, Stop};
use crate::types::{Text, Timestamp, Uuid};

/// Largest part of an upload.
pub const PART_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long an upload may take, and its address is good.
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::procedure("media.createUpload", create_upload)
            .role(Role::User)
            .idempotency(Idempotency::ClientId)
            .errors(&[Code::IdTaken, Code::CursorExpired])
            .about(
                "Opens a resumable upload. Bytes that the app has already finish at once; else they go to an address that is good \
                 for 24 hours and needs no headers: PUT the whole, or parts with `Upload-Offset`; HEAD tells the offset.",
            ),
        Method::procedure("media.putPart", put_part)
            .role(Role::Owner)
            .takes_bytes(PART_BYTES_MAX)
            .errors(&[Code::NotFound, Code::InProgress])
            .about("Uploads one part at an offset; its body is the bytes. What has come already may come again."),
        Method::procedure("media.finishUpload", finish::finish_upload)
            .role(Role::Owner)
            .emits(&["media.ready"])
            .errors(&[Code::NotFound, Code::InProgress])
            .about(
                "Checks size, hash and type of what has come, takes out of pictures what the camera wrote about itself, and makes \
                 smaller sizes.",
            ),
        Method::query("media.getUpload", get_upload)
            .role(Role::Owner)
            .errors(&[Code::NotFound])
            .about("Tells how far an upload got."),
        Method::query("media.get", get)
            .role(Role::Anonymous)
            .errors(&[Code::NotFound])
            .about("Shows facts and addresses of one media, its smaller sizes included."),
    ]
}

/// A new upload.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateUpload {
    /// Its id, chosen by the caller: later that of the media.
    id: Uuid,
    /// How many bytes will come: 1 to 104,857,600.
    size: UploadSize,
    /// Their SHA-256.
    sha256: Sha256Hex,
    /// Their content type, as the caller sees it. What they are is told from the bytes; if that contradicts, the upload
    /// cannot be finished.
    #[serde(rename = "type")]
    content_type: Option<Text<1, 127>>,
}

/// Bytes of an upload.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(transparent)]
struct UploadSize(#[schemars(range(min = 1, max = 104_857_600))] u64);

impl<'de> Deserialize<'de> for UploadSize {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<UploadSize, D::Error> {
        let size = u64::deserialize(from)?;
        if (1..=UPLOAD_BYTES_MAX).contains(&size) {
            Ok(UploadSize(size))
        } else {
            Err(serde::de::Error::custom("range: an upload has 1 to 104,857,600 bytes"))
        }
    }
}

/// How far an upload got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum UploadState {
    /// Its bytes are awaited, or it is not finished yet.
    Open,
    /// It is a media.
    Ready,
}

/// An upload.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id.
    id: Uuid,
    /// How far it got.
    state: UploadState,
    /// How many bytes it has.
    size: u64,
    /// How many of them have come: where the next part begins.
    offset: u64,
    /// Where its bytes go: a path on this server. Absent when it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Until when it must be finished. Absent when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// What it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media>,
    /// Its revision.
    rev: Rev,
}

/// Attribute: bytes that are announced.
pub const SIZE: &str = "size";
/// Attribute: their hash, in hex.
pub const SHA256: &str = "sha256";
/// Attribute: their content type, as the caller sees it.
pub const TYPE: &str = "type";
/// Attribute: until when it must be finished.
pub const EXPIRES_AT: &str = "expiresAt";

/// What was announced of an upload.
pub struct Announced {
    /// How many bytes.
    pub size: u64,
    /// Their hash, in hex.
    pub sha256: String,
    /// Their content type, as the caller sees it.
    pub content_type: Option<String>,
    /// Until when it must be finished.
    pub expires_at: Timestamp,
}

impl Announced {
    /// Reads it from a media's node.
    pub fn of(view: &NodeView) -> Announced {
        Announced {
            size: read(view, SIZE).unwrap_or(0),
            sha256: read(view, SHA256).unwrap_or_default(),
            content_type: read(view, TYPE),
            expires_at: read(view, EXPIRES_AT).unwrap_or(Timestamp(view.created)),
        }
    }

    /// 422 if bytes of this format are not what was announced.
    pub fn check(&self, format: Format) -> Result<(), Stop> {
        match &self.content_type {
            Some(said) if !format.may_be_called(said) => {
                let found = format.content_type();
                Err(Stop::invalid("/type", "value", format!("By their first bytes they are {found}.")))
            }
            _ => Ok(()),
        }
    }
}

/// The scratch of an upload.
pub fn scratch(call: &Call, id: Id) -> Scratch {
    Scratch { app: call.app.id, id }
}

/// The problem that a fault of the blob store is.
pub fn blob_stop(fault: BlobFault) -> Stop {
    match fault {
        BlobFault::Full => Code::DiskFull.into(),
        BlobFault::Busy => Problem::new(Code::Busy).retry_after(2).into(),
        BlobFault::Absent | BlobFault::Moved(_) => Code::InProgress.into(),
        BlobFault::Io(what) => {
            tracing::error!(what, "a file could not be read or written");
            Problem::new(Code::Unavailable).retry_after(5).into()
        }
    }
}

async fn create_upload(call: Call, args: CreateUpload) -> Result<Reply<Upload>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(media_root(id)).await?;
    let (size, hash) = (args.size.0, args.sha256);
    if let Some(first) = made_before(&call, me, id, Some((size, hash))).await? {
        return Ok(first);
    }
    let announced = Announced {
        size,
        sha256: hash.text(),
        content_type: args.content_type.map(|name| name.0),
        expires_at: Timestamp(call.now.wall + UPLOAD_LIFE),
    };
    // Bytes that are there already. Whoever knows their hash has had them in hand.
    let known = stand_on(&call, &hash.0, id).await?.filter(|facts| facts.uploaded == size);
    if let Some(facts) = &known {
        announced.check(facts.files.first().map_or(Format::Bin, |file| file.format))?;
    }
    let mut attrs = vec![
        (SIZE.to_owned(), json(&size)),
        (SHA256.to_owned(), json(&announced.sha256)),
        (EXPIRES_AT.to_owned(), json(&announced.expires_at)),
    ];
    attrs.extend(announced.content_type.iter().map(|name| (TYPE.to_owned(), json(name))));
    attrs.extend(known.iter().map(|facts| (FACTS.to_owned(), json(facts))));
    let media = known.and_then(|facts| facts.show(&call.app, id, Life::Day, call.now.wall));
    let upload = shown(&call, id, &announced, 0, media, Rev::Pending);
    let write = call
        .on(media_root(id))
        .when(Precondition::NodeAbsent(id))
        .op(Operation::CreateNode {
            id,
            ty: MEDIA,
            section: Section::INTERNAL,
            author: me,
            flags: Flags::default(),
            attrs,
        })
        .step(note_media(&call, id));
    match call.write(write, upload).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id, None).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The first result, if the caller opened this upload before. 409 if the id is somebody else's, was given up, or was
/// announced with other bytes.
async fn made_before(
    call: &Call,
    me: Id,
    id: Id,
    announced: Option<(u64, Sha256Hex)>,
) -> Result<Option<Reply<Upload>>, Stop> {
    match call.node_or_tombstone(media_root(id), id).await? {
        (Some(view), _) if view.author == me && view.ty == MEDIA => {
            let first = Announced::of(&view);
            if announced.is_some_and(|(size, hash)| (size, hash.text()) != (first.size, first.sha256)) {
                return Err(Code::IdTaken.into());
            }
            let upload = upload(call, id, &view).await?;
            Ok(Some(Reply::new(upload).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// An upload as it is.
async fn upload(call: &Call, id: Id, view: &NodeView) -> Result<Upload, Stop> {
    let announced = Announced::of(view);
    let media = facts_of(view).and_then(|facts| facts.show(&call.app, id, Life::Day, call.now.wall));
    let offset = match media {
        Some(_) => announced.size,
        None => call.host.blobs.scratch_bytes(scratch(call, id)).await.map_err(blob_stop)?,
    };
    Ok(shown(call, id, &announced, offset, media, view.rev))
}

fn shown(call: &Call, id: Id, announced: &Announced, offset: u64, media: Option<Media>, rev: Rev) -> Upload {
    let is_open = media.is_none();
    Upload {
        id: Uuid(id),
        state: if is_open { UploadState::Open } else { UploadState::Ready },
        size: announced.size,
        offset: if is_open { offset } else { announced.size },
        url: is_open.then(|| Signed::Upload(id).address(&call.app, Some(announced.expires_at.0))),
        expires_at: is_open.then_some(announced.expires_at),
        media,
        rev,
    }
}

/// The caller's own upload; 404 for any other.
pub async fn mine(call: &Call, me: Id, id: Id) -> Result<NodeView, Stop> {
    media_node(call, id).await?.filter(|view| view.author == me).ok_or_else(Stop::not_found)
}

/// A part of an upload.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutPart {
    /// The upload.
    id: Uuid,
    /// Where the part begins: at most how much has come.
    offset: u64,
}

/// How much of an upload has come.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Progress {
    /// The upload.
    id: Uuid,
    /// How many bytes have come: where the next part begins.
    offset: u64,
    /// How many it has.
    size: u64,
}

async fn put_part(call: Call, args: PutPart) -> Result<Reply<Progress>, Stop> {
    let me = call.me()?;
    let view = mine(&call, me, args.id.0).await?;
    let size = Announced::of(&view).size;
    if facts_of(&view).is_some() {
        return Ok(Reply::new(Progress { id: args.id, offset: size, size }));
    }
    let scratch = scratch(&call, args.id.0);
    let blobs = &call.host.blobs;
    let _alone = blobs.occupy(scratch).ok_or(Code::InProgress)?;
    let have = blobs.scratch_bytes(scratch).await.map_err(blob_stop)?;
    if args.offset > have {
        let detail = format!("{have} bytes have come: the next part begins there, or before.");
        return Err(Stop::invalid("/offset", "range", detail));
    }
    let end = args.offset + call.bytes.len() as u64;
    if end > size {
        return Err(Problem::new(Code::TooLarge).detail(format!("The upload has {size} bytes.")).into());
    }
    if end <= have {
        return Ok(Reply::new(Progress { id: args.id, offset: have, size }));
    }
    let known = (have - args.offset) as usize;
    blobs.append(scratch, have, call.bytes.slice(known..)).await.map_err(blob_stop)?;
    Ok(Reply::new(Progress { id: args.id, offset: end, size }))
}

/// Which upload.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetUpload {
    /// The upload.
    id: Uuid,
}

async fn get_upload(call: Call, args: GetUpload) -> Result<Reply<Upload>, Stop> {
    let me = call.me()?;
    let view = mine(&call, me, args.id.0).await?;
    // Without a tag: the offset moves while the revision stays.
    Ok(Reply::new(upload(&call, args.id.0, &view).await?))
}

/// Which media.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetMedia {
    /// The media.
    id: Uuid,
}

async fn get(call: Call, args: GetMedia) -> Result<Reply<Media>, Stop> {
    let id = args.id.0;
    let view = media_node(&call, id).await?.ok_or_else(Stop::not_found)?;
    let facts = facts_of(&view).ok_or_else(Stop::not_found)?;
    let life = life_for(&call, id, &view).await?.ok_or_else(Stop::not_found)?;
    let media = facts.show(&call.app, id, life, call.now.wall).ok_or(Code::Internal)?;
    Ok(Reply::new(media))
}

/// Places of a media that are looked at to tell who may see it.
const PLACES_MAX: u32 = 50;

/// For how long the caller may have addresses of a media: its owner, and whoever may see something that shows it.
async fn life_for(call: &Call, id: Id, view: &NodeView) -> Result<Option<Life>, Stop> {
    let (links, _) = call.link_page(media_root(id), MEDIA_USED_BY, None, PLACES_MAX).await?;
    let mut life = (call.maybe_me() == Some(view.author) || call.is_app_admin()).then_some(Life::Day);
    let mut eyes = seen::Eyes::new(call);
    for link in links {
        let Ok(used) = serde_json::from_str::<references::Use>(&link.link.data) else { continue };
        match eyes.sees(used.place, id).await? {
            Some(Life::ForGood) => return Ok(Some(Life::ForGood)),
            Some(Life::Day) => life = Some(Life::Day),
            None => {}
        }
    }
    Ok(life)
}

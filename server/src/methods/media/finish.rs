//! From bytes that have come to a media.

use gomer_core::id::Id;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::Deserialize;

use super::facts::{Facts, FileFacts, Life, Media};
use super::references::{FACTS, facts_of, hold, media_node, media_root, note_media, stand_on};
use super::{Announced, blob_stop, mine, scratch};
use crate::blob::picture::{self, Unfit};
use crate::blob::sniff::{Format, MediaKind, sniff};
use crate::blob::{BlobFault, Key, Object, Scratch, Variant, hex};
use crate::methods::post::view::json;
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Stop};
use crate::types::Uuid;

/// Which upload.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishUpload {
    /// The upload.
    id: Uuid,
}

/// Checks what has come, and makes it a media.
pub async fn finish_upload(call: Call, args: FinishUpload) -> Result<Reply<Media>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    call.replay(media_root(id)).await?;
    let view = mine(&call, me, id).await?;
    if let Some(done) = finished(&call, id, &view) {
        return Ok(done);
    }
    let scratch = scratch(&call, id);
    // Twice at once would be twice the work.
    let _alone = call.host.blobs.occupy(scratch).ok_or(Code::InProgress)?;
    let announced = Announced::of(&view);
    let hash = checked(&call, scratch, &announced).await?;
    let facts = match stand_on(&call, &hash.0, id).await? {
        // Somebody else was done with the same bytes meanwhile.
        Some(facts) => {
            announced.check(facts.files.first().map_or(Format::Bin, |file| file.format))?;
            facts
        }
        None => {
            announced.check(hash.1)?;
            let made = made(&call, scratch, hash, announced.size).await?;
            hold(&call, made, id).await?
        }
    };
    let media = facts.show(&call.app, id, Life::Day, call.now.wall).ok_or(Code::Internal)?;
    let write = call
        .on(media_root(id))
        .when(Precondition::NodePresent(id))
        .when(Precondition::AttrIs(id, FACTS.to_owned(), None))
        .op(Operation::PatchNode { id, attrs: vec![(FACTS.to_owned(), Some(json(&facts)))], edited: None })
        .step(note_media(&call, id));
    let done = match call.write(write, media).await {
        // Another member was first.
        Err(stop) if stop.code() == Some(Code::StaleRevision) => {
            let view = media_node(&call, id).await?.ok_or_else(Stop::not_found)?;
            finished(&call, id, &view).ok_or_else(|| Code::InProgress.into())
        }
        done => done,
    };
    if done.is_ok() {
        // What stays now, the sweep finds.
        let _ = call.host.blobs.discard(scratch).await;
    }
    done
}

fn finished(call: &Call, id: Id, view: &NodeView) -> Option<Reply<Media>> {
    let media = facts_of(view)?.show(&call.app, id, Life::Day, call.now.wall)?;
    Some(Reply::new(media).rev(view.rev))
}

/// Hash and format of what has come, if it is what was announced. Bytes that are not are thrown away.
async fn checked(call: &Call, scratch: Scratch, announced: &Announced) -> Result<([u8; 32], Format), Stop> {
    let blobs = &call.host.blobs;
    let have = blobs.scratch_bytes(scratch).await.map_err(blob_stop)?;
    if have < announced.size {
        let detail = format!("{have} of {} bytes have come.", announced.size);
        return Err(Stop::invalid("/id", "incomplete", detail));
    }
    let (hash, head) = blobs.digest(scratch).await.map_err(blob_stop)?;
    if have > announced.size || hex(&hash) != announced.sha256 {
        blobs.discard(scratch).await.map_err(blob_stop)?;
        let detail =
            "What came has another hash than was announced; it was thrown away: send it again from 0.";
        return Err(Stop::invalid("/sha256", "value", detail));
    }
    Ok((hash, sniff(&head)))
}

/// Stores the files of a new object. If this is broken off, nothing refers to them, and the sweep finds them.
async fn made(
    call: &Call,
    scratch: Scratch,
    (hash, format): ([u8; 32], Format),
    size: u64,
) -> Result<Facts, Stop> {
    let object = Object { app: call.app.id, hash, id: call.cluster.mint() };
    let original = Key { object, variant: Variant::Original };
    let facts = |animated, blur_hash, files| Facts {
        object: Uuid(object.id),
        sha256: hex(&hash),
        uploaded: size,
        animated,
        blur_hash,
        files,
    };
    if format.kind() != MediaKind::Image {
        call.host.blobs.io(move |store| store.keep(scratch, original)).await.map_err(blob_stop)?;
        let file = FileFacts { variant: Variant::Original, format, bytes: size, width: None, height: None };
        return Ok(facts(false, None, vec![file]));
    }
    let developed = call.host.blobs.long(move |store| {
        let source = store.open_scratch(scratch)?;
        let picture = match picture::develop(source, size, format) {
            Ok(picture) => picture,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let mut files = Vec::with_capacity(picture.files.len());
        for file in picture.files {
            store.put(Key { object, variant: file.variant }, &file.bytes)?;
            let (bytes, format) = (file.bytes.len() as u64, file.format);
            let (width, height) = (Some(file.width), Some(file.height));
            files.push(FileFacts { variant: file.variant, format, bytes, width, height });
        }
        Ok(Ok((picture.animated, picture.blur_hash, files)))
    });
    match developed.await {
        Ok(Ok((animated, blur_hash, files))) => Ok(facts(animated, Some(blur_hash), files)),
        Ok(Err(unfit)) => {
            // The same bytes will never do.
            call.host.blobs.discard(scratch).await.map_err(blob_stop)?;
            Err(refusal(unfit))
        }
        Err(fault @ BlobFault::Full) => {
            // Nothing of half an object is to stay on a full disk.
            let _ = call.host.blobs.delete(object).await;
            Err(blob_stop(fault))
        }
        Err(fault) => Err(blob_stop(fault)),
    }
}

fn refusal(unfit: Unfit) -> Stop {
    match unfit {
        Unfit::TooLarge(what) => Problem::new(Code::TooLarge).detail(what).at("/id", "too-large").into(),
        Unfit::Damaged(what) => {
            Stop::invalid("/id", "damaged", format!("The picture cannot be read: {what}."))
        }
    }
}

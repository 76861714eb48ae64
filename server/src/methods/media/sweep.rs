//! What nobody needs any more goes: looks at the notes that were left, and at files that no row names.
//!
//! Everything it decides is written under the condition that what it read is still so. Two sweeps at once, or one
//! that is ended anywhere, do no harm: what is left over is found by the next one. The order is that of
//! [`super::references`]: first the row that says that bytes are there, then the bytes.

use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use gomer_core::vnode::query::{LinkPlace, LinkView};

use super::references::{
    Held, LITTER_SHARDS, Note, Stand, Use, blob_root, facts_of, has_lain, litter_root, media_node,
    media_root, note_blob, object_id,
};
use super::{Announced, seen};
use crate::blob::unhex;
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::admin::usage::stored;
use crate::model::{BLOB_OBJECT, BLOB_USED_BY, LITTER, MEDIA_USED_BY};
use crate::registry::{Call, Caller, Stop};

/// How long something may be without a reference before it goes: longer than any call that makes one.
pub const REST: Duration = Duration::from_secs(3_600);

/// Notes and links that are read at once.
const PAGE: u32 = 100;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// References that nothing stood behind.
    pub references: u64,
    /// Media that nothing showed, and uploads that were given up.
    pub media: u64,
    /// Objects whose bytes went.
    pub objects: u64,
    /// Files that no row named.
    pub strays: u64,
}

/// Looks at all notes of all apps that have lain for a while, and at one slice of the files: those whose hash begins
/// with `slice`. After 256 slices every file was looked at.
pub async fn sweep(host: &Arc<Host>, slice: u8) -> Result<Swept, Stop> {
    let mut swept = Swept::default();
    let apps: Vec<Arc<App>> = host.cluster.meta().apps.values().cloned().collect();
    for app in &apps {
        // What is frozen stays as it is.
        if app.state == AppState::Frozen {
            continue;
        }
        let call = Call::own(host, app.clone(), Caller::Server { acting_as: None }, "media.sweep");
        for shard in 0..LITTER_SHARDS {
            notes(&call, litter_root(shard), &mut swept).await?;
        }
    }
    scratches(host, &apps, &mut swept).await?;
    strays(host, &apps, slice, &mut swept).await?;
    Ok(swept)
}

async fn notes(call: &Call, root: Root, swept: &mut Swept) -> Result<(), Stop> {
    let mut after = None;
    loop {
        let (links, end) = call.link_page(root, LITTER, after, PAGE).await?;
        after = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
        for link in &links {
            let Ok(note) = serde_json::from_str::<Note>(&link.link.data) else { continue };
            if !has_lain(note.at, call.now.wall) {
                continue;
            }
            let settled = match note.blob.as_deref().and_then(unhex) {
                Some(hash) => bytes(call, &hash, swept).await?,
                None => media(call, link.to, swept).await?,
            };
            if settled {
                forget(call, root, link).await?;
            }
        }
        if end {
            return Ok(());
        }
    }
}

/// Removes a note, unless a new one was left in its place.
async fn forget(call: &Call, root: Root, note: &LinkView) -> Result<(), Stop> {
    let write = call
        .on(root)
        .when(Precondition::LinkData(LITTER, note.to, note.link.data.clone()))
        .op(Operation::DeleteLink { ty: LITTER, to: note.to });
    unless_changed(call, write).await.map(drop)
}

/// Writes, if what was read is still so: whether it was.
async fn unless_changed(call: &Call, mut write: Write) -> Result<bool, Stop> {
    write.app = call.app.id;
    match call.cluster.write(write).await {
        Ok(_) => Ok(true),
        Err(Fault::Absent | Fault::Stale(_)) => Ok(false),
        Err(fault) => Err(fault.into()),
    }
}

/// All links of a list.
async fn all_links(call: &Call, root: Root, ty: gomer_core::id::LinkType) -> Result<Vec<LinkView>, Stop> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (links, end) = call.link_page(root, ty, after, PAGE).await?;
        after = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
        all.extend(links);
        if end {
            return Ok(all);
        }
    }
}

/// Looks at a media: whether there is nothing more to be done about it.
async fn media(call: &Call, id: Id, swept: &mut Swept) -> Result<bool, Stop> {
    // Read before the links, so that a claim in between is noticed by the revision.
    let Some(view) = media_node(call, id).await? else { return Ok(true) };
    let root = media_root(id);
    let now = call.now.wall;
    let mut needed = false;
    for link in all_links(call, root, MEDIA_USED_BY).await? {
        let Ok(used) = serde_json::from_str::<Use>(&link.link.data) else {
            // A newer program's: not for us to judge.
            needed = true;
            continue;
        };
        if !has_lain(used.at, now) || seen::shows(call, &used, id).await? {
            needed = true;
            continue;
        }
        let write = call
            .on(root)
            .when(Precondition::LinkData(MEDIA_USED_BY, link.to, link.link.data.clone()))
            .op(Operation::DeleteLink { ty: MEDIA_USED_BY, to: link.to });
        if unless_changed(call, write).await? {
            swept.references += 1;
        } else {
            needed = true;
        }
    }
    if needed {
        return Ok(true);
    }
    let facts = facts_of(&view);
    if facts.is_none() && now < Announced::of(&view).expires_at.0 {
        // An upload on its way.
        return Ok(false);
    }
    let mut write =
        call.on(root).when(Precondition::NodeRev(id, view.node.rev)).op(Operation::DeleteNode { id });
    let sha256 = facts.map_or_else(|| Announced::of(&view).sha256, |facts| facts.sha256);
    if let Some(hash) = unhex(&sha256) {
        // Also of an upload that was given up: it may have been ended between its two writes.
        let ops = vec![Operation::DeleteLink { ty: BLOB_USED_BY, to: id }];
        write = write.step(Step::to(blob_root(&hash), ops).then(note_blob(call, &hash)));
    }
    let gone = unless_changed(call, write).await?;
    swept.media += u64::from(gone);
    Ok(gone)
}

/// Looks at uploaded bytes: whether there is nothing more to be done about them.
async fn bytes(call: &Call, hash: &[u8; 32], swept: &mut Swept) -> Result<bool, Stop> {
    let root = blob_root(hash);
    // Read before the links, so that a claim in between is noticed by its data.
    let Some(object) = call.link(root, BLOB_OBJECT, object_id()).await? else { return Ok(true) };
    let (mut needed, mut settled) = (false, true);
    for link in all_links(call, root, BLOB_USED_BY).await? {
        let stands = match media_node(call, link.to).await? {
            None => false,
            Some(view) => {
                // Not finished: it may yet be.
                settled &= facts_of(&view).is_some();
                true
            }
        };
        let at = serde_json::from_str::<Stand>(&link.link.data).map(|stand| stand.at);
        if stands || at.is_ok_and(|at| !has_lain(at, call.now.wall)) {
            needed = true;
            continue;
        }
        let write = call
            .on(root)
            .when(Precondition::LinkData(BLOB_USED_BY, link.to, link.link.data.clone()))
            .op(Operation::DeleteLink { ty: BLOB_USED_BY, to: link.to });
        if unless_changed(call, write).await? {
            swept.references += 1;
        } else {
            needed = true;
        }
    }
    if needed {
        return Ok(settled);
    }
    let held = serde_json::from_str::<Held>(&object.link.data).ok();
    let mut write = call
        .on(root)
        .when(Precondition::LinkData(BLOB_OBJECT, object.to, object.link.data.clone()))
        .op(Operation::DeleteLink { ty: BLOB_OBJECT, to: object.to });
    write.steps.extend(held.as_ref().map(|held| stored(&held.facts, -1)));
    if !unless_changed(call, write).await? {
        return Ok(false);
    }
    swept.objects += 1;
    if let Some(object) = held.and_then(|held| held.facts.object(&call.app)) {
        // If this is not done, no row names the files, and they are strays.
        call.host.blobs.delete(object).await.map_err(super::blob_stop)?;
    }
    Ok(true)
}

/// Removes uploads that are finished, or that no row knows.
async fn scratches(host: &Arc<Host>, apps: &[Arc<App>], swept: &mut Swept) -> Result<(), Stop> {
    for scratch in host.blobs.io(|store| store.scratches()).await.map_err(super::blob_stop)? {
        let Some(app) = apps.iter().find(|app| app.id == scratch.app) else { continue };
        let call = Call::own(host, app.clone(), Caller::Server { acting_as: None }, "media.sweep");
        // A scratch begins after its row, and ends with it.
        let open = media_node(&call, scratch.id).await?.is_some_and(|view| facts_of(&view).is_none());
        let alone = host.blobs.occupy(scratch);
        if !open && alone.is_some() {
            host.blobs.discard(scratch).await.map_err(super::blob_stop)?;
            swept.strays += 1;
        }
    }
    Ok(())
}

/// Removes files that no row names: their object was never held, or is no longer.
async fn strays(host: &Arc<Host>, apps: &[Arc<App>], slice: u8, swept: &mut Swept) -> Result<(), Stop> {
    let keys = host.blobs.io(move |store| store.list(slice)).await.map_err(super::blob_stop)?;
    for key in keys {
        // Of an app that is not known here: perhaps not known yet.
        let Some(app) = apps.iter().find(|app| app.id == key.object.app) else { continue };
        let call = Call::own(host, app.clone(), Caller::Server { acting_as: None }, "media.sweep");
        let Some(made) = minted_at(key.object.id) else { continue };
        if made + REST >= call.now.wall {
            continue;
        }
        let link = call.link(blob_root(&key.object.hash), BLOB_OBJECT, object_id()).await?;
        let held = match link {
            None => None,
            // A newer program's: not for us to judge.
            Some(link) => match serde_json::from_str::<Held>(&link.link.data) {
                Ok(held) => Some(held.facts.object.0),
                Err(_) => continue,
            },
        };
        if held != Some(key.object.id) {
            host.blobs.io(move |store| store.delete(key)).await.map_err(super::blob_stop)?;
            swept.strays += 1;
        }
    }
    Ok(())
}

/// When an id was minted here: version 7 begins with the time. Objects have no other.
fn minted_at(id: Id) -> Option<gomer_core::time::Time> {
    let bytes = id.as_bytes();
    if bytes[6] >> 4 != 7 {
        return None;
    }
    let millis = bytes[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte));
    Some(gomer_core::time::Time::from_millis(millis))
}

/// Sweeps again and again, another slice of the files each time.
pub fn job() -> Job {
    let round = |host: Arc<Host>, number: u64| -> Round {
        Box::pin(async move {
            let swept = sweep(&host, number as u8).await?;
            if swept != Swept::default() {
                tracing::info!(?swept, "unused uploads went");
            }
            Ok(())
        })
    };
    Job { name: "media.sweep", every: Duration::from_secs(60), round }
}

//! Carrying out an erasure, as work that comes round.
//!
//! It goes on in steps. Each does a bounded amount, may be done twice without harm, and then stores how far it is; so
//! whoever takes it up after a crash does the last step again and goes on. What is deleted is deleted by the very methods
//! with which its owner would: what follows from them elsewhere (counts, timelines, notices, references to uploads)
//! follows here too. What they leave behind in the root of a thing, like its older revisions, is erased after.
//!
//! Reading order: [`super::record`], this, [`super::things`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, LinkType, Root, StreamId};
use gomer_core::meta::command::AppState;
use gomer_core::meta::state::App;
use gomer_core::rows::node::Flags;
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use gomer_core::vnode::query::{LinkPlace, PAGE_MAX};

use super::record::{At, Record, Stage, root as records};
use super::things;
use crate::auth::claim::release;
use crate::auth::credential::Credential;
use crate::host::Host;
use crate::jobs::{Job, Round};
use crate::methods::chat;
use crate::methods::media::references::{Attached, Place, release as release_media};
use crate::methods::media::seen::{AVATAR, COVER};
use crate::methods::post::view::read;
use crate::methods::profile::left;
use crate::model::{
    ALBUMS, BLOCKED_BY, BLOCKS, CHATS, CHECKED_IN, DEVICE, ERASURES, FOLLOWED_BY, FOLLOWS, LIKES, MADE,
    NOTES, NOTIFICATIONS, PHOTOS, PUBLISHED, REQUESTED, REQUESTED_BY, SESSION, SHARES, SHOWN_IN,
    credential_id,
};
use crate::registry::{Call, Caller, Stop};
use crate::types::{Timestamp, Uuid};

/// Things that one step deletes.
const PAGE: u32 = 50;
/// Messages that one step looks at.
const MESSAGES_PAGE: u32 = 200;
/// Steps that one round takes for one person, so that one of a million posts does not keep the others waiting.
const STEPS_MAX: usize = 500;
/// How long what is on its way to somebody may still come. Then their root is looked at once more.
pub const SETTLE: Duration = Duration::from_secs(60);

/// Goes on with every erasure that is due, in all apps.
pub async fn round(host: &Arc<Host>) -> Result<(), Stop> {
    let apps: Vec<Arc<App>> = host.cluster.meta().apps.values().cloned().collect();
    for app in apps {
        // What is frozen stays as it is.
        if app.state == AppState::Frozen || !host.cluster.leads(app.id, records()) {
            continue;
        }
        let call = Call::own(host, app, Caller::Server { acting_as: None }, "account.erase");
        let mut after = None;
        loop {
            let (links, end) = call.link_page(records(), ERASURES, after, PAGE).await?;
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
    Job { name: "account.erase", every: Duration::from_secs(30), round: go }
}

/// Takes one step of somebody's erasure: whether there is another one to take now.
pub async fn step(host: &Arc<Host>, app: &Arc<App>, profile: Id) -> Result<bool, Stop> {
    let call = Call::own(host, app.clone(), Caller::Server { acting_as: None }, "account.erase");
    let Some((record, text)) = super::record::of(&call, profile).await? else { return Ok(false) };
    let now = call.now.wall;
    match record.stage {
        Stage::Done => return Ok(false),
        Stage::Waiting if record.due_at.0 > now => return Ok(false),
        Stage::Settle if record.wiped_at.is_some_and(|at| at.0 + SETTLE > now) => return Ok(false),
        _ => {}
    }
    let next = work(&call, profile, record).await?;
    let (more, waits) = (next.stage != Stage::Done, next.stage == Stage::Settle);
    Ok(next.store(&call, &text).await? && more && !waits)
}

/// Does what the record says is next, and gives it as it is after.
async fn work(call: &Call, who: Id, record: Record) -> Result<Record, Stop> {
    let own = Root::profile(who);
    let now = Timestamp(call.now.wall);
    let at = record.at;
    let to = |stage: Stage| Record { stage, at: At::default(), ..record.clone() };
    Ok(match record.stage {
        Stage::Waiting => Record { begun_at: Some(now), ..to(Stage::Count) },
        Stage::Count => Record { counts: count(call, who).await?, ..to(Stage::Close) },
        Stage::Close => {
            close(call, who).await?;
            to(Stage::Posts)
        }
        Stage::Posts => entries(call, &record, PUBLISHED, Stage::Photos).await?,
        Stage::Photos => entries(call, &record, PHOTOS, Stage::Albums).await?,
        Stage::Albums => entries(call, &record, ALBUMS, Stage::CheckIns).await?,
        Stage::CheckIns => entries(call, &record, CHECKED_IN, Stage::Shares).await?,
        Stage::Shares => entries(call, &record, SHARES, Stage::Made).await?,
        Stage::Made => links(call, &record, MADE, Stage::Likes).await?,
        Stage::Likes => links(call, &record, LIKES, Stage::Following).await?,
        Stage::Following => links(call, &record, FOLLOWS, Stage::Requested).await?,
        Stage::Requested => links(call, &record, REQUESTED, Stage::Followers).await?,
        Stage::Followers => links(call, &record, FOLLOWED_BY, Stage::RequestedBy).await?,
        Stage::RequestedBy => links(call, &record, REQUESTED_BY, Stage::Blocks).await?,
        Stage::Blocks => links(call, &record, BLOCKS, Stage::BlockedBy).await?,
        Stage::BlockedBy => links(call, &record, BLOCKED_BY, Stage::Shown).await?,
        Stage::Shown => links(call, &record, SHOWN_IN, Stage::Chats).await?,
        Stage::Chats => {
            // One chat at a time: the first that is left, from where its messages were seen to.
            let (chats, end) = call.link_page(own, CHATS, at.link, 1).await?;
            match chats.first() {
                None => to(Stage::OwnLinks),
                Some(link) => {
                    let seen = chat::sign_off::mark(call, link.to, who, at.order, MESSAGES_PAGE).await?;
                    if let Some(order) = seen {
                        Record { at: At { order: Some(order), ..at }, ..record }
                    } else {
                        chat::sign_off::leave(call, link.to, who).await?;
                        let place = LinkPlace { time: link.time, to: link.to };
                        match end {
                            true => to(Stage::OwnLinks),
                            false => Record { at: At { link: Some(place), order: None }, ..record },
                        }
                    }
                }
            }
        }
        Stage::OwnLinks => {
            things::own_links(call, who).await?;
            to(Stage::Names)
        }
        Stage::Names => {
            names(call, who).await?;
            to(Stage::Wipe)
        }
        Stage::Wipe if things::erase(call, own, ERASE_AT_ONCE).await? => record,
        Stage::Wipe => Record { wiped_at: Some(now), ..to(Stage::Settle) },
        Stage::Settle if things::erase(call, own, ERASE_AT_ONCE).await? => record,
        Stage::Settle | Stage::Done => Record { done_at: Some(now), ..to(Stage::Done) },
    })
}

/// Rows of the own root that one step erases.
const ERASE_AT_ONCE: u16 = 200;

/// Deletes a page of the things in one of the person's streams.
async fn entries(call: &Call, record: &Record, stream: StreamId, next: Stage) -> Result<Record, Stop> {
    let who = record.profile.0;
    let (page, end) = call.entry_page(Root::profile(who), stream, record.at.order, false, PAGE).await?;
    for view in &page {
        things::delete(call, who, view.entry.activity.object).await?;
    }
    Ok(match page.last() {
        Some(last) if !end => Record { at: At { order: Some(last.order), link: None }, ..record.clone() },
        _ => Record { stage: next, at: At::default(), ..record.clone() },
    })
}

/// Takes back a page of the person's links of one type, at both ends.
async fn links(call: &Call, record: &Record, ty: LinkType, next: Stage) -> Result<Record, Stop> {
    let who = record.profile.0;
    let (page, end) = call.link_page(Root::profile(who), ty, record.at.link, PAGE).await?;
    for link in &page {
        things::untie(call, who, ty, link).await?;
    }
    Ok(match page.last() {
        Some(last) if !end => {
            let place = LinkPlace { time: last.time, to: last.to };
            Record { at: At { link: Some(place), order: None }, ..record.clone() }
        }
        _ => Record { stage: next, at: At::default(), ..record.clone() },
    })
}

/// Empties the profile, hides it, and ends its sessions. Its names stay taken: they are free when it is gone.
async fn close(call: &Call, who: Id) -> Result<(), Stop> {
    let own = Root::profile(who);
    super::export::forget(call, who).await?;
    for _ in 0..ATTEMPTS {
        let Some(view) = call.node(own, who).await? else { return Ok(()) };
        let attrs = view.node.attrs.keys().map(|name| (name.clone(), None)).collect();
        let mut write = Write::new(call.app.id, own, Id::NIL)
            .when(Precondition::NodeRev(who, view.node.rev))
            .op(Operation::PatchNode { id: who, attrs, edited: None })
            .op(Operation::FlagNode { id: who, set: Flags::BANNED, clear: Flags::default() })
            .step(left(who));
        for (name, place) in [(AVATAR, Place::Avatar(Uuid(who))), (COVER, Place::Cover(Uuid(who)))] {
            let shown: Option<Attached> = read(&view, name);
            write.steps.extend(shown.map(|shown| release_media(call, &shown, place)));
        }
        if let Some((credential, stored)) = Credential::load(call, who).await? {
            let silent = Credential { password: None, email_confirmed: false, ..credential };
            write = write.when(Credential::unchanged(who, &stored)).op(silent.put(who));
        }
        let (sessions, _) = call.link_page(own, SESSION, None, 100).await?;
        let ends = sessions.into_iter().map(|link| Operation::DeleteLink { ty: SESSION, to: link.to });
        write.ops.extend(ends);
        match call.cluster.write(write).await {
            Ok(_) => return Ok(()),
            Err(Fault::Stale(_) | Fault::Absent) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(crate::problem::Problem::new(crate::problem::Code::Busy).retry_after(1).into())
}

/// Deletes the profile for ever, and in the same write lets go of its names: nobody has them before it is gone.
async fn names(call: &Call, who: Id) -> Result<(), Stop> {
    let own = Root::profile(who);
    let mut write = Write::new(call.app.id, own, Id::NIL)
        .op(Operation::DeleteNode { id: who })
        .op(Operation::DeleteNode { id: credential_id(who) });
    write.steps.extend(super::links::releases(call, who).await?);
    if let Some((credential, _)) = Credential::load(call, who).await? {
        if let Some((handle, claim)) = &credential.handle {
            write = write.step(release(handle.root(), who, *claim));
        }
        if let Some((email, claim)) = &credential.email {
            // Codes that were sent there stand in the same root.
            let codes = Operation::Erase { records_of: None, rows: 200 };
            write = write.step(release(email.root(), who, *claim)).step(Step::to(email.root(), vec![codes]));
        }
    }
    call.cluster.write(write).await?;
    Ok(())
}

/// How much there is of each kind.
async fn count(call: &Call, who: Id) -> Result<BTreeMap<String, u64>, Stop> {
    let own = Root::profile(who);
    let mut counts = BTreeMap::from([("profile".to_owned(), 1)]);
    let lists = [
        ("likes", LIKES),
        ("following", FOLLOWS),
        ("followers", FOLLOWED_BY),
        ("blocks", BLOCKS),
        ("chats", CHATS),
        ("notes", NOTES),
        ("sessions", SESSION),
        ("photosShowing", SHOWN_IN),
    ];
    let counted = call.counts(own, lists.iter().map(|(_, ty)| *ty).collect()).await?;
    counts.extend(lists.iter().zip(counted).map(|((name, _), count)| ((*name).to_owned(), count)));
    for (name, stream) in [
        ("photos", PHOTOS),
        ("albums", ALBUMS),
        ("checkIns", CHECKED_IN),
        ("shares", SHARES),
        ("notifications", NOTIFICATIONS),
    ] {
        counts.insert(name.to_owned(), things::count(call, own, stream, |_| true).await?);
    }
    let is_post = |object: Root| object.kind == gomer_core::id::RootKind::Post;
    counts.insert("posts".to_owned(), things::count(call, own, PUBLISHED, is_post).await?);
    for (name, made) in things::count_made(call, own).await? {
        counts.insert(name.to_owned(), made);
    }
    let devices = call.nodes(own, PAGE_MAX).await?.into_iter().filter(|(_, view)| view.node.ty == DEVICE);
    counts.insert("devices".to_owned(), devices.count() as u64);
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

/// How often it is tried again when the person changes the same at that moment.
const ATTEMPTS: usize = 8;

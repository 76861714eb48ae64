//! Wanting to be erased: asking for it, looking how far it is, calling it off.
//!
//! Between asking and the day it is due nothing changes: the person signs in as ever, and can call it off. From that day
//! on it is work that comes round ([`super::erasure`]), and there is no way back.

use std::collections::BTreeMap;
use std::time::Duration;

use gomer_core::id::{Id, Root};
use gomer_core::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{self, By, Record, Stage};
use crate::methods::moderation::outranks;
use crate::model::PROFILE;
use crate::problem::Code;
use crate::registry::{Cache, Call, Reply, Stop};
use crate::types::{Timestamp, Uuid};

/// How far an erasure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeletionState {
    /// It is not due yet, and can be called off.
    Scheduled,
    /// It is under way.
    Erasing,
    /// Nothing is left.
    Erased,
}

/// What goes, and what stays.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Kinds of things that go for ever.
    erased: &'static [&'static str],
    /// Kinds of things that stay, without a name to them.
    kept: &'static [&'static str],
}

/// What an erasure takes away.
const GOES: &[&str] = &[
    "profile",
    "credentials",
    "sessions",
    "devices",
    "settings",
    "posts",
    "replies",
    "likes",
    "photos",
    "albums",
    "uploads",
    "checkIns",
    "shares",
    "shortLinks",
    "notes",
    "follows",
    "followers",
    "blocks",
    "chatMemberships",
    "notifications",
    "nodes",
];
/// What it leaves.
const STAYS: &[&str] = &["chatMessages", "places", "reportsAndDecisions", "auditLog"];

/// An erasure.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// Its id: who knows it can ask how far it is, also when there is nobody any more who could sign in.
    id: Uuid,
    /// Whom it is about.
    profile: Uuid,
    /// Who wanted it.
    by: By,
    /// How far it is.
    state: DeletionState,
    /// When it was wanted.
    requested_at: Timestamp,
    /// From when on it is done. Until then it can be called off.
    due_at: Timestamp,
    /// When nothing was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    /// What goes, and what stays.
    plan: Plan,
    /// The receipt: how much there was of each kind when it began.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counts: BTreeMap<String, u64>,
}

impl Deletion {
    fn of(record: Record) -> Deletion {
        let state = match record.stage {
            Stage::Waiting => DeletionState::Scheduled,
            Stage::Done => DeletionState::Erased,
            _ => DeletionState::Erasing,
        };
        Deletion {
            id: record.id,
            profile: record.profile,
            by: record.by,
            state,
            requested_at: record.requested_at,
            due_at: record.due_at,
            erased_at: record.done_at,
            plan: Plan { erased: GOES, kept: STAYS },
            counts: record.counts,
        }
    }
}

/// A wish to be erased.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestDeletion {
    /// Its id, chosen by the caller. Keep it: it shows the receipt.
    id: Uuid,
}

/// Schedules my own erasure.
pub async fn request(call: Call, args: RequestDeletion) -> Result<Reply<Deletion>, Stop> {
    let me = call.me()?;
    call.replay(record::root()).await?;
    let days = call.settings().deletion.grace_days;
    schedule(&call, args.id, me, By::Owner, call.now.wall + DAY * u32::from(days)).await
}

/// Whom to erase.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteProfile {
    /// The id of this erasure, chosen by the caller.
    id: Uuid,
    /// Whom.
    profile: Uuid,
    /// After how many days, 0 to 90; if absent, as the app's settings say. 0 is at once.
    grace_days: Option<GraceDays>,
    /// The same profile once more, if it is to be done at once: there is no way back from that.
    confirm: Option<Uuid>,
}

/// Days, 0 to 90.
#[derive(Debug, Clone, Copy, JsonSchema)]
struct GraceDays(#[schemars(range(min = 0, max = 90))] u16);

impl<'de> Deserialize<'de> for GraceDays {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<GraceDays, D::Error> {
        match u32::deserialize(from)? {
            days if days <= 90 => Ok(GraceDays(days as u16)),
            _ => Err(serde::de::Error::custom("range: 0 to 90 days")),
        }
    }
}

/// Schedules somebody's erasure.
pub async fn delete_profile(call: Call, args: DeleteProfile) -> Result<Reply<Deletion>, Stop> {
    let profile = args.profile.0;
    call.replay(record::root()).await?;
    let days = args.grace_days.map_or_else(|| call.settings().deletion.grace_days, |days| days.0);
    if args.confirm.is_some_and(|confirmed| confirmed.0 != profile) || (days == 0 && args.confirm.is_none()) {
        let detail = "What is done at once is confirmed by the profile's id in `confirm`.";
        return Err(Stop::invalid("/confirm", "value", detail));
    }
    outranks(&call, profile).await?;
    schedule(&call, args.id, profile, By::Admin, call.now.wall + DAY * u32::from(days)).await
}

async fn schedule(call: &Call, id: Uuid, profile: Id, by: By, due: Time) -> Result<Reply<Deletion>, Stop> {
    for _ in 0..ATTEMPTS {
        if let Some((known, text)) = record::of(call, profile).await? {
            let sooner = by == By::Admin && known.stage == Stage::Waiting && due < known.due_at.0;
            if !sooner {
                // Wanted before: that one is it, whatever it is called this time.
                return Ok(Reply::new(Deletion::of(known)).cache(Cache::Never));
            }
            let record = Record { due_at: Timestamp(due), by, ..known };
            if record.store(call, &text).await? {
                return Ok(Reply::new(Deletion::of(record)).cache(Cache::Never));
            }
            continue;
        }
        let node = call.node(Root::profile(profile), profile).await?.filter(|view| view.node.ty == PROFILE);
        node.ok_or_else(Stop::not_found)?;
        if record::profile_of(call, id.0).await?.is_some() {
            return Err(Code::IdTaken.into());
        }
        let record = Record {
            id,
            profile: Uuid(profile),
            by,
            requested_at: Timestamp(call.now.wall),
            due_at: Timestamp(due),
            begun_at: None,
            done_at: None,
            stage: Stage::Waiting,
            at: record::At::default(),
            wiped_at: None,
            counts: BTreeMap::new(),
        };
        let (pre, ops) = record.make();
        let mut write = call.on(record::root());
        write.pre = pre;
        write.ops = ops;
        match call.write(write, Deletion::of(record)).await {
            Ok(reply) => return Ok(reply.cache(Cache::Never)),
            // Somebody was faster: look again.
            Err(stop) if stop.code() == Some(Code::IdTaken) => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(crate::problem::Problem::new(Code::Busy).retry_after(1).into())
}

/// Which erasure.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetDeletion {
    /// By the id that was chosen for it, which only who wanted it knows; if absent, that of the caller.
    id: Option<Uuid>,
}

/// Shows how far an erasure is.
pub async fn get(call: Call, args: GetDeletion) -> Result<Reply<Deletion>, Stop> {
    let profile = match args.id {
        Some(id) => record::profile_of(&call, id.0).await?.ok_or_else(Stop::not_found)?,
        None => call
            .maybe_me()
            .ok_or_else(|| Stop::invalid("/id", "missing", "Sign in, or say which erasure."))?,
    };
    let (record, _) = record::of(&call, profile).await?.ok_or_else(Stop::not_found)?;
    Ok(Reply::new(Deletion::of(record)).cache(Cache::Never))
}

/// Which erasure to call off.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelDeletion {}

/// Whether anything is scheduled.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// Always false.
    scheduled: bool,
}

/// Calls my own erasure off. What administrators want, only the app's server calls off.
pub async fn cancel(call: Call, _: CancelDeletion) -> Result<Reply<Cancelled>, Stop> {
    let me = call.me()?;
    call.replay(record::root()).await?;
    for _ in 0..ATTEMPTS {
        let Some((record, text)) = record::of(&call, me).await? else {
            return Ok(Reply::new(Cancelled { scheduled: false }));
        };
        if record.stage != Stage::Waiting {
            return Err(Stop::forbidden("The erasure has begun: there is no way back."));
        }
        if record.by == By::Admin && matches!(call.caller, crate::registry::Caller::User { .. }) {
            let detail = "The app's administrators want this: its server calls it off, with `Gomer-As`.";
            return Err(Stop::forbidden(detail));
        }
        let (pre, ops) = record.unmake(&text);
        let mut write = call.on(record::root());
        write.pre = pre;
        write.ops = ops;
        match call.write(write, Cancelled { scheduled: false }).await {
            Ok(reply) => return Ok(reply),
            // It began, or was called off, at this moment.
            Err(stop) if stop.code() == Some(Code::NotFound) => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(crate::problem::Problem::new(Code::Busy).retry_after(1).into())
}

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How often it is tried again when somebody else changes the same record.
const ATTEMPTS: usize = 4;

//! What kinds of notices somebody wants.

use std::collections::{BTreeMap, BTreeSet};

use gomer_core::id::{Id, Root, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::notice::Kind;
use super::quiet::QuietHours;
use crate::methods::post::view::{json, read};
use crate::model::NOTIFICATION_PREFERENCES;
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Empty, Patch};

/// How often a change is tried again when my other devices change the same.
const ATTEMPTS: usize = 4;

/// How one kind is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preference {
    /// Whether it stands in the notification centre and counts as unread. If not, it is not pushed either.
    in_app: bool,
    /// Whether it is pushed to my devices.
    #[serde(default = "pushed")]
    push: bool,
}

/// What was stored before there was push is pushed.
fn pushed() -> bool {
    true
}

impl Default for Preference {
    fn default() -> Preference {
        Preference { in_app: true, push: true }
    }
}

/// How each kind is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// By kind; all kinds are there.
    kinds: BTreeMap<Kind, Preference>,
    /// When nothing is pushed that would be shown: it comes when they are over. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<QuietHours>,
    /// The revision; absent as long as nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Rev>,
}

impl Preferences {
    fn of(view: Option<&NodeView>) -> Preferences {
        let stored = |kind: Kind| view.and_then(|view| read(&view.node, kind.name())).unwrap_or_default();
        Preferences {
            kinds: Kind::ALL.into_iter().map(|kind| (kind, stored(kind))).collect(),
            quiet_hours: view.and_then(|view| read(&view.node, QUIET_HOURS)),
            rev: view.map(|view| view.rev),
        }
    }

    /// Of this reader.
    pub async fn load(call: &Call, me: Id) -> Result<Preferences, Stop> {
        Ok(Preferences::of(stored(call, me).await?.as_ref()))
    }

    /// Whether this kind is pushed.
    pub fn pushes(&self, kind: Kind) -> bool {
        self.kinds.get(&kind).is_none_or(|preference| preference.in_app && preference.push)
    }

    /// Until when it is quiet; nothing if it is not.
    pub fn quiet_until(&self, now: Time) -> Option<Time> {
        self.quiet_hours.as_ref().and_then(|hours| hours.until(now))
    }
}

/// Attribute of the quiet hours, beside those of the kinds.
const QUIET_HOURS: &str = "quietHours";

/// The node, in the profile's root.
fn node_id(profile: Id) -> Id {
    Id::derived("notification preferences", profile.as_bytes())
}

async fn stored(call: &Call, me: Id) -> Result<Option<NodeView>, Stop> {
    call.node(Root::profile(me), node_id(me)).await
}

/// Kinds that somebody does not want to hear of.
pub async fn refused(call: &Call, me: Id) -> Result<BTreeSet<Kind>, Stop> {
    let kinds = Preferences::load(call, me).await?.kinds;
    Ok(kinds.into_iter().filter(|(_, preference)| !preference.in_app).map(|(kind, _)| kind).collect())
}

/// Shows them.
pub async fn get(call: Call, _: Empty) -> Result<Reply<Preferences>, Stop> {
    let preferences = Preferences::of(stored(&call, call.me()?).await?.as_ref());
    let rev = preferences.rev;
    let reply = Reply::new(preferences);
    Ok(match rev {
        Some(rev) => reply.rev(rev),
        None => reply,
    })
}

/// How one kind is to be told; what is absent stays.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangePreference {
    /// Whether it stands in the notification centre and counts as unread.
    in_app: Option<bool>,
    /// Whether it is pushed to my devices.
    push: Option<bool>,
}

/// What to change.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPreferences {
    /// By kind; those that are not named stay as they are.
    #[serde(default)]
    kinds: BTreeMap<Kind, ChangePreference>,
    /// When nothing is pushed; `null`: never.
    #[serde(default)]
    quiet_hours: Patch<QuietHours>,
    /// Refuse if they are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Changes them.
pub async fn set(call: Call, args: SetPreferences) -> Result<Reply<Preferences>, Stop> {
    let me = call.me()?;
    let own = Root::profile(me);
    call.replay(own).await?;
    let id = node_id(me);
    let quiet = args.quiet_hours.change();
    for _ in 0..ATTEMPTS {
        let view = stored(&call, me).await?;
        let before = Preferences::of(view.as_ref());
        let guard = match &view {
            Some(view) => call
                .guard(id, view, args.if_rev, &before)?
                .unwrap_or(Precondition::NodeRev(id, view.node.rev)),
            None if args.if_rev.or(call.if_match).is_some() => return Err(Code::StaleRevision.into()),
            None => Precondition::NodeAbsent(id),
        };
        let mut kinds = before.kinds.clone();
        for (kind, change) in &args.kinds {
            let kept = kinds.entry(*kind).or_default();
            let in_app = change.in_app.unwrap_or(kept.in_app);
            *kept = Preference { in_app, push: change.push.unwrap_or(kept.push) };
        }
        let quiet_hours = quiet.clone().unwrap_or_else(|| before.quiet_hours.clone());
        if (&kinds, &quiet_hours) == (&before.kinds, &before.quiet_hours) && call.op.is_none() {
            return Ok(Reply::new(before));
        }
        let by_kind = kinds.iter().map(|(kind, value)| (kind.name().to_owned(), json(value)));
        let hours = quiet_hours.as_ref().map(|hours| (QUIET_HOURS.to_owned(), json(hours)));
        let attrs = by_kind.chain(hours).collect();
        let (ty, section) = (NOTIFICATION_PREFERENCES, Section::PRIVATE);
        let put = Operation::PutNode { id, ty, section, author: me, attrs };
        let after = Preferences { kinds, quiet_hours, rev: Some(Rev::Pending) };
        match call.write(call.on(own).when(guard).op(put), after).await {
            Err(stop)
                if matches!(stop.code(), Some(Code::StaleRevision | Code::IdTaken | Code::NotFound)) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

//! What somebody has set for themselves. One node in the private section of their own root, so that it is on all of
//! their phones; each field goes to its own latest edit, also when two phones were offline.

use std::time::Duration;

use gomer_core::id::{Id, Position, Root, Section};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::methods::changes::{Changes, merged};
use crate::methods::post::view::{Audience, EDITED_AT, json, read};
use crate::model::SETTINGS;
use crate::problem::{Code, Problem};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::setting_shapes::is_language_tag;
use crate::signals::Kind;
use crate::types::{Empty, Patch, Timestamp};

/// How often an edit that nobody guarded is tried again when other devices edit at the same time.
const ATTEMPTS: usize = 4;

/// A BCP 47 language tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Language(#[schemars(length(min = 2, max = 35))] String);

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Language, D::Error> {
        let text = String::deserialize(from)?;
        if is_language_tag(&text) {
            Ok(Language(text))
        } else {
            Err(serde::de::Error::custom("format: a language tag is like `en` or `de-AT`"))
        }
    }
}

/// A name of the IANA time zone database, as it is spelt: which zones there are changes, and is not looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct TimeZone(#[schemars(length(min = 1, max = 64))] String);

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<TimeZone, D::Error> {
        let text = String::deserialize(from)?;
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_+-".contains(&c))
        };
        if text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.split('/').all(plain)
        {
            Ok(TimeZone(text))
        } else {
            Err(serde::de::Error::custom("format: a time zone is like `Europe/Vienna` or `UTC`"))
        }
    }
}

/// How often somebody wants a summary of what they missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Digest {
    /// Never.
    #[default]
    Never,
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
}

/// An hour of the day, 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Hour(#[schemars(range(min = 0, max = 23))] u8);

impl Default for Hour {
    fn default() -> Hour {
        Hour(8)
    }
}

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hour, D::Error> {
        match u32::deserialize(from)? {
            hour if hour < 24 => Ok(Hour(hour as u8)),
            _ => Err(serde::de::Error::custom("range: an hour is 0 to 23")),
        }
    }
}

/// Settings of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AccountSettings")]
pub struct Settings {
    /// The language to be spoken to in. Absent: the app's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    /// The time zone to reckon days in. Absent: that of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<TimeZone>,
    /// Who sees what I publish without saying for whom. Absent: as the app has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    default_audience: Option<Audience>,
    /// Whether others may see that I am there. True unless it was changed.
    show_presence: bool,
    /// How often I want a summary. The server itself sends none: it is for whoever does, with the app's server key.
    digest: Digest,
    /// At which hour of my day, 0 to 23. 8 unless it was changed.
    digest_hour: Hour,
    /// When anything of it was last edited. Absent as long as nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    /// The revision. Absent as long as nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Rev>,
}

impl Settings {
    fn of(node: &Node, rev: Option<Rev>) -> Settings {
        Settings {
            language: read(node, LANGUAGE),
            time_zone: read(node, TIME_ZONE),
            default_audience: read(node, DEFAULT_AUDIENCE),
            show_presence: read(node, SHOW_PRESENCE).unwrap_or(true),
            digest: read(node, DIGEST).unwrap_or_default(),
            digest_hour: read(node, DIGEST_HOUR).unwrap_or_default(),
            edited_at: read(node, EDITED_AT),
            rev,
        }
    }

    fn reply(self) -> Reply<Settings> {
        match self.rev {
            Some(rev) => Reply::new(self).rev(rev),
            None => Reply::new(self),
        }
    }
}

/// The node, in the profile's root.
pub fn node_id(profile: Id) -> Id {
    Id::derived("settings", profile.as_bytes())
}

async fn stored(call: &Call, me: Id) -> Result<Option<NodeView>, Stop> {
    call.node(Root::profile(me), node_id(me)).await
}

/// The node of somebody who never set anything.
fn nothing(me: Id) -> Node {
    Node {
        ty: SETTINGS,
        section: Section::PRIVATE,
        author: me,
        rev: Position::ZERO,
        created: Time::ZERO,
        updated: Time::ZERO,
        flags: Flags::default(),
        attrs: std::collections::BTreeMap::new(),
    }
}

/// Who sees what this person publishes without saying for whom.
pub async fn default_audience(call: &Call, me: Id) -> Result<Audience, Stop> {
    let own = stored(call, me).await?.and_then(|view| read(&view, DEFAULT_AUDIENCE));
    Ok(own.unwrap_or_else(|| call.settings().default_audience.into()))
}

/// Whether others may see that this person is there.
pub async fn shows_presence(call: &Call, me: Id) -> Result<bool, Stop> {
    Ok(stored(call, me).await?.and_then(|view| read(&view, SHOW_PRESENCE)).unwrap_or(true))
}

/// Shows them.
pub async fn get(call: Call, _: Empty) -> Result<Reply<Settings>, Stop> {
    let me = call.me()?;
    Ok(match stored(&call, me).await? {
        Some(view) => Settings::of(&view, Some(view.rev)).reply(),
        None => Settings::of(&nothing(me), None).reply(),
    })
}

/// What to change. What is absent stays, `null` goes back to what it was before anything was set.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSettings {
    /// The language to be spoken to in.
    #[serde(default)]
    language: Patch<Language>,
    /// The time zone to reckon days in.
    #[serde(default)]
    time_zone: Patch<TimeZone>,
    /// Who sees what I publish without saying for whom.
    #[serde(default)]
    default_audience: Patch<Audience>,
    /// Whether others may see that I am there.
    #[serde(default)]
    show_presence: Patch<bool>,
    /// How often I want a summary.
    #[serde(default)]
    digest: Patch<Digest>,
    /// At which hour of my day.
    #[serde(default)]
    digest_hour: Patch<Hour>,
    /// Refuse if they are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

impl UpdateSettings {
    fn changes(&mut self) -> Changes {
        fn text<T: Serialize>(patch: &mut Patch<T>) -> Option<Option<String>> {
            std::mem::take(patch).change().map(|value| value.map(|value| json(&value)))
        }
        let fields = [
            (LANGUAGE, text(&mut self.language)),
            (TIME_ZONE, text(&mut self.time_zone)),
            (DEFAULT_AUDIENCE, text(&mut self.default_audience)),
            (SHOW_PRESENCE, text(&mut self.show_presence)),
            (DIGEST, text(&mut self.digest)),
            (DIGEST_HOUR, text(&mut self.digest_hour)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Changes them.
pub async fn update(call: Call, mut args: UpdateSettings) -> Result<Reply<Settings>, Stop> {
    let me = call.me()?;
    let root = Root::profile(me);
    call.replay(root).await?;
    let id = node_id(me);
    let changes = args.changes();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let view = stored(&call, me).await?;
        let before = match &view {
            Some(view) => Settings::of(view, Some(view.rev)),
            None => Settings::of(&nothing(me), None),
        };
        let guard = match &view {
            Some(view) => call.guard(id, view, args.if_rev, &before)?,
            // There is no revision that could be the wanted one.
            None if args.if_rev.or(call.if_match).is_some() => return Err(Code::StaleRevision.into()),
            None => None,
        };
        let guarded = guard.is_some();
        let node = view.as_ref().map_or_else(|| nothing(me), |view| view.node.clone());
        let edited = call.edited_in(&node);
        let (after, attrs) = merged(&call, &node, &changes);
        if attrs.is_empty() && call.op.is_none() {
            return Ok(before.reply());
        }
        let mut write = call.on(root);
        match &view {
            // From the state that was read, so that the reply is exact.
            Some(view) => write.pre.push(guard.unwrap_or(Precondition::NodeRev(id, view.node.rev))),
            None => {
                let (ty, section, flags) = (SETTINGS, Section::PRIVATE, Flags::default());
                let make = Operation::CreateNode { id, ty, section, author: me, flags, attrs: Vec::new() };
                write = write
                    // One whose profile is being erased gets no new rows.
                    .when(Precondition::NodePresent(me))
                    .when(Precondition::NodeAbsent(id))
                    .op(make);
            }
        }
        let write = write.op(Operation::PatchNode { id, attrs, edited });
        let after = Settings::of(&after, Some(Rev::Pending));
        let hides = before.show_presence && !after.show_presence;
        match call.write(write, after).await {
            Err(stop) if is_race(&stop) && !guarded && attempt < ATTEMPTS => {}
            Err(stop) if is_race(&stop) && guarded => {
                let Some(view) = stored(&call, me).await? else { return Err(stop) };
                let now = Settings::of(&view, Some(view.rev));
                return Err(Problem::new(Code::StaleRevision).current(view.rev, &now).into());
            }
            Err(stop) if is_race(&stop) => return Err(Problem::new(Code::Busy).retry_after(1).into()),
            done => {
                if hides && done.is_ok() {
                    hide(&call, me);
                }
                return done;
            }
        }
    }
}

/// Somebody else changed the same node between reading and writing.
fn is_race(stop: &Stop) -> bool {
    matches!(stop.code(), Some(Code::StaleRevision | Code::IdTaken))
}

/// What was said of being there holds no longer, on this member.
fn hide(call: &Call, me: Id) {
    let (now, life) = (call.cluster.now(), PRESENCE_LIFE_MAX);
    call.host.signals.put(call.app.id, Root::profile(me), now, (Kind::Presence, me), "hidden", life);
}

/// A presence ends by itself after this at the latest.
const PRESENCE_LIFE_MAX: Duration = Duration::from_secs(300);

const LANGUAGE: &str = "language";
const TIME_ZONE: &str = "timeZone";
const DEFAULT_AUDIENCE: &str = "defaultAudience";
const SHOW_PRESENCE: &str = "showPresence";
const DIGEST: &str = "digest";
const DIGEST_HOUR: &str = "digestHour";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_zones_and_hours_are_read_and_nothing_else() {
        for good in ["en", "de-AT", "zh-Hant-TW"] {
            assert!(serde_json::from_str::<Language>(&json(&good)).is_ok(), "{good}");
        }
        for bad in ["", "e", "EN", "english please", "de_AT", "-de", "de-"] {
            assert!(serde_json::from_str::<Language>(&json(&bad)).is_err(), "{bad}");
        }
        for good in ["UTC", "Europe/Vienna", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(serde_json::from_str::<TimeZone>(&json(&good)).is_ok(), "{good}");
        }
        let long = "A".repeat(65);
        for bad in ["", "/", "Europe/", "../etc/passwd", "+02:00", "Europe/Vi enna", "Zürich", &long] {
            assert!(serde_json::from_str::<TimeZone>(&json(&bad)).is_err(), "{bad}");
        }
        for (text, good) in [("0", true), ("23", true), ("24", false), ("-1", false), ("1.5", false)] {
            assert_eq!(serde_json::from_str::<Hour>(text).is_ok(), good, "{text}");
        }
    }
}

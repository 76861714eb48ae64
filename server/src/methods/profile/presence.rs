//! Who is there: a signal, see [`crate::signals`]. It reaches the connections that follow the profile's root, and ends by
//! itself when a phone says nothing more.

use std::time::Duration;

use gomer_core::id::{Id, Root};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::methods::account::settings::shows_presence;
use crate::methods::post::hydrate::Reader;
use crate::registry::{Cache, Call, Reply, Stop};
use crate::signals::Kind;
use crate::types::{List, Timestamp, Uuid};
use crate::visibility::Sight;

/// How somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Presence {
    /// There.
    Online,
    /// There, and doing something else.
    Away,
    /// Not to be shown as there.
    Hidden,
}

impl Presence {
    fn name(self) -> &'static str {
        match self {
            Presence::Online => "online",
            Presence::Away => "away",
            Presence::Hidden => "hidden",
        }
    }
}

/// A whole number of seconds, 5 to 300.
#[derive(Debug, Clone, Copy, JsonSchema)]
struct ForS(#[schemars(range(min = 5, max = 300))] u32);

impl<'de> Deserialize<'de> for ForS {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ForS, D::Error> {
        match u32::deserialize(from)? {
            seconds if (5..=300).contains(&seconds) => Ok(ForS(seconds)),
            _ => Err(D::Error::custom("range: a presence holds for 5 to 300 seconds")),
        }
    }
}

fn a_minute() -> ForS {
    ForS(60)
}

/// How I am there.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPresence {
    /// How.
    state: Presence,
    /// For how long, if nothing more is said: 60 seconds, if absent.
    #[serde(default = "a_minute")]
    for_s: ForS,
}

/// How somebody is there.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceOf {
    /// Who.
    profile: Uuid,
    /// How.
    state: &'static str,
    /// Until when that holds.
    until: Timestamp,
}

/// Says how I am there.
pub async fn set(call: Call, args: SetPresence) -> Result<Reply<PresenceOf>, Stop> {
    let me = call.me()?;
    let (now, life) = (call.cluster.now(), Duration::from_secs(args.for_s.0.into()));
    // Whoever is not to be seen as there at all, is not, whatever the phone says.
    let shown = shows_presence(&call, me).await?;
    let state = if shown { args.state } else { Presence::Hidden }.name();
    call.host.signals.put(call.app.id, Root::profile(me), now, (Kind::Presence, me), state, life);
    let until = Timestamp(now.wall + life);
    Ok(Reply::new(PresenceOf { profile: Uuid(me), state, until }).cache(Cache::Never))
}

/// Whose presence.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPresence {
    /// 1 to 200 profiles.
    ids: List<Uuid, 1, 200>,
}

/// Who is there.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Presences {
    /// Those of the profiles that are there and whom the caller may see, in the order asked.
    items: Vec<PresenceOf>,
}

/// Lists who of these is there. Of private profiles, those who follow them are told.
pub async fn list(call: Call, args: ListPresence) -> Result<Reply<Presences>, Stop> {
    let me = call.me()?;
    let now = call.cluster.now().mono;
    let ids: Vec<Id> = args.ids.0.into_iter().map(|id| id.0).collect();
    let mut reader = Reader::new(&call);
    let mut items = Vec::new();
    for id in ids {
        let Some(signal) = call.host.signals.of(call.app.id, Root::profile(id), now, Kind::Presence, id)
        else {
            continue;
        };
        let shown = signal.state != Presence::Hidden.name() || id == me;
        if shown && reader.sight_of_profile(id).await? == Sight::Whole {
            items.push(PresenceOf { profile: Uuid(id), state: signal.state, until: Timestamp(signal.until) });
        }
    }
    Ok(Reply::new(Presences { items }).cache(Cache::Never))
}

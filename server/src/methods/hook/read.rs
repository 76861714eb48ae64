//! The same events, fetched: the app's change feed.
//!
//! A cursor carries a place in each partition. So that it stays a cursor and does not become a letter, a cluster with very
//! many partitions is read in slices, each with cursors of its own.

use std::borrow::Cow;

use gomer_core::id::Partition;
use gomer_core::vnode::query::ChangesFrom;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::event::{self, Event};
use crate::followers;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Stop};
use crate::types::Limit;

/// Partitions of one slice: with so many, a cursor has at most about 4,500 characters.
const SLICE: u16 = 128;
/// Pages that one call looks at, where there is little to be told of.
const PAGES_MAX: usize = 200;

/// From where, and how much.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadEvents {
    /// Which slice of the data, from 0; 0 if absent. All of them are read by asking for each: see `slices` in the reply.
    #[serde(default)]
    slice: Slice,
    /// From the last reply of this slice. Without one, everything that there is comes first: things that were made and not
    /// changed since as `…created`, the others as `…updated`.
    cursor: Option<String>,
    /// Without a cursor: nothing that there is, but what happens from now on.
    #[serde(default)]
    from_now: bool,
    /// About how many events: those of one write are not torn apart.
    #[serde(default)]
    limit: Limit<100, 500>,
}

/// A slice of the data. How many there are is the cluster's to say.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
struct Slice(u16);

impl JsonSchema for Slice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Slice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "default": 0 })
    }
}

/// What happened.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// By partition of the data; within one in order, but when much is fetched for the first time.
    items: Vec<Event>,
    /// Where the next page begins.
    cursor: String,
    /// Whether this was all. It may be false with few items, or none: ask again.
    end: bool,
    /// How many slices there are.
    slices: u16,
}

/// Reads them.
pub async fn read_events(call: Call, args: ReadEvents) -> Result<Reply<Events>, Stop> {
    let count = call.cluster.partitions().get();
    let (slices, slice) = (count.div_ceil(SLICE), args.slice.0);
    if slice >= slices {
        let detail = format!("There are {slices} slices, from 0.");
        return Err(Stop::invalid("/slice", "range", detail));
    }
    let own: Vec<Partition> = (slice * SLICE..count.min((slice + 1) * SLICE)).map(Partition).collect();
    let list = format!("hook.readEvents:{slice}");
    let cursor = args.cursor.as_deref();
    let mut places = match call.open_cursor::<Vec<ChangesFrom>>(&list, cursor)? {
        Some(places) if places.len() == own.len() => places,
        // Of the time before a restore into a ring of another size.
        Some(_) => return Err(Code::CursorInvalid.into()),
        None => vec![ChangesFrom::START; own.len()],
    };
    let (limit, mut items, mut end, mut pages) = (args.limit.0 as usize, Vec::new(), true, 0);
    let ask = if cursor.is_none() && args.from_now { 0 } else { args.limit.0 };
    let chats = call.settings().hooks.allow_chats;
    for (place, &partition) in places.iter_mut().zip(&own) {
        loop {
            if items.len() >= limit || pages >= PAGES_MAX {
                end = false;
                break;
            }
            let had = place.history != 0;
            let rows = ask.min((limit - items.len()) as u32);
            let page = followers::changes(&call.host, call.app.id, partition, *place, rows).await?;
            if page.resync && had {
                let detail = "Events may have been missed. Begin again without a cursor.";
                return Err(Problem::new(Code::CursorExpired).detail(detail).into());
            }
            let events = event::events(&call, partition, &page, chats).await?;
            items.extend(events.into_iter().map(|(_, event)| event));
            *place = page.next;
            pages += usize::from(!page.items.is_empty());
            if page.end {
                break;
            }
        }
    }
    Ok(Reply::new(Events { items, cursor: call.seal_cursor(&list, &places), end, slices }))
}

//! Places by name or around a point.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Root};
use gomer_core::vnode::query::{LinkPlace, PAGE_MAX};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cells::{CIRCLE_M_MAX, Cell};
use super::globe::Point;
use super::place::{Listed, Place, beginning, cell_root, named_like, place, point_of, word_root, words};
use crate::methods::post::hydrate::Reader;
use crate::model::PLACES_HERE;
use crate::registry::{Call, Reply, Stop};
use crate::types::{Limit, Text, Uuid};

/// Places of one list that a search looks at: the newest.
const LOOKED_AT_MAX: usize = 5_000;

/// Which places. A point, a name, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchPlaces {
    /// Each of its words begins a word of the place's name; at least one has two letters.
    text: Option<Text<1, 100>>,
    /// Around this point: degrees north.
    #[schemars(range(min = -90, max = 90))]
    latitude: Option<f64>,
    /// Around this point: degrees east.
    #[schemars(range(min = -180, max = 180))]
    longitude: Option<f64>,
    /// How far around the point, in metres.
    #[serde(default)]
    radius_m: Limit<1_000, CIRCLE_M_MAX>,
    /// How many at most.
    #[serde(default)]
    limit: Limit,
    /// From an earlier page.
    cursor: Option<String>,
}

/// Places that were found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundPlaces {
    /// The nearest first; without a point, by name.
    items: Vec<Place>,
    /// Where the next page begins; hand it back as it is. Absent when there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether this was the last page for now.
    end: bool,
    /// Whether there are so many places in question that only the newest 5,000 of a list were looked at: ask for
    /// a smaller circle or a longer name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

/// What is found stands in this order: centimetres away, folded name, id.
type Rank = (u64, String, Uuid);

/// Finds places.
pub async fn search(call: Call, args: SearchPlaces) -> Result<Reply<FoundPlaces>, Stop> {
    // Each by itself first, so that a number that is wrong is named before the one that is missing.
    for (degrees, most, pointer) in
        [(args.latitude, 90.0, "/latitude"), (args.longitude, 180.0, "/longitude")]
    {
        if degrees.is_some_and(|degrees| degrees.abs() > most) {
            return Err(Stop::invalid(pointer, "range", format!("Degrees from -{most} to {most}.")));
        }
    }
    let centre = match (args.latitude, args.longitude) {
        (Some(latitude), Some(longitude)) => Some(point_of(latitude, longitude)?),
        (None, None) => None,
        (None, _) => return Err(Stop::invalid("/latitude", "required", "A point has both.")),
        (_, None) => return Err(Stop::invalid("/longitude", "required", "A point has both.")),
    };
    let wanted = args.text.as_ref().map_or_else(Vec::new, |text| words(&text.0));
    let longest = wanted.iter().max_by_key(|word| word.chars().count());
    let metres = args.radius_m.0;
    let roots: Vec<Root> = match (centre, longest) {
        (Some(centre), _) => Cell::around(centre, metres).into_iter().map(cell_root).collect(),
        (None, Some(word)) if word.chars().count() >= 2 => vec![word_root(&beginning(word))],
        (None, _) => {
            return Err(Stop::invalid("/text", "value", "A point, or a word of at least two letters."));
        }
    };
    let about = centre.map_or_else(String::new, |at| format!("{},{},{metres}", at.latitude, at.longitude));
    let list = format!("checkin.searchPlaces/{about}/{}", wanted.join(" "));
    let after: Option<Rank> = call.open_cursor(&list, args.cursor.as_deref())?;
    let (mut found, mut partial) = (BTreeSet::<Rank>::new(), false);
    for root in roots {
        partial |= look(&call, root, |id, listed| {
            let away = centre.map(|centre| centre.metres_to(listed.point));
            let near = away.is_none_or(|away| away <= f64::from(metres));
            if near && named_like(&listed.name, &wanted) {
                let centimetres = away.map_or(0, |away| (away * 100.0).round() as u64);
                found.insert((centimetres, listed.name.to_lowercase(), Uuid(id)));
            }
        })
        .await?;
    }
    if let Some(after) = &after {
        found.retain(|rank| rank > after);
    }
    let limit = args.limit.0 as usize;
    let end = found.len() <= limit;
    let ranks: Vec<Rank> = found.into_iter().take(limit).collect();
    let cursor = ranks.last().map(|last| call.seal_cursor(&list, last)).or(args.cursor);
    let mut items = Vec::with_capacity(ranks.len());
    let mut reader = Reader::new(&call);
    for (_, _, Uuid(id)) in ranks {
        if let Some(place) = place(&call, &mut reader, id).await? {
            let away = |centre: Point| centre.metres_to(place.point).round() as u32;
            items.push(Place { distance_m: centre.map(away), ..place });
        }
    }
    Ok(Reply::new(FoundPlaces { items, cursor, end, partial }))
}

/// Looks at the places of a list, and says whether there are more than may be looked at.
async fn look(call: &Call, root: Root, mut see: impl FnMut(Id, Listed)) -> Result<bool, Stop> {
    let (mut after, mut looked) = (None, 0);
    while looked < LOOKED_AT_MAX {
        let (links, end) = call.link_page(root, PLACES_HERE, after, PAGE_MAX).await?;
        looked += links.len();
        after = links.last().map(|last| LinkPlace { time: last.time, to: last.to });
        for link in &links {
            if let Ok(listed) = serde_json::from_str(&link.link.data) {
                see(link.to, listed);
            }
        }
        if end {
            return Ok(false);
        }
    }
    Ok(true)
}

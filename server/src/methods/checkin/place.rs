//! Places: what people check in at. A place is the app's and not its maker's: blocks do not hide it.
//!
//! A place is a root. It is found by lists that stand in roots of their own: one per cell of the globe that it lies in
//! and one per beginning of each word of its name.

use std::collections::BTreeSet;

use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::rows::node::{Flags, Node};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cells::Cell;
use super::globe::Point;
use crate::methods::post::hydrate::Reader;
use crate::methods::post::view::{CREATED_AT, counts_id, json, read};
use crate::model::{COUNTS, PLACE, PLACES_HERE};
use crate::problem::Code;
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Text, Timestamp, Uuid};

/// Most characters of a place's name.
pub const NAME_CHARS_MAX: usize = 200;
/// Words of a name by which it is found.
const WORDS_MAX: usize = 8;
/// Letters of a word's beginning that name a list. Stored data depends on it: never change it.
const BEGINNING: usize = 3;
/// Nodes of a place's root: the place and its counts.
const PLACE_NODES_MAX: u32 = 4;

/// A place.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CheckInPlace")]
pub struct Place {
    /// Its id, chosen by who added it.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub point: Point,
    /// Its postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it was added, by the server's clock.
    pub created_at: Timestamp,
    /// Its revision. Check-ins do not change it.
    pub rev: Rev,
    /// How many public check-ins there are; absent in the replies of procedures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkins: Option<u64>,
    /// How far it is from the point that was asked about, in metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<u32>,
}

impl Place {
    /// Reads a place's node. One without a name or a point (a newer program wrote it) is none.
    pub fn from_node(id: Id, view: &NodeView) -> Option<Place> {
        let node = &view.node;
        Some(Place {
            id: Uuid(id),
            name: read(node, NAME)?,
            point: read(node, POINT)?,
            address: read(node, ADDRESS),
            created_at: read(node, CREATED_AT).unwrap_or(Timestamp(node.created)),
            rev: view.rev,
            checkins: None,
            distance_m: None,
        })
    }

    fn attrs(&self) -> Vec<(String, String)> {
        let mut attrs = vec![
            (NAME.to_owned(), json(&self.name)),
            (POINT.to_owned(), json(&self.point)),
            (CREATED_AT.to_owned(), json(&self.created_at)),
        ];
        attrs.extend(self.address.as_ref().map(|address| (ADDRESS.to_owned(), json(address))));
        attrs
    }

    /// The step that puts it into all lists in which it is looked for.
    fn listed(&self) -> Step {
        let cells = Cell::all_of(self.point).into_iter().map(cell_root);
        let words = words(&self.name).into_iter().flat_map(|word| beginnings(&word)).map(|of| word_root(&of));
        let roots: BTreeSet<Root> = cells.chain(words).collect();
        let op = Operation::PutLink {
            ty: PLACES_HERE,
            to: self.id.0,
            section: Section::INTERNAL,
            time: None,
            data: json(&Listed { name: self.name.clone(), point: self.point }),
        };
        Step {
            roots: roots.into_iter().collect(),
            pre: Vec::new(),
            ops: vec![op],
            then: Vec::new(),
            bulk: false,
        }
    }
}

/// What a list says of a place, so that it is sifted without reading each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub point: Point,
}

/// The root of a place.
pub fn place_root(id: Id) -> Root {
    Root::new(RootKind::Place, id)
}

/// The root of the list of a cell.
pub fn cell_root(cell: Cell) -> Root {
    Root::new(RootKind::Index, Id::derived("place.cell", cell.name().as_bytes()))
}

/// The root of the list of names in which a word begins like this.
pub fn word_root(beginning: &str) -> Root {
    Root::new(RootKind::Index, Id::derived("place.word", beginning.as_bytes()))
}

/// The words of a name, in small letters.
pub fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).take(WORDS_MAX).collect()
}

/// The beginnings of a word under which it is listed: of two letters and of three.
fn beginnings(word: &str) -> BTreeSet<String> {
    (2..=BEGINNING).map(|letters| word.chars().take(letters).collect()).collect()
}

/// The beginning under which to look for a word.
pub fn beginning(word: &str) -> String {
    word.chars().take(BEGINNING).collect()
}

/// Whether each of these words begins a word of the name.
pub fn named_like(name: &str, wanted: &[String]) -> bool {
    let words = words(name);
    wanted.iter().all(|wanted| words.iter().any(|word| word.starts_with(wanted.as_str())))
}

/// The place with this id and its counts, if the caller may see it.
pub async fn place(call: &Call, reader: &mut Reader, id: Id) -> Result<Option<Place>, Stop> {
    let nodes = call.nodes(place_root(id), PLACE_NODES_MAX).await?;
    let node = |wanted: Id| nodes.iter().find(|(id, _)| *id == wanted).map(|(_, view)| view);
    let Some(view) = node(id).filter(|view| view.node.ty == PLACE) else { return Ok(None) };
    if !reader.sees_common(&view.node).await? {
        return Ok(None);
    }
    let count = |node: &Node| node.attr(CHECKINS)?.parse().ok();
    let checkins = node(counts_id(id)).and_then(|view| count(&view.node)).unwrap_or(0);
    Ok(Place::from_node(id, view).map(|place| Place { checkins: Some(checkins), ..place }))
}

/// Which place.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetPlace {
    /// The place.
    id: Uuid,
}

/// Shows a place.
pub async fn get(call: Call, args: GetPlace) -> Result<Reply<Place>, Stop> {
    let place = place(&call, &mut Reader::new(&call), args.id.0).await?.ok_or_else(Stop::not_found)?;
    let rev = place.rev;
    Ok(Reply::new(place).rev(rev))
}

/// A new place.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreatePlace {
    /// Its id, chosen by the caller.
    id: Uuid,
    /// What people call it.
    name: Text<1, NAME_CHARS_MAX>,
    /// Degrees north, -90 to 90; rounded to five digits after the point.
    #[schemars(range(min = -90, max = 90))]
    latitude: f64,
    /// Degrees east, -180 to 180; rounded to five digits after the point.
    #[schemars(range(min = -180, max = 180))]
    longitude: f64,
    /// Its postal address.
    address: Option<Text<1, 300>>,
}

/// Adds a place.
pub async fn create(call: Call, args: CreatePlace) -> Result<Reply<Place>, Stop> {
    let me = call.me()?;
    let id = args.id.0;
    let root = place_root(id);
    call.replay(root).await?;
    if let Some(first) = made_before(&call, me, id).await? {
        return Ok(first);
    }
    let point = point_of(args.latitude, args.longitude)?;
    let place = Place {
        id: args.id,
        name: args.name.0,
        point,
        address: args.address.map(|address| address.0),
        created_at: Timestamp(call.now.wall),
        rev: Rev::Pending,
        checkins: None,
        distance_m: None,
    };
    let node = |id, ty, author, attrs| Operation::CreateNode {
        id,
        ty,
        section: Section::PUBLIC,
        author,
        flags: Flags::default(),
        attrs,
    };
    let write = call
        .on(root)
        .when(Precondition::NodeAbsent(id))
        .op(node(id, PLACE, me, place.attrs()))
        .op(node(counts_id(id), COUNTS, Id::NIL, Vec::new()))
        .step(place.listed());
    match call.write(write, place).await {
        // Two calls with the same id at once: the other one was first.
        Err(stop) if stop.code() == Some(Code::IdTaken) => {
            made_before(&call, me, id).await?.ok_or_else(|| Code::IdTaken.into())
        }
        done => done,
    }
}

/// The point, or which field is to blame.
pub fn point_of(latitude: f64, longitude: f64) -> Result<Point, Stop> {
    Point::new(latitude, longitude).ok_or_else(|| {
        let bad = if (-90.0..=90.0).contains(&latitude) { "/longitude" } else { "/latitude" };
        Stop::invalid(bad, "range", "Latitude is -90 to 90, longitude -180 to 180.")
    })
}

/// The first result, if the caller made this place before. 409 if somebody else did.
async fn made_before(call: &Call, me: Id, id: Id) -> Result<Option<Reply<Place>>, Stop> {
    match call.node_or_tombstone(place_root(id), id).await? {
        (Some(view), _) if view.node.author == me && view.node.ty == PLACE => {
            let place = Place::from_node(id, &view).ok_or(Code::IdTaken)?;
            Ok(Some(Reply::new(place).rev(view.rev)))
        }
        (None, false) => Ok(None),
        _ => Err(Code::IdTaken.into()),
    }
}

/// Attribute of a place: what people call it.
const NAME: &str = "name";
/// Attribute of a place: where it is.
const POINT: &str = "point";
/// Attribute of a place: its postal address.
const ADDRESS: &str = "address";
/// Attribute of a place's counts: public check-ins.
pub const CHECKINS: &str = "checkins";

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::vnode::command::STEP_ROOTS_MAX;

    #[test]
    fn names_are_found_by_how_their_words_begin() {
        assert_eq!(words("Café  Müller-Bräu (old)"), ["café", "müller", "bräu", "old"]);
        assert!(named_like("Café Müller", &["mü".into(), "caf".into()]));
        assert!(!named_like("Café Müller", &["ller".into()]));
        assert!(!named_like("Café Müller", &["caf".into(), "x".into()]));
        for word in ["bräuhaus", "hb", "x"] {
            for letters in 2..=word.chars().count() {
                let looked: String = word.chars().take(letters).collect();
                assert!(beginnings(word).contains(&beginning(&looked)), "{word} by {looked}");
            }
        }
    }

    #[test]
    fn no_name_stands_in_more_lists_than_one_step_reaches() {
        let name =
            (0..60).map(|word| format!("{}{word}", ["ab", "cd"][word % 2])).collect::<Vec<_>>().join(" ");
        let place = Place {
            id: Uuid(Id::from_bytes([1; 16])),
            name,
            point: Point::new(89.0, 0.0).expect("a point"),
            address: None,
            created_at: Timestamp(gomer_core::time::Time::ZERO),
            rev: Rev::Pending,
            checkins: None,
            distance_m: None,
        };
        assert!(place.listed().roots.len() <= STEP_ROOTS_MAX.min(5 + 2 * WORDS_MAX));
    }
}

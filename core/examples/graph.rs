//! The graph as a library of its own: TAO's operations over a plain map.
//!
//! `cargo run -p gomer-core --example graph`

use gomer_core::fault::Refused;
use gomer_core::graph::link::{self, PutLink};
use gomer_core::graph::node::{self, NewNode};
use gomer_core::graph::{LinkWindow, link::range};
use gomer_core::id::{AppId, Id, LinkType, NodeType, Partition, Position, Root, Section};
use gomer_core::rng::Rng;
use gomer_core::rows::node::Flags;
use gomer_core::rows::{Edit, Place, Txn};
use gomer_core::store::StateStore;
use gomer_core::store::map::MapState;
use gomer_core::time::Time;

const PERSON: NodeType = NodeType(1);
const FOLLOWS: LinkType = LinkType(1);

fn main() -> Result<(), Refused> {
    let mut store = MapState::new();
    let mut rng = Rng::new(2_013);
    let now = Time::from_millis(1_384_560_000_000);
    let [ann, ben, cleo] = [(); 3].map(|()| Id::mint(now, &mut rng));
    let place = Place { partition: Partition(0), app: AppId(1), root: Root::profile(ann) };

    // A transaction is read through while it is made, and becomes one batch.
    let snapshot = store.snapshot()?;
    let mut txn = Txn::new(&snapshot);
    let edit = Edit { place, position: Position(1), time: now, op: Id::NIL, known: None };
    let person = NewNode { ty: PERSON, section: Section::PUBLIC, author: ann, flags: Flags::default() };
    node::create(&mut txn, &edit, ann, person, &[("name".into(), "\"Ann\"".into())])?;
    for (millis, to) in [(1, ben), (2, cleo)] {
        let time = Some(Time::from_millis(now.as_millis() + millis));
        let follows = PutLink { ty: FOLLOWS, to, section: Section::PUBLIC, time, data: "" };
        link::put(&mut txn, &edit, follows)?;
    }
    store.commit(&txn.into_batch())?;

    let rows = store.snapshot()?;
    let name = node::read(&rows, place, ann)?.and_then(|node| node.attr("name").map(str::to_owned));
    println!(
        "{} follows {} people:",
        name.as_deref().unwrap_or("nobody"),
        link::count(&rows, place, FOLLOWS)?
    );
    let (newest_first, _) = range(&rows, place, FOLLOWS, LinkWindow::default(), 10)?;
    for view in newest_first {
        println!("  {} since {} ms", view.to, view.time.as_millis());
    }

    let mut txn = Txn::new(&rows);
    let edit = Edit { position: Position(2), ..edit };
    link::delete(&mut txn, &edit, FOLLOWS, ben)?;
    store.commit(&txn.into_batch())?;
    println!("then {}", link::count(&store.snapshot()?, place, FOLLOWS)?);
    Ok(())
}

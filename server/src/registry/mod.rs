//! Methods as declarations, and the table of all of them.
//!
//! From a [`Method`] come dispatch, argument parsing, the role check, the rate class, audit, metrics, the
//! OpenAPI document and the reference chapter. A handler is an ordinary async function of a [`Call`] and
//! its arguments; it runs unchanged in the simulator.
//!
//! Must never learn: HTTP, sockets, which methods there are.
//!
//! Reading order: [`method`], [`call`], [`reads`], [`reply`], [`rev`], [`order`], [`args`], `parameters`, `gate`,
//! `audit`, [`stats`].

pub mod args;
mod audit;
pub mod call;
mod gate;
pub mod method;
pub(crate) mod named;
pub mod order;
mod parameters;
pub mod reads;
pub mod reply;
pub mod rev;
pub mod stats;

use std::collections::BTreeMap;

pub use args::RawArgs;
pub use call::{Call, Caller, Trace};
pub use method::{Idempotency, Kind, Method, Rate, Role, Scope};
pub use order::OrderText;
pub use reads::NodeView;
pub use reply::{Cache, Payload, Rendered, Reply, Stop};
pub use rev::Rev;

/// All methods of the program, by name.
pub struct Registry {
    methods: BTreeMap<&'static str, Method>,
}

impl Registry {
    /// The table of these methods. Panics, naming it, on a declaration that is not sound: a unit test
    /// builds the table, so that a start never does.
    pub fn new(methods: Vec<Method>) -> Registry {
        let mut table = BTreeMap::new();
        for method in methods {
            if let Err(fault) = method.check() {
                panic!("{fault}");
            }
            let name = method.name;
            assert!(table.insert(name, method).is_none(), "{name} is declared twice");
        }
        Registry { methods: table }
    }

    /// The method of that name.
    pub fn get(&self, name: &str) -> Option<&Method> {
        self.methods.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        self.methods.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.methods.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }
}

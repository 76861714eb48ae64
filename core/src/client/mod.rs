//! The phone: offline sync from the client's side, as a pure state machine.
//!
//! This is what the tests' and the simulator's phones run, and what the client libraries in other
//! languages are modelled on. A driver is a loop of thirty lines:
//!
//! ```text
//! phone = Phone::new(config, saved)
//! loop:
//!     event   = next of: the app, a reply, a failed request, the network, phone.poll_timeout()
//!     actions = phone.handle(now, event)
//!     do them in order: store, tell the app, send
//! ```
//!
//! What holds, whatever the network, the server and the battery do:
//!
//! * Nothing is shown or sent before it is stored; a page is stored together with its cursor.
//! * An operation has one id for life and takes effect at most once.
//! * An operation ends confirmed by the server, or as a report that waits for the person. Never silently.
//! * When a pull has reached its end, the cache is a state that the server had and that the person may see.
//!
//! Reading order: [`event`] and [`action`] (in and out), [`phone`] (the machine), [`cache`] (pages and
//! resyncs), [`queue`] (operations), [`merge`] (what the person sees), [`cursor`], [`session`],
//! `lane` (one call at a time, waits), [`commit`] (what is stored), `wire` (the JSON).
//!
//! Must never learn: a clock, a socket, a thread, how a driver stores; what a method does or a type of
//! entity means; what is inside a cursor, a revision, a position or a token.

pub mod action;
pub mod cache;
pub mod commit;
pub mod cursor;
pub mod event;
mod lane;
pub mod merge;
pub mod phone;
pub mod queue;
pub mod session;
mod wire;

#[cfg(test)]
mod phone_test;
#[cfg(test)]
mod queue_test;

pub use action::{Action, HttpRequest, RequestId, SignIn};
pub use cache::{Cache, Key, Kind, Row, Scope};
pub use commit::{Commit, Saved};
pub use cursor::{Known, Roots};
pub use event::{Event, Response};
pub use merge::{Change, Edit};
pub use phone::{Config, Phone};
pub use queue::{OpId, Operation, Progress, Report, Verdict, Write, WriteError};
pub use session::Secret;

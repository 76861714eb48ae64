//! The HTTP/1.1 and HTTP/2 front: sockets on one side, whole requests and responses on the other.
//!
//! It must never learn what an RPC method, an app, a token or a partition is: a [`Service`] is told
//! the bytes of a request and renders every answer, refusals included. It runs unchanged in the
//! simulator, so it uses nothing of tokio that the simulator lacks.
//!
//! Reading order: [`service`] (the face), [`limits`], [`drain`], [`front`] (accepting),
//! [`layer`] (what TLS is to it), `connection` (one connection's life), [`guard`] (what hyper never gets to see), `handler` (one
//! request's life), `body`, [`sized`], [`live`], `websocket`; [`json`] stands alone.

mod address;
mod body;
mod connection;
mod counts;
pub mod drain;
pub mod front;
pub mod guard;
mod handler;
mod io;
pub mod json;
pub mod layer;
mod life;
pub mod limits;
pub mod live;
pub mod service;
pub mod sized;
mod timer;
#[cfg(not(madsim))]
pub mod tls;
mod websocket;

pub use address::Cidr;
pub use body::BodyReader;
pub use counts::{Count, Counts};
pub use drain::Drain;
pub use front::Front;
pub use limits::Limits;
pub use live::{LiveBody, LiveEvent, LiveFormat, LiveSender};
pub use service::{Body, Refusal, Request, Response, Service};
pub use sized::{SizedBody, SizedSender};
pub(crate) use timer::now;
pub use timer::{TaskExecutor, TaskTimer};

//! What a handler gives back: a reply, or why there is none.

use bytes::Bytes;
use gomer_core::fault::Fault;
use gomer_core::id::Position;
use gomer_net::http::LiveBody;
use serde::Serialize;

use super::rev::Rev;
use crate::problem::{Code, Problem};

/// A reply, before or after it was rendered.
pub struct Reply<R> {
    content: Content<R>,
    /// The entity's revision: its `ETag`.
    pub rev: Option<Rev>,
    /// The position that the reply is as of: `Gomer-Position`.
    pub position: Option<Position>,
    /// Who may keep it.
    pub cache: Cache,
}

enum Content<R> {
    Typed(R),
    Json(Bytes),
    Other(&'static str, Bytes),
    Stream(LiveBody),
}

/// Who may keep a reply, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cache {
    /// The client may keep it, and must ask whether it is still good.
    #[default]
    Private,
    /// Nobody: it holds secrets.
    Never,
    /// Anybody, for this many seconds: it is the same for all.
    Public(u32),
}

impl<R> Reply<R> {
    /// A reply without a revision.
    pub fn new(value: R) -> Reply<R> {
        Reply::of(Content::Typed(value))
    }

    /// A reply that has been rendered as JSON of `R`'s shape.
    pub fn json(json: impl Into<Bytes>) -> Reply<R> {
        Reply::of(Content::Json(json.into()))
    }

    /// A reply that is no JSON.
    pub fn other(content_type: &'static str, bytes: impl Into<Bytes>) -> Reply<R> {
        Reply::of(Content::Other(content_type, bytes.into()))
    }

    /// Server-sent events.
    pub fn stream(stream: LiveBody) -> Reply<R> {
        Reply { cache: Cache::Never, ..Reply::of(Content::Stream(stream)) }
    }

    /// With the entity's revision.
    #[must_use]
    pub fn rev(mut self, rev: Rev) -> Reply<R> {
        self.rev = Some(rev);
        self
    }

    /// With the position that it is as of.
    #[must_use]
    pub fn position(mut self, position: Position) -> Reply<R> {
        self.position = Some(position);
        self
    }

    /// With who may keep it.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Reply<R> {
        self.cache = cache;
        self
    }

    fn of(content: Content<R>) -> Reply<R> {
        Reply { content, rev: None, position: None, cache: Cache::Private }
    }
}

impl<R: Serialize> Reply<R> {
    pub(crate) fn render(self) -> Result<Rendered, Stop> {
        let Reply { content, rev, position, cache } = self;
        let content = match content {
            Content::Typed(value) => Payload::Json(render(&value)?.into()),
            Content::Json(json) => Payload::Json(json),
            Content::Other(kind, bytes) => Payload::Other(kind, bytes),
            Content::Stream(stream) => Payload::Stream(stream),
        };
        Ok(Rendered { content, rev, position, cache, replayed: false })
    }
}

/// Renders as JSON.
pub(crate) fn render(value: &impl Serialize) -> Result<Vec<u8>, Stop> {
    let mut json = Vec::with_capacity(256);
    serde_json::to_writer(&mut json, value).map_err(|error| {
        Problem::new(Code::Internal).detail(format!("A reply could not be written: {error}."))
    })?;
    Ok(json)
}

/// A rendered reply.
#[derive(Debug)]
pub struct Rendered {
    /// The body.
    pub content: Payload,
    /// The entity's revision.
    pub rev: Option<Rev>,
    /// The position that it is as of.
    pub position: Option<Position>,
    /// Who may keep it.
    pub cache: Cache,
    /// Whether it is the recorded reply to an earlier call with the same operation id.
    pub replayed: bool,
}

/// The body of a rendered reply.
#[derive(Debug)]
pub enum Payload {
    /// JSON.
    Json(Bytes),
    /// Of another type.
    Other(&'static str, Bytes),
    /// Server-sent events.
    Stream(LiveBody),
}

/// Why a handler has no reply of its own.
#[derive(Debug)]
pub enum Stop {
    /// It failed.
    Problem(Box<Problem>),
    /// The call was done before: this was the reply then.
    Replay(Box<Rendered>),
}

impl Stop {
    /// There is no such thing, or the caller may not know of it: always the same bytes.
    pub fn not_found() -> Stop {
        Code::NotFound.into()
    }

    /// The caller may not do this; `detail` says which role may.
    pub fn forbidden(detail: impl Into<String>) -> Stop {
        Problem::new(Code::Forbidden).detail(detail).into()
    }

    /// A value is wrong in a way that its type does not tell.
    pub fn invalid(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Stop {
        Problem::new(Code::Invalid).detail(detail).at(pointer, code).into()
    }

    /// The code, if it failed.
    pub fn code(&self) -> Option<Code> {
        match self {
            Stop::Problem(problem) => Some(problem.code),
            Stop::Replay(_) => None,
        }
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Problem(Box::new(problem))
    }
}

impl From<Code> for Stop {
    fn from(code: Code) -> Stop {
        Problem::new(code).into()
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Problem::from(fault).into()
    }
}

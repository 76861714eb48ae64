//! What a phone is told: by the app, by the network, by the clock.

use std::time::Duration;

use super::action::RequestId;
use super::cursor::Roots;
use super::queue::{OpId, Write};
use super::session::Secret;
use crate::id::Id;

/// Something that happened. See [`super::Phone::handle`].
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The person signed in (`auth.createAccount`, `auth.createSession`): this pair is theirs.
    SignedIn {
        /// Their profile.
        profile: Id,
        /// The access token.
        access: Secret,
        /// The refresh token.
        refresh: Secret,
    },
    /// The person did something. Answered by one `Written`.
    AppWrites(Write),
    /// The person has seen the report about `op`, and perhaps does something in its place. Answered by
    /// one `Written` if there is a write.
    AppAnswers {
        /// The reported operation.
        op: OpId,
        /// What is done instead: the same again with another `ifRev`, for instance. A new operation.
        instead: Option<Write>,
    },
    /// The app has these roots open now, instead of those before.
    AppFollows(Roots),
    /// A reply arrived.
    Response(Response),
    /// No reply: the outcome is unknown.
    Failed(RequestId),
    /// There is no network. Whatever is under way is given up.
    WentOffline,
    /// There is a network (again).
    CameOnline,
    /// The time that [`super::Phone::poll_timeout`] named has come. Harmless at any other time.
    Tick,
}

/// A reply, with the headers that a phone acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The request it answers.
    pub request: RequestId,
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as a span from now.
    pub retry_after: Option<Duration>,
    /// `Gomer-Position`, as it is.
    pub position: Option<String>,
    /// The body; empty if it is not text.
    pub body: String,
}

//! Who asks: the app's key, and the bearer's token.

use std::sync::Arc;

use gomer_core::id::{Id, Root};
use gomer_core::meta::command::KeyKind;
use gomer_core::meta::state::{App, MetaState};
use gomer_core::rows::node::Flags;
use gomer_core::vnode::query::{Answer, Query};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use sha2::{Digest, Sha256};

use super::conditions::one;
use crate::auth::bearer;
use crate::host::Host;
use crate::methods::realtime;
use crate::problem::{Code, Problem};
use crate::registry::{Caller, Stop};

const GOMER_KEY: HeaderName = HeaderName::from_static("gomer-key");
const GOMER_AS: HeaderName = HeaderName::from_static("gomer-as");

/// The app, if the request shows a key of it. A name that no app has and a key that is not its own are told
/// apart: names stand in every address and are no secret.
pub(super) fn app(meta: &MetaState, name: &str, headers: &HeaderMap) -> Result<Arc<App>, Stop> {
    let app = meta.apps.get(name).ok_or_else(Stop::not_found)?;
    let key = one(headers, &GOMER_KEY)?.ok_or_else(|| {
        Problem::new(Code::Unauthenticated).detail("Send the app's client key in the header `Gomer-Key`.")
    })?;
    match key_of(app, key) {
        Some(KeyKind::Client) => Ok(app.clone()),
        _ => Err(Problem::new(Code::Unauthenticated)
            .detail("The key in `Gomer-Key` is not a client key of this app, or it was revoked.")
            .into()),
    }
}

/// Who asks in this app.
pub(super) async fn caller(
    host: &Host,
    meta: &MetaState,
    app: &App,
    headers: &HeaderMap,
) -> Result<Caller, Stop> {
    let acting_as = one(headers, &GOMER_AS)?;
    let caller = match token(headers)? {
        None => Caller::Anonymous,
        Some(text) if is_key(text) => match key_of(app, text) {
            Some(KeyKind::Server) => Caller::Server { acting_as: acting_as_of(host, app, acting_as).await? },
            Some(KeyKind::Admin) => Caller::Admin,
            Some(KeyKind::Client) | None if is_operator(meta, text) => Caller::Operator,
            Some(KeyKind::Client) | None => return Err(Code::Unauthenticated.into()),
        },
        Some(text) => {
            let signed_in = bearer::sign_in(&host.cluster, app, text).await?;
            Caller::User { profile: signed_in.profile, device: signed_in.device, roles: Vec::new() }
        }
    };
    if acting_as.is_some() && !matches!(caller, Caller::Server { .. }) {
        return Err(Stop::forbidden("`Gomer-As` is for the app's server key."));
    }
    Ok(caller)
}

/// App and caller by a token of `realtime.getToken`, which is used up by that.
pub(super) async fn of_token(
    host: &Host,
    meta: &MetaState,
    name: &str,
    token: &str,
) -> Result<(Arc<App>, Caller), Stop> {
    let app = meta.apps.get(name).ok_or_else(Stop::not_found)?;
    Ok((app.clone(), realtime::redeem(&host.cluster, app, token).await?))
}

/// Who asks outside of any app: the operator or nobody.
pub(super) fn caller_nowhere(meta: &MetaState, headers: &HeaderMap) -> Result<Caller, Stop> {
    match token(headers)? {
        None => Ok(Caller::Anonymous),
        Some(text) if is_operator(meta, text) => Ok(Caller::Operator),
        Some(_) => Err(Code::Unauthenticated.into()),
    }
}

/// The profile that a server key acts for: one that exists and is not banned.
async fn acting_as_of(host: &Host, app: &App, text: Option<&str>) -> Result<Option<Id>, Stop> {
    let Some(text) = text else { return Ok(None) };
    let id: Id =
        text.parse().map_err(|_| Problem::new(Code::BadRequest).detail("`Gomer-As` is a profile's id."))?;
    match host.cluster.read(app.id, Root::profile(id), Query::Node(id)).await?.answer {
        Answer::Node(Some(node)) if node.flags.has(Flags::BANNED) => Err(bearer::banned()),
        Answer::Node(Some(_)) => Ok(Some(id)),
        _ => Err(Stop::not_found()),
    }
}

/// The token of `Authorization: Bearer …`.
fn token(headers: &HeaderMap) -> Result<Option<&str>, Stop> {
    let Some(value) = one(headers, &AUTHORIZATION)? else { return Ok(None) };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => {
            Err(Problem::new(Code::Unauthenticated).detail("`Authorization` is `Bearer` and a token.").into())
        }
    }
}

/// Whether a token is a key or the operator's, by its first letters: a session's never begins like that.
fn is_key(text: &str) -> bool {
    text.starts_with("gomer_")
}

/// What kind of key of the app this is. Compared by hash, all keys, in constant time.
fn key_of(app: &App, text: &str) -> Option<KeyKind> {
    let hash = Sha256::digest(text.as_bytes()).into();
    let mut found = None;
    for key in app.keys.values() {
        if same(&key.hash, &hash) && !key.revoked {
            found = Some(key.kind);
        }
    }
    found
}

fn is_operator(meta: &MetaState, text: &str) -> bool {
    meta.operator.is_some_and(|hash| same(&hash, &Sha256::digest(text.as_bytes()).into()))
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

//! Accounts at identity providers that are linked to a profile: signing in with them, and how they come and go.
//!
//! The pair of issuer and subject is a name like a handle: one profile has it at a time. The profile's own root holds
//! under which claim, in a node per provider that an expiring reservation asks about, and in a list.

use gomer_core::id::{Id, Root, Section};
use gomer_core::vnode::command::{Operation, Precondition, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::claim::{ATTEMPTS_MAX, Wanted, release};
use crate::auth::credential::{Credential, any_id, claim_json};
use crate::auth::id_token::{Expected, Refused, Subject, TOKEN_CHARS_MAX, Unproven};
use crate::auth::policy::{Joining, may_join};
use crate::auth::provider_settings::Provider;
use crate::limits::Subject as Limited;
use crate::methods::post::view::json;
use crate::methods::profile::joined;
use crate::methods::profile::view::GUEST;
use crate::model::{PROVIDER_LINK, PROVIDER_LINKS};
use crate::problem::{Code, Problem};
use crate::registry::{Cache, Call, Rate, Reply, Stop};
use crate::types::{Empty, Page, Text, Timestamp};

/// An ID token.
pub type IdToken = Text<1, TOKEN_CHARS_MAX>;
/// The nonce that a token was asked for with.
pub type Nonce = Text<1, 255>;
/// A provider's name, as the app's settings have it.
pub type ProviderName = Text<1, 32>;

/// Most links of a profile: as many as an app has providers, now and before.
const LINKS_MAX: u32 = 100;

/// What the list holds of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    provider: String,
    issuer: String,
    subject: String,
    claim: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    linked_at: Timestamp,
}

/// A linked account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLink {
    /// The provider, as the app calls it.
    provider: String,
    /// Who it is.
    issuer: String,
    /// The provider's name of the account.
    subject: String,
    /// Its address there, if the provider says that it is theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Since when.
    linked_at: Timestamp,
}

impl From<Stored> for ProviderLink {
    fn from(stored: Stored) -> ProviderLink {
        let Stored { provider, issuer, subject, email, linked_at, .. } = stored;
        ProviderLink { provider, issuer, subject, email, linked_at }
    }
}

/// The root that says whose an account at a provider is.
fn name_of(issuer: &str, subject: &str) -> Root {
    // An issuer is an address: there is no line feed in it.
    Root::name("oidc", &format!("{issuer}\n{subject}"))
}

/// The node that holds the claim, in the profile's root.
fn node_id(profile: Id, provider: &str) -> Id {
    let mut name = profile.as_bytes().to_vec();
    name.extend_from_slice(provider.as_bytes());
    Id::derived("provider link", &name)
}

/// Attribute of the node: under which claim. Empty when nothing is linked.
const CLAIM: &str = "claim";

async fn all(call: &Call, profile: Id) -> Result<Vec<(Id, Stored, String)>, Stop> {
    let (links, _) = call.link_page(Root::profile(profile), PROVIDER_LINKS, None, LINKS_MAX).await?;
    let read = |data: String| Some((serde_json::from_str::<Stored>(&data).ok()?, data));
    Ok(links
        .into_iter()
        .filter_map(|link| read(link.link.data).map(|(it, data)| (link.to, it, data)))
        .collect())
}

/// Steps that let go of all accounts that a profile has at providers: for whoever is erased.
pub async fn releases(call: &Call, profile: Id) -> Result<Vec<Step>, Stop> {
    let links = all(call, profile).await?.into_iter();
    let step = |(_, stored, _): (Id, Stored, String)| {
        Some(release(name_of(&stored.issuer, &stored.subject), profile, any_id(&stored.claim)?))
    };
    Ok(links.filter_map(step).collect())
}

/// Lists mine.
pub async fn list(call: Call, _: Empty) -> Result<Reply<Page<ProviderLink>>, Stop> {
    let items = all(&call, call.me()?).await?.into_iter().map(|(_, stored, _)| stored.into()).collect();
    Ok(Reply::new(Page { items, cursor: None, end: true }).cache(Cache::Never))
}

/// Whom a token is about, if it is good for this app now; else why it is not.
async fn verified(
    call: &Call,
    provider: &str,
    token: &str,
    nonce: Option<&str>,
) -> Result<(Provider, Result<Subject, Refused>), Stop> {
    let settings = call.settings();
    let provider = settings.providers.iter().find(|known| known.name == provider).cloned();
    let provider = provider
        .ok_or_else(|| Stop::invalid("/provider", "value", "This app has no such identity provider."))?;
    let unproven = match Unproven::read(token) {
        Ok(unproven) => unproven,
        Err(refused) => return Ok((provider, Err(refused))),
    };
    let (keys, outside) = (&call.host.provider_keys, &*call.host.outside);
    let known = keys.of(outside, &provider.issuer, unproven.key.as_deref(), call.now.mono).await;
    let Some(known) = known else {
        let detail = "The identity provider does not give its keys.";
        return Err(Problem::new(Code::Unavailable).detail(detail).retry_after(60).into());
    };
    let expected = Expected { issuer: &provider.issuer, clients: &provider.client_ids, nonce };
    let subject = unproven.prove(&known, expected, call.now.wall);
    if let Err(refused) = &subject {
        tracing::info!(app = call.app.name, provider = provider.name, %refused, "an ID token was refused");
    }
    Ok((provider, subject))
}

/// Whose account it is that a token is about. 401 if the token is not good, or the account is nobody's: both the same.
pub async fn owner_by_token(
    call: &Call,
    provider: &str,
    token: &str,
    nonce: Option<&str>,
) -> Result<Id, Stop> {
    let refused = || Stop::from(Code::Unauthenticated);
    let (provider, subject) = verified(call, provider, token, nonce).await?;
    let subject = subject.map_err(|_| refused())?;
    let name = name_of(&provider.issuer, &subject.id);
    call.take(Rate::Login, Limited::Account(name.id))?;
    let held = call.name(name).await?.ok_or_else(refused)?;
    // The profile's own root says so too: a reservation that was never used is nobody's.
    let used = all(call, held.owner).await?.into_iter().any(|(_, stored, _)| {
        stored.claim == held.reservation.to_string() && name_of(&stored.issuer, &stored.subject) == name
    });
    if used { Ok(held.owner) } else { Err(refused()) }
}

/// Which account.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkProvider {
    /// The provider, as the app's settings call it.
    provider: ProviderName,
    /// An ID token of it, for one of the app's clients.
    id_token: IdToken,
    /// The nonce that it was asked for with. Absent only if it was asked for without one.
    nonce: Option<Nonce>,
}

/// Links an account at a provider.
pub async fn link(call: Call, args: LinkProvider) -> Result<Reply<ProviderLink>, Stop> {
    let me = call.me()?;
    let own = Root::profile(me);
    call.replay(own).await?;
    call.take(Rate::Login, Limited::Account(me))?;
    let nonce = args.nonce.as_ref().map(|nonce| nonce.0.as_str());
    let (provider, subject) = verified(&call, &args.provider.0, &args.id_token.0, nonce).await?;
    let subject = subject.map_err(|_| {
        Stop::invalid("/idToken", "value", "This token is not good for this app, or not any more.")
    })?;
    let (name, node) = (name_of(&provider.issuer, &subject.id), node_id(me, &provider.name));
    for attempt in 0..ATTEMPTS_MAX {
        if let Some((_, stored, _)) = all(&call, me).await?.into_iter().find(|(id, _, _)| *id == node) {
            if name_of(&stored.issuer, &stored.subject) == name {
                return Ok(Reply::new(stored.into()).cache(Cache::Never));
            }
            return Err(Stop::forbidden("Another account of this provider is linked: unlink that first."));
        }
        let (credential, stored) = Credential::load(&call, me).await?.ok_or_else(Stop::not_found)?;
        let is_guest = credential.is_guest();
        if is_guest {
            may_join(&call, Joining::Account)?;
        }
        let wanted = Wanted {
            name,
            // Each linking is a claim of its own: what is on its way for an earlier one cannot touch it.
            before: Some(call.cluster.mint()),
            node: Some(node),
            attr: CLAIM,
            pointer: "/idToken",
        };
        let claim = wanted.reserve(&call, me, attempt).await?;
        let link = Stored {
            provider: provider.name.clone(),
            issuer: provider.issuer.clone(),
            subject: subject.id.clone(),
            claim: claim.to_string(),
            email: subject.email.clone(),
            linked_at: Timestamp(call.now.wall),
        };
        let mut write = call
            .on(own)
            .when(Wanted::usable(claim))
            .when(Credential::unchanged(me, &stored))
            .when(Precondition::LinkAbsent(PROVIDER_LINKS, node))
            .op(Operation::PutLink {
                ty: PROVIDER_LINKS,
                to: node,
                section: Section::INTERNAL,
                time: None,
                data: json(&link),
            })
            .op(holding(me, node, Some(claim)))
            .step(wanted.confirm(me, claim));
        if is_guest {
            // Who can sign in again is no guest.
            let attrs = vec![(GUEST.to_owned(), None)];
            write = write.op(Operation::PatchNode { id: me, attrs, edited: None }).step(joined(me));
        }
        match call.write(write, ProviderLink::from(link)).await {
            Err(stop)
                if matches!(stop.code(), Some(Code::NameTaken | Code::StaleRevision | Code::IdTaken)) => {}
            done => return done.map(|reply| reply.cache(Cache::Never)),
        }
    }
    Err(Code::InProgress.into())
}

/// The node that says under which claim, if under any. It stays, emptied, when the link goes: a node that is deleted
/// cannot be made again.
fn holding(me: Id, node: Id, claim: Option<Id>) -> Operation {
    let attrs = claim.map(|claim| (CLAIM.to_owned(), claim_json(claim))).into_iter().collect();
    let (ty, section) = (PROVIDER_LINK, Section::INTERNAL);
    Operation::PutNode { id: node, ty, section, author: me, attrs }
}

/// Which link.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnlinkProvider {
    /// The provider.
    provider: ProviderName,
}

/// What is no longer linked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unlinked {
    /// The provider.
    provider: String,
    /// Always false.
    linked: bool,
}

/// Unlinks one. Refused if nothing else would let its owner in.
pub async fn unlink(call: Call, args: UnlinkProvider) -> Result<Reply<Unlinked>, Stop> {
    let me = call.me()?;
    let own = Root::profile(me);
    call.replay(own).await?;
    let node = node_id(me, &args.provider.0);
    for _ in 0..ATTEMPTS_MAX {
        let unlinked = Unlinked { provider: args.provider.0.clone(), linked: false };
        let links = all(&call, me).await?;
        let Some((_, stored, data)) = links.iter().find(|(id, _, _)| *id == node) else {
            return Ok(Reply::new(unlinked));
        };
        let (credential, known) = Credential::load(&call, me).await?.ok_or_else(Stop::not_found)?;
        let mut write = call
            .on(own)
            .when(Precondition::LinkData(PROVIDER_LINKS, node, data.clone()))
            .when(Credential::unchanged(me, &known))
            .op(Operation::DeleteLink { ty: PROVIDER_LINKS, to: node })
            .op(holding(me, node, None));
        // A code goes to an address; a password goes with a name.
        let by_name =
            credential.email.is_some() || (credential.password.is_some() && credential.handle.is_some());
        if !by_name {
            let settings = call.settings();
            let is_known = |name: &str| settings.providers.iter().any(|provider| provider.name == name);
            let other = links.iter().find(|(id, other, _)| *id != node && is_known(&other.provider));
            let (id, _, data) = other.ok_or_else(|| {
                Stop::forbidden(
                    "This is the last way to sign in: sign up with a password or link another first.",
                )
            })?;
            // It must still be there when this goes.
            write = write.when(Precondition::LinkData(PROVIDER_LINKS, *id, data.clone()));
        }
        if let Some(claim) = any_id(&stored.claim) {
            write = write.step(release(name_of(&stored.issuer, &stored.subject), me, claim));
        }
        match call.write(write, unlinked).await {
            Err(stop) if matches!(stop.code(), Some(Code::NotFound | Code::StaleRevision)) => {}
            done => return done,
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

//! Keys of identity providers: fetched when they are first needed, kept for an hour, and fetched anew at most once a
//! minute when a token names one that is not known, because providers change them without notice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::time::Monotonic;
use serde::Deserialize;

use super::id_token::{Key, keys};
use crate::outside::{Ask, Outside};

/// How long keys are taken for the present ones.
const FRESH: Duration = Duration::from_secs(3_600);
/// How often they are asked for at most.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// Most providers whose keys are kept; beyond that, the one that was asked longest ago goes.
const PROVIDERS_MAX: usize = 200;
/// Most bytes of a provider's answers.
const BYTES_MAX: usize = 256 * 1024;

/// The keys of all providers that were needed.
#[derive(Default)]
pub struct ProviderKeys {
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<Vec<Key>>,
    /// When they came.
    fresh: Option<Monotonic>,
    /// When they were last asked for.
    asked: Monotonic,
}

impl ProviderKeys {
    /// The keys of an issuer. `wanted` is the id of the key that is needed, if it is known. Nothing if the provider has
    /// never answered; the last known ones if it does not answer now.
    pub async fn of(
        &self,
        outside: &dyn Outside,
        issuer: &str,
        wanted: Option<&str>,
        now: Monotonic,
    ) -> Option<Arc<Vec<Key>>> {
        let known = self.known.lock().expect(UNPOISONED).get(issuer).cloned();
        if let Some(known) = &known {
            let fresh = known.fresh.is_some_and(|at| now.since(at) < FRESH);
            let has = wanted.is_none_or(|wanted| {
                known.keys.iter().any(|key| key.id.as_deref().is_none_or(|id| id == wanted))
            });
            if (fresh && has) || now.since(known.asked) < ASK_EVERY {
                return known.fresh.map(|_| known.keys.clone());
            }
        }
        // From now on nobody else asks for a while, also if this is given up.
        let before = known.unwrap_or(Known { keys: Arc::default(), fresh: None, asked: now });
        self.put(issuer, Known { asked: now, ..before.clone() });
        match fetch(outside, issuer).await {
            Some(keys) => {
                let keys = Arc::new(keys);
                self.put(issuer, Known { keys: keys.clone(), fresh: Some(now), asked: now });
                Some(keys)
            }
            None => before.fresh.map(|_| before.keys),
        }
    }

    fn put(&self, issuer: &str, new: Known) {
        let mut known = self.known.lock().expect(UNPOISONED);
        if known.len() >= PROVIDERS_MAX && !known.contains_key(issuer) {
            let oldest = known.iter().min_by_key(|(_, known)| known.asked).map(|(issuer, _)| issuer.clone());
            if let Some(oldest) = oldest {
                known.remove(&oldest);
            }
        }
        known.insert(issuer.to_owned(), new);
    }
}

/// Asks the provider where its keys are, and then for them (OpenID Connect Discovery 1.0 §4).
async fn fetch(outside: &dyn Outside, issuer: &str) -> Option<Vec<Key>> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
        jwks_uri: String,
    }
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let configuration: Configuration = serde_json::from_slice(&get(outside, &address).await?).ok()?;
    // Another issuer's keys are none of this one's (§4.3).
    if configuration.issuer != issuer || !configuration.jwks_uri.starts_with("https://") {
        tracing::warn!(
            issuer,
            "a provider's configuration is about another one, or its keys are not behind TLS"
        );
        return None;
    }
    keys(&get(outside, &configuration.jwks_uri).await?)
}

async fn get(outside: &dyn Outside, address: &str) -> Option<bytes::Bytes> {
    let mut ask = Ask::get(address);
    ask.bounds.bytes_max = BYTES_MAX;
    match outside.ask(ask).await {
        Ok(answer) if answer.status == 200 => Some(answer.body),
        Ok(answer) => {
            tracing::warn!(address, status = answer.status, "a provider did not give its keys");
            None
        }
        Err(error) => {
            tracing::warn!(address, %error, "a provider did not give its keys");
            None
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

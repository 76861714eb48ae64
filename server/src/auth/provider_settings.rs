//! Which identity providers an app takes: a part of its settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app_settings::SettingFault;

/// Most providers of an app.
pub const PROVIDERS_MAX: usize = 10;

/// An identity provider (OpenID Connect).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// What the app calls it: 1 to 32 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// Who it is, as its tokens say: an `https` address without a query. Its keys are looked up below it.
    pub issuer: String,
    /// The app's clients there: 1 to 10. A token for any other is refused.
    #[schemars(length(min = 1, max = 10))]
    pub client_ids: Vec<String>,
}

impl Provider {
    /// All that is wrong with a list of them.
    pub fn faults(providers: &[Provider]) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut check = |good: bool, pointer: String, code: &'static str, detail: &str| {
            if !good {
                faults.push(SettingFault::new(pointer, code, detail));
            }
        };
        check(providers.len() <= PROVIDERS_MAX, "/providers".into(), "length", "At most 10.");
        for (at, provider) in providers.iter().enumerate() {
            let Provider { name, issuer, client_ids } = provider;
            let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
            let good = (1..=32).contains(&name.len()) && name.bytes().all(plain);
            check(good, format!("/providers/{at}/name"), "value", "1 to 32 of a-z, 0-9 and -.");
            let first = providers.iter().position(|other| other.name == *name) == Some(at);
            check(first, format!("/providers/{at}/name"), "value", "Another name than the others.");
            let host = issuer.strip_prefix("https://").unwrap_or_default();
            let good = issuer.len() <= 200
                && !host.is_empty()
                && !host.starts_with('/')
                && host.bytes().all(|c| c.is_ascii_graphic() && !b"?#@\\\"<>".contains(&c));
            check(
                good,
                format!("/providers/{at}/issuer"),
                "value",
                "An address like https://accounts.example.",
            );
            let good = (1..=10).contains(&client_ids.len());
            check(good, format!("/providers/{at}/clientIds"), "length", "1 to 10.");
            for (i, client) in client_ids.iter().enumerate() {
                let good = (1..=255).contains(&client.len()) && !client.chars().any(char::is_control);
                check(good, format!("/providers/{at}/clientIds/{i}"), "value", "1 to 255 characters.");
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: &str, issuer: &str, clients: &[&str]) -> Provider {
        let client_ids = clients.iter().map(|client| (*client).to_owned()).collect();
        Provider { name: name.into(), issuer: issuer.into(), client_ids }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let good = provider("google", "https://accounts.google.com", &["1.apps.example"]);
        assert!(Provider::faults(std::slice::from_ref(&good)).is_empty());
        for (bad, pointer) in [
            (provider("Google", "https://a.example", &["c"]), "/providers/1/name"),
            (provider("google", "https://a.example", &["c"]), "/providers/1/name"),
            (provider("x", "http://a.example", &["c"]), "/providers/1/issuer"),
            (provider("x", "https://", &["c"]), "/providers/1/issuer"),
            (provider("x", "https://a.example?q", &["c"]), "/providers/1/issuer"),
            (provider("x", "https://me@a.example", &["c"]), "/providers/1/issuer"),
            (provider("x", "https://a.example\n", &["c"]), "/providers/1/issuer"),
            (provider("x", "https://a.example", &[]), "/providers/1/clientIds"),
            (provider("x", "https://a.example", &[""]), "/providers/1/clientIds/0"),
        ] {
            let faults = Provider::faults(&[good.clone(), bad.clone()]);
            assert_eq!(faults.len(), 1, "{bad:?}");
            assert_eq!(faults[0].pointer, pointer, "{bad:?}");
        }
    }
}

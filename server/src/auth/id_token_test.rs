use serde_json::{Value, json};

use super::*;
#[path = "../../tests/kit/provider.rs"]
mod provider;
use provider::Provider;

const NOW_S: u64 = 1_795_456_500;

fn now() -> Time {
    Time::from_millis(NOW_S * 1_000)
}

fn good() -> Value {
    json!({
        "iss": "https://id.example", "sub": "ann-1", "aud": "app-ios", "exp": NOW_S + 600, "iat": NOW_S - 5,
        "nonce": "n-1", "email": "ann@example.org", "email_verified": true,
    })
}

fn prove(provider: &Provider, token: &str) -> Result<Subject, Refused> {
    let keys = keys(provider.keys().to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 2, "keys that are not for this are passed over");
    let clients = ["app-ios".to_owned(), "app-web".to_owned()];
    let expected = Expected { issuer: "https://id.example", clients: &clients, nonce: Some("n-1") };
    Unproven::read(token)?.prove(&keys, expected, now())
}

#[test]
fn tokens_of_both_algorithms_are_taken() {
    let provider = Provider::new();
    for algorithm in ["RS256", "ES256"] {
        let subject = prove(&provider, &provider.sign(algorithm, &good())).unwrap();
        assert_eq!(subject, Subject { id: "ann-1".into(), email: Some("ann@example.org".into()) });
    }
    for (change, email) in [
        (json!({ "email_verified": "true" }), true),
        (json!({ "email_verified": false }), false),
        (json!({ "email_verified": null }), false),
        (json!({ "aud": ["app-web"] }), true),
        (json!({ "aud": ["other", "app-web"], "azp": "app-web" }), true),
        (json!({ "exp": NOW_S as f64 + 0.5 }), true),
        (json!({ "exp": NOW_S - 59 }), true),
    ] {
        let mut claims = good();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let subject = prove(&provider, &provider.sign("RS256", &claims)).unwrap();
        assert_eq!(subject.email.is_some(), email, "{change}");
    }
}

#[test]
fn claims_that_are_not_for_us_or_not_for_now_are_refused() {
    let provider = Provider::new();
    for (change, why) in [
        (json!({ "iss": "https://id.example/" }), Refused::Issuer),
        (json!({ "iss": "https://evil.example" }), Refused::Issuer),
        (json!({ "aud": "other" }), Refused::Audience),
        (json!({ "aud": [] }), Refused::Audience),
        (json!({ "aud": ["other", "app-web"] }), Refused::Audience),
        (json!({ "aud": ["other", "app-web"], "azp": "other" }), Refused::Audience),
        (json!({ "azp": "other" }), Refused::Audience),
        (json!({ "exp": NOW_S - 61 }), Refused::Time),
        (json!({ "exp": NOW_S + 10 * 24 * 3_600 }), Refused::Time),
        (json!({ "iat": NOW_S + 120 }), Refused::Time),
        (json!({ "nbf": NOW_S + 120 }), Refused::Time),
        (json!({ "nonce": "n-2" }), Refused::Nonce),
        (json!({ "nonce": null }), Refused::Nonce),
        (json!({ "sub": "" }), Refused::Malformed),
        (json!({ "sub": "x".repeat(256) }), Refused::Malformed),
        (json!({ "exp": null }), Refused::Malformed),
        (json!({ "exp": "soon" }), Refused::Malformed),
    ] {
        let mut claims = good();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(prove(&provider, &provider.sign("ES256", &claims)), Err(why), "{change}");
    }
}

#[test]
fn what_another_key_signed_or_nobody_did_is_refused() {
    let (provider, other) = (Provider::new(), Provider::new());
    let sign = |header: Value| provider.sign_as("ES256", &header, &good());
    for (token, why) in [
        // Another's P-256 key under the same id.
        (other.sign("ES256", &good()), Refused::Signature),
        (sign(json!({ "alg": "none" })), Refused::Algorithm),
        (sign(json!({ "alg": "HS256", "kid": "p256" })), Refused::Algorithm),
        (sign(json!({ "alg": "RS256", "kid": "p256" })), Refused::Algorithm),
        (sign(json!({ "alg": "RS256", "kid": "rsa" })), Refused::Signature),
        (sign(json!({ "alg": "ES256", "kid": "rsa" })), Refused::Algorithm),
        (sign(json!({ "alg": "ES256", "kid": "old" })), Refused::UnknownKey),
        (sign(json!({ "alg": "ES256", "kid": "encrypts" })), Refused::UnknownKey),
        (sign(json!({ "alg": "ES256", "kid": "p256", "crit": ["exp"] })), Refused::Malformed),
        (sign(json!({ "kid": "p256" })), Refused::Malformed),
    ] {
        assert_eq!(prove(&provider, &token), Err(why), "{token}");
    }
    // Without an id, each key of the kind is tried.
    assert!(prove(&provider, &sign(json!({ "alg": "ES256" }))).is_ok());
    let token = provider.sign("RS256", &good());
    for cut in [0, 1, 10, token.len() / 2, token.len() - 1] {
        assert!(prove(&provider, &token[..cut]).is_err(), "{cut}");
    }
    // A changed claim, with the signature of the true one.
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let mut claims = good();
    claims["sub"] = json!("bob-1");
    let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(prove(&provider, &forged), Err(Refused::Signature));
    for odd in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", &"x".repeat(TOKEN_CHARS_MAX + 1)] {
        assert_eq!(prove(&provider, odd).unwrap_err(), Refused::Malformed, "{odd:.20}");
    }
}

#[test]
fn odd_sets_of_keys_are_read_for_what_is_in_them() {
    for (set, count) in [
        (json!({ "keys": [] }), Some(0)),
        (json!({ "keys": [7, null, {}] }), Some(0)),
        (json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }] }), Some(0)),
        (json!({ "keys": [{ "kty": "RSA", "n": "!", "e": "AQAB" }] }), Some(0)),
        (json!({}), None),
        (json!([]), None),
    ] {
        assert_eq!(keys(set.to_string().as_bytes()).map(|keys| keys.len()), count, "{set}");
    }
    assert_eq!(keys(b"not JSON"), None);
}

//! The other side of push: devices with keys of their own, and what services are asked, read as they would read it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use gomer::methods::push::round;
use gomer::outside::{Answered, Ask, Scripted};
use gomer::push::keys::EcKey;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::{EncodePrivateKey as _, LineEnding};
use p256::{PublicKey, SecretKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::kit::{Answer, Kit, PASSWORD, Person, With, admin_key, server_key};

pub const APPLE: &str = "https://api.push.apple.com/3/device/";
pub const GOOGLE: &str = "https://fcm.googleapis.com/v1/projects/proj-1/messages:send";
pub const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";
pub const BROWSER: &str = "https://push.browser.example/send/";

/// The RSA key of a service account that there is not.
pub const ACCOUNT_PEM: &str = include_str!("service-account.pem");

/// Apple's key of an app that there is not.
pub fn apple_key() -> EcKey {
    EcKey::from_bytes(&[21; 32]).unwrap()
}

fn apple_pem() -> String {
    SecretKey::from_slice(&[21; 32]).unwrap().to_pkcs8_pem(LineEnding::LF).unwrap().to_string()
}

pub fn apns_account() -> Value {
    json!({
        "keyId": "KEY1234567", "teamId": "TEAM123456", "topic": "org.example.app", "privateKey": apple_pem(),
    })
}

pub fn fcm_account() -> Value {
    json!({
        "projectId": "proj-1", "clientEmail": "push@proj-1.iam.gserviceaccount.com",
        "privateKeyId": "rsa-1", "privateKey": ACCOUNT_PEM,
    })
}

/// All accounts of an app.
pub async fn credentials(kit: &Kit, app: &str) -> Answer {
    let body = json!({
        "apns": apns_account(), "fcm": fcm_account(), "webPush": { "subject": "mailto:push@example.org" },
    });
    let admin = admin_key(app);
    let with = With { app: Some(app), token: Some(&admin), ..With::default() };
    kit.call_with("push.setCredentials", with, body).await.expect(200)
}

/// A kit whose apps have accounts, and an outside world in which every service takes everything.
pub async fn start() -> (Kit, Arc<Scripted>) {
    let (kit, outside) = Kit::start_outside().await;
    good_services(&outside);
    credentials(&kit, "one").await;
    (kit, outside)
}

pub fn good_services(outside: &Scripted) {
    outside.always("https://api.push.apple.com/", 200, "");
    outside.always("https://api.sandbox.push.apple.com/", 200, "");
    outside.always(GOOGLE_TOKEN, 200, r#"{"access_token":"ya29.first","expires_in":3600}"#);
    outside.always(GOOGLE, 200, r#"{"name":"projects/proj-1/messages/1"}"#);
    outside.always("https://push.browser.example/", 201, "");
}

/// An answer with headers.
pub fn answer(ask: &Ask, status: u16, headers: &[(&'static str, &str)], body: &str) -> Answered {
    let header = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    Answered { url: ask.url.clone(), status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// Somebody on one device.
#[derive(Debug, Clone)]
pub struct Phone {
    pub who: Person,
    pub device: String,
    pub token: String,
}

/// Signs somebody in on a new device.
pub async fn phone(kit: &Kit, who: &Person) -> Phone {
    phone_in(kit, "one", who).await
}

pub async fn phone_in(kit: &Kit, app: &str, who: &Person) -> Phone {
    let device = kit.uuid();
    let body = json!({ "handle": who.handle, "password": PASSWORD, "device": { "id": device } });
    let with = With { app: Some(app), ..With::default() };
    let opened = kit.call_with("auth.createSession", with, body).await.expect(200);
    Phone { who: who.clone(), device, token: opened.str("/accessToken") }
}

impl Phone {
    pub async fn call(&self, kit: &Kit, method: &str, body: Value) -> Answer {
        kit.call(method, Some(&self.token), body).await
    }

    /// Reached at Apple's, by a token that ends in this number.
    pub async fn apns(&self, kit: &Kit, number: u8) -> Answer {
        let body = json!({ "service": "apns", "token": device_token(number) });
        self.call(kit, "device.setPushToken", body).await.expect(200)
    }
}

/// A call in somebody's name, also when their tokens have expired.
pub async fn later(kit: &Kit, who: &str, method: &str, body: Value) -> Answer {
    let key = server_key("one");
    let headers = [("gomer-as", who)];
    kit.call_with(method, With { token: Some(&key), headers: &headers, ..With::default() }, body).await
}

/// A device's token at Apple's.
pub fn device_token(number: u8) -> String {
    format!("{}{number:02x}", "ab".repeat(31))
}

/// What was asked of an address.
pub fn asked(outside: &Scripted, address: &str) -> Vec<Ask> {
    outside.asked().into_iter().filter(|ask| ask.url.starts_with(address)).collect()
}

/// What was asked for one of Apple's devices.
pub fn sent(outside: &Scripted, number: u8) -> Vec<Ask> {
    asked(outside, &format!("{APPLE}{}", device_token(number)))
}

/// Rounds until it is so: what rings comes by steps.
#[track_caller]
pub fn until<'a>(
    kit: &'a Kit,
    what: &'a str,
    so: impl Fn() -> bool + 'a,
) -> impl std::future::Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        for _ in 0..400 {
            round::deliver(&kit.host).await.unwrap();
            if so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what} never came about, at {place}");
    }
}

/// The push of a request at Apple's.
pub fn delivery(ask: &Ask) -> String {
    header(ask, "apns-id")
}

pub async fn state(kit: &Kit, who: &str, id: &str) -> Answer {
    let admin = admin_key("one");
    kit.call("push.getDelivery", Some(&admin), json!({ "profile": who, "id": id })).await.expect(200)
}

#[track_caller]
pub fn header(ask: &Ask, name: &str) -> String {
    let value = ask.headers.get(name).unwrap_or_else(|| panic!("{name} is missing in {:?}", ask.headers));
    value.to_str().unwrap().to_owned()
}

pub fn body(ask: &Ask) -> Value {
    serde_json::from_slice(&ask.body).unwrap()
}

/// The claims of a token, if it was signed with this key.
pub fn claims_es256(token: &str, public: &[u8]) -> (Value, Value) {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    VerifyingKey::from_sec1_bytes(public).unwrap().verify(text.as_bytes(), &signature).unwrap();
    parts(text)
}

/// The same, signed by the service account.
pub fn claims_rs256(token: &str) -> (Value, Value) {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let base64: String = ACCOUNT_PEM.lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    parts(text)
}

fn parts(text: &str) -> (Value, Value) {
    let (header, claims) = text.split_once('.').unwrap();
    let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (json(header), json(claims))
}

/// A browser that can read what is sent to it.
pub struct Browser {
    key: SecretKey,
    auth: [u8; 16],
    pub endpoint: String,
}

impl Browser {
    pub fn new(number: u8) -> Browser {
        let key = SecretKey::from_slice(&[number; 32]).unwrap();
        Browser { key, auth: [number; 16], endpoint: format!("{BROWSER}{number}") }
    }

    pub fn keys(&self) -> Value {
        let public = self.key.public_key().to_sec1_point(false);
        json!({
            "p256dh": URL_SAFE_NO_PAD.encode(public.as_bytes()), "auth": URL_SAFE_NO_PAD.encode(self.auth),
        })
    }

    /// RFC 8291 from the other side.
    pub fn read(&self, ask: &Ask) -> Value {
        assert_eq!(header(ask, "content-encoding"), "aes128gcm");
        let (salt, rest) = ask.body.split_at(16);
        let (size, rest) = rest.split_at(4);
        assert_eq!((size, rest[0]), (&4_096_u32.to_be_bytes()[..], 65));
        let (theirs, record) = rest[1..].split_at(65);
        let their_key = PublicKey::from_sec1_bytes(theirs).unwrap();
        let common = p256::ecdh::diffie_hellman(self.key.to_nonzero_scalar(), their_key.as_affine());
        let own = self.key.public_key().to_sec1_point(false);
        let hash = |key: &[u8], data: &[u8]| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
        };
        let info = [&b"WebPush: info\0"[..], own.as_bytes(), theirs, &[1]].concat();
        let input = hash(&hash(&self.auth, common.raw_secret_bytes()), &info);
        let random = hash(salt, &input);
        let key = hash(&random, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = hash(&random, b"Content-Encoding: nonce\0\x01");
        let opening = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
        let mut record = record.to_vec();
        let plain = opening.open_in_place(nonce, Aad::empty(), &mut record).unwrap();
        let (end, plain) = plain.split_last().unwrap();
        assert_eq!(*end, 2, "the last record");
        serde_json::from_slice(plain).unwrap()
    }
}

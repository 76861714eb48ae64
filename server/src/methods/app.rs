//! `app`: what everybody who has the client key may know of an app.

use std::collections::BTreeMap;

use gomer_core::meta::command::AppState;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::app_settings::{DefaultAudience, Guests, SignUp};
use crate::registry::method::{BATCH_BYTES_MAX, BODY_BYTES_MAX};
use crate::registry::{Call, Method, Reply, Role, Stop};
use crate::types::Empty;

/// The service's methods.
pub fn methods() -> Vec<Method> {
    vec![
        Method::query("app.getInfo", get_info)
            .role(Role::Anonymous)
            .about("Shows the app's name, languages, features and limits, and the oldest build that works."),
        Method::query("app.getSchema", get_schema)
            .role(Role::Anonymous)
            .about("Shows the app's own node and link types, and the events that methods cause."),
    ]
}

/// Facts about an app.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Info {
    /// Its name in addresses.
    name: String,
    /// What people read.
    title: String,
    /// What it may do at present.
    state: State,
    /// Its languages, the usual one first.
    locales: Vec<String>,
    /// The oldest build of the app that still works.
    version_min: Option<String>,
    /// What is switched on.
    features: Features,
    /// How much is too much.
    limits: SizeLimits,
    /// Version of this interface.
    api: &'static str,
    /// Version of the server.
    server: &'static str,
}

/// What an app may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Everything.
    Active,
    /// Reads only.
    ReadOnly,
    /// Nothing.
    Frozen,
}

impl From<AppState> for State {
    fn from(state: AppState) -> State {
        match state {
            AppState::Active => State::Active,
            AppState::ReadOnly => State::ReadOnly,
            AppState::Frozen => State::Frozen,
        }
    }
}

impl From<State> for AppState {
    fn from(state: State) -> AppState {
        match state {
            State::Active => AppState::Active,
            State::ReadOnly => AppState::ReadOnly,
            State::Frozen => AppState::Frozen,
        }
    }
}

/// What is switched on.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Features {
    /// Who may make an account.
    sign_up: SignUp,
    /// Whether there are guests.
    guests: Guests,
    /// Who sees a post whose author does not say.
    default_audience: DefaultAudience,
}

/// How much is too much.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SizeLimits {
    /// Bytes of a call's body.
    body_bytes: u64,
    /// Bytes of a batch.
    batch_bytes: u64,
    /// Calls of a batch.
    batch_calls: u32,
    /// Fewest characters of a handle.
    handle_min: u8,
    /// Most characters of a handle.
    handle_max: u8,
}

async fn get_info(call: Call, _: Empty) -> Result<Reply<Info>, Stop> {
    let app = &call.app;
    let settings = call.settings();
    Ok(Reply::new(Info {
        name: app.name.clone(),
        title: app.title.clone(),
        state: app.state.into(),
        locales: settings.client.locales.clone(),
        version_min: settings.client.version_min.clone(),
        features: Features {
            sign_up: settings.sign_up,
            guests: settings.guests,
            default_audience: settings.default_audience,
        },
        limits: SizeLimits {
            body_bytes: BODY_BYTES_MAX,
            batch_bytes: BATCH_BYTES_MAX,
            batch_calls: 50,
            handle_min: settings.handles.length_min,
            handle_max: settings.handles.length_max,
        },
        api: "v1",
        server: env!("CARGO_PKG_VERSION"),
    }))
}

/// Types and events.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AppSchema {
    /// The app's own node and link types, by name: as they were declared with `graph.putType`.
    types: BTreeMap<String, Box<RawValue>>,
    /// Events, with the methods that cause each.
    events: BTreeMap<&'static str, Vec<&'static str>>,
}

async fn get_schema(call: Call, _: Empty) -> Result<Reply<AppSchema>, Stop> {
    let mut types = BTreeMap::new();
    for (name, declared) in &call.app.types {
        // It was parsed before it was stored.
        let json = RawValue::from_string(declared.json.clone());
        types.insert(name.clone(), json.unwrap_or_else(|_| RawValue::NULL.to_owned()));
    }
    let mut events: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for method in call.host.registry.iter() {
        for event in method.emits {
            events.entry(event).or_default().push(method.name);
        }
    }
    Ok(Reply::new(AppSchema { types, events }))
}

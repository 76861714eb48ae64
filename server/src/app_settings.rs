//! What an app's administrators can set. One JSON text in the metadata; here is its type, what is checked,
//! and how an update is merged into it.
//!
//! A setting is added by adding a field with a default. What equals its default is not stored, so that a
//! better default reaches every app that has not chosen otherwise. A text that was written by a newer
//! program is read for what this one knows of it.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use gomer_core::id::{AppId, Position};
use gomer_core::meta::state::App;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::methods::hook::HookSettings;

mod push;

use crate::auth::provider_settings::Provider;
use crate::registry::named::Whole;
use crate::setting_shapes::{is_handle_byte, is_language_tag, is_origin};
pub use push::{Push, Show};

/// The settings of an app.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AppSettings {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether people may use the app as guests, without an account.
    pub guests: Guests,
    /// What handles may be.
    pub handles: Handles,
    /// Who sees a post whose author does not say.
    pub default_audience: DefaultAudience,
    /// Limits on how often may be called.
    pub rates: Rates,
    /// Which web pages may call from a browser.
    pub cors: Cors,
    /// How much of the streams is kept.
    pub retention: Retention,
    /// What hooks may do.
    pub hooks: HookSettings,
    /// What push services may see.
    pub push: Push,
    /// How people leave.
    pub deletion: Deletion,
    /// Identity providers (OpenID Connect) whose accounts people may link and sign in with; at most 10.
    #[schemars(length(max = 10))]
    pub providers: Vec<Provider>,
    /// Facts for clients, shown by `app.getInfo`.
    pub client: Client,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignUp {
    /// Everybody.
    #[default]
    Open,
    /// Whom the app's own server signs up, with its key.
    Invite,
    /// Nobody.
    Closed,
}

/// Whether there are guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Guests {
    /// As long as sign-up is open.
    #[default]
    Allowed,
    /// None.
    Refused,
}

/// What handles may be, beside being made of `a-z`, `0-9`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Handles {
    /// Fewest characters, 2 to 30.
    #[schemars(range(min = 2, max = 30))]
    pub length_min: u8,
    /// Most characters, at least `lengthMin`, at most 30.
    #[schemars(range(min = 2, max = 30))]
    pub length_max: u8,
    /// Handles that nobody may take, lower-case; at most 500.
    #[schemars(length(max = 500))]
    pub reserved: Vec<String>,
}

/// Who sees a post whose author does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DefaultAudience {
    /// Everybody, signed in or not.
    #[default]
    Public,
    /// Who follows the author.
    Followers,
    /// The author.
    OnlyMe,
}

/// Limits on how often may be called. What is `null` is the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rates {
    /// Whether calls are limited at all.
    pub enabled: Enabled,
    /// Reads of one caller.
    pub read: Option<RateRule>,
    /// Writes of one caller.
    pub write: Option<RateRule>,
    /// Attempts to sign in, per account and per address.
    pub login: Option<RateRule>,
    /// Mails that one address causes.
    pub mail: Option<RateRule>,
    /// Accounts that one address makes.
    pub sign_up: Option<RateRule>,
    /// Follows of one caller.
    pub follow: Option<RateRule>,
}

/// A switch that is on unless it was turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Enabled(pub bool);

impl Default for Enabled {
    fn default() -> Enabled {
        Enabled(true)
    }
}

/// A limit: this many in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateRule {
    /// How many, 1 to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: u32,
    /// In how many seconds, 1 to 86,400.
    #[schemars(range(min = 1, max = 86_400))]
    pub window_s: u32,
}

/// Which web pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Cors {
    /// Origins as a browser sends them: `https://app.example`, with a port if it is not the usual one. At
    /// most 50. None: no page may.
    #[schemars(length(max = 50))]
    pub origins: Vec<String>,
}

/// How many of the newest entries of each stream are kept. Older ones are trimmed, some
/// at a time, as new ones arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// Of each home timeline, 100 to 10,000.
    #[schemars(range(min = 100, max = 10_000))]
    pub home_entries: u32,
    /// Of each part of the app's feed, 100 to 10,000.
    #[schemars(range(min = 100, max = 10_000))]
    pub feed_entries: u32,
    /// Of each tag, 100 to 10,000.
    #[schemars(range(min = 100, max = 10_000))]
    pub tag_entries: u32,
    /// Of the audit log, 1,000 to 50,000.
    #[schemars(range(min = 1_000, max = 50_000))]
    pub audit_entries: u32,
}

/// How people leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Deletion {
    /// For how many days somebody who wants to be erased can call it off, 1 to 90.
    #[schemars(range(min = 1, max = 90))]
    pub grace_days: u16,
}

impl Default for Deletion {
    fn default() -> Deletion {
        Deletion { grace_days: 30 }
    }
}

/// Facts for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Client {
    /// Languages that the app speaks, as BCP 47 tags, the first being the usual one; 1 to 100.
    #[schemars(length(min = 1, max = 100))]
    pub locales: Vec<String>,
    /// The oldest build of the app that still works; what it means is the app's business. At most 64 characters.
    #[schemars(length(max = 64))]
    pub version_min: Option<String>,
}

impl Default for Handles {
    fn default() -> Handles {
        let reserved =
            ["admin", "administrator", "api", "gomer", "help", "moderator", "root", "support", "system"];
        Handles { length_min: 2, length_max: 30, reserved: reserved.map(str::to_owned).into() }
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { home_entries: 1_000, feed_entries: 2_000, tag_entries: 2_000, audit_entries: 10_000 }
    }
}

impl Default for Client {
    fn default() -> Client {
        Client { locales: vec!["en".to_owned()], version_min: None }
    }
}

/// One place in an update that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// RFC 6901 pointer into the settings.
    pub pointer: String,
    /// `unknown-field`, `type`, `range`, `length` or `value`.
    pub code: &'static str,
    /// What would be right.
    pub detail: String,
}

impl SettingFault {
    pub(crate) fn new(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> SettingFault {
        SettingFault { pointer: pointer.into(), code, detail: detail.into() }
    }
}

impl AppSettings {
    /// Reads what is stored. What does not fit the type any more is as if it were not set: an app must not
    /// go down with a setting.
    pub fn read(json: &str) -> AppSettings {
        match serde_json::from_str(json) {
            Ok(settings) => settings,
            Err(error) => {
                tracing::error!(%error, "stored settings do not fit; what fits of them is used");
                let stored: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
                let fits = |(name, value): &(String, Value)| {
                    let one = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
                    serde_json::from_value::<AppSettings>(one).is_ok()
                };
                let fitting = stored.into_iter().filter(fits).collect();
                serde_json::from_value(Value::Object(fitting)).unwrap_or_default()
            }
        }
    }

    /// What is stored: the fields that differ from their defaults.
    pub fn store(&self) -> String {
        let mut value = as_value(self);
        forget_equal(&mut value, &as_value(&AppSettings::default()));
        value.to_string()
    }

    /// With an update merged in (RFC 7396): what is absent stays, `null` goes back to its default, a list is
    /// replaced. All that is wrong is told at once.
    pub fn updated(&self, patch: &Map<String, Value>) -> Result<AppSettings, Vec<SettingFault>> {
        let mut unknown = Vec::new();
        let default = as_value(&AppSettings::default());
        find_unknown(patch, &default, "", &mut unknown);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut merged = as_value(self);
        merge(&mut merged, patch, &default);
        let read = serde_path_to_error::deserialize::<_, Whole<AppSettings>>(merged);
        let Whole(updated) = read.map_err(|error| {
            let pointer = error.path().iter().fold(String::new(), |pointer, segment| match segment {
                serde_path_to_error::Segment::Seq { index } => format!("{pointer}/{index}"),
                serde_path_to_error::Segment::Map { key } => format!("{pointer}/{key}"),
                _ => pointer,
            });
            let words = error.inner().to_string();
            let (code, detail) = match words.as_str() {
                words if words.starts_with("unknown variant") => {
                    ("value", "One of the values that are known.")
                }
                words if words.starts_with("invalid value") => ("range", "A number in its range."),
                words if words.starts_with("missing field") => ("missing", "All fields of it."),
                _ => ("type", "A value of the right type."),
            };
            vec![SettingFault::new(pointer, code, detail)]
        })?;
        let faults = updated.faults();
        if faults.is_empty() { Ok(updated) } else { Err(faults) }
    }

    /// All that is out of bounds.
    fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let mut check = |good: bool, pointer: String, code: &'static str, detail: &str| {
            if !good {
                faults.push(SettingFault::new(pointer, code, detail));
            }
        };
        let Handles { length_min, length_max, reserved } = &self.handles;
        check((2..=30).contains(length_min), "/handles/lengthMin".into(), "range", "2 to 30.");
        check(
            (*length_min..=30).contains(length_max),
            "/handles/lengthMax".into(),
            "range",
            "`lengthMin` to 30.",
        );
        check(reserved.len() <= 500, "/handles/reserved".into(), "length", "At most 500.");
        for (i, name) in reserved.iter().enumerate() {
            let good = (1..=30).contains(&name.len()) && name.bytes().all(is_handle_byte);
            let pointer = format!("/handles/reserved/{i}");
            check(good, pointer, "value", "1 to 30 of a-z, 0-9, _ and .");
        }
        let rates = &self.rates;
        for (name, rule) in [
            ("read", rates.read),
            ("write", rates.write),
            ("login", rates.login),
            ("mail", rates.mail),
            ("signUp", rates.sign_up),
            ("follow", rates.follow),
        ] {
            let Some(rule) = rule else { continue };
            let count = (1..=1_000_000).contains(&rule.count);
            check(count, format!("/rates/{name}/count"), "range", "1 to 1,000,000.");
            let window = (1..=86_400).contains(&rule.window_s);
            check(window, format!("/rates/{name}/windowS"), "range", "1 to 86,400.");
        }
        check(self.cors.origins.len() <= 50, "/cors/origins".into(), "length", "At most 50.");
        for (i, origin) in self.cors.origins.iter().enumerate() {
            let detail =
                "An origin like https://app.example or http://localhost:3000, lower-case, without a path.";
            check(is_origin(origin), format!("/cors/origins/{i}"), "value", detail);
        }
        let kept = &self.retention;
        for (name, entries) in
            [("home", kept.home_entries), ("feed", kept.feed_entries), ("tag", kept.tag_entries)]
        {
            let good = (100..=10_000).contains(&entries);
            check(good, format!("/retention/{name}Entries"), "range", "100 to 10,000.");
        }
        let good = (1_000..=50_000).contains(&kept.audit_entries);
        check(good, "/retention/auditEntries".into(), "range", "1,000 to 50,000.");
        let days = (1..=90).contains(&self.deletion.grace_days);
        check(days, "/deletion/graceDays".into(), "range", "1 to 90.");
        faults.extend(Provider::faults(&self.providers));
        let mut check = |good: bool, pointer: String, code: &'static str, detail: &str| {
            if !good {
                faults.push(SettingFault::new(pointer, code, detail));
            }
        };
        let Client { locales, version_min } = &self.client;
        check((1..=100).contains(&locales.len()), "/client/locales".into(), "length", "1 to 100.");
        for (i, locale) in locales.iter().enumerate() {
            let pointer = format!("/client/locales/{i}");
            check(is_language_tag(locale), pointer, "value", "A BCP 47 tag like en or pt-BR.");
        }
        let short = version_min.as_ref().is_none_or(|version| (1..=64).contains(&version.chars().count()));
        check(short, "/client/versionMin".into(), "length", "1 to 64 characters.");
        faults
    }

    /// Whether somebody may take this handle (already folded), by the app's own rules.
    pub fn allows_handle(&self, folded: &str) -> bool {
        let Handles { length_min, length_max, reserved } = &self.handles;
        (usize::from(*length_min)..=usize::from(*length_max)).contains(&folded.chars().count())
            && !reserved.iter().any(|name| name == folded)
    }
}

/// The settings of all apps, parsed once per revision.
#[derive(Default)]
pub struct SettingsCache {
    parsed: RwLock<BTreeMap<AppId, (Position, Arc<AppSettings>)>>,
}

impl SettingsCache {
    /// The settings of an app.
    pub fn of(&self, app: &App) -> Arc<AppSettings> {
        {
            let parsed = self.parsed.read().expect("nothing panics under this lock");
            match parsed.get(&app.id) {
                Some((rev, settings)) if *rev == app.settings_rev => return settings.clone(),
                _ => {}
            }
        }
        let settings = Arc::new(AppSettings::read(&app.settings));
        let mut parsed = self.parsed.write().expect("nothing panics under this lock");
        let newer_is_known = parsed.get(&app.id).is_some_and(|(rev, _)| *rev > app.settings_rev);
        if !newer_is_known {
            parsed.insert(app.id, (app.settings_rev, settings.clone()));
        }
        settings
    }
}

fn as_value(settings: &AppSettings) -> Value {
    serde_json::to_value(settings).expect("settings are plain data, which JSON can hold")
}

fn find_unknown(patch: &Map<String, Value>, known: &Value, pointer: &str, found: &mut Vec<SettingFault>) {
    for (name, value) in patch {
        let place = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        match known.get(name) {
            None => found.push(SettingFault::new(place, "unknown-field", "Remove it.")),
            // A rule has no default to compare with: its fields are known.
            Some(Value::Null) => {
                let rule = serde_json::json!({ "count": 1, "windowS": 1 });
                if let Value::Object(value) = value {
                    find_unknown(value, &rule, &place, found);
                }
            }
            Some(inner) => {
                if let Value::Object(value) = value {
                    find_unknown(value, inner, &place, found);
                }
            }
        }
    }
}

fn merge(into: &mut Value, patch: &Map<String, Value>, default: &Value) {
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let fields = into.as_object_mut().expect("it was made an object");
    for (name, value) in patch {
        let default = default.get(name).unwrap_or(&Value::Null);
        match value {
            Value::Null => {
                fields.insert(name.clone(), default.clone());
            }
            Value::Object(inner) => merge(fields.entry(name.clone()).or_insert(Value::Null), inner, default),
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
}

/// Takes out of `value` what equals `default`.
fn forget_equal(value: &mut Value, default: &Value) {
    if let (Value::Object(fields), Value::Object(defaults)) = (value, default) {
        fields.retain(|name, field| {
            let Some(default) = defaults.get(name) else { return true };
            if default.is_object() {
                forget_equal(field, default);
                return field.as_object().is_none_or(|rest| !rest.is_empty());
            }
            field != default
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn patch(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn refused(value: Value) -> Vec<(String, &'static str)> {
        let faults = AppSettings::default().updated(&patch(value)).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn defaults_are_not_stored_and_good() {
        let settings = AppSettings::default();
        assert_eq!(settings.store(), "{}");
        assert_eq!(AppSettings::read("{}"), settings);
        assert!(settings.faults().is_empty());
    }

    #[test]
    fn an_update_changes_what_it_names_and_null_goes_back() {
        let update = json!({
            "signUp": "closed",
            "rates": { "write": { "count": 5, "windowS": 60 } },
            "cors": { "origins": ["https://a.example"] },
        });
        let settings = AppSettings::default().updated(&patch(update.clone())).unwrap();
        assert_eq!(settings.sign_up, SignUp::Closed);
        assert_eq!(settings.rates.write, Some(RateRule { count: 5, window_s: 60 }));
        assert_eq!(serde_json::from_str::<Value>(&settings.store()).unwrap(), update, "only what differs");
        assert_eq!(AppSettings::read(&settings.store()), settings);
        let part = settings.updated(&patch(json!({ "rates": { "write": { "count": 9 } } }))).unwrap();
        assert_eq!(part.rates.write, Some(RateRule { count: 9, window_s: 60 }));
        let back = json!({ "signUp": null, "rates": { "write": null }, "cors": null });
        assert_eq!(settings.updated(&patch(back)).unwrap(), AppSettings::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (update, pointer, code) in [
            (json!({ "colour": "red" }), "/colour", "unknown-field"),
            (json!({ "rates": { "wrote": null } }), "/rates/wrote", "unknown-field"),
            (json!({ "rates": { "read": { "n": 1 } } }), "/rates/read/n", "unknown-field"),
            (json!({ "signUp": "maybe" }), "/signUp", "value"),
            (json!({ "signUp": 7 }), "/signUp", "type"),
            (json!({ "rates": [true] }), "/rates", "type"),
            (json!({ "rates": { "write": [5, 60] } }), "/rates/write", "type"),
            (json!({ "rates": { "read": { "count": 0, "windowS": 1 } } }), "/rates/read/count", "range"),
            (json!({ "rates": { "read": { "count": 1 } } }), "/rates/read", "missing"),
            (json!({ "handles": { "lengthMin": 9, "lengthMax": 8 } }), "/handles/lengthMax", "range"),
            (json!({ "handles": { "lengthMin": 300 } }), "/handles/lengthMin", "range"),
            (json!({ "handles": { "reserved": ["Ann"] } }), "/handles/reserved/0", "value"),
            (json!({ "retention": { "homeEntries": 99 } }), "/retention/homeEntries", "range"),
            (json!({ "retention": { "auditEntries": 50_001 } }), "/retention/auditEntries", "range"),
            (json!({ "deletion": { "graceDays": 0 } }), "/deletion/graceDays", "range"),
            (json!({ "client": { "locales": [] } }), "/client/locales", "length"),
            (json!({ "client": { "locales": ["english please"] } }), "/client/locales/0", "value"),
            (json!({ "cors": { "origins": ["*"] } }), "/cors/origins/0", "value"),
        ] {
            assert_eq!(refused(update.clone()), [(pointer.to_owned(), code)], "{update}");
        }
        let two = refused(json!({ "retention": { "homeEntries": 1, "tagEntries": 1 } }));
        assert_eq!(two.len(), 2, "all at once");
    }

    #[test]
    fn what_a_newer_program_wrote_is_read_for_what_is_known() {
        let settings =
            AppSettings::read(r#"{"signUp":"closed","news":{"a":1},"rates":{"enabled":false,"x":2}}"#);
        assert_eq!((settings.sign_up, settings.rates.enabled), (SignUp::Closed, Enabled(false)));
        let settings = AppSettings::read(r#"{"signUp":"by-post","guests":"refused"}"#);
        assert_eq!((settings.sign_up, settings.guests), (SignUp::Open, Guests::Refused));
        assert_eq!(AppSettings::read("not JSON"), AppSettings::default());
    }

    #[test]
    fn handles_obey_the_apps_rules() {
        let settings = AppSettings::default();
        assert!(settings.allows_handle("ann"));
        for bad in ["a", "admin", &"x".repeat(31)] {
            assert!(!settings.allows_handle(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_object_is_merged_or_refused_and_what_is_merged_survives(
            name in "(signUp|guests|cors|rates|x)", inner in "(origins|read|enabled|y)",
            value in prop_oneof![
                Just(Value::Null), Just(json!(true)), Just(json!("open")), Just(json!(["https://a.b"])),
                Just(json!({"count": 3, "windowS": 4})), Just(json!([[]])), Just(json!(-1)),
            ],
            nested: bool,
        ) {
            let update = if nested { json!({ name: { inner: value } }) } else { json!({ name: value }) };
            if let Ok(settings) = AppSettings::default().updated(&patch(update)) {
                prop_assert_eq!(AppSettings::read(&settings.store()), settings);
            }
        }
    }
}

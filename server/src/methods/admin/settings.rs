//! Settings of the app, with revisions.

use std::borrow::Cow;

use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::App;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::app_settings::AppSettings;
use crate::meta_calls::MetaStop;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Rev, Stop};
use crate::types::{Empty, Timestamp};

/// The settings in force.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// All of them; what was never set has its default.
    settings: AppSettings,
    /// Their revision.
    rev: Rev,
    /// Revisions that are kept, the newest first. Empty while nothing was ever set.
    revisions: Vec<Revision>,
}

/// A revision that is kept.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Revision {
    /// Its name.
    rev: Rev,
    /// Since when it was in force.
    created_at: Timestamp,
}

impl SettingsView {
    fn of(call: &Call, app: &App) -> SettingsView {
        let revisions = app.settings_kept.iter().rev();
        SettingsView {
            settings: AppSettings::read(&app.settings),
            rev: call.meta_rev(app.settings_rev),
            revisions: revisions
                .map(|(rev, time)| Revision { rev: call.meta_rev(*rev), created_at: (*time).into() })
                .collect(),
        }
    }
}

/// Shows them.
pub async fn get(call: Call, _: Empty) -> Result<Reply<SettingsView>, Stop> {
    let view = SettingsView::of(&call, &call.app_now());
    let rev = view.rev;
    Ok(Reply::new(view).rev(rev))
}

/// A part of the settings: fields that are absent stay, `null` goes back to the default.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct SettingsPatch(Map<String, Value>);

impl JsonSchema for SettingsPatch {
    fn schema_name() -> Cow<'static, str> {
        AppSettings::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        AppSettings::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        AppSettings::json_schema(generator)
    }
}

/// A change of settings.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSettings {
    /// What to change.
    settings: SettingsPatch,
    /// Refuse if the settings are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Changes them.
pub async fn update(call: Call, args: UpdateSettings) -> Result<Reply<SettingsView>, Stop> {
    call.replay_meta().await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let app = call.app_now();
        let updated = AppSettings::read(&app.settings).updated(&args.settings.0).map_err(refused)?;
        // Without a guard of the caller's this is still one step from the settings that were read: two
        // administrators who change different fields at once both get what they want.
        let guarded = args.if_rev.or(call.if_match).is_some();
        let if_rev = if guarded { args.if_rev } else { Some(call.meta_rev(app.settings_rev)) };
        let json = updated.store();
        let put = |if_rev| MetaCommand::PutSettings { app: app.id, if_rev, json };
        match call.change_meta(if_rev, put).await {
            Ok(_) => return answer(&call).await,
            Err(MetaStop::Stale) if !guarded && attempt < ATTEMPTS => {}
            Err(stop) => return Err(refusal(&call, stop)),
        }
    }
}

/// Which revision.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackSettings {
    /// The revision whose settings are to be in force again.
    to: Rev,
    /// Refuse if the settings are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// Goes back.
pub async fn rollback(call: Call, args: RollbackSettings) -> Result<Reply<SettingsView>, Stop> {
    call.replay_meta().await?;
    let to = args.to.parts().ok_or_else(Stop::not_found)?.0;
    let app = call.app.id;
    let back = |if_rev| MetaCommand::RollbackSettings { app, if_rev, to };
    match call.change_meta(args.if_rev, back).await {
        Ok(_) => answer(&call).await,
        Err(stop) => Err(refusal(&call, stop)),
    }
}

async fn answer(call: &Call) -> Result<Reply<SettingsView>, Stop> {
    let app = call.app_now();
    let view = SettingsView::of(call, &app);
    let rev = view.rev;
    call.meta_reply(Some(rev), view, &SettingsView::of(call, &app)).await
}

fn refusal(call: &Call, stop: MetaStop) -> Stop {
    let now = SettingsView::of(call, &call.app_now());
    stop.or_stale(now.rev, &now)
}

fn refused(faults: Vec<crate::app_settings::SettingFault>) -> Stop {
    let unknown = faults.iter().any(|fault| fault.code == "unknown-field");
    let mut problem = Problem::new(if unknown { Code::UnknownField } else { Code::Invalid });
    if let (false, Some(first)) = (unknown, faults.first()) {
        problem = problem.detail(first.detail.clone());
    }
    for fault in faults {
        problem = problem.at(format!("/settings{}", fault.pointer), fault.code);
    }
    problem.into()
}

/// How often a change that nobody guarded is tried again when others change settings at the same time.
const ATTEMPTS: usize = 4;

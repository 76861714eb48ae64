//! The first start of a new store: the operator's credential, and an app to look at.
//!
//! What is in `operator.json` and `demo.json` is known nowhere else: the store holds hashes. Both are written
//! once. A start that was killed at any point is completed by the next one: what is random is drawn and stored
//! first (`operator.json` before its hash, the demo's seed before the demo), and what is made of it is idempotent.
//!
//! Reading order: [`files`], [`plan`] (what the demo is), [`demo`] (how it is made).
//!
//! Must never learn: listeners, whether the process serves already.

pub mod demo;
pub mod files;
pub mod plan;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use gomer_core::meta::command::MetaCommand;
use serde::{Deserialize, Serialize};

use self::plan::Seed;
use crate::host::Host;
use crate::secrets;

/// Name of the file with the operator's token.
pub const OPERATOR_FILE: &str = "operator.json";
/// Name of the file with the demo's keys and people.
pub const DEMO_FILE: &str = "demo.json";
/// Name of the file that says that a demo was begun and is not complete.
pub const SEED_FILE: &str = "demo.seed.json";

/// What `operator.json` holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operator {
    operator_token: String,
}

/// Does what a first start does, or completes what an earlier one began. With `demo`, a new store gets the app
/// `demo`; a store that is not new never does. Returns where `demo.json` is, if there is one.
///
/// Fails if a file cannot be written or read, or if the store refuses: then nothing is half done that the next
/// start would not complete.
pub async fn run(host: &Arc<Host>, data: &Path, demo: bool) -> Result<Option<PathBuf>> {
    let (operator_file, seed_file, demo_file) =
        (data.join(OPERATOR_FILE), data.join(SEED_FILE), data.join(DEMO_FILE));
    let is_new = host.cluster.meta().operator.is_none();
    if is_new && demo && !demo_file.exists() && !seed_file.exists() {
        let seed = Seed { secret: host.cluster.secret(), time: host.cluster.now().wall };
        files::write_once(&seed_file, &seed.to_json())?;
    }
    operator(host, &operator_file, is_new).await?;
    if demo && !demo_file.exists() && seed_file.exists() {
        let seed = Seed::from_json(&files::read(&seed_file)?).with_context(|| {
            format!("{} is damaged; remove it to start without a demo", seed_file.display())
        })?;
        let credentials = demo::make(host, &seed).await.context("the demo could not be made")?;
        files::write_once(&demo_file, &files::pretty(&credentials))?;
    }
    if demo_file.exists() {
        files::remove(&seed_file)?;
        return Ok(Some(demo_file));
    }
    Ok(None)
}

/// Sees to it that the store knows the operator's token by its hash.
async fn operator(host: &Host, file: &Path, is_new: bool) -> Result<()> {
    if is_new && !file.exists() {
        let operator_token = secrets::operator_text(&host.cluster.secret());
        files::write_once(file, &files::pretty(&Operator { operator_token }))?;
    }
    if !file.exists() {
        // Moved to a safe place.
        return Ok(());
    }
    let operator: Operator = serde_json::from_slice(&files::read(file)?)
        .with_context(|| format!("{} is damaged; put the original back", file.display()))?;
    let hash = secrets::hash(&operator.operator_token);
    match host.cluster.meta().operator {
        None => {
            let set = MetaCommand::SetOperator { hash };
            if let Err(fault) = host.cluster.change_meta(set).await {
                bail!("the operator's token could not be stored: {fault}");
            }
        }
        Some(stored) if stored != hash => {
            tracing::warn!(file = %file.display(), "this file holds the token of another store");
        }
        Some(_) => {}
    }
    Ok(())
}

//! `cluster.getConfig` and `cluster.updateConfig`: what operators set for the whole cluster.

use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::config::TRANSFERS_LIMIT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster_ring::membership;
use crate::problem::Code;
use crate::registry::{Cache, Call, Idempotency, Method, Reply, Rev, Role, Scope, Stop};
use crate::types::Empty;

/// The methods.
pub(super) fn methods() -> Vec<Method> {
    vec![
        Method::query("cluster.getConfig", get_config)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .about("Shows what operators have set for the whole cluster."),
        Method::procedure("cluster.updateConfig", update_config)
            .role(Role::Operator)
            .scope(Scope::Cluster)
            .idempotency(Idempotency::NaturalRev)
            .emits(&["cluster.changed"])
            .errors(&[Code::Conflict, Code::StaleRevision])
            .about(
                "Changes settings of the whole cluster: how many replicas move at once, and whether any do. What is not \
                 given stays. A member that is alone has nothing to move: 409.",
            ),
    ]
}

/// What is set.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ConfigView {
    /// Replicas that come to one member, or go from one, at once.
    transfers_max: u8,
    /// Whether replicas stay where they are for now.
    moves_paused: bool,
    /// Its revision.
    rev: Rev,
}

impl ConfigView {
    fn of(call: &Call) -> ConfigView {
        let meta = call.cluster.meta();
        ConfigView {
            transfers_max: meta.config.transfers_max,
            moves_paused: meta.config.moves_paused,
            rev: call.meta_rev(meta.config_rev),
        }
    }
}

async fn get_config(call: Call, _: Empty) -> Result<Reply<ConfigView>, Stop> {
    let view = ConfigView::of(&call);
    Ok(Reply::new(view).cache(Cache::Never))
}

/// What is to be set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateConfig {
    /// Replicas that come to one member, or go from one, at once.
    #[schemars(range(min = 1, max = 16))]
    transfers_max: Option<u8>,
    /// With true no replica begins or goes on to move, until it is false again. One that has begun to fetch rows goes on
    /// fetching, and takes no place.
    moves_paused: Option<bool>,
    /// Refuse if the settings are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

async fn update_config(call: Call, args: UpdateConfig) -> Result<Reply<ConfigView>, Stop> {
    call.replay_meta().await?;
    if args.transfers_max.is_some_and(|max| !(1..=TRANSFERS_LIMIT).contains(&max)) {
        return Err(Stop::invalid("/transfersMax", "range", "1 to 16."));
    }
    membership(&call)?;
    let UpdateConfig { transfers_max, moves_paused, if_rev } = args;
    let change = |if_rev| MetaCommand::PutConfig { if_rev, transfers_max, moves_paused };
    match call.change_meta(if_rev, change).await {
        Ok(_) => {
            let view = ConfigView::of(&call);
            call.meta_reply(Some(view.rev), view, &ConfigView::of(&call)).await
        }
        Err(stop) => {
            let now = ConfigView::of(&call);
            Err(stop.or_stale(now.rev, &now))
        }
    }
}

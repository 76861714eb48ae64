//! A member that was said to be down and is there again says so itself.

use std::sync::Arc;
use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::members::command::Command;
use gomer_core::ring::member::MemberState;

use crate::host::Host;
use crate::jobs::Job;
use crate::registry::Stop;

/// How often a member looks whether it is thought to be down.
const EVERY: Duration = Duration::from_secs(5);

/// The job.
pub fn job() -> Job {
    Job { name: "members.back", every: EVERY, round: |host, _| Box::pin(async move { round(&host).await }) }
}

/// One round. To be called by the job, and by tests.
pub async fn round(host: &Arc<Host>) -> Result<(), Stop> {
    let Some(own) = host.cluster.ring().map(|ring| ring.own().number) else { return Ok(()) };
    let meta = host.cluster.meta();
    let state =
        meta.members.as_ref().and_then(|members| members.members.get(&own)).map(|member| member.state);
    if state != Some(MemberState::Down) || !host.cluster.is_live() {
        return Ok(());
    }
    let up = MetaCommand::Members(Box::new(Command::Up(own)));
    match host.cluster.change_meta(up).await {
        Ok(_) => tracing::info!("is no longer taken to be down"),
        // It was forced out meanwhile.
        Err(Fault::Stale(_)) => {}
        Err(fault) => return Err(fault.into()),
    }
    Ok(())
}

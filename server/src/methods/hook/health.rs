//! How the deliveries of a hook go: one row per hook, in a root of its own, so that a hook's revision stands still.
//!
//! Members write it at the same time, each for the partitions it leads; who loses reads again and adds to that.

use std::time::Duration;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::time::Time;
use gomer_core::vnode::command::{Operation, Precondition, Step, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::post::view::{json, read};
use crate::model::HOOK_HEALTH;
use crate::registry::{Call, Stop};
use crate::types::Timestamp;

/// A hook whose deliveries failed for so long, without a round that went well, is sent nothing any more.
pub const FAILING_MAX: Duration = Duration::from_secs(3 * 24 * 3_600);
/// How long a hook rests after its first failure; twice as long after each one that follows.
const REST_FIRST: Duration = Duration::from_secs(5);
/// How long it rests at most.
const REST_MAX: Duration = Duration::from_secs(3_600);
/// What goes well is written down so often.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// How often a row is written again that others write too.
const ATTEMPTS: usize = 4;

/// How deliveries go, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// Deliveries that were taken, of which it was written down.
    pub delivered: u64,
    /// When the last of them was.
    pub delivered_at: Option<Timestamp>,
    /// Rounds in a row in which a delivery failed.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub next_try_at: Option<Timestamp>,
    /// What the last failure was.
    pub last_failure: Option<Failure>,
    /// Times at which events may have been missed.
    pub gaps: u32,
    /// Since when it is sent nothing any more.
    pub disabled_at: Option<Timestamp>,
}

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What the address answered, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// In words.
    pub detail: String,
}

/// Whether a hook is sent anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// All is well, or nothing was to be sent yet.
    Working,
    /// The last deliveries failed. They are tried again, more and more seldom.
    Failing,
    /// Deliveries failed for three days, or the address said 410. Nothing is sent any more: delete the hook, and make
    /// another one.
    Disabled,
}

/// How the deliveries of a hook go.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// In one word.
    state: DeliveryState,
    /// Deliveries that were taken. While all is well it may lag by a minute.
    delivered: u64,
    /// When the last of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<Timestamp>,
    /// Rounds in a row in which a delivery failed.
    failures: u32,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<Timestamp>,
    /// What the last failure was.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<Failure>,
    /// How often events may have been missed; each time the hook is told, with `hook.gap`.
    gaps: u32,
    /// Since when it is sent nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    /// What to know, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

/// What came of a round.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Deliveries that were taken.
    pub delivered: u64,
    /// The last one that was not.
    pub failure: Option<Failure>,
    /// The address says that it is gone for good.
    pub gone: bool,
    /// Partitions in which events may have been missed.
    pub gaps: u32,
}

impl Health {
    /// What is written down of a hook, and the revision that a change of it builds on.
    pub async fn load(call: &Call, hook: Id) -> Result<(Health, Option<gomer_core::id::Position>), Stop> {
        let root = root_of(hook);
        let view = call.node(root, root.id).await?;
        Ok(match view {
            Some(view) => (read(&view.node, HEALTH).unwrap_or_default(), Some(view.node.rev)),
            None => (Health::default(), None),
        })
    }

    /// Whether anything may be sent now.
    pub fn may_send(&self, now: Time) -> bool {
        self.disabled_at.is_none() && self.next_try_at.is_none_or(|Timestamp(at)| at <= now)
    }

    /// With a round added. Nothing: not worth writing down yet.
    fn after(&self, round: &Round, now: Time) -> Option<Health> {
        let mut next = self.clone();
        next.delivered += round.delivered;
        next.gaps += round.gaps;
        if round.delivered > 0 {
            next.delivered_at = Some(Timestamp(now));
        }
        match &round.failure {
            Some(failure) => {
                let since = self.failing_since.unwrap_or(Timestamp(now));
                next.failing_since = Some(since);
                next.failures = self.failures.saturating_add(1);
                next.last_failure = Some(failure.clone());
                let rest = REST_FIRST.saturating_mul(1 << self.failures.min(20)).min(REST_MAX);
                next.next_try_at = Some(Timestamp(now + rest));
                if round.gone || since_then(now, since.0) >= FAILING_MAX {
                    (next.disabled_at, next.next_try_at) = (Some(Timestamp(now)), None);
                }
                Some(next)
            }
            None if round.delivered == 0 && round.gaps == 0 => None,
            None => {
                (next.failures, next.failing_since, next.next_try_at) = (0, None, None);
                let fresh = self.delivered_at.is_none_or(|Timestamp(at)| since_then(now, at) >= NOTE_EVERY);
                (fresh || self.failures > 0 || round.gaps > 0).then_some(next)
            }
        }
    }

    /// Writes down what came of a round: the health after it, if it was worth that.
    pub async fn note(call: &Call, hook: Id, round: &Round, now: Time) -> Result<Option<Health>, Stop> {
        let root = root_of(hook);
        for _ in 0..ATTEMPTS {
            let (health, rev) = Health::load(call, hook).await?;
            let Some(next) = health.after(round, now) else { return Ok(None) };
            let pre = match rev {
                Some(rev) => Precondition::NodeRev(root.id, rev),
                None => Precondition::NodeAbsent(root.id),
            };
            let write = Write::new(call.app.id, root, Id::NIL).when(pre).op(Operation::PutNode {
                id: root.id,
                ty: HOOK_HEALTH,
                section: Section::INTERNAL,
                author: Id::NIL,
                attrs: vec![(HEALTH.to_owned(), json(&next))],
            });
            match call.cluster.write(write).await {
                Ok(_) => return Ok(Some(next)),
                // Of a hook that is deleted there is nothing to be written down.
                Err(Fault::Present | Fault::Absent) if rev.is_some() => return Ok(None),
                Err(Fault::Stale(_) | Fault::Present | Fault::Absent) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        // Others are writing the same down.
        Ok(None)
    }

    /// As it is shown.
    pub fn shown(self, now: Time) -> Delivery {
        let state = match () {
            () if self.disabled_at.is_some() => DeliveryState::Disabled,
            () if self.failures > 0 => DeliveryState::Failing,
            () => DeliveryState::Working,
        };
        let notice = match (state, self.failing_since) {
            (DeliveryState::Disabled, _) => {
                Some("Nothing is sent any more. Delete the hook, and make another one.".to_owned())
            }
            (DeliveryState::Failing, Some(since)) => {
                let left = FAILING_MAX.saturating_sub(since_then(now, since.0)).as_secs() / 3_600;
                Some(format!("Deliveries fail. If none succeeds within {left} hours, the hook is disabled."))
            }
            _ => None,
        };
        Delivery {
            state,
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            failures: self.failures,
            failing_since: self.failing_since,
            next_try_at: self.next_try_at,
            last_failure: self.last_failure.filter(|_| state != DeliveryState::Working),
            gaps: self.gaps,
            disabled_at: self.disabled_at,
            notice,
        }
    }
}

/// A step that removes what is written down, for ever.
pub fn leave(hook: Id) -> Step {
    let root = root_of(hook);
    Step::to(root, vec![Operation::DeleteNode { id: root.id }])
}

/// Nothing, where the clock was set back.
fn since_then(now: Time, then: Time) -> Duration {
    Duration::from_millis(now.as_millis().saturating_sub(then.as_millis()))
}

fn root_of(hook: Id) -> Root {
    Root::new(RootKind::Misc, Id::derived("hook health", hook.as_bytes()))
}

const HEALTH: &str = "health";

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_millis(1_795_456_500_000);

    fn failed(gone: bool) -> Round {
        let failure = Failure { status: Some(500), detail: "no".into() };
        Round { failure: Some(failure), gone, ..Round::default() }
    }

    #[test]
    fn a_failing_hook_rests_longer_and_longer_and_is_disabled_after_three_days() {
        let (mut health, mut now, mut rests) = (Health::default(), START, Vec::new());
        while health.disabled_at.is_none() {
            assert!(health.may_send(now));
            health = health.after(&failed(false), now).unwrap();
            if let Some(Timestamp(next)) = health.next_try_at {
                assert!(!health.may_send(next - Duration::from_millis(1)));
                rests.push(since_then(next, now));
                now = next;
            }
        }
        assert_eq!(rests[..3], [5, 10, 20].map(Duration::from_secs));
        assert!(rests.is_sorted() && rests.iter().all(|rest| *rest <= REST_MAX));
        let span = since_then(now, START);
        assert!(span >= FAILING_MAX && span < FAILING_MAX + REST_MAX);
        assert!(!health.may_send(now + FAILING_MAX));
    }

    #[test]
    fn one_round_that_goes_well_ends_it_and_one_410_is_enough() {
        let failing = Health::default().after(&failed(false), START).unwrap();
        let well = Round { delivered: 3, ..Round::default() };
        let health = failing.after(&well, START + Duration::from_secs(9)).unwrap();
        assert_eq!((health.failures, health.failing_since, health.next_try_at), (0, None, None));
        assert_eq!(health.delivered, 3);
        assert_eq!(health.after(&well, START + Duration::from_secs(10)), None, "not each second");
        assert_eq!(failing.after(&Round::default(), START), None, "nothing was sent: it says nothing");
        assert!(Health::default().after(&failed(true), START).unwrap().disabled_at.is_some());
    }

    #[test]
    fn what_an_older_program_wrote_is_read() {
        let health: Health = serde_json::from_str(r#"{"delivered":7,"later":1}"#).unwrap();
        assert_eq!(health, Health { delivered: 7, ..Health::default() });
    }
}

//! What handlers of metadata (apps, settings, keys, roles) share: revisions, guards, and replies that are
//! recorded for a repeat.
//!
//! That an operation was done is recorded with the change, in one command, so that a repeat never does it again.
//! Its reply shows the metadata after the change, and is recorded after it, under a root of its own. A repeat that
//! comes after a crash between the two is answered from the metadata as it is then.

use std::sync::Arc;

use gomer_core::fault::Fault;
use gomer_core::id::{Id, Position, Root, RootKind};
use gomer_core::meta::command::MetaCommand;
use gomer_core::meta::state::App;
use gomer_core::vnode::command::Outcome;
use serde::Serialize;

use crate::app_settings::AppSettings;
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Rev, Stop};

/// Why a change of the metadata was not done.
pub enum MetaStop {
    /// The revision is not the one that the caller named.
    Stale,
    /// Anything else.
    Other(Stop),
}

impl From<Stop> for MetaStop {
    fn from(stop: Stop) -> MetaStop {
        MetaStop::Other(stop)
    }
}

impl MetaStop {
    /// The problem, with the present entity if it is that.
    pub fn or_stale(self, rev: Rev, entity: &impl Serialize) -> Stop {
        match self {
            MetaStop::Stale => Problem::new(Code::StaleRevision).current(rev, entity).into(),
            MetaStop::Other(stop) => stop,
        }
    }
}

impl Call {
    /// The app as it is now, with what this call has changed.
    pub fn app_now(&self) -> Arc<App> {
        self.cluster.meta().apps.get(&self.app.name).cloned().unwrap_or_else(|| self.app.clone())
    }

    /// The settings of the app.
    pub fn settings(&self) -> Arc<AppSettings> {
        self.host.settings.of(&self.app)
    }

    /// A position in the metadata as clients see it.
    pub fn meta_rev(&self, position: Position) -> Rev {
        Rev::of(position, &self.cluster.meta().eras)
    }

    /// Stops with the recorded reply if this operation was done before. First line of every procedure that
    /// changes the metadata.
    pub async fn replay_meta(&self) -> Result<(), Stop> {
        match self.replay(record_root(self.method)).await {
            Err(Stop::Replay(mut reply)) => {
                // The record's own revision is not the entity's.
                reply.rev = None;
                reply.position = None;
                Err(Stop::Replay(reply))
            }
            other => other,
        }
    }

    /// Changes the metadata. `if_rev` or `If-Match` is what the caller says the entity's revision is, if it
    /// says so: it is put into the command by `make`.
    pub async fn change_meta(
        &self,
        if_rev: Option<Rev>,
        make: impl FnOnce(Option<Position>) -> MetaCommand,
    ) -> Result<Outcome, MetaStop> {
        let if_rev = match if_rev.or(self.if_match).map(Rev::parts) {
            None => None,
            Some(Some((position, era))) if era == self.cluster.meta().eras.of(position) => Some(position),
            // Of a past that did not happen, or never given out: it is not the present one.
            Some(_) => return Err(MetaStop::Stale),
        };
        match self.cluster.change_meta(self.once(make(if_rev))).await {
            Ok(outcome) => Ok(outcome),
            Err(Fault::Stale(_)) => Err(MetaStop::Stale),
            Err(fault) => Err(MetaStop::Other(fault.into())),
        }
    }

    /// Changes the metadata where there is no revision to be guarded.
    pub async fn put_meta(&self, command: MetaCommand) -> Result<Outcome, Stop> {
        Ok(self.cluster.change_meta(self.once(command)).await?)
    }

    /// The command under this call's operation id, if it has one.
    pub(crate) fn once(&self, command: MetaCommand) -> MetaCommand {
        match self.op {
            Some(op) => {
                MetaCommand::Once { app: self.app.id, caller: self.author(), op, command: Box::new(command) }
            }
            None => command,
        }
    }

    /// The reply to a change of the metadata, recorded under the operation id if there is one. `recorded` is
    /// what a repeat gets: the reply without its secrets.
    pub async fn meta_reply<R: Serialize>(
        &self,
        rev: Option<Rev>,
        reply: R,
        recorded: &impl Serialize,
    ) -> Result<Reply<R>, Stop> {
        if self.op.is_some() {
            let mut write = self.on(record_root(self.method));
            let json = serde_json::to_vec(recorded).map_err(|error| {
                Problem::new(Code::Internal).detail(format!("A reply could not be written: {error}."))
            })?;
            write.reply = vec![json];
            match self.commit(write).await {
                // Somebody else was first with the same operation: what this call did is the same.
                Ok(_) | Err(Stop::Replay(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        let reply = Reply::new(reply);
        Ok(match rev {
            Some(rev) => reply.rev(rev),
            None => reply,
        })
    }
}

/// Where the replies of a method on the metadata are recorded.
fn record_root(method: &str) -> Root {
    Root::new(RootKind::Misc, Id::derived("meta", method.as_bytes()))
}

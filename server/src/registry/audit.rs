//! The audit log: who did what with rights that are not their own person's, and what came of it. One line on the
//! target `gomer::audit` for each call, also for one that came inside another; and one entry in a stream of the app
//! ([`crate::audit`]), which its administrators can read.

use super::args::RawArgs;
use super::call::{Call, Caller};
use super::method::{Kind, Method, Role};
use super::reply::{Rendered, Stop};
use crate::audit::Entry;

impl Method {
    /// Whether calls of it are written to the audit log, whoever makes them: what moderators, administrators and
    /// operators change.
    pub fn audited(&self) -> bool {
        self.kind == Kind::Procedure && self.role >= Role::Moderator
    }

    /// Carries out a call that may be made, and writes it to the audit log if it belongs there. A server key that
    /// acts for a user may read what only that user sees, so that all it does in their name is written.
    ///
    /// What changes something is written down before it is done, so that no crash leaves a change without its entry;
    /// where that is not possible, it is not done. What came of it is added after. What reads is written down after.
    pub async fn run(&self, call: Call, args: RawArgs) -> Result<Rendered, Stop> {
        let for_another = matches!(call.caller, Caller::Server { acting_as: Some(_) });
        if !self.audited() && !for_another {
            return (self.handler)(call, args).await;
        }
        let entry = Entry::new(&call, &args);
        let begun = match self.kind {
            Kind::Procedure => Some(entry.begin(&call).await?),
            Kind::Query => None,
        };
        let (who, trace, outer) = (who(&call.caller), call.trace, call.clone());
        let result = (self.handler)(call, args).await;
        let done = match &result {
            Ok(_) | Err(Stop::Replay(_)) => "done",
            Err(stop) => stop.code().map_or("done", |code| code.name()),
        };
        let app = outer.app.id.0;
        tracing::info!(target: "gomer::audit", %trace, app, method = self.name, who, done);
        match begun {
            Some(begun) => begun.end(&outer, done).await,
            None => entry.only(&outer, done).await,
        }
        result
    }
}

fn who(caller: &Caller) -> String {
    match caller {
        Caller::Anonymous => "anonymous".to_owned(),
        Caller::User { profile, .. } => profile.to_string(),
        Caller::Server { acting_as: None } => "server".to_owned(),
        Caller::Server { acting_as: Some(profile) } => format!("server as {profile}"),
        Caller::Admin => "admin".to_owned(),
        Caller::Operator => "operator".to_owned(),
    }
}

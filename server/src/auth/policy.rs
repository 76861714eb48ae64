//! What the app's settings say about joining: who may make an account, and which handles there are.

use crate::app_settings::{Guests, SignUp};
use crate::names::Handle;
use crate::registry::{Call, Caller, Stop};

/// Who wants to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// Somebody who makes an account.
    Account,
    /// Somebody who uses the app without one.
    Guest,
}

/// 403 unless the app takes new people this way.
pub fn may_join(call: &Call, joining: Joining) -> Result<(), Stop> {
    let settings = call.settings();
    let by_the_app = matches!(call.caller, Caller::Server { .. } | Caller::Admin);
    match (settings.sign_up, joining, settings.guests) {
        (SignUp::Closed, _, _) => Err(Stop::forbidden("The app takes no new accounts.")),
        (SignUp::Invite, _, _) if !by_the_app => {
            Err(Stop::forbidden("Accounts of this app are made by its own server."))
        }
        (_, Joining::Guest, Guests::Refused) => {
            Err(Stop::forbidden("The app has no guests: make an account."))
        }
        _ => Ok(()),
    }
}

/// 422 unless the app's rules allow this handle.
pub fn may_take(call: &Call, handle: &Handle) -> Result<(), Stop> {
    if allows(call, handle) {
        return Ok(());
    }
    let rule = "The app does not allow this handle: it is reserved, too short or too long.";
    Err(Stop::invalid("/handle", "value", rule))
}

/// Whether the app's rules allow this handle.
pub fn allows(call: &Call, handle: &Handle) -> bool {
    call.settings().allows_handle(&handle.folded())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::problem::Code;
    use crate::registry::Caller;
    use crate::testing::{World, user, uuid};

    const SERVER: Caller = Caller::Server { acting_as: None };

    async fn set(world: &World, settings: serde_json::Value) {
        world.done("a", &Caller::Admin, "admin.updateSettings", json!({ "settings": settings })).await;
    }

    fn account(n: u8, handle: &str) -> serde_json::Value {
        json!({ "id": uuid(n), "handle": handle, "password": "correct horse battery" })
    }

    #[tokio::test]
    async fn an_app_that_is_closed_takes_nobody_and_keeps_whom_it_has() {
        let world = World::with_app("a").await;
        world.done("a", &Caller::Anonymous, "auth.createAccount", account(1, "ann")).await;
        set(&world, json!({ "signUp": "closed" })).await;
        for caller in [Caller::Anonymous, SERVER] {
            let refused = world.refused("a", &caller, "auth.createAccount", account(2, "bob")).await;
            assert_eq!(refused.0, Code::Forbidden);
            let guest = world.refused("a", &caller, "auth.createGuest", json!({ "id": uuid(3) })).await;
            assert_eq!(guest.0, Code::Forbidden);
        }
        let again = world.done("a", &Caller::Anonymous, "auth.createAccount", account(1, "ann")).await;
        assert!(again.json["accessToken"].is_string(), "a repeat of what was done before");
    }

    #[tokio::test]
    async fn by_invitation_the_apps_server_makes_accounts() {
        let world = World::with_app("a").await;
        set(&world, json!({ "signUp": "invite" })).await;
        let refused = world.refused("a", &Caller::Anonymous, "auth.createAccount", account(1, "ann")).await;
        assert_eq!(refused.0, Code::Forbidden);
        world.done("a", &SERVER, "auth.createAccount", account(1, "ann")).await;
    }

    #[tokio::test]
    async fn guests_can_be_refused_alone() {
        let world = World::with_app("a").await;
        world.done("a", &Caller::Anonymous, "auth.createGuest", json!({ "id": uuid(1) })).await;
        set(&world, json!({ "guests": "refused" })).await;
        let refused =
            world.refused("a", &Caller::Anonymous, "auth.createGuest", json!({ "id": uuid(2) })).await;
        assert_eq!(refused.0, Code::Forbidden);
        world.done("a", &Caller::Anonymous, "auth.createAccount", account(2, "bob")).await;
    }

    #[tokio::test]
    async fn handles_that_the_app_reserves_are_nobodys() {
        let world = World::with_app("a").await;
        set(&world, json!({ "handles": { "lengthMin": 4, "reserved": ["boss"] } })).await;
        for handle in ["boss", "Boss", "ann"] {
            let refused =
                world.refused("a", &Caller::Anonymous, "auth.createAccount", account(1, handle)).await;
            assert_eq!(refused, (Code::Invalid, "/handle".to_owned()), "{handle}");
            let state =
                world.done("a", &Caller::Anonymous, "profile.checkHandle", json!({ "handle": handle })).await;
            assert_eq!(state.json["free"], false);
        }
        world.done("a", &Caller::Anonymous, "auth.createAccount", account(1, "anna")).await;
        let refused = world.refused("a", &user(1), "profile.setHandle", json!({ "handle": "boss" })).await;
        assert_eq!(refused, (Code::Invalid, "/handle".to_owned()));
        set(&world, json!({ "handles": { "reserved": ["anna"] } })).await;
        world.done("a", &user(1), "profile.setHandle", json!({ "handle": "Anna" })).await;
    }
}

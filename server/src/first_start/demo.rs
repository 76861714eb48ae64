//! Makes the demo, through the same methods as any client. May be done again: everything has an id or is a
//! final state.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use gomer_core::id::{Id, Root};
use gomer_core::meta::command::{KeyKind, MetaCommand};
use gomer_core::meta::state::App;
use gomer_core::vnode::query::{Answer, Query};
use serde::Serialize;
use serde_json::{Value, json};

use super::plan::{APP, Plan, PlannedKey, Seed};
use crate::host::Host;
use crate::model::FOLLOWED_BY;
use crate::registry::{Call, Caller, RawArgs, Stop};
use crate::secrets;
use crate::types::Uuid;

/// What `demo.json` holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    app: &'static str,
    client_key: String,
    server_key: String,
    admin_token: String,
    people: Vec<PersonCredentials>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PersonCredentials {
    id: Uuid,
    handle: &'static str,
    password: String,
}

/// Makes the app, its keys, people, follows, posts and likes, or what is missing of them.
pub async fn make(host: &Arc<Host>, seed: &Seed) -> Result<Credentials> {
    let plan = Arc::new(Plan::new(seed));
    let app = make_app(host, &plan).await?;
    let demo = Demo { host: host.clone(), app, plan: plan.clone() };
    demo.each(plan.people.len(), |demo, n| async move { demo.join(n).await }).await?;
    demo.each(plan.follows.len(), |demo, n| async move { demo.follow(n).await }).await?;
    // What is posted goes to those whose follow has arrived.
    demo.each(plan.people.len(), |demo, n| async move { demo.followed(n).await }).await?;
    demo.each(plan.posts.len(), |demo, n| async move { demo.post(n).await }).await?;
    demo.each(plan.likes.len(), |demo, n| async move { demo.like(n).await }).await?;
    let secret = |kind: KeyKind| {
        plan.keys.iter().filter(|key| key.kind == kind).map(|key| key.secret.clone()).collect()
    };
    Ok(Credentials {
        app: APP,
        client_key: secret(KeyKind::Client),
        server_key: secret(KeyKind::Server),
        admin_token: secret(KeyKind::Admin),
        people: plan
            .people
            .iter()
            .map(|person| PersonCredentials {
                id: person.id.into(),
                handle: person.handle,
                password: person.password.clone(),
            })
            .collect(),
    })
}

async fn make_app(host: &Host, plan: &Plan) -> Result<Arc<App>> {
    let (name, title) = (APP.to_owned(), "Demo".to_owned());
    let create = MetaCommand::CreateApp { id: plan.app, name, title, secret: plan.app_secret };
    host.cluster.change_meta(create).await.map_err(|fault| anyhow!("the app {APP}: {fault}"))?;
    let state = host.cluster.meta();
    let app = state.app_by_uuid(plan.app).context("the app that was just made is not there")?.id;
    for PlannedKey { id, kind, secret } in &plan.keys {
        let hash = secrets::hash(secret);
        let put = MetaCommand::PutKey { app, id: *id, kind: *kind, name: "Demo".to_owned(), hash };
        host.cluster.change_meta(put).await.map_err(|fault| anyhow!("a key of {APP}: {fault}"))?;
    }
    host.cluster.meta().app_by_uuid(plan.app).cloned().context("the app that was just made is not there")
}

#[derive(Clone)]
struct Demo {
    host: Arc<Host>,
    app: Arc<App>,
    plan: Arc<Plan>,
}

impl Demo {
    /// Does something for every number below `count`, all at once: what waits for the disk waits together.
    async fn each<F>(&self, count: usize, what: impl Fn(Demo, usize) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let under_way: Vec<_> = (0..count).map(|n| tokio::spawn(what(self.clone(), n))).collect();
        for task in under_way {
            task.await.context("a step of the demo panicked")??;
        }
        Ok(())
    }

    async fn join(self, number: usize) -> Result<()> {
        let person = &self.plan.people[number];
        let account = json!({
            "id": person.id.to_string(),
            "handle": person.handle,
            "name": person.name,
            "password": person.password,
        });
        self.call(None, "auth.createAccount", account).await?;
        self.call(Some(person.id), "profile.update", json!({ "about": person.about })).await
    }

    async fn follow(self, number: usize) -> Result<()> {
        let (who, whom) = self.plan.follows[number];
        let whom = self.plan.people[whom].id.to_string();
        self.call(Some(self.plan.people[who].id), "follow.create", json!({ "id": whom })).await
    }

    /// Waits until a person's followers are known at the person's own root.
    async fn followed(self, number: usize) -> Result<()> {
        let expected = self.plan.follows.iter().filter(|(_, whom)| *whom == number).count() as u64;
        let root = Root::profile(self.plan.people[number].id);
        for _ in 0..WAITS {
            let counts = Query::LinkCounts(vec![FOLLOWED_BY]);
            let reading = self.host.cluster.read(self.app.id, root, counts).await;
            let reading = reading.map_err(|fault| anyhow!("followers: {fault}"))?;
            if matches!(reading.answer, Answer::LinkCounts(counts) if counts.iter().all(|count| *count >= expected))
            {
                return Ok(());
            }
            tokio::time::sleep(WAIT).await;
        }
        bail!("a follow did not arrive within {:?}", WAIT * WAITS);
    }

    async fn post(self, number: usize) -> Result<()> {
        let post = &self.plan.posts[number];
        let author = self.plan.people[post.author].id;
        self.call(Some(author), "post.create", json!({ "id": post.id.to_string(), "text": post.text })).await
    }

    async fn like(self, number: usize) -> Result<()> {
        let (who, what) = self.plan.likes[number];
        let what = self.plan.posts[what].id.to_string();
        self.call(Some(self.plan.people[who].id), "like.put", json!({ "id": what })).await
    }

    /// Calls a method as one of the people, or as somebody who is not signed in.
    async fn call(&self, person: Option<Id>, name: &'static str, args: Value) -> Result<()> {
        let method = self.host.registry.get(name).with_context(|| format!("there is no method {name}"))?;
        let caller = match person {
            Some(profile) => Caller::User { profile, device: Id::NIL, roles: Vec::new() },
            None => Caller::Anonymous,
        };
        let call = Call::own(&self.host, self.app.clone(), caller, method.name);
        match (method.handler)(call, RawArgs::Json(Bytes::from(args.to_string()))).await {
            Ok(_) | Err(Stop::Replay(_)) => Ok(()),
            Err(Stop::Problem(problem)) => bail!("{name}: {}: {}", problem.code, problem.detail),
        }
    }
}

/// How long a follow is waited for, at most.
const WAITS: u32 = 1_000;
const WAIT: Duration = Duration::from_millis(5);

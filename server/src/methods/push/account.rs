//! The app's accounts at push services. Keys are sealed where they are stored, and shown to nobody.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gomer_core::id::{Id, Root, RootKind, Section};
use gomer_core::vnode::command::{Operation, Precondition};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::methods::post::view::json;
use crate::model::PUSH_CREDENTIALS;
use crate::problem::{Code, Problem};
use crate::push::apns::Apns;
use crate::push::fcm::Fcm;
use crate::push::keys::{EcKey, RsaKey};
use crate::push::lanes::Accounts;
use crate::push::web::{Vapid, Web};
use crate::push::{Service, Verdict, With, seal};
use crate::registry::{Call, NodeView, Reply, Rev, Stop};
use crate::types::{Empty, Patch, Text};

/// How often a change that nobody guarded is tried again when others change the same.
const ATTEMPTS: usize = 4;

/// The accounts, as they are set. What is absent stays, `null` goes.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetCredentials {
    /// Apple's.
    #[serde(default)]
    apns: Patch<ApnsArgs>,
    /// Google's.
    #[serde(default)]
    fcm: Patch<FcmArgs>,
    /// The key by which browsers' services know the app.
    #[serde(default)]
    web_push: Patch<WebPushArgs>,
    /// Refuse if they are not at this revision. The same as `If-Match`.
    if_rev: Option<Rev>,
}

/// A key for Apple's service.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApnsArgs {
    /// The key's id: 10 characters.
    key_id: Text<10, 10>,
    /// The team's id: 10 characters.
    team_id: Text<10, 10>,
    /// The bundle's identifier, like `org.example.app`.
    topic: Text<1, 255>,
    /// The key: what the `.p8` file holds.
    private_key: Text<1, 4096>,
}

/// A service account of Google's.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FcmArgs {
    /// `project_id` of the account's file.
    project_id: Text<1, 100>,
    /// `client_email` of it.
    client_email: Text<3, 254>,
    /// `private_key_id` of it.
    private_key_id: Text<1, 100>,
    /// `private_key` of it.
    private_key: Text<1, 8192>,
}

/// A key for browsers.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebPushArgs {
    /// Whom a browser's service may write to about the app: `mailto:` or `https:`.
    subject: Text<9, 254>,
    /// The key: 32 bytes in base64url. Without it, the present one stays; if there is none, one is made.
    private_key: Option<Text<1, 64>>,
}

/// What is stored, sealed, under the account's name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "of")]
enum Account {
    #[serde(rename_all = "camelCase")]
    Apns { key_id: String, team_id: String, topic: String, private_key: String },
    #[serde(rename_all = "camelCase")]
    Fcm { project_id: String, client_email: String, private_key_id: String, private_key: String },
    #[serde(rename_all = "camelCase")]
    WebPush { subject: String, private_key: String },
}

const APNS: &str = "apns";
const FCM: &str = "fcm";
const WEB_PUSH: &str = "webPush";

/// The accounts, without their secrets.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Apple's.
    #[serde(skip_serializing_if = "Option::is_none")]
    apns: Option<ApnsView>,
    /// Google's.
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm: Option<FcmView>,
    /// Browsers'.
    #[serde(skip_serializing_if = "Option::is_none")]
    web_push: Option<WebPushView>,
    /// Their revision; absent as long as none was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev: Option<Rev>,
}

/// A key for Apple's service, without the key.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ApnsView {
    /// The key's id.
    key_id: String,
    /// The team's id.
    team_id: String,
    /// The bundle's identifier.
    topic: String,
}

/// A service account of Google's, without its key.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FcmView {
    /// The project.
    project_id: String,
    /// The account.
    client_email: String,
    /// The key's id.
    private_key_id: String,
}

/// A key for browsers, without the private one.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WebPushView {
    /// Whom a browser's service may write to.
    subject: String,
    /// The public key: a browser's `applicationServerKey`.
    public_key: String,
}

fn root() -> Root {
    Root::new(RootKind::Misc, Id::derived("push credentials", b""))
}

fn node_id() -> Id {
    Id::derived("push credentials", b"node")
}

async fn stored(call: &Call) -> Result<Option<NodeView>, Stop> {
    call.node(root(), node_id()).await
}

/// One account, opened.
fn opened(call: &Call, view: Option<&NodeView>, name: &str) -> Option<Account> {
    let sealed: String = serde_json::from_str(view?.attr(name)?).ok()?;
    serde_json::from_str(&seal::open(&call.app.secret, name, &sealed)?).ok()
}

fn vapid(private_key: &str, subject: String) -> Option<Vapid> {
    let bytes = URL_SAFE_NO_PAD.decode(private_key.trim_end_matches('=')).ok()?;
    Some(Vapid { key: EcKey::from_bytes(&bytes)?, subject })
}

impl Credentials {
    fn of(call: &Call, view: Option<&NodeView>) -> Credentials {
        let mut shown = Credentials { apns: None, fcm: None, web_push: None, rev: view.map(|view| view.rev) };
        for name in [APNS, FCM, WEB_PUSH] {
            shown.show(opened(call, view, name));
        }
        shown
    }

    fn show(&mut self, account: Option<Account>) {
        match account {
            Some(Account::Apns { key_id, team_id, topic, .. }) => {
                self.apns = Some(ApnsView { key_id, team_id, topic });
            }
            Some(Account::Fcm { project_id, client_email, private_key_id, .. }) => {
                self.fcm = Some(FcmView { project_id, client_email, private_key_id });
            }
            Some(Account::WebPush { subject, private_key }) => {
                let vapid = vapid(&private_key, subject);
                self.web_push = vapid.map(|vapid| {
                    let public_key = vapid.public();
                    WebPushView { subject: vapid.subject, public_key }
                });
            }
            None => {}
        }
    }
}

/// The accounts of the call's app, ready to use.
pub async fn accounts(call: &Call) -> Result<Arc<Accounts>, Stop> {
    let view = stored(call).await?;
    let text = [APNS, FCM, WEB_PUSH].map(|name| view.as_ref().and_then(|view| view.attr(name)));
    let text = text.map(Option::unwrap_or_default).join("\n");
    Ok(call.host.push.accounts(call.app.id, text, || {
        let open = |name| opened(call, view.as_ref(), name);
        let apns = match open(APNS) {
            Some(Account::Apns { key_id, team_id, topic, private_key }) => {
                EcKey::from_pem(&private_key).map(|key| Apns::new(key_id, team_id, topic, key))
            }
            _ => None,
        };
        let fcm = match open(FCM) {
            Some(Account::Fcm { project_id, client_email, private_key_id, private_key }) => {
                let key = RsaKey::from_pem(&private_key);
                key.map(|key| Fcm::new(project_id, client_email, private_key_id, key))
            }
            _ => None,
        };
        let web = match open(WEB_PUSH) {
            Some(Account::WebPush { subject, private_key }) => vapid(&private_key, subject),
            _ => None,
        };
        Accounts { apns, fcm, web: Web::new(web) }
    }))
}

impl ApnsArgs {
    fn account(self) -> Result<Account, Stop> {
        let word = |text: &str, more: &str| {
            text.bytes().all(|c| c.is_ascii_alphanumeric() || more.as_bytes().contains(&c))
        };
        let at = |name: &str| format!("/apns/{name}");
        for (name, text) in [("keyId", &self.key_id.0), ("teamId", &self.team_id.0)] {
            if !word(text, "") {
                return Err(Stop::invalid(at(name), "format", "10 letters and digits."));
            }
        }
        if !word(&self.topic.0, "-.") {
            return Err(Stop::invalid(at("topic"), "format", "A bundle's identifier, like org.example.app."));
        }
        if EcKey::from_pem(&self.private_key.0).is_none() {
            let detail = "A private key on P-256 in PKCS #8 and PEM, like Apple's `.p8` files.";
            return Err(Stop::invalid(at("privateKey"), "format", detail));
        }
        Ok(Account::Apns {
            key_id: self.key_id.0,
            team_id: self.team_id.0,
            topic: self.topic.0,
            private_key: self.private_key.0,
        })
    }
}

impl FcmArgs {
    fn account(self) -> Result<Account, Stop> {
        let plain = |text: &str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.:@".contains(&c));
        for (name, text) in [
            ("projectId", &self.project_id.0),
            ("clientEmail", &self.client_email.0),
            ("privateKeyId", &self.private_key_id.0),
        ] {
            if !plain(text) {
                let detail = "Letters, digits and - _ . : @, as in the account's file.";
                return Err(Stop::invalid(format!("/fcm/{name}"), "format", detail));
            }
        }
        if RsaKey::from_pem(&self.private_key.0).is_none() {
            let detail = "A private key of RSA in PKCS #8 and PEM, as in the account's file.";
            return Err(Stop::invalid("/fcm/privateKey", "format", detail));
        }
        Ok(Account::Fcm {
            project_id: self.project_id.0,
            client_email: self.client_email.0,
            private_key_id: self.private_key_id.0,
            private_key: self.private_key.0,
        })
    }
}

impl WebPushArgs {
    fn account(&self, call: &Call, before: Option<Account>) -> Result<Account, Stop> {
        let subject = self.subject.0.clone();
        if !subject.starts_with("mailto:") && !subject.starts_with("https:") {
            let detail = "An address that begins with mailto: or https:.";
            return Err(Stop::invalid("/webPush/subject", "format", detail));
        }
        let private_key = match (&self.private_key, before) {
            (Some(key), _) => key.0.clone(),
            (None, Some(Account::WebPush { private_key, .. })) => private_key,
            (None, _) => URL_SAFE_NO_PAD.encode(EcKey::draw(|| call.cluster.secret()).to_bytes()),
        };
        if vapid(&private_key, String::new()).is_none() {
            let detail = "A private key on P-256: 32 bytes in base64url.";
            return Err(Stop::invalid("/webPush/privateKey", "format", detail));
        }
        Ok(Account::WebPush { subject, private_key })
    }
}

/// Sets them.
pub async fn set(call: Call, args: SetCredentials) -> Result<Reply<Credentials>, Stop> {
    call.replay(root()).await?;
    let apns = args.apns.change().map(|it| it.map(ApnsArgs::account).transpose()).transpose()?;
    let fcm = args.fcm.change().map(|it| it.map(FcmArgs::account).transpose()).transpose()?;
    let web = args.web_push.change();
    for _ in 0..ATTEMPTS {
        let view = stored(&call).await?;
        let before = Credentials::of(&call, view.as_ref());
        let guard = match &view {
            Some(view) => call
                .guard(node_id(), view, args.if_rev, &before)?
                .unwrap_or(Precondition::NodeRev(node_id(), view.node.rev)),
            None if args.if_rev.or(call.if_match).is_some() => return Err(Code::StaleRevision.into()),
            None => Precondition::NodeAbsent(node_id()),
        };
        let mut after = Credentials { rev: Some(Rev::Pending), ..before.clone() };
        let web = match &web {
            None => None,
            Some(None) => Some(None),
            Some(Some(web)) => Some(Some(web.account(&call, opened(&call, view.as_ref(), WEB_PUSH))?)),
        };
        // All attributes at once, so that an account that stays is written as it stands.
        let mut attrs = Vec::new();
        for (name, change) in [(APNS, apns.as_ref()), (FCM, fcm.as_ref()), (WEB_PUSH, web.as_ref())] {
            let kept = || view.as_ref().and_then(|view| view.attr(name)).map(str::to_owned);
            let sealed = match change {
                None => kept(),
                Some(None) => {
                    after.forget(name);
                    None
                }
                Some(Some(account)) => {
                    let plain = json(account);
                    after.show(serde_json::from_str(&plain).ok());
                    let sealed = seal::seal(&call.app.secret, name, &plain, call.cluster.secret());
                    Some(json(&sealed))
                }
            };
            attrs.extend(sealed.map(|sealed| (name.to_owned(), sealed)));
        }
        let (ty, section, author) = (PUSH_CREDENTIALS, Section::INTERNAL, Id::NIL);
        let put = Operation::PutNode { id: node_id(), ty, section, author, attrs };
        match call.write(call.on(root()).when(guard).op(put), after).await {
            Err(stop)
                if matches!(stop.code(), Some(Code::StaleRevision | Code::IdTaken | Code::NotFound)) => {}
            done => {
                call.host.push.renewed(call.app.id);
                return done;
            }
        }
    }
    Err(Problem::new(Code::Busy).retry_after(1).into())
}

impl Credentials {
    fn forget(&mut self, name: &str) {
        match name {
            APNS => self.apns = None,
            FCM => self.fcm = None,
            _ => self.web_push = None,
        }
    }
}

/// What came of asking each service.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Apple's; absent without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    apns: Option<Check>,
    /// Google's; absent without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm: Option<Check>,
    /// Browsers': each has a service of its own, so only the key itself is looked at. Absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    web_push: Option<Check>,
}

/// What came of asking a service.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Check {
    /// Whether it takes the account.
    good: bool,
    /// Why not: the service's own word, or one of Gomer's, like `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Asks the services.
pub async fn check(call: Call, _: Empty) -> Result<Reply<Checked>, Stop> {
    let accounts = accounts(&call).await?;
    let known = Credentials::of(&call, stored(&call).await?.as_ref());
    let random = || call.cluster.secret();
    let with = With { outside: &*call.host.outside, now: call.now.wall, random: &random };
    let ask = async |service: Service, there: bool| {
        let provider = accounts.of(service).filter(|_| there)?;
        Some(match provider.check(with).await {
            Verdict::Accepted(_) => Check { good: true, reason: None },
            Verdict::Gone(reason, _) | Verdict::Later { reason, .. } | Verdict::Refused(reason) => {
                Check { good: false, reason: Some(reason) }
            }
        })
    };
    Ok(Reply::new(Checked {
        apns: ask(Service::Apns, known.apns.is_some()).await,
        fcm: ask(Service::Fcm, known.fcm.is_some()).await,
        web_push: ask(Service::WebPush, known.web_push.is_some()).await,
    }))
}

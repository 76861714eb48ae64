//! What a page of somebody else says of itself, so that a link to it can be shown.
//!
//! It is asked for by the server and not by phones: phones would tell the page who is about to share it, and each would
//! load it whole. What came is kept for a while, and several who ask at once cause one request.
//!
//! Whatever is wrong with a page (it is not there, not public, too large, no page), the answer is the same: who asks
//! learns nothing of networks that only this server sees.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gomer_core::id::AppId;
use gomer_core::time::Monotonic;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::feeds::head;
use crate::methods::post::view::WebAddress;
use crate::outside::place::Place;
use crate::outside::{Ask, Unanswered};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Reply, Stop};

/// How long a preview is shown before the page is asked again.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// How long it is believed that there is none.
const NONE_KEPT: Duration = Duration::from_secs(5 * 60);
/// Previews that are kept: each has at most a few KiB.
const KEPT_MAX: usize = 2_048;
/// Largest page.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest that a page may take.
const PAGE_TIME_MAX: Duration = Duration::from_secs(6);

/// Previews that were asked for lately.
#[derive(Default)]
pub struct Previews {
    kept: Mutex<HashMap<(AppId, String), Kept>>,
}

struct Kept {
    since: Monotonic,
    found: Arc<OnceCell<Option<PagePreview>>>,
}

impl Previews {
    /// The place of a page's preview, which is filled by whoever comes first.
    fn place(&self, app: AppId, url: &str, now: Monotonic) -> Arc<OnceCell<Option<PagePreview>>> {
        let mut kept = self.kept.lock().expect(UNPOISONED);
        let key = (app, url.to_owned());
        if let Some(one) = kept.get(&key).filter(|one| one.is_good(now)) {
            return one.found.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, one| one.is_good(now));
        }
        if kept.len() >= KEPT_MAX {
            // All of them are good: half of them go, whichever.
            let mut odd = false;
            kept.retain(|_, _| {
                odd = !odd;
                odd
            });
        }
        let found = Arc::new(OnceCell::new());
        kept.insert(key, Kept { since: now, found: found.clone() });
        found
    }
}

impl Kept {
    fn is_good(&self, now: Monotonic) -> bool {
        let age = now.since(self.since);
        match self.found.get() {
            Some(Some(_)) => age < KEPT,
            // Nobody waits that long for an answer.
            Some(None) | None => age < NONE_KEPT,
        }
    }
}

/// Which page.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetPreview {
    /// Its address, on the public internet.
    url: WebAddress,
}

/// A page in brief, as it says. All texts are plain; what they say is its author's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PagePreview {
    /// Where it was found, after redirects.
    url: String,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// A little more.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// A picture, at a server of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The site that it belongs to; its host, if it does not say.
    site: String,
    /// Its address as it wants to be linked, on the same host.
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical: Option<String>,
    /// What it is, as Open Graph names it: `article`, `website`; `image` for a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// Shows a page in brief.
pub async fn get(call: Call, args: GetPreview) -> Result<Reply<PagePreview>, Stop> {
    call.me()?;
    let bad = |unanswered: Unanswered| Stop::invalid("/url", "format", unanswered.to_string());
    let place = Place::parse(&args.url.0).map_err(bad)?;
    let kept = call.host.previews.place(call.app.id, place.as_str(), call.now.mono);
    match kept.get_or_try_init(|| ask(&call, &place)).await {
        Ok(Some(found)) => Ok(Reply::new(found.clone())),
        Ok(None) => Err(Stop::not_found()),
        Err(stop) => Err(stop),
    }
}

/// Asks a page. Only that too many are asked already is not to be kept.
async fn ask(call: &Call, place: &Place) -> Result<Option<PagePreview>, Stop> {
    let mut ask = Ask::get(place.as_str());
    ask.bounds.bytes_max = PAGE_BYTES_MAX;
    ask.bounds.time_max = PAGE_TIME_MAX;
    ask.headers
        .insert(ACCEPT, HeaderValue::from_static("text/html, application/xhtml+xml;q=0.9, image/*;q=0.5"));
    let answered = match call.host.outside.ask(ask).await {
        Err(Unanswered::Busy) => return Err(Problem::new(Code::Busy).retry_after(1).into()),
        Err(_) => return Ok(None),
        Ok(answered) if answered.status != 200 => return Ok(None),
        Ok(answered) => answered,
    };
    let Ok(found_at) = Place::parse(&answered.url) else { return Ok(None) };
    let content_type = answered.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind =
        content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let site = found_at.authority();
    let url = found_at.as_str().to_owned();
    if kind.starts_with("image/") {
        let (image, kind) = (Some(url.clone()), Some("image".to_owned()));
        let (title, description, canonical) = (None, None, None);
        return Ok(Some(PagePreview { url, title, description, image, site, canonical, kind }));
    }
    if !matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "") {
        return Ok(None);
    }
    let head = head::read(&answered.body, content_type, &found_at);
    if head.title.is_none() && head.image.is_none() {
        return Ok(None);
    }
    Ok(Some(PagePreview {
        url,
        title: head.title,
        description: head.description,
        image: head.image,
        site: head.site.unwrap_or(site),
        canonical: head.canonical,
        kind: head.kind,
    }))
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_ends() {
        let previews = Previews::default();
        let at = |seconds| Monotonic(Duration::from_secs(seconds));
        let found = PagePreview {
            url: "https://a.example/".to_owned(),
            title: Some("A".to_owned()),
            description: None,
            image: None,
            site: "a.example".to_owned(),
            canonical: None,
            kind: None,
        };
        previews.place(AppId(1), "a", at(0)).set(Some(found)).unwrap();
        previews.place(AppId(1), "b", at(0)).set(None).unwrap();
        assert!(previews.place(AppId(1), "a", at(3_599)).initialized());
        assert!(previews.place(AppId(1), "b", at(299)).initialized());
        assert!(!previews.place(AppId(2), "a", at(1)).initialized(), "another app's");
        assert!(!previews.place(AppId(1), "b", at(300)).initialized());
        assert!(!previews.place(AppId(1), "a", at(3_600)).initialized());
        for number in 0..3 * KEPT_MAX {
            previews.place(AppId(1), &number.to_string(), at(4_000));
        }
        assert!(previews.kept.lock().unwrap().len() <= KEPT_MAX);
    }
}

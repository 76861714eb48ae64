//! Addresses that need no headers: `PUT` and `HEAD` of an upload, `GET` and `HEAD` of a blob.
//!
//! Whether an address is good is told by its signature; nothing is looked up for a blob but its file. Whatever is
//! wrong with an address, the answer is the same 404.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gomer_core::meta::command::AppState;
use gomer_core::time::Now;
use gomer_net::http::{Body, BodyReader, Refusal, Request, Response, sized};
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method as Verb, StatusCode};

use super::api::bytes_of;
use super::conditions::one;
use super::{cors, refusals, render};
use crate::blob::sign::Signed;
use crate::blob::sniff::{Format, MediaKind};
use crate::blob::{BlobFault, Blobs, Key, PIECE_BYTES, Scratch, UPLOAD_BYTES_MAX};
use crate::host::Host;
use crate::methods::media::references::{facts_of, media_node};
use crate::methods::media::{Announced, blob_stop};
use crate::problem::{Code, Problem};
use crate::registry::{Call, Caller, Stop, Trace};
use crate::usage::Used;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A path below `/media/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MediaPath<'a> {
    app: &'a str,
    folder: &'a str,
    name: &'a str,
}

impl<'a> MediaPath<'a> {
    /// `APP/FOLDER/NAME`.
    pub(super) fn of(rest: &'a str) -> Option<MediaPath<'a>> {
        let mut parts = rest.split('/');
        let path = MediaPath { app: parts.next()?, folder: parts.next()?, name: parts.next()? };
        parts.next().is_none().then_some(path)
    }

    /// Whether a body may be sent there.
    pub(super) fn takes_bodies(&self) -> bool {
        self.folder == "uploads"
    }
}

/// Largest body of an upload.
pub(super) const BODY_BYTES_MAX: u64 = UPLOAD_BYTES_MAX;

/// Pieces of a body: from a socket, or all at once.
pub(super) enum Pieces<'a> {
    Reader(BodyReader<'a>),
    Whole(Bytes),
}

impl Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match self {
            Pieces::Reader(reader) => reader.next().await,
            Pieces::Whole(bytes) => Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
        }
    }
}

/// Answers a request for such an address.
pub(super) async fn answer(
    host: &Arc<Host>,
    path: MediaPath<'_>,
    request: &Request,
    body: Pieces<'_>,
    now: Now,
    trace: Trace,
) -> Response {
    let meta = host.cluster.meta();
    let leave = meta.apps.get(path.app).and_then(|app| cors::origin(host, app, request));
    if cors::is_preflight(request) {
        return match leave {
            Some(origin) => cors::media_preflight(origin),
            None => render::problem(&Problem::new(Code::NotFound), trace),
        };
    }
    let mut came = 0;
    let answered = async {
        let app = host.cluster.meta().apps.get(path.app).cloned().ok_or_else(Stop::not_found)?;
        let thing = Signed::parse(&app, path.folder, path.name).ok_or_else(Stop::not_found)?;
        let query = request.query.as_deref().unwrap_or_default();
        let for_good = thing.check(&app, query, now.wall).ok_or_else(Stop::not_found)?;
        if app.state == AppState::Frozen {
            return Err(Stop::forbidden("This app is out of use at the moment."));
        }
        match (thing, &request.method) {
            (Signed::Blob(key, format), &Verb::GET | &Verb::HEAD) => {
                blob(&host.blobs, key, format, for_good, request).await
            }
            (Signed::Upload(_), &Verb::PUT) if app.state == AppState::ReadOnly => {
                Err(Stop::forbidden("This app takes reads only at the moment."))
            }
            (Signed::Upload(id), &Verb::PUT | &Verb::HEAD) => {
                let call = Call::own(host, app.clone(), Caller::Anonymous, "media.putPart");
                let view = media_node(&call, id).await?.ok_or_else(Stop::not_found)?;
                let upload = Upload {
                    scratch: Scratch { app: app.id, id },
                    size: Announced::of(&view).size,
                    finished: facts_of(&view).is_some(),
                };
                if request.method == Verb::PUT {
                    let (mut body, came) = (body, &mut came);
                    upload.put(&host.blobs, request, &mut body, came).await
                } else {
                    upload.tell(&host.blobs).await
                }
            }
            (Signed::Blob(..), _) => Err(verb_refused("GET, HEAD")),
            (Signed::Upload(_), _) => Err(verb_refused("PUT, HEAD")),
        }
    };
    let mut response = match answered.await {
        Ok(mut response) => {
            response.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response.headers.insert(GOMER_TRACE, header(trace.to_string()));
            response
        }
        Err(Stop::Problem(problem)) => render::problem(&problem, trace),
        Err(Stop::Replay(_)) => render::problem(&Problem::new(Code::Internal), trace),
    };
    if let Some(origin) = leave {
        cors::allow(&mut response.headers, origin);
    }
    if let Some(app) = meta.apps.get(path.app) {
        // Of a HEAD, nothing is sent.
        let sends = request.method != Verb::HEAD;
        let bytes_out = if sends { bytes_of(&response.body) } else { 0 };
        host.usage.add(app.id, Used { calls: 1, bytes_in: came, bytes_out });
    }
    response
}

const GOMER_TRACE: HeaderName = HeaderName::from_static("gomer-trace");

fn verb_refused(allowed: &str) -> Stop {
    Problem::new(Code::BadRequest).detail(format!("This takes {allowed} only.")).into()
}

fn header(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("it is plain ASCII")
}

/// An upload that an address leads to.
struct Upload {
    scratch: Scratch,
    size: u64,
    finished: bool,
}

impl Upload {
    async fn have(&self, blobs: &Blobs) -> Result<u64, Stop> {
        if self.finished {
            return Ok(self.size);
        }
        blobs.scratch_bytes(self.scratch).await.map_err(blob_stop)
    }

    fn progress(&self, status: StatusCode, have: u64) -> Response {
        Response { status, headers: HeaderMap::new(), body: Body::Full(Bytes::new()) }
            .with(UPLOAD_OFFSET, HeaderValue::from(have))
            .with(UPLOAD_LENGTH, HeaderValue::from(self.size))
            .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    async fn tell(&self, blobs: &Blobs) -> Result<Response, Stop> {
        let have = self.have(blobs).await?;
        Ok(self.progress(StatusCode::OK, have))
    }

    /// Takes what comes, from the offset that is said (0 without one). What has come already may come again: it is
    /// passed over. Whatever happens, what was appended stays, and the answer says how much that is.
    async fn put(
        &self,
        blobs: &Blobs,
        request: &Request,
        body: &mut Pieces<'_>,
        came: &mut u64,
    ) -> Result<Response, Stop> {
        let offset = match one(&request.headers, &UPLOAD_OFFSET)? {
            None => 0,
            Some(text) => text.parse::<u64>().map_err(|_| {
                Stop::from(Problem::new(Code::BadRequest).detail("`Upload-Offset` is a whole number."))
            })?,
        };
        let _alone = match self.finished {
            true => None,
            false => Some(blobs.occupy(self.scratch).ok_or(Code::InProgress)?),
        };
        let _room = blobs.transfer().map_err(blob_stop)?;
        let mut have = self.have(blobs).await?;
        if offset > have {
            let detail = format!("{have} bytes have come: the next part begins there, or before.");
            return Err(Stop::invalid("/upload-offset", "range", detail));
        }
        let mut at = offset;
        let mut waiting = BytesMut::new();
        let ended = loop {
            match body.next().await {
                Ok(Some(mut piece)) => {
                    let known = have.saturating_sub(at).min(piece.len() as u64);
                    at += piece.len() as u64;
                    *came += piece.len() as u64;
                    if at > self.size {
                        break Err(Problem::new(Code::TooLarge)
                            .detail(format!("The upload has {} bytes.", self.size)));
                    }
                    piece = piece.slice(known as usize..);
                    have += piece.len() as u64;
                    waiting.extend_from_slice(&piece);
                    if waiting.len() >= PIECE_BYTES {
                        self.append(blobs, have, &mut waiting).await?;
                    }
                }
                Ok(None) => break Ok(()),
                Err(refusal) => break Err(refusals::problem(refusal)),
            }
        };
        self.append(blobs, have, &mut waiting).await?;
        ended?;
        Ok(self.progress(StatusCode::NO_CONTENT, have))
    }

    async fn append(&self, blobs: &Blobs, end: u64, waiting: &mut BytesMut) -> Result<(), Stop> {
        if waiting.is_empty() {
            return Ok(());
        }
        let bytes = waiting.split().freeze();
        blobs.append(self.scratch, end - bytes.len() as u64, bytes).await.map_err(blob_stop)
    }
}

/// The part of a file that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// From the first of these to the second, both included.
    Range(u64, u64),
    /// None that there is.
    Beyond,
}

/// Reads `Range` (RFC 9110, section 14): one range of bytes. Several, and what is no range, ask for the whole.
fn part(range: &str, size: u64) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        // More digits than a number has are beyond any file.
        plain.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), _) if first >= size && (last.trim().is_empty() || number(last.trim()).is_some()) => {
            Part::Beyond
        }
        (Some(first), Some(last)) => Part::Range(first, last.min(size - 1)),
        (Some(first), None) if last.trim().is_empty() => Part::Range(first, size - 1),
        (None, Some(0)) if first.trim().is_empty() => Part::Beyond,
        (None, Some(_)) if first.trim().is_empty() && size == 0 => Part::Beyond,
        (None, Some(count)) if first.trim().is_empty() => Part::Range(size.saturating_sub(count), size - 1),
        _ => Part::Whole,
    }
}

async fn blob(
    blobs: &Blobs,
    key: Key,
    format: Format,
    for_good: bool,
    request: &Request,
) -> Result<Response, Stop> {
    let size = match blobs.bytes(key).await {
        Ok(size) => size.ok_or_else(Stop::not_found)?,
        Err(fault) => return Err(blob_stop(fault)),
    };
    let tag = format!("\"{}-{}\"", key.object.id, key.variant.name());
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(ETAG, header(tag.clone()));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let cache =
        if for_good { "public, max-age=31536000, immutable" } else { "private, max-age=86400, immutable" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if names(&request.headers, &tag) {
        return Ok(Response { status: StatusCode::NOT_MODIFIED, headers, body: Body::Full(Bytes::new()) });
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    // Should a browser think that it can run this after all: nothing in it may do anything.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if format.kind() == MediaKind::File {
        let name = format!("attachment; filename=\"{}.{}\"", key.object.id, format.ending());
        headers.insert(CONTENT_DISPOSITION, header(name));
    }
    // A range of what the client had is no use if this is something else.
    let same = one(&request.headers, &IF_RANGE)?.is_none_or(|known| known == tag);
    let asked = one(&request.headers, &RANGE)?.filter(|_| same && request.method == Verb::GET);
    let (status, from, count) = match asked.map_or(Part::Whole, |range| part(range, size)) {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Range(first, last) => {
            headers.insert(CONTENT_RANGE, header(format!("bytes {first}-{last}/{size}")));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Part::Beyond => {
            headers.insert(CONTENT_RANGE, header(format!("bytes */{size}")));
            headers.remove(CONTENT_DISPOSITION);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            let body = Body::Full(Bytes::from_static(b"There is no such part.\n"));
            return Ok(Response { status: StatusCode::RANGE_NOT_SATISFIABLE, headers, body });
        }
    };
    let (sender, body) = sized::channel(count);
    if request.method == Verb::GET {
        // The first piece before the status, so that what cannot be read is an error and no broken file.
        let room = blobs.transfer().map_err(blob_stop)?;
        let first = piece(blobs, key, from, count).await.map_err(blob_stop)?;
        let (blobs, span) = (blobs.clone(), (from, count));
        tokio::spawn(async move {
            send(&blobs, key, span, first, sender).await;
            drop(room);
        });
    }
    Ok(Response { status, headers, body: body.into() })
}

/// Bytes from there on: as many as are sent at once.
async fn piece(blobs: &Blobs, key: Key, at: u64, left: u64) -> Result<Bytes, BlobFault> {
    let want = left.min(PIECE_BYTES as u64) as usize;
    let bytes = blobs.read(key, at, want).await?;
    if bytes.len() < want { Err(BlobFault::Io(format!("{key} is shorter than it was"))) } else { Ok(bytes) }
}

/// Sends so many bytes from there on; `first` are the first of them.
async fn send(
    blobs: &Blobs,
    key: Key,
    (mut at, mut left): (u64, u64),
    first: Bytes,
    sender: sized::SizedSender,
) {
    let mut next = first;
    loop {
        (at, left) = (at + next.len() as u64, left - next.len() as u64);
        if !sender.send(next).await || left == 0 {
            return;
        }
        next = match piece(blobs, key, at, left).await {
            Ok(piece) => piece,
            Err(BlobFault::Busy) => {
                // It has begun, so it goes on, a little later.
                tokio::time::sleep(BUSY_PAUSE).await;
                Bytes::new()
            }
            Err(fault) => {
                tracing::warn!(%fault, "a file was broken off while it was sent");
                return;
            }
        };
    }
}

/// How long sending a file pauses when too much is being read at once.
const BUSY_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Whether `If-None-Match` names this tag.
fn names(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        for (range, size, wanted) in [
            ("bytes=0-0", 10, Part::Range(0, 0)),
            ("bytes=2-5", 10, Part::Range(2, 5)),
            ("bytes=2-", 10, Part::Range(2, 9)),
            ("bytes=2-99", 10, Part::Range(2, 9)),
            ("bytes=-3", 10, Part::Range(7, 9)),
            ("bytes=-30", 10, Part::Range(0, 9)),
            ("bytes=9-", 10, Part::Range(9, 9)),
            ("bytes=10-", 10, Part::Beyond),
            ("bytes=10-20", 10, Part::Beyond),
            ("bytes=99999999999999999999-", 10, Part::Beyond),
            ("bytes=-0", 10, Part::Beyond),
            ("bytes=0-", 0, Part::Beyond),
            ("bytes=-1", 0, Part::Beyond),
            ("bytes=5-2", 10, Part::Whole),
            ("bytes=1-2,4-5", 10, Part::Whole),
            ("bytes=", 10, Part::Whole),
            ("bytes=-", 10, Part::Whole),
            ("bytes=a-b", 10, Part::Whole),
            ("bytes=+1-2", 10, Part::Whole),
            ("items=1-2", 10, Part::Whole),
            ("", 10, Part::Whole),
        ] {
            assert_eq!(part(range, size), wanted, "{range} of {size}");
        }
    }

    #[test]
    fn a_path_has_three_parts() {
        assert!(MediaPath::of("one/blobs/x").is_some_and(|path| !path.takes_bodies()));
        for bad in ["", "one", "one/blobs", "one/blobs/x/y"] {
            assert_eq!(MediaPath::of(bad), None, "{bad}");
        }
    }
}

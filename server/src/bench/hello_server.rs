//! The bare server: hyper, a handler that says hello, and nothing else. Its rate is what a machine can do at most, so
//! that ratios to it mean the same on every machine.

use std::convert::Infallible;
use std::io::{Read, Write};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::program::exit::{End, Exit};

/// What it says.
pub const HELLO: &[u8] = b"hello";

/// Serves until standard input ends: until whoever started it has ended.
pub fn run() -> Result<(), End> {
    let failed = |error: std::io::Error| End::new(Exit::Failed, error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut out = std::io::stdout();
        writeln!(out, "{{\"http\":\"http://{address}\"}}").and_then(|()| out.flush()).map_err(failed)?;
        tokio::spawn(serve(listener));
        let (gone, wait) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = gone.send(());
        });
        let _ = wait.await;
        Ok(())
    })
}

async fn serve(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is the load's to notice.
            let _ = http.serve_connection(TokioIo::new(stream), service_fn(say)).await;
        });
    }
}

async fn say(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(HELLO))))
}

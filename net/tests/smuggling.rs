//! Request smuggling: every variant gets one answer at most, a 400, and a closed connection; what is
//! hidden behind it is never served.

mod support;

use gomer_net::http::{Count, Limits};
use support::{responses, start};
use tokio::io::AsyncWriteExt;

/// Behind each variant: if any reader takes it for a request, it is served.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";

/// Heads that must not be served, with a body where one is announced.
fn heads() -> Vec<String> {
    let mut heads: Vec<String> = Vec::new();
    // Framing headers that contradict one another, or themselves.
    for headers in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 6\r\ntransfer-encoding:chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\ncontent-length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: five\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length: 5\u{b}\r\n",
        "Content-Length: \u{c}5\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chu nked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chunked\u{c}\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding: chunked\u{7f}\r\n",
        // Names that some readers take for framing headers.
        "Content-Length : 6\r\nX: y\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "\tContent-Length: 6\r\n",
        "Transfer\u{0}-Encoding: chunked\r\n",
        "Transfer-Encoding\u{b}: chunked\r\n",
        "Content Length: 6\r\n",
        "Transfer-Encoding\u{a0}: chunked\r\n",
        "\u{feff}Content-Length: 6\r\n",
        ": x\r\n",
        "Transfer-Encoding\r\n",
        "(x): y\r\n",
        "\"Content-Length\": 6\r\n",
        // Lines that some readers end, or continue, elsewhere.
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\r\n\tz\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Content-Length:\r\n 5\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\r\rTransfer-Encoding: chunked\r\n",
        "X: y\0\r\n",
        "Transfer-Encoding: chunked\n",
        "Content-Length: 5\n",
        "X: y\n\r\n",
        "X: y\r\n\n",
        // More than one name for the server.
        "Host: other\r\n",
        "host: h\r\n",
    ] {
        heads.push(format!("POST /seen HTTP/1.1\r\nHost: h\r\n{headers}\r\n"));
    }
    // Request lines, versions and hosts.
    for head in [
        "POST /seen HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
        "POST /seen HTTP/1.1\r\nHost: a b\r\nContent-Length: 5\r\n\r\n",
        "POST /seen HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "POST /seen HTTP/1.1\r\nHost: user@h\r\n\r\n",
        "POST /seen HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "POST /seen HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /seen HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /seen\r\n",
        "GET /seen\r\n\r\n",
        "GET /seen \r\n\r\n",
        "GET /seen HTTP/0.9\r\n\r\n",
        "GET /seen HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET /seen HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET /seen HTTP/11\r\nHost: h\r\n\r\n",
        "GET /seen http/1.1\r\nHost: h\r\n\r\n",
        "GET /seen HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET /seen HTTP/1.1\nHost: h\n\n",
        "GET /seen HTTP/1.1\n\r\n",
        "GET /seen HTTP/1.1\rHost: h\r\r",
        "GET  /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /seen  HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET\t/seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /seen\tHTTP/1.1\r\nHost: h\r\n\r\n",
        " GET /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /se en HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /seen#x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /se\u{e9}n HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /se\0en HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET ftp://h/seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        "get /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "refused / HTTP/1.1\r\nHost: h\r\n\r\n",
        "G(T /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "\n\nGET /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\n\r\n\r\nGET /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "\0GET /seen HTTP/1.1\r\nHost: h\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\n\n",
    ] {
        heads.push(head.to_owned());
    }
    heads
}

/// Chunked bodies that some readers end elsewhere.
const BODIES: [&str; 22] = [
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n",
    "5,5\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "\n5\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffb\r\nhello\r\n0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\n\n",
    "0\n\r\n",
];

#[tokio::test]
async fn no_variant_is_answered_twice_or_served() {
    let front = start(Limits::default()).await;
    let heads = heads();
    assert!(heads.len() >= 60, "the corpus has {} heads", heads.len());
    let chunked = "POST /seen HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut variants: Vec<String> = heads.iter().map(|head| format!("{head}0\r\n\r\nx{HIDDEN}")).collect();
    variants.extend(BODIES.iter().map(|body| format!("{chunked}{body}{HIDDEN}")));
    for (at, variant) in variants.iter().enumerate() {
        let text = front.exchange(variant.as_bytes()).await;
        let shown = variant.escape_debug();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{shown}\n{text}");
        assert_eq!(responses(&text), 1, "{shown}\n{text}");
        assert!(text.contains("connection: close\r\n"), "{shown}\n{text}");
        assert!(text.contains("refused: BadRequest("), "the service says it: {shown}\n{text}");
        assert_eq!(front.counts.of(Count::Malformed), at as u64 + 1, "{shown}");
    }
    assert_eq!(front.counts.of(Count::Requests), 0);
}

#[tokio::test]
async fn a_good_request_before_a_variant_is_served_and_the_variant_refused() {
    let front = start(Limits::default()).await;
    let good = "POST /good HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
    for head in heads() {
        let text = front.exchange(format!("{good}{head}0\r\n\r\n{HIDDEN}").as_bytes()).await;
        let shown = head.escape_debug();
        assert_eq!(responses(&text), 2, "{shown}\n{text}");
        let (served, refused) = (text.find("POST /good ok"), text.find("HTTP/1.1 400"));
        assert!(served.is_some() && served < refused, "{shown}\n{text}");
    }
    assert_eq!(front.counts.of(Count::Requests), heads().len() as u64);
}

#[tokio::test]
async fn variants_in_small_pieces_fare_no_better() {
    let front = start(Limits::default()).await;
    for head in heads().iter().step_by(5) {
        let mut stream = front.connect().await;
        for piece in format!("{head}0\r\n\r\nx{HIDDEN}").as_bytes().chunks(9) {
            if stream.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let text = support::rest(&mut stream).await.expect("closed");
        assert!(text.starts_with("HTTP/1.1 400"), "{}\n{text}", head.escape_debug());
        assert_eq!(responses(&text), 1);
    }
    assert_eq!(front.counts.of(Count::Requests), 0);
}

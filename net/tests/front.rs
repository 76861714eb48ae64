//! The front as clients meet it: keep-alive, pipelining, limits, panics, caps, HTTP/2.

mod support;

use std::time::{Duration, Instant};

use gomer_net::http::{Count, Limits};
use support::{quick, responses, rest, start, until, within};
use tokio::io::AsyncWriteExt;

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n";

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).await.unwrap();
        let text = until(&mut stream, "GET /a?b=c ").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("content-length: 11\r\n") && text.contains("date: "), "{text}");
    }
    stream.write_all(post("/p", "Content-Length: 5\r\n", "hello").as_bytes()).await.unwrap();
    until(&mut stream, "POST /p hello").await;
    let chunked = post("/p", "Transfer-Encoding: chunked\r\n", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    stream.write_all(chunked.as_bytes()).await.unwrap();
    until(&mut stream, "POST /p abcde").await;
    stream.write_all(b"GET /bye HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.unwrap().ends_with("GET /bye "));
    within(Duration::from_secs(1), "the connection ends", || front.drain.connections() == 0).await;
    assert_eq!((front.counts.of(Count::Accepted), front.counts.of(Count::Requests)), (1, 6));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let front = start(Limits::default()).await;
    let all = [
        "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        post("/2", "Content-Length: 3\r\n", "abc"),
        post("/3", "Transfer-Encoding: chunked\r\n", "1\r\nz\r\n0\r\n\r\n"),
        "\r\nGET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_owned(),
    ]
    .concat();
    for cut in (1..all.len()).step_by(7).chain([all.len()]) {
        let mut stream = front.connect().await;
        for piece in all.as_bytes().chunks(cut) {
            stream.write_all(piece).await.unwrap();
            if cut < 20 {
                tokio::task::yield_now().await;
            }
        }
        let text = rest(&mut stream).await.expect("closed");
        let places = ["GET /1 ", "POST /2 abc", "POST /3 z", "GET /4 "].map(|part| text.find(part));
        assert!(places.is_sorted() && places[0].is_some(), "cut {cut}: {text}");
        assert_eq!(responses(&text), 4, "{text}");
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let front = start(Limits::default()).await;
    let text = front.exchange(b"GET /old HTTP/1.0\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.") && text.ends_with("GET /old "), "{text}");
}

#[tokio::test]
async fn an_offer_to_upgrade_is_ignored() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    for _ in 0..2 {
        stream
            .write_all(
                b"GET /u HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                  HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            )
            .await
            .unwrap();
        assert!(until(&mut stream, "GET /u ").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue_unless_it_is_too_much() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    stream
        .write_all(post("/p", "Expect: 100-continue\r\nContent-Length: 2\r\n", "").as_bytes())
        .await
        .unwrap();
    until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"ok").await.unwrap();
    until(&mut stream, "POST /p ok").await;
    stream
        .write_all(post("/p", "Expect: 100-continue\r\nContent-Length: 2000\r\n", "").as_bytes())
        .await
        .unwrap();
    let text = rest(&mut stream).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 413") && !text.contains("100 Continue"), "{text}");
}

#[tokio::test]
async fn heads_over_a_limit_are_refused_once_and_closed() {
    let front = start(Limits::default()).await;
    let long = "x".repeat(5_000);
    let many = (0..65).map(|n| format!("a{n}: b\r\n")).collect::<String>();
    let wide = (0..30).map(|n| format!("a{n}: {}\r\n", "v".repeat(600))).collect::<String>();
    for (head, status) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), "414"),
        (format!("GET /{}", "x".repeat(20_000)), "414"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\n{wide}\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nHost: h\r\na: {}", "v".repeat(17_000)), "431"),
    ] {
        let text = front.exchange(head.as_bytes()).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {text}");
        assert!(text.contains("connection: close\r\n") && responses(&text) == 1, "{text}");
    }
    let fits = (0..63).map(|n| format!("a{n}: {}\r\n", "v".repeat(200))).collect::<String>();
    let text = front
        .exchange(
            format!("GET / HTTP/1.1\r\nHost: h\r\n{fits}\r\n")
                .replace("a0:", "Connection: close\r\na0:")
                .replace("a1: ", "")
                .as_bytes(),
        )
        .await;
    assert!(text.starts_with("HTTP/1.1 4"), "a value without a name: {text}");
    let fits = fits.replacen("a0: ", "Connection: close, ", 1);
    let text = front.exchange(format!("GET /fits HTTP/1.1\r\nHost: h\r\n{fits}\r\n").as_bytes()).await;
    assert!(text.ends_with("GET /fits "), "64 headers and 13 KiB are allowed: {text}");
}

#[tokio::test]
async fn a_slow_head_is_cut_off_whether_first_or_later() {
    let front = start(quick()).await;
    let begun = Instant::now();
    let silent = front.connect().await;
    let mut first = front.connect().await;
    first.write_all(b"GET / HT").await.unwrap();
    let mut later = front.connect().await;
    later.write_all(GET.as_bytes()).await.unwrap();
    until(&mut later, "GET /a").await;
    later.write_all(b"GET /").await.unwrap();
    for mut stream in [silent, first, later] {
        assert_eq!(rest(&mut stream).await.unwrap(), "");
    }
    assert!(begun.elapsed() >= Duration::from_millis(190) && begun.elapsed() < Duration::from_secs(2));
    assert_eq!(front.counts.of(Count::HeadTimeout), 3);
}

#[tokio::test]
async fn a_trickled_head_gains_nothing_by_trickling() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    let begun = Instant::now();
    for byte in GET.as_bytes().iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() || begun.elapsed() > Duration::from_secs(3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "cut off after {:?}", begun.elapsed());
    assert_eq!(front.counts.of(Count::Requests), 0);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "GET /a").await;
    let begun = Instant::now();
    assert_eq!(rest(&mut stream).await.unwrap(), "");
    assert!(begun.elapsed() >= Duration::from_millis(350) && begun.elapsed() < Duration::from_secs(2));
    assert_eq!(front.counts.of(Count::HeadTimeout), 0);
}

#[tokio::test]
async fn a_connection_that_rested_serves_on() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    for round in 0..8 {
        // Long enough to be parked; cut in every way it could wake up by.
        tokio::time::sleep(Duration::from_millis(60)).await;
        let cut = [1, 5, GET.len() - 1, GET.len()][round % 4];
        stream.write_all(&GET.as_bytes()[..cut]).await.unwrap();
        if cut < GET.len() {
            tokio::time::sleep(Duration::from_millis(30)).await;
            stream.write_all(&GET.as_bytes()[cut..]).await.unwrap();
        }
        until(&mut stream, "GET /a").await;
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    stream.write_all(b"GET / HTTP/1.1\n").await.unwrap();
    let text = rest(&mut stream).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400") && responses(&text) == 1, "{text}");
}

#[tokio::test]
async fn a_rested_connection_with_half_a_head_is_cut_off() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "GET /a").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let begun = Instant::now();
    stream.write_all(b"GET /").await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap(), "");
    assert!(begun.elapsed() >= Duration::from_millis(190) && begun.elapsed() < Duration::from_secs(2));
    assert_eq!(front.counts.of(Count::HeadTimeout), 1);
}

#[tokio::test]
async fn a_long_request_is_not_an_idle_connection() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    front.echo.gate.add_permits(1);
    until(&mut stream, "GET /wait ").await;
}

#[tokio::test]
async fn slow_bodies_are_refused() {
    let front = start(quick()).await;
    // Nothing comes.
    let text = front.exchange(post("/p", "Content-Length: 10\r\n", "abc").as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 408") && responses(&text) == 1, "{text}");
    // It comes, at 100 bytes per second.
    let mut stream = front.connect().await;
    stream.write_all(post("/p", "Transfer-Encoding: chunked\r\n", "").as_bytes()).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        if stream.write_all(b"1\r\na\r\n").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(front.counts.of(Count::BodyRefused), 2);
    // It comes fast enough, but does not end.
    let mut stream = front.connect().await;
    stream.write_all(post("/big", "Transfer-Encoding: chunked\r\n", "").as_bytes()).await.unwrap();
    let (begun, piece) = (Instant::now(), format!("400\r\n{}\r\n", "x".repeat(1024)));
    while begun.elapsed() < Duration::from_secs(2) && stream.write_all(piece.as_bytes()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(front.counts.of(Count::BodyRefused), 3);
    assert_eq!(front.counts.of(Count::Requests), 0);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_without_being_read() {
    let front = start(Limits::default()).await;
    let begun = Instant::now();
    let text = front.exchange(post("/p", "Content-Length: 999999999\r\n", "abc").as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("limit: 1024"), "{text}");
    // Announced small, and lying: what is more is the next request, and a malformed one.
    let text = front.exchange(post("/p", "Content-Length: 3\r\n", "abcdef\r\n\r\n").as_bytes()).await;
    assert!(text.contains("POST /p abc") && text.contains("HTTP/1.1 400") && responses(&text) == 2, "{text}");
    // Announced not at all, and without end.
    let mut stream = front.connect().await;
    stream.write_all(post("/p", "Transfer-Encoding: chunked\r\n", "").as_bytes()).await.unwrap();
    while stream.write_all(format!("200\r\n{}\r\n", "x".repeat(512)).as_bytes()).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "an endless body is not read to its end");
        tokio::task::yield_now().await;
    }
    assert_eq!(front.counts.of(Count::BodyRefused), 2);
}

#[tokio::test]
async fn a_refusal_can_be_read_though_the_client_still_sends() {
    let front = start(Limits::default()).await;
    for _ in 0..20 {
        let mut stream = front.connect().await;
        let request = post("/p", "Content-Length: 200000\r\n", &"x".repeat(100_000));
        let _ = stream.write_all(request.as_bytes()).await;
        let text = rest(&mut stream).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 413"), "{text:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_nobody() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    stream.write_all(post("/p", "Content-Length: 10\r\n", "abc").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let _ = rest(&mut stream).await.unwrap();
    front.until_quiet().await;
    assert_eq!(front.counts.of(Count::Requests), 0);
}

#[tokio::test]
async fn encoded_bodies_are_refused() {
    let front = start(Limits::default()).await;
    for coding in ["gzip", "br", "deflate, identity", "identity, gzip", ""] {
        let headers = format!("Content-Encoding: {coding}\r\nConnection: close\r\nContent-Length: 1\r\n");
        let text = front.exchange(post("/p", &headers, "x").as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 415"), "{coding:?}: {text}");
    }
    let headers = "Content-Encoding: identity\r\nConnection: close\r\nContent-Length: 1\r\n";
    assert!(front.exchange(post("/p", headers, "x").as_bytes()).await.ends_with("POST /p x"));
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let front = start(Limits::default()).await;
    let body = "x".repeat(7 * 1024 * 1024);
    let headers = format!("Content-Length: {}\r\n", body.len());
    let mut stream = front.connect().await;
    stream.write_all(post("/big", &headers, &body).as_bytes()).await.unwrap();
    until(&mut stream, &body.len().to_string()).await;
    stream.write_all(b"GET /wide HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let text = rest(&mut stream).await.unwrap();
    assert!(text.ends_with("x") && text.len() > 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_panic_is_answered_and_hurts_nobody_else() {
    let front = start(Limits::default()).await;
    let mut other = front.connect().await;
    let mut stream = front.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        assert!(until(&mut stream, "Panicked").await.starts_with("HTTP/1.1 500"));
    }
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "GET /a").await;
    other.write_all(GET.as_bytes()).await.unwrap();
    until(&mut other, "GET /a").await;
    assert_eq!(front.counts.of(Count::Panics), 3);
    assert_eq!(front.drain.requests(), 0);
}

#[tokio::test]
async fn a_handler_is_dropped_when_its_client_goes_away() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    within(Duration::from_secs(2), "it runs", || front.drain.requests() == 1).await;
    drop(stream);
    front.until_quiet().await;
    assert_eq!(front.drain.requests(), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let front = start(quick()).await;
    let mut stream = front.connect().await;
    stream.write_all(b"GET /wide HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let cut_off = || front.counts.of(Count::WriteTimeout) == 1;
    within(Duration::from_secs(3), "it is cut off", cut_off).await;
    front.until_quiet().await;
}

#[tokio::test]
async fn too_many_connections_are_told_so() {
    let front = start(Limits { connections_max: 3, ..Limits::default() }).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut stream = front.connect().await;
        stream.write_all(GET.as_bytes()).await.unwrap();
        until(&mut stream, "GET /a").await;
        kept.push(stream);
    }
    let text = front.exchange(GET.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.ends_with("refused: Busy"), "{text}");
    assert_eq!(front.counts.of(Count::OverConnections), 1);
    kept.pop();
    within(Duration::from_secs(2), "a place is free", || front.drain.connections() == 2).await;
    let mut stream = front.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    until(&mut stream, "GET /a").await;
}

#[tokio::test]
async fn requests_over_the_budget_are_busy_at_once() {
    let front = start(Limits { inflight_max: 1, ..Limits::default() }).await;
    let mut first = front.connect().await;
    first.write_all(b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    within(Duration::from_secs(2), "it runs", || front.drain.requests() == 1).await;
    let mut second = front.connect().await;
    second.write_all(GET.as_bytes()).await.unwrap();
    assert!(until(&mut second, "refused: Busy").await.starts_with("HTTP/1.1 503"));
    // What asks whether the process lives is told so: it was 503, and a busy server looked like a dead one.
    second.write_all(b"GET /probe HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(until(&mut second, "GET /probe").await.starts_with("HTTP/1.1 200"));
    front.echo.gate.add_permits(1);
    until(&mut first, "GET /wait ").await;
    second.write_all(GET.as_bytes()).await.unwrap();
    until(&mut second, "GET /a").await;
}

#[tokio::test]
async fn bodies_share_a_budget_of_memory() {
    let front = start(Limits { body_memory_max: 100_000, ..Limits::default() }).await;
    let large = post("/big", "Content-Length: 70000\r\n", &"x".repeat(69_999));
    let mut first = front.connect().await;
    first.write_all(large.as_bytes()).await.unwrap();
    within(Duration::from_secs(2), "it is read", || front.drain.requests() == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = large.replacen("Host", "Connection: close\r\nHost", 1);
    let text = front.exchange(format!("{last}x").as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.ends_with("refused: Busy"), "{text}");
    first.write_all(b"x").await.unwrap();
    until(&mut first, "70000").await;
    first.write_all(format!("{large}x").as_bytes()).await.unwrap();
    until(&mut first, "70000").await;
}

#[tokio::test]
async fn the_client_is_named_by_trusted_proxies_only() {
    let ask = b"GET /client HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.9\r\nConnection: close\r\n\r\n";
    let front = start(Limits::default()).await;
    assert!(front.exchange(ask).await.ends_with("127.0.0.1"));
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let front = start(Limits { trusted_proxies, ..Limits::default() }).await;
    assert!(front.exchange(ask).await.ends_with("192.0.2.9"));
}

#[tokio::test]
async fn a_half_preface_is_http_1_and_malformed() {
    let front = start(Limits::default()).await;
    let text = front.exchange(b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400") && responses(&text) == 1, "{text}");
}

//! Bodies that do not fit into memory: taken and sent piece by piece, over real sockets.

mod support;

use std::time::{Duration, Instant};

use gomer_net::http::Limits;
use support::{quick, rest, start, until};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_body_is_taken_piece_by_piece_and_the_next_request_follows() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    let size = 3 * 1024 * 1024;
    let head = format!("PUT /store HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; size]).await.unwrap();
    let text = until(&mut stream, "more than one").await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains(&format!("{size} bytes")), "{text}");
    stream
        .write_all(b"PUT /store HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.unwrap().contains("3 bytes"));
    front.until_quiet().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_or_breaks_off_is_told_and_what_came_is_kept() {
    let front = start(Limits::default()).await;
    // Little more than the limit: of what is far more, a client that goes on sending may never read the answer.
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20)).repeat(8) + "1\r\nx\r\n";
    let mut stream = front.connect().await;
    let request =
        format!("PUT /store HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let text = until(&mut stream, "BodyTooLarge").await;
    drop(stream);
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("BodyTooLarge"), "{text}");
    let mut stream = front.connect().await;
    stream.write_all(b"PUT /store HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    stream.shutdown().await.unwrap();
    let text = rest(&mut stream).await.unwrap();
    assert!(text.is_empty() || text.contains("3 bytes, then BodyIncomplete"), "{text}");
    front.until_quiet().await;
}

#[tokio::test]
async fn a_slow_body_is_given_up_by_rate_and_by_time() {
    let front = start(quick()).await;
    let begun = Instant::now();
    let mut stream = front.connect().await;
    stream.write_all(b"PUT /store HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab").await.unwrap();
    let text = until(&mut stream, "BodyTooSlow").await;
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("2 bytes"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    // Fast enough, and for too long.
    let front = start(Limits { upload_timeout: Duration::from_millis(700), ..quick() }).await;
    let mut stream = front.connect().await;
    stream.write_all(b"PUT /store HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    loop {
        let late = begun.elapsed() > Duration::from_secs(3);
        assert!(!late, "an upload without end is not ended");
        if stream.write_all(&[b'x'; 1024]).await.is_err()
            || front.drain.requests() == 0 && begun.elapsed() > Duration::from_millis(300)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() > Duration::from_millis(500));
}

#[tokio::test]
async fn a_file_has_its_length_also_for_a_head_and_breaks_off_if_it_falls_short() {
    let front = start(Limits::default()).await;
    let mut stream = front.connect().await;
    stream.write_all(b"HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let text = until(&mut stream, "\r\n\r\n").await;
    assert!(text.contains("content-length: 300000\r\n"), "{text}");
    // Nothing of the body was sent, so the next answer follows.
    stream.write_all(b"GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let text = rest(&mut stream).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: 300000"), "{head}");
    assert_eq!(body.len(), 300_000);
    let text = front.exchange(b"GET /short HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 300000") && body.len() <= 200_000, "{head} {}", body.len());
    front.until_quiet().await;
}

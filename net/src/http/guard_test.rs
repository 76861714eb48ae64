//! The guard alone: verdicts, offsets, and that cutting the bytes anywhere changes nothing.

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 400, headers_max: 5, uri_bytes_max: 60 };

fn guard() -> Guard {
    Guard::new(LIMITS)
}

/// Shows `bytes` in pieces as a connection would; gives what was passed, and the end, if any.
fn feed(bytes: &[u8], piece: usize) -> (usize, Option<Verdict>) {
    let mut guard = guard();
    let (mut passed, mut held) = (0, 0);
    for end in (0..bytes.len()).step_by(piece).map(|at| (at + piece).min(bytes.len())) {
        match guard.inspect(&bytes[passed..end]) {
            Verdict::Pass => (passed, held) = (end, 0),
            Verdict::Hold(at) => {
                passed += at;
                held = end - passed;
                assert!(held > 0, "nothing is held for nothing");
            }
            Verdict::Refuse(at, refusal) => return (passed + at, Some(Verdict::Refuse(0, refusal))),
            Verdict::Break(at, why) => return (passed + at, Some(Verdict::Break(0, why))),
        }
    }
    (passed, (held > 0).then_some(Verdict::Hold(0)))
}

/// The same however it is cut.
fn verdict(bytes: &[u8]) -> (usize, Option<Verdict>) {
    let whole = feed(bytes, bytes.len().max(1));
    for piece in [1, 2, 3, 7, 16, 61] {
        let cut = feed(bytes, piece);
        // In pieces a fault may be seen before the head is whole, for another one that comes first.
        assert_eq!(cut.0, whole.0, "pieces of {piece}: {}", bytes.escape_ascii());
        assert_eq!(
            cut.1.is_some(),
            whole.1.is_some(),
            "pieces of {piece}: {:?} {:?} {}",
            cut,
            whole,
            bytes.escape_ascii()
        );
    }
    whole
}

#[test]
fn good_requests_pass_to_their_last_byte() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://h:80/p?q=%20 HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:\t 003 \r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         0a;name=\"va lue\"\r\n0123456789\r\n3\r\n\r\n\n\r\n00000\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "M-SEARCH / HTTP/1.1\r\nHost: a\r\nX: \tobs-text \u{e9}\r\n\r\n",
    ] {
        let mut guard = guard();
        assert_eq!(guard.inspect(text.as_bytes()), Verdict::Pass, "{text:?}");
        assert!(guard.between_requests(), "{text:?}");
        assert_eq!(verdict(text.as_bytes()), (text.len(), None), "{text:?}");
    }
}

#[test]
fn what_is_incomplete_is_held_from_its_first_byte() {
    let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for rest in ["G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r", "\r", "\r\n"]
    {
        let text = format!("{first}{rest}");
        assert_eq!(verdict(text.as_bytes()), (first.len(), Some(Verdict::Hold(0))), "{rest:?}");
    }
}

#[test]
fn a_body_that_is_incomplete_is_passed_but_not_the_end() {
    for text in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r",
    ] {
        let mut guard = guard();
        assert_eq!(guard.inspect(text.as_bytes()), Verdict::Pass);
        assert!(!guard.between_requests(), "{text:?}");
    }
}

#[test]
fn limits_are_met_exactly() {
    let uri = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(n - 1));
    assert_eq!(verdict(uri(60).as_bytes()).1, None);
    assert_eq!(verdict(uri(61).as_bytes()).1, Some(Verdict::Refuse(0, Refusal::UriTooLong)));
    let headers = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(n - 1));
    assert_eq!(verdict(headers(5).as_bytes()).1, None);
    assert_eq!(verdict(headers(6).as_bytes()).1, Some(Verdict::Refuse(0, Refusal::TooManyHeaders)));
    let frame = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n".len();
    let head = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", "v".repeat(n - frame));
    assert_eq!(verdict(head(400).as_bytes()).1, None);
    assert_eq!(verdict(head(401).as_bytes()).1, Some(Verdict::Refuse(0, Refusal::HeadTooLarge)));
    assert_eq!(verdict("G".repeat(500).as_bytes()).1, Some(Verdict::Refuse(0, Refusal::UriTooLong)));
}

#[test]
fn broken_chunks_are_broken_off_where_they_break() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("1;{}\r\nx\r\n", "e".repeat(257));
    for (body, good) in [
        ("x\r\n", 0),
        ("\r\n", 0),
        (";a\r\n", 0),
        ("-1\r\n", 0),
        ("0x1\r\n", 1),
        ("1 \r\n", 1),
        ("1\n", 1),
        ("1\r\r", 2),
        ("1;a\nb", 3),
        ("1;a\0", 3),
        ("1\r\nab\r\n", 4),
        ("1\r\na\n", 4),
        ("1\r\na\rx", 5),
        ("2\r\na\r\n0\r\n\r\n", 5),
        ("0\r\nTrailer: x\r\n\r\n", 3),
        ("0\r\n\n", 3),
        ("0\r\n\rx", 4),
        ("1000000000000000\r\n", 15),
        (&long, 258),
    ] {
        let (passed, end) = verdict(format!("{head}{body}").as_bytes());
        assert!(matches!(end, Some(Verdict::Break(..))), "{body:?} {end:?}");
        assert_eq!(passed, head.len() + good, "{body:?}");
    }
}

#[test]
fn nothing_is_good_after_the_end() {
    let mut guard = guard();
    assert!(matches!(guard.inspect(b"GET / HTTP/1.1\n"), Verdict::Refuse(0, _)));
    assert!(matches!(guard.inspect(b"GET / HTTP/1.0\r\n\r\n"), Verdict::Break(0, _)));
}

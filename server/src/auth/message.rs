//! A mail as text: RFC 5322, in ASCII only, so that every relay takes it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gomer_core::time::Time;

use super::mail::Mail;

/// Headers and body, with CRLF line ends. `from` is the sender's address; `id` tells this mail from all others
/// of this process.
pub fn render(mail: &Mail, from: &str, id: &str) -> String {
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let mut text = String::with_capacity(1_024);
    let _ = write!(
        text,
        "From: {} <{from}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}.{id}@{domain}>\r\n",
        name(&mail.from),
        one_line(&mail.to),
        header(&mail.subject),
        date(mail.time),
        mail.time.as_millis(),
    );
    text.push_str(
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
    );
    if mail.text.is_ascii() {
        text.push_str("Content-Transfer-Encoding: 7bit\r\n\r\n");
        for line in mail.text.lines() {
            text.push_str(&one_line(line));
            text.push_str("\r\n");
        }
    } else {
        text.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        let encoded = STANDARD.encode(mail.text.replace('\n', "\r\n"));
        for line in encoded.as_bytes().chunks(76) {
            text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
            text.push_str("\r\n");
        }
    }
    text
}

/// No text can add a line, and so a header, of its own.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn name(text: &str) -> String {
    if text.is_ascii() { format!("\"{}\"", one_line(text).replace(['"', '\\'], "'")) } else { header(text) }
}

/// A header's text; as encoded words (RFC 2047) if it is not ASCII.
fn header(text: &str) -> String {
    let text = one_line(text);
    if text.is_ascii() {
        return text;
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        // 39 bytes are 52 characters of base64: with its frame and the header's name, a line has less than 76.
        if word.len() + c.len_utf8() > 39 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// `Mon, 23 Nov 2026 19:56:25 +0000`.
fn date(time: Time) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let text = time.to_string();
    let month = text[5..7].parse::<usize>().map_or("Jan", |month| MONTHS[(month - 1) % 12]);
    // 1970-01-01 was a Thursday.
    let day = DAYS[(time.as_millis() / 86_400_000 % 7) as usize];
    format!("{day}, {} {month} {} {} +0000", &text[8..10], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(subject: &str, text: &str) -> Mail {
        Mail {
            to: "ann@example.org".into(),
            from: "Fair \"2026\"\r\nBcc: all@example.org".into(),
            subject: subject.into(),
            text: text.into(),
            time: Time::from_millis(1_795_463_785_154),
        }
    }

    #[test]
    fn no_text_can_add_a_header() {
        let mail = mail("123456 is your code\r\nBcc: all@example.org", "Hello\nYour code is 123456");
        let text = render(&mail, "no-reply@example.org", "7");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(
            head.contains("From: \"Fair '2026'  Bcc: all@example.org\" <no-reply@example.org>"),
            "{head}"
        );
        assert!(head.contains("\r\nMessage-ID: <1795463785154.7@example.org>"), "{head}");
        assert_eq!(body, "Hello\r\nYour code is 123456\r\n");
    }

    #[test]
    fn what_is_not_ascii_is_encoded() {
        let subject = "Grüße von der Messe für Bäcker und Konditoren in Österreich 🥐";
        let text = render(&mail(subject, "Grüße\n"), "no-reply@example.org", "7");
        assert!(text.is_ascii());
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        let words = text
            .split("=?utf-8?B?")
            .skip(1)
            .map(|word| STANDARD.decode(word.split_once("?=").unwrap().0).unwrap());
        let decoded: Vec<u8> = words.flatten().collect();
        assert_eq!(String::from_utf8(decoded).unwrap(), subject);
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(STANDARD.decode(body.replace("\r\n", "")).unwrap(), "Grüße\r\n".as_bytes());
    }

    #[test]
    fn dates_are_as_mail_writes_them() {
        for (millis, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_463_785_154, "Mon, 23 Nov 2026 19:56:25 +0000"),
        ] {
            assert_eq!(date(Time::from_millis(millis)), text);
        }
    }
}

//! The mailer that hands mail to a relay: SMTP (RFC 5321) without TLS, for a relay on the same machine or a
//! network of one's own, which knows how to reach the world. An edge: the simulator keeps mail in memory.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::mail::{Mail, MailboxFull, Mailer};
use super::message::render;

/// Mails that may wait, those that are tried again not counted.
const QUEUE_MAX: usize = 1_024;
/// Mails that may wait to be tried again; of more, the oldest goes.
const LATER_MAX: usize = 4_096;
/// Waits before each further attempt. Codes are good for at most half an hour.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(180),
    Duration::from_secs(600),
];
/// Longest wait for the relay to connect or to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest line that a relay may say.
const LINE_BYTES_MAX: u64 = 4_096;

/// Hands mail to a relay, on a thread of its own.
pub struct SmtpRelay {
    queue: SyncSender<Mail>,
}

impl SmtpRelay {
    /// A mailer for this relay (`host:port`) and sender. Nothing is connected before there is mail.
    pub fn start(relay: &str, from: &str) -> io::Result<SmtpRelay> {
        SmtpRelay::with_waits(relay, from, &WAITS)
    }

    fn with_waits(relay: &str, from: &str, waits: &[Duration]) -> io::Result<SmtpRelay> {
        let (queue, waiting) = sync_channel(QUEUE_MAX);
        let sender = Sender {
            relay: relay.to_owned(),
            from: from.to_owned(),
            waits: waits.to_vec(),
            later: VecDeque::new(),
            sent: 0,
        };
        std::thread::Builder::new().name("smtp".into()).spawn(move || sender.run(&waiting))?;
        Ok(SmtpRelay { queue })
    }
}

impl Mailer for SmtpRelay {
    fn post(&self, mail: Mail) -> Result<(), MailboxFull> {
        self.queue.try_send(mail).map_err(|_| MailboxFull)
    }
}

/// Why a mail was not taken.
#[derive(Debug)]
enum Refused {
    /// Not now: the relay cannot be reached, or says so.
    Later(String),
    /// Never.
    Forever(String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Later(error.to_string())
    }
}

/// A mail that is tried again.
struct Again {
    due: Instant,
    attempts: usize,
    id: u64,
    mail: Mail,
}

struct Sender {
    relay: String,
    from: String,
    waits: Vec<Duration>,
    later: VecDeque<Again>,
    sent: u64,
}

impl Sender {
    /// Until nobody can post any more; what waits then is given up, as its codes are asked for again.
    fn run(mut self, waiting: &Receiver<Mail>) {
        loop {
            let now = Instant::now();
            let due = self.later.iter().map(|again| again.due).min();
            let patience = due.map_or(Duration::from_secs(3_600), |due| due.saturating_duration_since(now));
            match waiting.recv_timeout(patience) {
                Ok(mail) => {
                    self.sent += 1;
                    self.attempt(Again { due: now, attempts: 0, id: self.sent, mail });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if let Some(at) = self.later.iter().position(|again| again.due <= now)
                && let Some(again) = self.later.remove(at)
            {
                self.attempt(again);
            }
        }
    }

    fn attempt(&mut self, mut again: Again) {
        match self.send(&again) {
            Ok(()) => {}
            // No address in the log: only that it happened.
            Err(Refused::Forever(why)) => tracing::error!(why, "the relay refuses a mail; it is dropped"),
            Err(Refused::Later(why)) => match self.waits.get(again.attempts) {
                Some(&wait) => {
                    tracing::warn!(why, "the relay does not take a mail; it is tried again");
                    again.due = Instant::now() + wait;
                    again.attempts += 1;
                    self.later.push_back(again);
                    if self.later.len() > LATER_MAX {
                        self.later.pop_front();
                    }
                }
                None => tracing::error!(why, "the relay did not take a mail in time; it is dropped"),
            },
        }
    }

    fn send(&self, again: &Again) -> Result<(), Refused> {
        let mut link = Link::connect(&self.relay)?;
        link.expect(220)?;
        let domain = self.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        link.ask(&format!("EHLO {domain}"), 250)?;
        link.ask(&format!("MAIL FROM:<{}>", self.from), 250)?;
        link.ask(&format!("RCPT TO:<{}>", again.mail.to), 250)?;
        link.ask("DATA", 354)?;
        let id = format!("{}.{}", std::process::id(), again.id);
        let text = render(&again.mail, &self.from, &id);
        let mut stuffed = String::with_capacity(text.len() + 8);
        for line in text.split_inclusive("\r\n") {
            if line.starts_with('.') {
                stuffed.push('.');
            }
            stuffed.push_str(line);
        }
        stuffed.push('.');
        link.ask(&stuffed, 250)?;
        // It has the mail; whether it says goodbye is its own business.
        let _ = link.ask("QUIT", 221);
        Ok(())
    }
}

/// A connection to the relay.
struct Link {
    stream: BufReader<TcpStream>,
}

impl Link {
    fn connect(relay: &str) -> Result<Link, Refused> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the relay's name has no address");
        for address in relay.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(Link { stream: BufReader::new(stream) });
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    fn ask(&mut self, line: &str, expected: u16) -> Result<(), Refused> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.expect(expected)
    }

    /// Reads an answer, of one line or several. 5xx is for ever; whatever else is not expected may pass.
    fn expect(&mut self, expected: u16) -> Result<(), Refused> {
        for _ in 0..100 {
            let mut line = String::new();
            (&mut self.stream).take(LINE_BYTES_MAX).read_line(&mut line)?;
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let Some(code) = code else { return Err(Refused::Later("the relay does not speak SMTP".into())) };
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            // The relay's words may repeat the address: the code is enough.
            return match code {
                _ if code == expected => Ok(()),
                500..=599 => Err(Refused::Forever(format!("it says {code}"))),
                _ => Err(Refused::Later(format!("it says {code}"))),
            };
        }
        Err(Refused::Later("the relay does not come to an end".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::time::Time;
    use std::net::TcpListener;
    use std::sync::mpsc::channel;

    fn mail(text: &str) -> Mail {
        Mail {
            to: "ann@example.org".into(),
            from: "Fair".into(),
            subject: "123456 is your code".into(),
            text: text.into(),
            time: Time::from_millis(1_795_463_785_154),
        }
    }

    /// A relay that answers each connection by its script, and tells what it heard.
    fn relay(scripts: Vec<Vec<&'static str>>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (heard, hear) = channel();
        std::thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut out = stream;
                for say in script {
                    out.write_all(format!("{say}\r\n").as_bytes()).unwrap();
                    if say.starts_with("354") {
                        let body: Vec<String> =
                            lines.by_ref().map(Result::unwrap).take_while(|line| line != ".").collect();
                        heard.send(body.join("\n")).unwrap();
                    } else if let Some(Ok(line)) = lines.next() {
                        heard.send(line).unwrap();
                    }
                }
            }
        });
        (address, hear)
    }

    const GOOD: [&str; 6] =
        ["220 relay", "250-relay\r\n250 8BITMIME", "250 ok", "250 ok", "354 go on", "250 kept"];
    const PATIENT: Duration = Duration::from_secs(30);

    #[test]
    fn a_mail_is_handed_over_with_its_dots() {
        let (address, hear) = relay(vec![GOOD.to_vec()]);
        let smtp = SmtpRelay::start(&address, "no-reply@example.org").unwrap();
        smtp.post(mail("one\n.two\n..three")).unwrap();
        let next = || hear.recv_timeout(PATIENT).unwrap();
        assert_eq!(next(), "EHLO example.org");
        assert_eq!(next(), "MAIL FROM:<no-reply@example.org>");
        assert_eq!(next(), "RCPT TO:<ann@example.org>");
        assert_eq!(next(), "DATA");
        let text = next();
        assert!(text.contains("Subject: 123456 is your code\n"), "{text}");
        assert!(text.ends_with("\n\none\n..two\n...three"), "{text}");
    }

    #[test]
    fn what_is_refused_for_now_is_tried_again_and_what_is_refused_for_ever_is_not() {
        let later = vec!["220 relay", "250 ok", "250 ok", "451 not now"];
        let never = vec!["220 relay", "250 ok", "250 ok", "550 nobody"];
        let silent = Vec::new();
        let (address, hear) = relay(vec![later, silent, never, GOOD.to_vec()]);
        let waits = [Duration::from_millis(5); 3];
        let smtp = SmtpRelay::with_waits(&address, "no-reply@example.org", &waits).unwrap();
        smtp.post(mail("first")).unwrap();
        // Two connections that fail for now, then one that fails for ever; the next mail comes through.
        let mut heard = Vec::new();
        while heard.iter().filter(|line: &&String| line.starts_with("RCPT")).count() < 2 {
            heard.push(hear.recv_timeout(PATIENT).unwrap());
        }
        smtp.post(mail("second")).unwrap();
        loop {
            let line = hear.recv_timeout(PATIENT).unwrap();
            if line.contains("Subject:") {
                assert!(line.ends_with("second"), "{line}");
                return;
            }
        }
    }

    #[test]
    fn more_than_can_wait_is_refused_at_once() {
        let (queue, _kept) = sync_channel(2);
        let smtp = SmtpRelay { queue };
        let took = (0..5).filter(|_| smtp.post(mail("x")).is_ok()).count();
        assert_eq!(took, 2);
    }
}

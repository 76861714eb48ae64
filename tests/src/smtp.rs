//! A mail server that keeps what it is sent and can be asked what it was called with.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::wait::wait_for;

/// One mail, as it came over the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// The envelope's sender, without its angle brackets.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// Headers and body, with line ends as `\n` and without dot-stuffing.
    pub text: String,
}

/// A running stub. Stops answering when the test process ends; its threads are not joined.
#[derive(Debug, Clone)]
pub struct SmtpStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    history: Vec<Mail>,
    /// Said to the next `DATA` instead of accepting it, first one first.
    refusals: Vec<String>,
}

impl SmtpStub {
    /// Starts one on a free port of the loopback.
    pub fn start() -> SmtpStub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let stub = SmtpStub { address, state: Arc::default() };
        let served = stub.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let stub = served.clone();
                // A client that hangs up in the middle is its own business.
                thread::spawn(move || stub.serve(&stream).ok());
            }
        });
        stub
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every mail that was accepted, oldest first.
    pub fn history(&self) -> Vec<Mail> {
        self.state().history.clone()
    }

    /// Waits for a mail to this recipient and takes the newest.
    pub fn mail_to(&self, recipient: &str) -> Mail {
        let is_it = |mail: &Mail| mail.to.iter().any(|to| to == recipient);
        wait_for(&format!("a mail to {recipient}"), || self.history().into_iter().rev().find(&is_it))
    }

    /// The next mail is refused with this line, `451 try again later` say; called several times, so many mails are.
    pub fn refuse_next(&self, line: &str) {
        self.state().refusals.push(line.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the history")
    }

    /// One connection: RFC 5321, without extensions.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut out = stream;
        let mut say = |line: &str| out.write_all(format!("{line}\r\n").as_bytes());
        let mut lines = BufReader::new(stream);
        let mut mail = Mail::default();
        say("220 stub")?;
        loop {
            let line = read_line(&mut lines)?;
            let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
            match verb.as_str() {
                "HELO" | "EHLO" | "RSET" | "NOOP" => say("250 ok")?,
                "MAIL" => {
                    mail = Mail { from: address_in(&line), ..Mail::default() };
                    say("250 ok")?;
                }
                "RCPT" => {
                    mail.to.push(address_in(&line));
                    say("250 ok")?;
                }
                "DATA" => {
                    say("354 go on")?;
                    loop {
                        let line = read_line(&mut lines)?;
                        if line == "." {
                            break;
                        }
                        mail.text += line.strip_prefix('.').unwrap_or(&line);
                        mail.text.push('\n');
                    }
                    let refusal = {
                        let mut state = self.state();
                        if state.refusals.is_empty() {
                            state.history.push(std::mem::take(&mut mail));
                            None
                        } else {
                            Some(state.refusals.remove(0))
                        }
                    };
                    say(refusal.as_deref().unwrap_or("250 kept"))?;
                }
                "QUIT" => return say("221 bye"),
                _ => say("502 not known")?,
            }
        }
    }
}

/// What stands between the angle brackets.
fn address_in(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(address, _)| address.to_owned()).unwrap_or_default()
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(stub: &SmtpStub, lines: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(stub.address()).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        let mut said = vec![read_line(&mut answers).unwrap()];
        for line in lines {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            said.push(read_line(&mut answers).unwrap());
        }
        said
    }

    #[test]
    fn a_mail_is_kept_as_it_was_sent() {
        let stub = SmtpStub::start();
        let text = "Subject: hi\r\n\r\nline\r\n..dot\r\n.";
        let said = talk(
            &stub,
            &["EHLO x", "MAIL FROM:<a@x>", "RCPT TO:<b@y>", "RCPT TO:<c@y>", "DATA", text, "QUIT"],
        );
        assert_eq!(
            said.iter().map(|line| &line[..3]).collect::<Vec<_>>(),
            ["220", "250", "250", "250", "250", "354", "250", "221"]
        );
        let mail = stub.mail_to("c@y");
        assert_eq!((mail.from.as_str(), mail.to.len()), ("a@x", 2));
        assert_eq!(mail.text, "Subject: hi\n\nline\n.dot\n");
    }

    #[test]
    fn a_refusal_is_said_once_and_nothing_is_kept() {
        let stub = SmtpStub::start();
        stub.refuse_next("451 later");
        let send = ["MAIL FROM:<a@x>", "RCPT TO:<b@y>", "DATA", "."];
        assert_eq!(talk(&stub, &send).last().unwrap(), "451 later");
        assert!(stub.history().is_empty());
        assert_eq!(talk(&stub, &send).last().unwrap(), "250 kept");
        assert_eq!(stub.history().len(), 1);
        assert_eq!(talk(&stub, &["TURN"]).last().unwrap(), "502 not known");
    }
}

//! The mailer of a server without SMTP: each mail becomes a file, `DATA/outbox/TIME-NUMBER.eml`, for another
//! program (or a person) to pick up. An edge: the simulator keeps mail in memory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::mail::{Mail, MailboxFull, Mailer};
use super::message::render;

/// Who these mails are from: whoever picks them up knows better.
const SENDER: &str = "no-reply@localhost";
/// Mails that may wait for the disk.
const QUEUE_MAX: usize = 256;

/// Writes mail into a folder, on a thread of its own.
pub struct Outbox {
    queue: SyncSender<Mail>,
}

impl Outbox {
    /// Opens the folder, and makes it if need be, for the server's user only.
    pub fn open(folder: &Path) -> io::Result<Outbox> {
        make_folder(folder)?;
        let folder = folder.to_owned();
        let (queue, waiting) = sync_channel::<Mail>(QUEUE_MAX);
        std::thread::Builder::new().name("outbox".into()).spawn(move || {
            for (number, mail) in waiting.iter().enumerate() {
                if let Err(error) = store(&folder, number, &mail) {
                    tracing::error!(%error, "a mail could not be written to the outbox");
                }
            }
        })?;
        Ok(Outbox { queue })
    }
}

impl Mailer for Outbox {
    fn post(&self, mail: Mail) -> Result<(), MailboxFull> {
        self.queue.try_send(mail).map_err(|_| MailboxFull)
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Under another name until it is whole, so that whoever watches the folder never reads half a mail.
fn store(folder: &Path, number: usize, mail: &Mail) -> io::Result<PathBuf> {
    let name = format!("{:015}-{}-{number:06}", mail.time.as_millis(), std::process::id());
    let unfinished = folder.join(format!(".{name}.part"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(render(mail, SENDER, &format!("{}.{number}", std::process::id())).as_bytes())?;
    file.sync_all()?;
    let finished = folder.join(format!("{name}.eml"));
    fs::rename(unfinished, &finished)?;
    Ok(finished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gomer_core::time::Time;

    fn mail() -> Mail {
        Mail {
            to: "ann@example.org".into(),
            from: "Fair".into(),
            subject: "123456 is your code".into(),
            text: "Hello\nYour code is 123456".into(),
            time: Time::from_millis(1_795_456_500_000),
        }
    }

    #[test]
    fn a_mail_becomes_a_file_that_only_the_server_reads() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("outbox");
        let outbox = Outbox::open(&folder).unwrap();
        outbox.post(mail()).unwrap();
        outbox.post(mail()).unwrap();
        let whole = || {
            fs::read_dir(&folder)
                .unwrap()
                .filter(|f| f.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "eml"))
                .count()
        };
        for _ in 0..500 {
            if whole() == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(whole(), 2);
        #[cfg(unix)]
        for file in fs::read_dir(&folder).unwrap() {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

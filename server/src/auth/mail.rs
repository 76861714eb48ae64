//! Mail that the server causes. A mailer takes it and returns at once; what becomes of it is not the caller's
//! to know, because that would tell who has an account.

use std::sync::Mutex;

use gomer_core::time::Time;

/// A mail of plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// One address, checked.
    pub to: String,
    /// The app's title: who it is from.
    pub from: String,
    /// One line.
    pub subject: String,
    /// Lines of text.
    pub text: String,
    /// When it was caused.
    pub time: Time,
}

/// Without the text, which holds codes.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("time", &self.time).finish_non_exhaustive()
    }
}

/// More mail waits than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxFull;

/// Takes mail.
pub trait Mailer: Send + Sync + 'static {
    /// Takes one mail; never waits.
    fn post(&self, mail: Mail) -> Result<(), MailboxFull>;
}

/// Keeps mail in memory: for the simulator and tests.
#[derive(Debug, Default)]
pub struct KeptMail(Mutex<Vec<Mail>>);

impl KeptMail {
    /// All mail so far, oldest first.
    pub fn all(&self) -> Vec<Mail> {
        self.0.lock().expect("nothing panics under this lock").clone()
    }
}

impl Mailer for KeptMail {
    fn post(&self, mail: Mail) -> Result<(), MailboxFull> {
        self.0.lock().expect("nothing panics under this lock").push(mail);
        Ok(())
    }
}

//! The real password hasher: Argon2id on threads of its own. An edge: the simulator has [`CheapHasher`].
//!
//! [`CheapHasher`]: super::password::CheapHasher

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier as _, Version};
use tokio::sync::oneshot;

use super::password::{Busy, Hashing, Password, PasswordHasher};

/// Memory of one hash, in KiB: the least that OWASP recommends with two passes.
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Passwords that may wait; one more is [`Busy`].
const QUEUE_MAX: usize = 64;

/// At most two hashes per core at a time, and 64 that wait.
pub struct Argon2Pool {
    jobs: SyncSender<Job>,
}

enum Job {
    Hash(Password, [u8; 16], oneshot::Sender<String>),
    Verify(Password, Option<String>, oneshot::Sender<bool>),
}

impl Argon2Pool {
    /// Starts the threads; they end with the pool.
    pub fn start() -> std::io::Result<Argon2Pool> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Argon2Pool::with(2 * cores, QUEUE_MAX)
    }

    fn with(threads: usize, queue: usize) -> std::io::Result<Argon2Pool> {
        let (jobs, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        let nobody = Arc::new(OnceLock::new());
        for n in 0..threads {
            let (waiting, nobody) = (waiting.clone(), nobody.clone());
            std::thread::Builder::new()
                .name(format!("password-{n}"))
                .spawn(move || work(&waiting, &nobody))?;
        }
        Ok(Argon2Pool { jobs })
    }

    fn ask<T: Send + 'static>(&self, job: Job, answer: oneshot::Receiver<T>) -> Hashing<T> {
        match self.jobs.try_send(job) {
            Ok(()) => Box::pin(async move { answer.await.map_err(|_| Busy) }),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                Box::pin(std::future::ready(Err(Busy)))
            }
        }
    }
}

impl PasswordHasher for Argon2Pool {
    fn hash(&self, password: Password, salt: [u8; 16]) -> Hashing<String> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Hash(password, salt, reply), answer)
    }

    fn verify(&self, password: Password, phc: Option<String>) -> Hashing<bool> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Verify(password, phc, reply), answer)
    }

    fn is_current(&self, phc: &str) -> bool {
        is_current(phc)
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, nobody: &OnceLock<String>) {
    let argon2 = argon2();
    loop {
        let job = waiting.lock().expect("a thread that waits for work does not panic").recv();
        match job {
            // Whoever asked may have gone away; then the answer is for nobody.
            Ok(Job::Hash(password, salt, reply)) if !reply.is_closed() => {
                let _ = reply.send(hash(&argon2, password.reveal(), salt));
            }
            Ok(Job::Verify(password, phc, reply)) if !reply.is_closed() => {
                let _ = reply.send(check(&argon2, password.reveal(), phc.as_deref(), nobody));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(argon2: &Argon2<'_>, password: &str, salt: [u8; 16]) -> String {
    argon2::PasswordHasher::<PasswordHash>::hash_password_with_salt(argon2, password.as_bytes(), &salt)
        .expect("a salt of 16 bytes and a short password are within Argon2's bounds")
        .to_string()
}

/// With the parameters of the stored hash: those of today may be others. Who does not exist, or has no password, is
/// compared with nobody's hash, so that it takes the same way and as long. That is made when it is first needed:
/// a start waits for no hash.
fn check(argon2: &Argon2<'_>, password: &str, phc: Option<&str>, nobody: &OnceLock<String>) -> bool {
    let matches = |phc: &str| {
        PasswordHash::new(phc).is_ok_and(|phc| argon2.verify_password(password.as_bytes(), &phc).is_ok())
    };
    match phc {
        Some(phc) => matches(phc),
        None => {
            let nobody = nobody.get_or_init(|| hash(argon2, "nobody has this password", [0; 16]));
            std::hint::black_box(matches(nobody));
            false
        }
    }
}

/// Whether a stored hash was made as hashes are made today.
fn is_current(phc: &str) -> bool {
    let Ok(phc) = PasswordHash::new(phc) else { return false };
    let params = Params::try_from(&phc);
    let same =
        |params: Params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES);
    phc.algorithm == Algorithm::Argon2id.ident()
        && phc.version == Some(Version::V0x13.into())
        && params.is_ok_and(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        serde_json::from_value(text.into()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_names_its_parameters_and_tells_passwords_apart() {
        let pool = Argon2Pool::with(1, 4).unwrap();
        let phc = pool.hash(password("correct horse"), [7; 16]).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(pool.verify(password("correct horse"), Some(phc.clone())).await.unwrap());
        assert!(!pool.verify(password("correct hoarse"), Some(phc)).await.unwrap());
        assert!(!pool.verify(password("correct horse"), None).await.unwrap());
        assert!(!pool.verify(password("nobody has this password"), None).await.unwrap(), "nobody signs in");
    }

    #[test]
    fn a_hash_with_other_parameters_is_good_and_not_current() {
        let weak = Params::new(MEMORY_KIB / 2, PASSES, LANES, None).unwrap();
        let weak = hash(&Argon2::new(Algorithm::Argon2id, Version::V0x13, weak), "correct horse", [7; 16]);
        let now = hash(&argon2(), "correct horse", [7; 16]);
        assert!(check(&argon2(), "correct horse", Some(&weak), &OnceLock::new()));
        assert!(!check(&argon2(), "correct hoarse", Some(&weak), &OnceLock::new()));
        assert!(is_current(&now) && !is_current(&weak) && !is_current("garbage") && !is_current(""));
        assert!(!is_current(&now.replace("argon2id", "argon2i")));
    }

    #[tokio::test]
    async fn beyond_the_queue_it_is_busy_at_once() {
        let pool = Argon2Pool::with(1, 2).unwrap();
        let waiting: Vec<_> = (0..8).map(|_| pool.hash(password("correct horse"), [7; 16])).collect();
        let mut busy = 0;
        for hashing in waiting {
            busy += usize::from(hashing.await == Err(Busy));
        }
        assert!((5..=6).contains(&busy), "one at work, two waiting: {busy} of 8 were refused");
    }
}

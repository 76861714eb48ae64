//! The files of the public listener's TLS: read at the start, and looked at again while it serves, so that who renews a
//! certificate has nothing to restart.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gomer_net::http::tls::PublicTls;
use tokio::sync::Notify;

use super::exit::{End, Exit};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Most bytes of one of them.
const BYTES_MAX: u64 = 1 << 20;

/// Where the certificates and the key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, as PEM.
    pub certificates: PathBuf,
    /// The key of its first, as PEM.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// TLS by what the files say now.
    pub fn open(&self) -> Result<PublicTls, End> {
        let refused = |why: String| End::new(Exit::Usage, why);
        let (certificates, key) = self.read().map_err(refused)?;
        PublicTls::new(&certificates, &key).map_err(|fault| refused(self.blame(&fault)))
    }

    /// Looks at the files again and again, and when it is told to, and has `tls` take what is new in them. What is of no use is said once, and what
    /// was good stays: a renewal that is half done is followed by its other half.
    pub async fn follow(self, tls: Arc<PublicTls>, look_again: Arc<Notify>) {
        let mut complained = None;
        loop {
            let _ = tokio::time::timeout(LOOK_EVERY, look_again.notified()).await;
            // Two small files: a thread for them costs more than they do.
            let taken = self.read().and_then(|(certificates, key)| {
                tls.replace(&certificates, &key).map_err(|fault| self.blame(&fault))
            });
            match taken {
                Ok(true) => {
                    tracing::info!(file = %self.certificates.display(), "new certificates are in use");
                    complained = None;
                }
                Ok(false) => complained = None,
                Err(why) if complained.as_ref() != Some(&why) => {
                    tracing::error!(why, "new certificates cannot be used, and the old ones stay");
                    complained = Some(why);
                }
                Err(_) => {}
            }
        }
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let key = read(&self.key)?;
        let mode =
            std::fs::metadata(&self.key).map_err(|error| said(&self.key, &error))?.permissions().mode();
        if mode & 0o007 != 0 {
            let path = self.key.display();
            return Err(format!(
                "{path}: everybody may read the key (mode {:o}): chmod 600 {path}",
                mode & 0o777
            ));
        }
        Ok((read(&self.certificates)?, key))
    }

    fn blame(&self, fault: &gomer_net::http::tls::TlsFault) -> String {
        format!("{} with {}: {fault}", self.certificates.display(), self.key.display())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| said(path, &error))?.len();
    if length > BYTES_MAX {
        return Err(format!("{}: it is larger than certificates are", path.display()));
    }
    std::fs::read(path).map_err(|error| said(path, &error))
}

fn said(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

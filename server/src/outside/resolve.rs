//! Which addresses a name has.

use std::future::Future;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use super::Unanswered;

/// Look-ups under way at once. One that nobody waits for any more still counts until the system gives up on it.
const LOOKUPS_MAX: usize = 32;

/// The future of a look-up.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, Unanswered>> + Send + 'a>>;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a name, in the order in which they are to be tried.
    fn resolve(&self, name: String) -> Resolving<'_>;
}

/// As the machine is configured: its hosts file, its DNS servers.
pub struct System {
    lookups: Arc<Semaphore>,
}

impl Default for System {
    fn default() -> System {
        System { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for System {
    fn resolve(&self, name: String) -> Resolving<'_> {
        Box::pin(async move {
            let Ok(slot) = self.lookups.clone().try_acquire_owned() else { return Err(Unanswered::Busy) };
            let (tell, told) = oneshot::channel();
            let look = move || {
                let found = (name.as_str(), 0).to_socket_addrs();
                let found = found.map(|all| all.map(|address| address.ip()).collect::<Vec<_>>());
                drop(slot);
                let _ = tell.send(found);
            };
            // The system's look-up blocks, and nothing can end it: a thread that no shutdown waits for.
            let thread = std::thread::Builder::new().name("look-up".into()).spawn(look);
            thread.map_err(|_| Unanswered::Busy)?;
            match told.await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) => Err(Unanswered::Unreachable("its name is not known".to_owned())),
                Err(_) => Err(Unanswered::Unreachable("the look-up of its name failed".to_owned())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_knows_itself_and_not_what_can_be_no_name() {
        let found = System::default().resolve("localhost".to_owned()).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        let nobody = System::default().resolve("nobody.invalid".to_owned()).await.unwrap_err();
        assert!(nobody.may_pass(), "{nobody}");
    }

    #[tokio::test]
    async fn look_ups_are_bounded() {
        let system = System { lookups: Arc::new(Semaphore::new(0)) };
        assert_eq!(system.resolve("localhost".to_owned()).await, Err(Unanswered::Busy));
    }
}

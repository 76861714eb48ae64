//! No secret is in any log line: no password, token, key or code.

use super::{Broken, Promise};
use crate::history::Evidence;

/// The promise.
pub const PROMISE: Promise = Promise { name: "secrets", says: "No secret is in any log line.", check };

fn check(evidence: &Evidence) -> Vec<Broken> {
    let with_secret = evidence.log.iter().filter_map(|line| {
        let secret = evidence.secrets.iter().find(|secret| !secret.is_empty() && line.contains(*secret))?;
        // What is reported must not repeat it.
        Some(Broken::overall(format!("a log line has a secret: {}", line.replace(secret, "***"))))
    });
    with_secret.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_secret_is_found_and_not_repeated() {
        let of = |line: &str| Evidence {
            log: vec!["started".into(), line.into()],
            secrets: vec![String::new(), "hush".into()],
            ..Evidence::default()
        };
        assert_eq!(check(&of("nothing")), []);
        let broken = check(&of("token=hush;"));
        assert_eq!(broken.len(), 1);
        assert!(!broken[0].what.contains("hush"));
    }
}

//! Until when a service is asked nothing more, because it said so. Its bounds hold for all tracks of all apps together:
//! it counts by our address or our token.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use gomer_core::time::Time;

/// Longest that a service is believed.
const REST_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Services that are remembered.
const SERVICES_MAX: usize = 4_096;

/// The services that want to be left alone.
#[derive(Default)]
pub struct Quotas {
    until: Mutex<HashMap<String, Time>>,
}

impl Quotas {
    /// Until when this one is asked nothing; nothing: it may be asked.
    pub fn closed(&self, service: &str, now: Time) -> Option<Time> {
        let until = self.until.lock().expect(UNPOISONED);
        until.get(service).copied().filter(|until| *until > now)
    }

    /// It has said for how long.
    pub fn close(&self, service: &str, now: Time, rest: Duration) {
        let mut until = self.until.lock().expect(UNPOISONED);
        if until.len() >= SERVICES_MAX {
            until.retain(|_, until| *until > now);
        }
        if until.len() < SERVICES_MAX {
            until.insert(service.to_owned(), now + rest.min(REST_MAX));
        }
    }
}

const UNPOISONED: &str = "nothing panics under this lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_left_alone_as_long_as_it_said_and_a_day_at_most() {
        let (quotas, now) = (Quotas::default(), Time::from_millis(1_000_000));
        let second = Duration::from_secs(1);
        assert_eq!(quotas.closed("x", now), None);
        quotas.close("x", now, 10 * second);
        assert_eq!(quotas.closed("x", now + 9 * second), Some(now + 10 * second));
        assert_eq!((quotas.closed("x", now + 10 * second), quotas.closed("y", now)), (None, None));
        quotas.close("y", now, Duration::MAX);
        assert_eq!(quotas.closed("y", now), Some(now + REST_MAX));
        for number in 0..2 * SERVICES_MAX {
            quotas.close(&number.to_string(), now, second);
        }
        assert!(quotas.until.lock().unwrap().len() <= SERVICES_MAX);
        quotas.close("z", now + 2 * second, second);
        assert!(quotas.closed("z", now + 2 * second).is_some(), "what has ended makes room");
    }
}

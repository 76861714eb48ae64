//! Time as an argument. Nothing here reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ascii::Ascii;

/// Wall-clock time: milliseconds since 1970-01-01T00:00:00Z. Stamps commands; never used for leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Time(u64);

impl Time {
    /// The epoch.
    pub const ZERO: Time = Time(0);

    /// The time this many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Time {
        Time(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(span.as_millis().min(u64::MAX as u128) as u64))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(span.as_millis().min(u64::MAX as u128) as u64))
    }
}

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can name.
const LAST_NAMED: u64 = 253_402_300_799_999;

impl Time {
    /// RFC 3339 in UTC with milliseconds, `2026-11-23T17:55:00.000Z`. What lies beyond the year 9999 is
    /// shown as its last millisecond.
    pub fn text(self) -> Ascii<24> {
        let millis = self.0.min(LAST_NAMED);
        let (days, rest) = (millis / DAY, millis % DAY);
        // Days to a civil date, with years that start in March, so that the leap day is the last one:
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (seconds, millis) = (rest / 1_000, rest % 1_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        // Written by hand: replies are full of times, and the formatting machinery took a tenth of a read.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let places =
            [(year, 0..4), (month, 5..7), (day, 8..10), (hour, 11..13), (minute, 14..16), (second, 17..19)];
        for (mut number, place) in places.into_iter().chain([(millis, 20..23)]) {
            for at in place.rev() {
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        Ascii::new(text)
    }
}

impl fmt::Display for Time {
    /// [`Time::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// Why a text is not a [`Time`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time like 2026-11-23T17:55:00.000Z (RFC 3339, 1970 to 9999)")
    }
}

impl std::error::Error for TimeError {}

impl FromStr for Time {
    type Err = TimeError;

    /// Parses RFC 3339: any offset, any number of fraction digits (those past the millisecond are cut
    /// off), a leap second counted as the next one. Refused: what lies before 1970 or after 9999, and
    /// impossible dates.
    fn from_str(text: &str) -> Result<Time, TimeError> {
        let bytes = text.as_bytes();
        let number = |from: usize, len: usize| -> Result<u64, TimeError> {
            let digits = bytes.get(from..from + len).ok_or(TimeError)?;
            digits.iter().try_fold(0, |sum, c| match c {
                b'0'..=b'9' => Ok(sum * 10 + u64::from(c - b'0')),
                _ => Err(TimeError),
            })
        };
        let is = |at: usize, any_of: &[u8]| bytes.get(at).is_some_and(|c| any_of.contains(c));
        let in_place = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let month_days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err(TimeError),
        };
        // The last day of 1969 may name a moment of 1970, by its offset.
        let known =
            year >= 1969 && (1..=month_days).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        if !in_place || !known {
            return Err(TimeError);
        }
        let mut at = 19;
        let mut millis = 0;
        if is(at, b".") {
            let digits = bytes[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if digits == 0 {
                return Err(TimeError);
            }
            millis = number(at + 1, digits.min(3))? * [100, 10, 1][digits.min(3) - 1];
            at += 1 + digits;
        }
        let offset_minutes = if is(at, b"Zz") && bytes.len() == at + 1 {
            0
        } else if is(at, b"+-") && is(at + 3, b":") && bytes.len() == at + 6 {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return Err(TimeError);
            }
            let span = (hours * 60 + minutes) as i64;
            if is(at, b"-") { -span } else { span }
        } else {
            return Err(TimeError);
        };
        // A civil date to days: days_from_civil of the same source.
        let march_year = year - u64::from(month <= 2);
        let (era, year_of_era) = (march_year / 400, march_year % 400);
        let march_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * march_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era) as i64 - 719_468;
        let seconds = ((days * 24 + hour as i64) * 60 + minute as i64 - offset_minutes) * 60 + second as i64;
        let seconds = u64::try_from(seconds).map_err(|_| TimeError)?;
        let time = seconds * 1_000 + millis;
        // An offset or a leap second may lead past the last moment that can be written.
        if time <= LAST_NAMED { Ok(Time(time)) } else { Err(TimeError) }
    }
}

/// Monotonic time of one process since an arbitrary start. Ticks, leases and deadlines use only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub Duration);

impl Monotonic {
    /// How long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Monotonic;

    fn add(self, span: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(span))
    }
}

/// What a state machine is told of time: both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For ticks, leases and deadlines.
    pub mono: Monotonic,
    /// For stamps.
    pub wall: Time,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_survives_its_text(millis in 0..=LAST_NAMED) {
            let time = Time::from_millis(millis);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn any_text_parses_or_is_refused_without_a_panic(text in "[-+:.0-9TZé]{0,32}") {
            let _ = text.parse::<Time>();
        }
    }

    #[test]
    fn known_moments_are_named_as_everybody_names_them() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_456_500_007, "2026-11-23T17:55:00.007Z"),
            (LAST_NAMED, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), text);
        }
        assert_eq!(Time::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn offsets_and_fractions_are_understood() {
        let noon: Time = "2026-11-23T12:00:00Z".parse().unwrap();
        for same in [
            "2026-11-23T14:00:00+02:00",
            "2026-11-23T06:30:00.0-05:30",
            "2026-11-23t12:00:00.000999z",
            "2026-11-23T11:59:60Z",
        ] {
            assert_eq!(same.parse(), Ok(noon), "{same}");
        }
        assert_eq!("1969-12-31T23:30:00-01:00".parse(), Ok(Time::from_millis(1_800_000)));
    }

    #[test]
    fn what_is_no_moment_since_1970_is_refused() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T12:00:00",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-11-31T12:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T12:60:00Z",
            "2026-11-23T12:00:00.Z",
            "2026-11-23T12:00:00Zz",
            "2026-11-23T12:00:00+2:00",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:60Z",
            "1970-01-01T00:30:00+01:00",
            "1795456500007",
        ] {
            assert_eq!(text.parse::<Time>(), Err(TimeError), "{text:?}");
        }
    }
}

//! Hours in which somebody is not to be woken, by the clock where they are.

use std::borrow::Cow;
use std::time::Duration;

use gomer_core::time::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// From when until when. The other way round, they go over midnight; the same twice is never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// The first minute of quiet, like `22:00`.
    from: OfDay,
    /// The first minute after it, like `07:30`.
    to: OfDay,
    /// Where that is so.
    time_zone: ZoneName,
}

impl QuietHours {
    /// Until when it is quiet; nothing if it is not. Where a clock is changed meanwhile, the time is asked for again then.
    pub fn until(&self, now: Time) -> Option<Time> {
        let (from, to) = (self.from.0, self.to.0);
        let at = jiff::Timestamp::from_millisecond(i64::try_from(now.as_millis()).ok()?).ok()?;
        let local = self.time_zone.zone()?.to_offset(at).to_datetime(at);
        let minute = u16::try_from(local.hour()).ok()? * 60 + u16::try_from(local.minute()).ok()?;
        let quiet = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
        let minutes = (to + DAY - minute) % DAY;
        let over = Duration::from_secs(u64::from(minutes) * 60).saturating_sub(Duration::from_millis(
            u64::try_from(local.second()).ok()? * 1_000 + u64::try_from(local.millisecond()).ok()?,
        ));
        quiet.then(|| now + over)
    }
}

/// A minute of a day, like `07:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OfDay(u16);

impl Serialize for OfDay {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

impl<'de> Deserialize<'de> for OfDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OfDay, D::Error> {
        let text = String::deserialize(from)?;
        let two = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit());
            digits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let read = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        match read {
            Some((hour, minute)) if hour < 24 && minute < 60 => Ok(OfDay(hour * 60 + minute)),
            _ => Err(D::Error::custom("format: a time of day is like 22:00")),
        }
    }
}

impl JsonSchema for OfDay {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OfDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" })
    }
}

/// Name of a time zone that is known, like `Europe/Vienna`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(inline)]
struct ZoneName(#[schemars(length(min = 1, max = 64))] String);

impl ZoneName {
    fn zone(&self) -> Option<TimeZone> {
        // The one in the program, the same on every member: not the machine's.
        TimeZoneDatabase::bundled().get(&self.0).ok()
    }
}

impl<'de> Deserialize<'de> for ZoneName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ZoneName, D::Error> {
        let name = ZoneName(String::deserialize(from)?);
        let known = (1..=64).contains(&name.0.len()) && name.zone().is_some();
        let unknown = || D::Error::custom("value: an IANA time zone like Europe/Vienna");
        known.then_some(name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, zone: &str) -> Result<QuietHours, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "from": from, "to": to, "timeZone": zone }))
    }

    fn until(hours: &QuietHours, now: &str) -> Option<String> {
        hours.until(now.parse().unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn a_night_goes_over_midnight_where_somebody_is() {
        let night = hours("22:00", "07:30", "Europe/Vienna").unwrap();
        for (now, end) in [
            // One hour ahead in winter.
            ("2026-11-26T20:59:59.999Z", None),
            ("2026-11-26T21:00:00.000Z", Some("2026-11-27T06:30:00.000Z")),
            ("2026-11-27T06:29:30.500Z", Some("2026-11-27T06:30:00.000Z")),
            ("2026-11-27T06:30:00.000Z", None),
            // Two in summer.
            ("2026-07-01T20:00:00.000Z", Some("2026-07-02T05:30:00.000Z")),
        ] {
            assert_eq!(until(&night, now).as_deref(), end, "{now}");
        }
        let nap = hours("13:00", "14:00", "Asia/Kolkata").unwrap();
        assert_eq!(until(&nap, "2026-11-26T07:29:00.000Z"), None);
        assert_eq!(until(&nap, "2026-11-26T07:30:00.000Z").as_deref(), Some("2026-11-26T08:30:00.000Z"));
        let never = hours("09:00", "09:00", "UTC").unwrap();
        assert_eq!(until(&never, "2026-11-26T09:00:00.000Z"), None);
    }

    #[test]
    fn what_is_no_time_or_no_place_is_refused() {
        for (from, zone) in
            [("24:00", "UTC"), ("9:00", "UTC"), ("0900", "UTC"), ("09:60", "UTC"), ("+9:00", "UTC")]
                .into_iter()
                .chain([("09:00", "Mars/Base"), ("09:00", ""), ("09:00", "../etc/passwd")])
        {
            assert!(hours(from, "10:00", zone).is_err(), "{from} {zone}");
        }
        let good = hours("09:05", "10:00", "UTC").unwrap();
        assert_eq!(serde_json::to_value(&good).unwrap()["from"], "09:05");
    }
}

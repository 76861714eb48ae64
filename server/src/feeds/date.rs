//! Times as feeds write them: RFC 822 and its successors, RFC 3339, and what comes near.

use gomer_core::time::Time;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Hours east of Greenwich of the zones that RFC 822 names.
const ZONES: [(&str, i64); 12] = [
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
];

/// The time that a text says; nothing if it says none, or one before 1970 or after 9999.
pub fn read(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || !text.is_ascii() {
        return None;
    }
    iso(text).or_else(|| mail(text))
}

/// `2003-12-13T18:30:02.25+01:00`, and shorter.
fn iso(text: &str) -> Option<Time> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let mut parts = date.split('-');
    let year = parts.next().filter(|year| year.len() == 4).and_then(number)?;
    let month = parts.next().map_or(Some(1), number)?;
    let day = parts.next().map_or(Some(1), number)?;
    if parts.next().is_some() {
        return None;
    }
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    moment((year, month, day), clock.trim_end(), zone)
}

/// `Sat, 13 Dec 2003 18:30:02 GMT`, and shorter.
fn mail(text: &str) -> Option<Time> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut words =
        text.split_ascii_whitespace().flat_map(|word| word.split('-').filter(|part| !part.is_empty()));
    let mut first = words.next()?;
    if number(first).is_none() && month_of(first).is_none() {
        // A day of the week without a comma.
        first = words.next()?;
    }
    let second = words.next()?;
    let (day, month) = match month_of(second) {
        Some(month) => (number(first)?, month),
        None => (number(second)?, month_of(first)?),
    };
    let year = words.next().filter(|year| year.len() == 2 || year.len() == 4)?;
    let year = match (year.len(), number(year)?) {
        (2, year @ ..70) => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    // The words were cut at hyphens, and a zone may begin with one: it is read from the text again.
    let clock = words.next().unwrap_or_default();
    let zone = text.rfind(clock).map_or("", |at| text[at + clock.len()..].trim_start());
    moment((year, month, day), clock, if clock.is_empty() { "" } else { zone })
}

fn month_of(word: &str) -> Option<i64> {
    let begin = word.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == begin).map(|at| at as i64 + 1)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|c| c.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Puts a day, a clock (`18:30:02.25`) and a zone together.
fn moment((year, month, day): (i64, i64, i64), clock: &str, zone: &str) -> Option<Time> {
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
    {
        return None;
    }
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut seconds = 0;
    if !clock.is_empty() {
        let parts: Vec<i64> = clock.split(':').map(number).collect::<Option<_>>()?;
        let (hours, minutes, rest) = match parts[..] {
            [hours, minutes] => (hours, minutes, 0),
            [hours, minutes, seconds] => (hours, minutes, seconds),
            _ => return None,
        };
        if hours > 24 || minutes > 59 || rest > 60 {
            return None;
        }
        seconds = hours * 3_600 + minutes * 60 + rest;
    }
    if !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let millis =
        fraction.bytes().chain(*b"000").take(3).fold(0, |millis, c| millis * 10 + i64::from(c - b'0'));
    let total = (days_before(year, month, day) * 86_400 + seconds - offset(zone)?) * 1_000 + millis;
    Some(Time::from_millis(u64::try_from(total).ok()?))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    // A name in brackets behind it is a comment.
    let zone = zone.split(['(', ' ']).next().unwrap_or_default().trim();
    let (sign, digits) = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'+') => (1, &zone[1..]),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => {
            let zone = zone.to_ascii_lowercase();
            // The letters of the military mean nothing certain, and neither do names that nobody listed (RFC 2822, 4.3).
            return Some(ZONES.iter().find(|(name, _)| *name == zone).map_or(0, |(_, hours)| hours * 3_600));
        }
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to this one.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_their_spellings() {
        for (text, expected) in [
            ("2003-12-13T18:30:02Z", "2003-12-13T18:30:02.000Z"),
            ("2003-12-13T18:30:02.25+01:00", "2003-12-13T17:30:02.250Z"),
            ("2003-12-13T18:30-0500", "2003-12-13T23:30:00.000Z"),
            ("2003-12-13 18:30:02", "2003-12-13T18:30:02.000Z"),
            ("2003-12-13", "2003-12-13T00:00:00.000Z"),
            ("2003-12", "2003-12-01T00:00:00.000Z"),
            ("2004-02-29", "2004-02-29T00:00:00.000Z"),
            ("2000-12-31T23:59:60Z", "2001-01-01T00:00:00.000Z"),
            ("Sat, 13 Dec 2003 18:30:02 GMT", "2003-12-13T18:30:02.000Z"),
            ("13 Dec 03 18:30 EST", "2003-12-13T23:30:00.000Z"),
            ("Sat 13 December 2003 18:30:02 +0100", "2003-12-13T17:30:02.000Z"),
            ("Saturday, 13-Dec-03 18:30:02 GMT", "2003-12-13T18:30:02.000Z"),
            ("Dec 13, 2003 18:30:02 -0100", ""),
            ("Sat, 13 Dec 2003 18:30:02 -0100 (XYZ)", "2003-12-13T19:30:02.000Z"),
            ("  Sat,  6  Dec  2003  ", "2003-12-06T00:00:00.000Z"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        ] {
            let said = read(text).map(|time| time.text().as_str().to_owned()).unwrap_or_default();
            assert_eq!(said, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2003-13-01",
            "2003-02-30",
            "2003-02-29",
            "1969-12-31",
            "0000-00-00",
            "10000-01-01",
            "2003-12-13T25:00:00Z",
            "2003-12-13T18:61:00Z",
            "2003-12-13T18:30:02+99:99",
            "2003-12-13Tx",
            "13",
            "13 Foo 2003",
            "32 Dec 2003",
            "13 Dec 20033",
            "-1",
            "99999999999999999999",
            "१३ Dec 2003",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

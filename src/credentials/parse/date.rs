//! Dates of expiry. No date is a panic: what cannot be converted is `None`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339};

/// The last second of an RFC 3339 date: 9999-12-31T23:59:59Z.
const MAX_UNIX_SECONDS: u64 = 253_402_300_799;

/// An RFC 3339 date, or one in the forms of ISO 8601 also accepted by the AWS CLI: `20300101T000000Z`, no seconds, an
/// offset without a colon. The first versions of the CLI wrote `UTC` for `Z`.
pub(in crate::credentials) fn time_of(text: &str) -> Option<SystemTime> {
    let text = match text.strip_suffix("UTC") {
        Some(date) => format!("{date}Z"),
        None => text.to_owned(),
    };
    // The parser of ISO 8601 takes an offset of 24 hours, which no zone has.
    if text
        .rsplit_once(['+', '-'])
        .is_some_and(|(_, offset)| is_a_day(offset))
    {
        return None;
    }
    let date = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&text, &Iso8601::DEFAULT));
    instant_of(date.ok()?)
}

/// Whether the offset has 24 hours or more. The day of a date without an offset can be over 24, and has no colon.
fn is_a_day(offset: &str) -> bool {
    let hours = offset.get(..2).and_then(|hours| hours.parse::<u8>().ok());
    let is_offset = matches!(offset.len(), 2 | 4 | 5);
    is_offset && hours.is_some_and(|hours| hours >= 24)
}

/// Converts without the `From` of the time crate, which panics outside the range of the system's clock.
fn instant_of(date: OffsetDateTime) -> Option<SystemTime> {
    let seconds = date.unix_timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let second = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    second?.checked_add(Duration::from_nanos(date.nanosecond().into()))
}

/// The instant this long after 1970; `None` after the year 9999.
pub(in crate::credentials) fn time_after_1970(distance: Duration) -> Option<SystemTime> {
    if distance.as_secs() > MAX_UNIX_SECONDS {
        None
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

/// An instant as an RFC 3339 date, in whole seconds and UTC; `None` before 1970 and after the year 9999.
pub(in crate::credentials) fn date_of(instant: SystemTime) -> Option<String> {
    let seconds = instant.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let date = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    date.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::AmzDate;
    use crate::testing::{Random, fuzz, fuzz_text};

    fn at(unix_seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(unix_seconds)
    }

    #[test]
    fn dates_are_read_and_written() {
        let instant = at(1_234_567_890);
        for text in [
            "2009-02-13T23:31:30Z",
            "2009-02-14T01:31:30+02:00",
            "2009-02-13T23:31:30UTC",
        ] {
            assert_eq!(time_of(text), Some(instant), "{text}");
        }
        assert_eq!(time_of("2009-02-13"), None);
        assert_eq!(
            date_of(instant + Duration::from_millis(7)).as_deref(),
            Some("2009-02-13T23:31:30Z")
        );
    }

    #[test]
    fn the_forms_that_the_cli_accepts_are_read() {
        for text in [
            "20300101T000000Z",
            "20300101T000000+0000",
            "20300101T0000Z",
            "2030-01-01T00:00Z",
            "2030-01-01T00:00+00:00",
            "2030-01-01T00:00:00+0000",
            "2030-01-01T05:30:00.000+0530",
            "2029-12-31T19:00:00-05",
            "2030-01-01 00:00:00+00:00",
        ] {
            assert_eq!(time_of(text), Some(at(1_893_456_000)), "{text}");
        }
        for text in [
            "",
            "2030-01-01T00:00:00+24:00",
            "2030-01-01T00:00:00-2400",
            "20300101T000000+24:30",
            "2030-01-01T00:00:00",
            "20300101",
            "1893456000",
            "soon",
            "Z",
            "UTC",
            "\u{0660}Z",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn dates_at_the_ends_of_the_calendar_are_no_panic() {
        assert_eq!(time_of("9999-12-31T23:59:59Z"), Some(at(MAX_UNIX_SECONDS)));
        assert_eq!(
            time_of("9999-12-31T23:59:59-23:59"),
            Some(at(MAX_UNIX_SECONDS + 86_340))
        );
        assert!(time_of("1969-12-31T23:59:59.5Z").unwrap() < UNIX_EPOCH);
        // Before the range of the clock of Windows.
        let _ = time_of("0000-01-01T00:00:00+23:59");
        assert_eq!(
            date_of(at(MAX_UNIX_SECONDS)).as_deref(),
            Some("9999-12-31T23:59:59Z")
        );
        assert_eq!(date_of(at(MAX_UNIX_SECONDS + 1)), None);
        assert_eq!(date_of(at(u64::MAX / 2)), None);
        assert_eq!(date_of(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(
            time_after_1970(Duration::from_secs(MAX_UNIX_SECONDS)),
            Some(at(MAX_UNIX_SECONDS))
        );
        for distance in [Duration::from_millis(u64::MAX), Duration::MAX] {
            assert_eq!(time_after_1970(distance), None);
        }
    }

    #[test]
    fn fuzz_dates() {
        let samples = [
            "2009-02-13T23:31:30Z",
            "2030-01-01T05:30:00.000+05:30",
            "20300101T000000UTC",
            "2030-01-01 00:00:00-00:00",
            "2030-W52-1T24:00:60.999999999Z",
            "9999-12-31T23:59:59-23:59",
            "+002030-001T00",
        ];
        fuzz_text(&samples, |text| {
            let Some(instant) = time_of(text) else { return };
            let Ok(since_1970) = instant.duration_since(UNIX_EPOCH) else {
                return;
            };
            let whole_seconds = at(since_1970.as_secs());
            if let Some(date) = date_of(instant) {
                assert_eq!(time_of(&date), Some(whole_seconds), "{date}");
            }
            if let Some(date) = AmzDate::from_system_time(instant) {
                assert_eq!(time_of(date.as_str()), Some(whole_seconds), "{date}");
            }
        });
    }

    #[test]
    fn fuzz_instants() {
        let mut random = Random(13);
        fuzz(&[[0; 8]], |_| {
            let distance = Duration::from_secs(random.next() >> random.below(64));
            let written = time_after_1970(distance).and_then(date_of);
            assert_eq!(
                written.is_some(),
                distance.as_secs() <= MAX_UNIX_SECONDS,
                "{distance:?}"
            );
            if let Some(date) = written {
                assert_eq!(time_of(&date), Some(UNIX_EPOCH + distance), "{date}");
            }
        });
    }
}

//! The time of signing.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A time in the format of the `X-Amz-Date` header: `YYYYMMDDTHHMMSSZ`, UTC, in whole seconds.
///
/// Ranges from the start of 1970 to the end of 9999.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AmzDate {
    text: [u8; 16],
}

impl AmzDate {
    /// Drops the fraction of a second. Returns `None` if `time` is before 1970 or after 9999.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Option<Self> {
        Self::from_unix_seconds(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }

    /// Converts Unix time: seconds since the start of 1970, UTC. Returns `None` after 9999, from 253,402,300,800 on.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.to_hms();
        // Years above 9999 get here if another crate enables the feature `large-dates` of `time`.
        let century = u8::try_from(year / 100)
            .ok()
            .filter(|century| *century <= 99)?;
        let year_of_century = u8::try_from(year % 100).ok()?;
        let [c1, c2] = two_digits(century);
        let [y1, y2] = two_digits(year_of_century);
        let [m1, m2] = two_digits(month.into());
        let [d1, d2] = two_digits(day);
        let [h1, h2] = two_digits(hour);
        let [n1, n2] = two_digits(minute);
        let [s1, s2] = two_digits(second);
        Some(Self {
            text: [
                c1, c2, y1, y2, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z',
            ],
        })
    }

    /// The value of the `X-Amz-Date` header: 16 ASCII characters, `YYYYMMDDTHHMMSSZ`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "digits, T and Z")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).expect("a date is ASCII")
    }

    /// The date in the credential scope, `YYYYMMDD`. A signing key is valid for this UTC day.
    #[must_use]
    pub fn day(&self) -> &str {
        let (day, _) = self.as_str().split_at(8);
        day
    }
}

/// `number` must be below 100.
fn two_digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::format_description::well_known::Iso8601;

    use super::*;
    use crate::testing::{Random, fuzz};

    #[test]
    fn formats_year_month_day_and_time() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (951_827_696, "20000229T123456Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            let date = AmzDate::from_unix_seconds(seconds).unwrap();
            assert_eq!((date.as_str(), date.day()), (text, text.get(..8).unwrap()));
        }
    }

    #[test]
    fn rejects_times_before_1970_and_after_9999() {
        assert_eq!(AmzDate::from_unix_seconds(253_402_300_800), None);
        assert_eq!(AmzDate::from_unix_seconds(u64::MAX), None);
        assert_eq!(
            AmzDate::from_system_time(UNIX_EPOCH - Duration::from_secs(1)),
            None
        );
    }

    #[test]
    fn fuzz_amz_dates() {
        let mut random = Random(13);
        fuzz(&[[0; 8]], |_| {
            let seconds = random.next() >> random.below(64);
            let Some(date) = AmzDate::from_unix_seconds(seconds) else {
                return assert!(seconds > 253_402_300_799, "{seconds}");
            };
            let parsed = OffsetDateTime::parse(date.as_str(), &Iso8601::DEFAULT).unwrap();
            assert_eq!(parsed.unix_timestamp().cast_unsigned(), seconds);
        });
    }
}

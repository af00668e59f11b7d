use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// An instant in the form of the `X-Amz-Date` header, `YYYYMMDDTHHMMSSZ`, in UTC and whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AmzDate {
    text: [u8; 16],
}

impl AmzDate {
    /// The second that holds `instant`; `None` before 1970 or after the year 9999.
    #[must_use]
    pub fn from_system_time(instant: SystemTime) -> Option<Self> {
        Self::from_unix_seconds(instant.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }

    /// The second that lies `seconds` after 1970 began; `None` after the year 9999.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Option<Self> {
        let instant = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        let (year, month, day) = instant.to_calendar_date();
        let (hour, minute, second) = instant.to_hms();
        let year = u32::try_from(year).ok().filter(|year| *year <= 9999)?;
        let mut text = *b"00000000T000000Z";
        let (year_text, rest) = text.split_at_mut(4);
        write_digits(year_text, year);
        let fields = [u8::from(month), day, hour, minute, second];
        let positions = [0, 2, 5, 7, 9];
        for (at, field) in positions.into_iter().zip(fields) {
            if let Some(place) = rest.get_mut(at..at + 2) {
                write_digits(place, field.into());
            }
        }
        Some(Self { text })
    }

    /// `YYYYMMDDTHHMMSSZ`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// `YYYYMMDD`, the day that the signing key is bound to.
    #[must_use]
    pub fn day(&self) -> &str {
        self.text.get(..8).and_then(|day| std::str::from_utf8(day).ok()).unwrap_or_default()
    }
}

fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
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

    use super::*;

    #[test]
    fn writes_every_field_in_its_place() {
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
    fn refuses_what_has_no_such_form() {
        assert_eq!(AmzDate::from_unix_seconds(253_402_300_800), None);
        assert_eq!(AmzDate::from_unix_seconds(u64::MAX), None);
        assert_eq!(AmzDate::from_system_time(UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}

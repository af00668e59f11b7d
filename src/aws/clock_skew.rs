//! The difference between the service's clock and ours.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::http::Headers;
use crate::sigv4::AmzDate;

/// Longest round trip whose Date is used, as the service may have written it at any time in between.
/// Source: aws-runtime 1.10.2.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(15 * 60);

/// A rejected signature is blamed on our clock if its time was off by more than this. AWS accepts 5 minutes.
/// Source: aws-runtime 1.10.2.
const SUSPICIOUS_SKEW_MILLISECONDS: u64 = 4 * 60 * 1000;

/// The clock skew of a service, measured with the Date of each response and shared by all calls of a client.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// The service's clock minus ours.
    milliseconds: AtomicI64,
    has_learned: AtomicBool,
}

impl ClockSkew {
    /// This skew once it is known, and that of another service before.
    pub(crate) fn or<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.has_learned.load(Ordering::Relaxed) {
            self
        } else {
            other
        }
    }

    fn set(&self, milliseconds: i64) {
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
        self.has_learned.store(true, Ordering::Relaxed);
    }

    /// Returns the time of the service's clock when ours shows `now`.
    pub(crate) fn service_time(&self, now: SystemTime) -> SystemTime {
        // Ignore a skew that leaves the range of X-Amz-Date (1970 to 9999).
        add_milliseconds(now, self.milliseconds.load(Ordering::Relaxed))
            .filter(|time| AmzDate::from_system_time(*time).is_some())
            .unwrap_or(now)
    }

    /// Measures the skew with the Date of a response. The request was signed for the time `signed_for`, and our clock
    /// showed `sent_at` and `received_at`. Returns whether `signed_for` was far from the service's time; `None` without a
    /// usable Date.
    pub(crate) fn learn(
        &self,
        headers: &Headers,
        signed_for: SystemTime,
        sent_at: SystemTime,
        received_at: SystemTime,
    ) -> Option<bool> {
        let date = usable_date(headers)?;
        let round_trip = received_at.duration_since(sent_at).ok()?;
        if round_trip > MAX_ROUND_TRIP {
            return None;
        }
        let skew = milliseconds_between(sent_at + round_trip / 2, date);
        self.set(skew);
        Some(
            add_milliseconds(sent_at, skew)
                .is_some_and(|right_time| is_far(signed_for, right_time)),
        )
    }

    /// Whether a request may succeed with a new signature, after it was rejected with a [clock code](is_clock_code) and
    /// [`learn`](Self::learn) returned `was_far_off`. A rejection without a usable Date does not confirm the correction
    /// used in signing the request, and the Date behind that correction may have been wrong: our own time is next.
    pub(crate) fn may_sign_again(
        &self,
        was_far_off: Option<bool>,
        signed_for: SystemTime,
        sent_at: SystemTime,
    ) -> bool {
        was_far_off.unwrap_or_else(|| {
            let was_corrected = is_far(signed_for, sent_at);
            if was_corrected {
                self.set(0);
            }
            was_corrected
        })
    }
}

fn is_far(signed_for: SystemTime, right_time: SystemTime) -> bool {
    milliseconds_between(signed_for, right_time).unsigned_abs() > SUSPICIOUS_SKEW_MILLISECONDS
}

/// Whether an error code can mean a wrong time of signing; all but `RequestTimeTooSkewed` have other causes too.
/// Source: aws-runtime 1.10.2. Services of AWS spell a code with and without the ending `Exception`.
pub(crate) fn is_clock_code(code: &str) -> bool {
    matches!(
        code.strip_suffix("Exception").unwrap_or(code),
        "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
            | "RequestTimeTooSkewed"
            | "AccessDenied"
    )
}

fn usable_date(headers: &Headers) -> Option<SystemTime> {
    // A response with an Age comes from a cache, so its Date is old.
    if headers.get("age").is_some() {
        return None;
    }
    OffsetDateTime::parse(&headers.get("date")?, &Rfc2822)
        .ok()
        .map(SystemTime::from)
}

/// Negative if `end` is before `start`; saturates.
fn milliseconds_between(start: SystemTime, end: SystemTime) -> i64 {
    match end.duration_since(start) {
        Ok(ahead) => i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX),
        Err(error) => {
            i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |behind| -behind)
        }
    }
}

fn add_milliseconds(time: SystemTime, milliseconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds < 0 {
        time.checked_sub(distance)
    } else {
        time.checked_add(distance)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::{Random, fuzz_text};

    fn at(text: &str) -> SystemTime {
        use time::format_description::well_known::Rfc3339;
        OffsetDateTime::parse(text, &Rfc3339).unwrap().into()
    }

    fn headers(list: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        list.iter()
            .for_each(|(name, value)| headers.push(name, value.as_bytes()));
        headers
    }

    fn learned(list: &[(&str, &str)], round_trip: u64) -> (bool, i64) {
        let skew = ClockSkew::default();
        let sent_at = at("2026-01-01T00:00:00Z");
        let received_at = sent_at + Duration::from_secs(round_trip);
        let was_far_off = skew.learn(&headers(list), sent_at, sent_at, received_at) == Some(true);
        (was_far_off, skew.milliseconds.load(Ordering::Relaxed))
    }

    #[test]
    fn the_date_is_compared_with_the_middle_of_the_round_trip() {
        assert_eq!(
            learned(&[("date", "Thu, 01 Jan 2026 00:05:01 GMT")], 2),
            (true, 300_000)
        );
        assert_eq!(
            learned(&[("date", "Wed, 31 Dec 2025 23:55:01 GMT")], 2),
            (true, -300_000)
        );
        assert_eq!(
            learned(&[("date", "Thu, 01 Jan 2026 00:03:59 GMT")], 0),
            (false, 239_000)
        );
    }

    #[test]
    fn an_unusable_date_changes_nothing() {
        let late = ("date", "Thu, 01 Jan 2026 01:00:00 GMT");
        for list in [
            &[][..],
            &[("date", "soon")],
            &[("date", "")],
            &[late, ("age", "0")],
        ] {
            assert_eq!(learned(list, 2), (false, 0), "{list:?}");
        }
        assert_eq!(learned(&[late], 901), (false, 0));
    }

    #[test]
    fn a_skew_beyond_the_range_of_x_amz_date_is_ignored() {
        let now = at("2026-01-01T00:00:00Z");
        for date in [
            "Mon, 01 Jan 1900 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            let skew = ClockSkew::default();
            skew.learn(&headers(&[("date", date)]), now, now, now);
            let later = now + Duration::from_secs(60);
            assert!(
                AmzDate::from_system_time(skew.service_time(later)).is_some(),
                "{date}"
            );
        }
    }

    #[test]
    fn fuzz_http_dates() {
        let mut random = Random(13);
        let now = at("2026-01-01T00:00:00Z");
        let samples = [
            "Thu, 01 Jan 2026 00:05:01 GMT",
            "1 Jan 26 00:00 (a (b) c) +2359",
            "Fri, 31 Dec 9999 23:59:60 EST",
        ];
        fuzz_text(&samples, |text| {
            let header: String = text
                .chars()
                .filter(|character| !character.is_control())
                .collect();
            let skew = ClockSkew::default();
            skew.learn(&headers(&[("date", &header)]), now, now, now);
            assert!(AmzDate::from_system_time(skew.service_time(now)).is_some());

            // From 1970 to 9999.
            let instant = OffsetDateTime::from_unix_timestamp(
                (random.next() % 253_402_300_800).cast_signed(),
            )
            .unwrap();
            let date = instant.format(&Rfc2822).unwrap();
            assert_eq!(
                usable_date(&headers(&[("date", &date)])),
                Some(instant.into()),
                "{date}"
            );
        });
    }

    #[test]
    fn a_request_signed_for_the_right_time_is_not_blamed_on_the_clock() {
        let skew = ClockSkew::default();
        let now = at("2026-01-01T00:00:00Z");
        let late = headers(&[("date", "Thu, 01 Jan 2026 00:10:00 GMT")]);
        assert_eq!(skew.learn(&late, now, now, now), Some(true));
        assert_eq!(
            skew.learn(&late, skew.service_time(now), now, now),
            Some(false)
        );
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_cases() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../shared/vectors/retry/clock-skew-test-cases.json"
        );
        let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let cases = document["tests"].as_array().unwrap();
        assert_eq!(cases.len(), 10);
        for case in cases {
            let skew = ClockSkew::default();
            for operation in case["operations"].as_array().unwrap() {
                run_operation(&skew, operation, &case["description"]);
            }
        }
    }

    fn run_operation(skew: &ClockSkew, operation: &Value, description: &Value) {
        skew.milliseconds.store(
            operation["initialClientSkew"].as_i64().unwrap() * 1000,
            Ordering::Relaxed,
        );
        let attempts = operation["attempts"].as_array().unwrap();
        let max_attempts = operation["maxAttempts"].as_u64().unwrap_or(3);
        for (index, attempt) in attempts.iter().enumerate() {
            let time = |name: &str| at(attempt[name].as_str().unwrap());
            let signed_for = skew.service_time(time("clientTimeAtSend"));
            assert_eq!(signed_for, time("expectedSigningTime"), "{description}");
            let fields = attempt["response"]["headers"].as_object().unwrap();
            let list: Vec<(String, &str)> = fields
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap()))
                .collect();
            let list: Vec<(&str, &str)> = list
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            let (sent_at, received_at) = (time("clientTimeAtSend"), time("clientTimeAtReceive"));
            let was_far_off =
                skew.learn(&headers(&list), signed_for, sent_at, received_at) == Some(true);
            let is_refused = attempt["response"]["errorCode"]
                .as_str()
                .is_some_and(is_clock_code);
            let is_resent = index + 1 < attempts.len();
            let may_resend = u64::try_from(index).unwrap() + 1 < max_attempts;
            assert_eq!(
                is_refused && was_far_off && may_resend,
                is_resent,
                "{description}"
            );
        }
        let expected = operation["expectedClientSkew"].as_i64().unwrap() * 1000;
        assert_eq!(
            skew.milliseconds.load(Ordering::Relaxed),
            expected,
            "{description}"
        );
    }
}

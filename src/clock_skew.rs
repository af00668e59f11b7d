//! How far this machine's clock is from the service's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::http::Headers;
use crate::sigv4::AmzDate;

/// A round trip longer than this says too little about when the Date was written. Source: aws-runtime 1.10.2.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(15 * 60);

/// A refusal is laid to the clock when it was off by more; AWS takes signatures that are 5 minutes off.
/// Source: aws-runtime 1.10.2.
const SUSPICIOUS_SKEW_MILLISECONDS: u64 = 4 * 60 * 1000;

/// The difference, learned from the Date of each response and shared by the calls of a client.
#[derive(Debug, Default)]
pub(crate) struct ClockSkew {
    /// The service's clock less ours.
    milliseconds: AtomicI64,
}

impl ClockSkew {
    /// What the service's clock shows when ours shows `now`.
    pub(crate) fn service_time(&self, now: SystemTime) -> SystemTime {
        let shown = shifted(now, self.milliseconds.load(Ordering::Relaxed));
        // A Date that no signature can hold is nobody's time.
        if AmzDate::from_system_time(shown).is_some() { shown } else { now }
    }

    /// Learns from a response to a request that was signed at `signed_for` by the service's presumed clock and
    /// that took from `sent_at` to `received_at` by ours. True when it was signed for a time that is far off.
    pub(crate) fn learn(
        &self,
        headers: &Headers,
        signed_for: SystemTime,
        sent_at: SystemTime,
        received_at: SystemTime,
    ) -> bool {
        let Some(date) = usable_date(headers) else { return false };
        let Ok(round_trip) = received_at.duration_since(sent_at) else { return false };
        if round_trip > LONGEST_ROUND_TRIP {
            return false;
        }
        let skew = milliseconds_from(sent_at + round_trip / 2, date);
        self.milliseconds.store(skew, Ordering::Relaxed);
        milliseconds_from(signed_for, shifted(sent_at, skew)).unsigned_abs() > SUSPICIOUS_SKEW_MILLISECONDS
    }
}

/// Whether the service says with this code, among other things, that the time of a signature is off.
/// Source: aws-runtime 1.10.2.
pub(crate) fn is_clock_code(code: &str) -> bool {
    matches!(
        code,
        "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
            | "RequestTimeTooSkewed"
            | "AccessDeniedException"
    )
}

/// A response with an Age comes from a cache, and its Date is old.
fn usable_date(headers: &Headers) -> Option<SystemTime> {
    let date = headers.get("date").filter(|_| headers.get("age").is_none())?;
    OffsetDateTime::parse(date, &Rfc2822).ok().map(SystemTime::from)
}

fn milliseconds_from(earlier: SystemTime, later: SystemTime) -> i64 {
    match later.duration_since(earlier) {
        Ok(ahead) => i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX),
        Err(error) => i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |behind| -behind),
    }
}

fn shifted(time: SystemTime, milliseconds: i64) -> SystemTime {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    let moved = if milliseconds < 0 { time.checked_sub(distance) } else { time.checked_add(distance) };
    moved.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn at(text: &str) -> SystemTime {
        use time::format_description::well_known::Rfc3339;
        OffsetDateTime::parse(text, &Rfc3339).unwrap().into()
    }

    fn headers(list: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        list.iter().for_each(|(name, value)| headers.push(name, value.as_bytes()));
        headers
    }

    fn learned(list: &[(&str, &str)], round_trip: u64) -> (bool, i64) {
        let skew = ClockSkew::default();
        let sent_at = at("2026-01-01T00:00:00Z");
        let received_at = sent_at + Duration::from_secs(round_trip);
        let was_far_off = skew.learn(&headers(list), sent_at, sent_at, received_at);
        (was_far_off, skew.milliseconds.load(Ordering::Relaxed))
    }

    #[test]
    fn the_date_is_held_against_the_middle_of_the_round_trip() {
        assert_eq!(learned(&[("date", "Thu, 01 Jan 2026 00:05:01 GMT")], 2), (true, 300_000));
        assert_eq!(learned(&[("date", "Wed, 31 Dec 2025 23:55:01 GMT")], 2), (true, -300_000));
        assert_eq!(learned(&[("date", "Thu, 01 Jan 2026 00:03:59 GMT")], 0), (false, 239_000));
    }

    #[test]
    fn what_says_nothing_teaches_nothing() {
        let late = ("date", "Thu, 01 Jan 2026 01:00:00 GMT");
        for list in [&[][..], &[("date", "soon")], &[("date", "")], &[late, ("age", "0")]] {
            assert_eq!(learned(list, 2), (false, 0), "{list:?}");
        }
        assert_eq!(learned(&[late], 901), (false, 0));
    }

    #[test]
    fn a_date_that_no_signature_can_hold_changes_nothing() {
        let now = at("2026-01-01T00:00:00Z");
        for date in ["Mon, 01 Jan 1900 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            let skew = ClockSkew::default();
            skew.learn(&headers(&[("date", date)]), now, now, now);
            let later = now + Duration::from_secs(60);
            assert!(AmzDate::from_system_time(skew.service_time(later)).is_some(), "{date}");
        }
    }

    #[test]
    fn a_request_signed_for_the_right_time_was_not_refused_for_it() {
        let skew = ClockSkew::default();
        let now = at("2026-01-01T00:00:00Z");
        let late = headers(&[("date", "Thu, 01 Jan 2026 00:10:00 GMT")]);
        assert!(skew.learn(&late, now, now, now));
        assert!(!skew.learn(&late, skew.service_time(now), now, now));
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_cases() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/retry/clock-skew-test-cases.json");
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
        skew.milliseconds.store(operation["initialClientSkew"].as_i64().unwrap() * 1000, Ordering::Relaxed);
        let attempts = operation["attempts"].as_array().unwrap();
        let max_attempts = operation["maxAttempts"].as_u64().unwrap_or(3);
        for (index, attempt) in attempts.iter().enumerate() {
            let time = |name: &str| at(attempt[name].as_str().unwrap());
            let signed_for = skew.service_time(time("clientTimeAtSend"));
            assert_eq!(signed_for, time("expectedSigningTime"), "{description}");
            let fields = attempt["response"]["headers"].as_object().unwrap();
            let list: Vec<(String, &str)> =
                fields.iter().map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap())).collect();
            let list: Vec<(&str, &str)> = list.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let (sent_at, received_at) = (time("clientTimeAtSend"), time("clientTimeAtReceive"));
            let was_far_off = skew.learn(&headers(&list), signed_for, sent_at, received_at);
            let is_refused = attempt["response"]["errorCode"].as_str().is_some_and(is_clock_code);
            let is_resent = index + 1 < attempts.len();
            let may_resend = u64::try_from(index).unwrap() + 1 < max_attempts;
            assert_eq!(is_refused && was_far_off && may_resend, is_resent, "{description}");
        }
        let expected = operation["expectedClientSkew"].as_i64().unwrap() * 1000;
        assert_eq!(skew.milliseconds.load(Ordering::Relaxed), expected, "{description}");
    }
}

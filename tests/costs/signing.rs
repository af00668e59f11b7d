//! Signing with a cached key does not allocate.

use std::time::{Duration, SystemTime};

use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, Payload, Request, Scope, SigningKey, StringToSign,
};

/// Signs from the system's time to the value of the `Authorization` header, written into `text`. Derives a key if
/// there is none.
fn sign(now: SystemTime, key: Option<&SigningKey>, headers: &[(&str, &str)], text: &mut String) {
    let scope = Scope {
        amz_date: AmzDate::from_system_time(now).unwrap(),
        region: "us-east-1",
        service: "sagemaker",
    };
    let request = Request {
        headers,
        payload: Payload::Bytes(b"1,2,3"),
        ..Request::new("POST", "/endpoints/churn-model/invocations")
    };
    let canonical_request = CanonicalRequest::new(&request);
    let string_to_sign = StringToSign::new(&canonical_request, scope);
    let signature = match key {
        Some(key) => key.sign(&string_to_sign),
        None => SigningKey::derive("secret", scope).sign(&string_to_sign),
    };
    text.clear();
    Authorization {
        access_key_id: "AKIDEXAMPLE",
        scope,
        canonical_request: &canonical_request,
        signature,
    }
    .write_to(text)
    .unwrap();
}

#[test]
fn signing_with_a_cached_key_does_not_allocate() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
    let amz_date = AmzDate::from_system_time(now).unwrap();
    let scope = Scope {
        amz_date,
        region: "us-east-1",
        service: "sagemaker",
    };
    let key = SigningKey::derive("secret", scope);
    let headers = [
        ("accept", "text/csv"),
        ("content-type", "text/csv"),
        ("host", "runtime.sagemaker.us-east-1.amazonaws.com"),
        ("x-amz-date", amz_date.as_str()),
        ("x-amzn-sagemaker-custom-attributes", "two  words"),
    ];
    let mut text = String::new();
    sign(now, None, &headers, &mut text);
    let expected = text.clone();

    let warm = allocation_counter::measure(|| {
        for _ in 0..1000 {
            sign(now, Some(&key), &headers, &mut text);
        }
    });
    assert_eq!((warm.count_total, warm.bytes_total), (0, 0));
    assert_eq!(text, expected);

    let cold = allocation_counter::measure(|| sign(now, None, &headers, &mut text));
    assert_eq!(
        cold.count_total, 1,
        "AWS4 and the secret; shows that allocations are counted"
    );
}

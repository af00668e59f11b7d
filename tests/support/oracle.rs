//! Reference signatures of the aws-sigv4 crate, the signer of AWS's SDK for Rust.

use std::time::{Duration, SystemTime};

use super::Received;

/// Compares the signature of a request to SageMaker with the reference signature. The error is the reason of a refusal.
pub(crate) fn verify(
    received: &Received,
    secret_access_key: &str,
    region: &str,
) -> Result<(), String> {
    verify_for("sagemaker", received, secret_access_key, region)
}

/// Like [`verify`], for another service.
pub(crate) fn verify_for(
    service: &str,
    received: &Received,
    secret_access_key: &str,
    region: &str,
) -> Result<(), String> {
    let authorization = received
        .header("authorization")
        .ok_or("no Authorization header")?;
    let rest = authorization
        .strip_prefix("AWS4-HMAC-SHA256 Credential=")
        .ok_or("not AWS4-HMAC-SHA256")?;
    let (credential, rest) = rest
        .split_once(", SignedHeaders=")
        .ok_or("no SignedHeaders")?;
    let (signed_headers, signature) = rest.split_once(", Signature=").ok_or("no Signature")?;
    let access_key_id = credential.split('/').next().unwrap_or_default();
    let date = received
        .header("x-amz-date")
        .ok_or("no X-Amz-Date header")?;
    let time = time_of(date).ok_or("an invalid X-Amz-Date header")?;
    if time.elapsed().unwrap_or_default() > Duration::from_secs(300) {
        return Err("Signature expired".to_owned());
    }
    let signed: Vec<&str> = signed_headers.split(';').collect();
    for (name, _) in &received.headers {
        let must_be_signed =
            name == "host" || name.starts_with("x-amz-") || name.starts_with("x-amzn-sagemaker");
        if must_be_signed && !signed.contains(&name.as_str()) {
            return Err(format!("{name} is not signed"));
        }
    }
    let headers: Vec<(&str, &str)> = signed
        .iter()
        .filter_map(|name| Some((*name, received.header(name)?)))
        .collect();
    let expected = aws_signature(&Oracle {
        method: received.request_line.split(' ').next().unwrap_or_default(),
        url: &format!(
            "http://{}{}",
            received.header("host").unwrap_or_default(),
            received.path()
        ),
        headers: &headers,
        body: &received.body,
        access_key_id,
        secret_access_key,
        region,
        service,
        time,
    });
    if expected == signature {
        Ok(())
    } else {
        Err("the signature does not match".to_owned())
    }
}

/// A request, and the keys and scope to sign it with.
pub(crate) struct Oracle<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) time: SystemTime,
}

/// The reference signature.
pub(crate) fn aws_signature(oracle: &Oracle<'_>) -> String {
    aws_signature_with(oracle, aws_sigv4::http_request::SigningSettings::default())
}

/// Like [`aws_signature`], with other settings, for services other than SageMaker.
pub(crate) fn aws_signature_with(
    oracle: &Oracle<'_>,
    settings: aws_sigv4::http_request::SigningSettings,
) -> String {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, sign};
    use aws_sigv4::sign::v4;

    let identity = aws_credential_types::Credentials::new(
        oracle.access_key_id,
        oracle.secret_access_key,
        // The callers pass the session token as a header, as it is received.
        None,
        None,
        "test",
    )
    .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(oracle.region)
        .name(oracle.service)
        .time(oracle.time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    // aws-sigv4 adds the date header.
    let headers = oracle
        .headers
        .iter()
        .copied()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("x-amz-date"));
    let request = SignableRequest::new(
        oracle.method,
        oracle.url,
        headers,
        SignableBody::Bytes(oracle.body),
    )
    .unwrap();
    sign(request, &parameters).unwrap().signature().to_owned()
}

/// Parses an X-Amz-Date header.
pub(crate) fn time_of(amz_date: &str) -> Option<SystemTime> {
    let digits: String = amz_date.chars().filter(char::is_ascii_digit).collect();
    let field = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days = (1970..year)
        .map(|year| if leap(year) { 366 } else { 365 })
        .sum::<u64>()
        + lengths
            .iter()
            .take(usize::try_from(month).ok()?.checked_sub(1)?)
            .sum::<u64>()
        + day.checked_sub(1)?;
    let seconds = days * 86_400 + field(8, 10)? * 3600 + field(10, 12)? * 60 + field(12, 14)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

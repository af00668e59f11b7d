//! Bearer tokens compared with those of AWS's generator for Python.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sagemaker_invoke::client::MAX_BEARER_TOKEN_LIFETIME;
use sagemaker_invoke::system::System;
use sagemaker_invoke::{BearerToken, Client, Config, Credentials, Endpoint, Error};

use super::support::{ACCESS_KEY_ID, FakeSystem, SECRET_ACCESS_KEY};

/// Session token, lifetime in seconds, and the token. Source: `_generate_token` of sagemaker-core 2.27.0 with botocore
/// 1.44.8, at 20150830T123600Z in eu-central-1.
const TOKENS: [(Option<&str>, u64, &str); 4] = [
    (
        None,
        43200,
        "sagemaker-api-key-c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1DYWxsV2l0aEJlYXJlclRva2VuJlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDE1MDgzMCUyRmV1LWNlbnRyYWwtMSUyRnNhZ2VtYWtlciUyRmF3czRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMTUwODMwVDEyMzYwMFomWC1BbXotRXhwaXJlcz00MzIwMCZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3QmWC1BbXotU2lnbmF0dXJlPWI3ZjEzMzdhM2ZhMzQyMmNjYTE2YWZkMWQ0ZWU2NzlkMmNmNzAzYTU3YjU0YTM0MzM4ODUzZjQ2MTg2NWY0MDQmVmVyc2lvbj0x",
    ),
    (
        None,
        900,
        "sagemaker-api-key-c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1DYWxsV2l0aEJlYXJlclRva2VuJlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDE1MDgzMCUyRmV1LWNlbnRyYWwtMSUyRnNhZ2VtYWtlciUyRmF3czRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMTUwODMwVDEyMzYwMFomWC1BbXotRXhwaXJlcz05MDAmWC1BbXotU2lnbmVkSGVhZGVycz1ob3N0JlgtQW16LVNpZ25hdHVyZT1kMDQ5ZTVlNWUwZWFjYjFiYjVkYjU4YmVlZmExMzE4ZGNjYTgwMmJjODYzNTllNTA2MWE0ZGVmZjcwOGFlMTJkJlZlcnNpb249MQ==",
    ),
    (
        Some("session/token+with=marks"),
        43200,
        "sagemaker-api-key-c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1DYWxsV2l0aEJlYXJlclRva2VuJlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDE1MDgzMCUyRmV1LWNlbnRyYWwtMSUyRnNhZ2VtYWtlciUyRmF3czRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMTUwODMwVDEyMzYwMFomWC1BbXotRXhwaXJlcz00MzIwMCZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3QmWC1BbXotU2VjdXJpdHktVG9rZW49c2Vzc2lvbiUyRnRva2VuJTJCd2l0aCUzRG1hcmtzJlgtQW16LVNpZ25hdHVyZT0wMjg4MzlhNDZkNDcxNWI4OTk3Yzc1NDdjNjMxNGNkMGJlYWUyOTMyYzg1MmNjZDkzYzk3ZTIyZDNlMjEwZTQ0JlZlcnNpb249MQ==",
    ),
    (
        Some("session/token+with=marks"),
        900,
        "sagemaker-api-key-c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1DYWxsV2l0aEJlYXJlclRva2VuJlgtQW16LUFsZ29yaXRobT1BV1M0LUhNQUMtU0hBMjU2JlgtQW16LUNyZWRlbnRpYWw9QUtJREVYQU1QTEUlMkYyMDE1MDgzMCUyRmV1LWNlbnRyYWwtMSUyRnNhZ2VtYWtlciUyRmF3czRfcmVxdWVzdCZYLUFtei1EYXRlPTIwMTUwODMwVDEyMzYwMFomWC1BbXotRXhwaXJlcz05MDAmWC1BbXotU2lnbmVkSGVhZGVycz1ob3N0JlgtQW16LVNlY3VyaXR5LVRva2VuPXNlc3Npb24lMkZ0b2tlbiUyQndpdGglM0RtYXJrcyZYLUFtei1TaWduYXR1cmU9YTFhNjMxZDFkYTE4ZDIyZGJhMmY1ZGRhOTc2ZGQ0YTZiYjY3ZGUyZjQ5YWIxZTUyZDU1NWY0M2UxYmRhZDY5NSZWZXJzaW9uPTE=",
    ),
];

/// 20150830T123600Z.
const NOW: Duration = Duration::from_secs(1_440_938_160);

fn config(credentials: Credentials) -> Config {
    let system = FakeSystem::on_loopback(&[]).with_stopped_clock();
    let today = system.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let system = system.with_clock_behind(today - NOW);
    Config {
        region: Some("eu-central-1".to_owned()),
        credentials: credentials.into(),
        system: Arc::new(system),
        ..Config::default()
    }
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
}

fn token(config: Config, lifetime: Duration) -> Result<BearerToken, Error> {
    Client::new(config).unwrap().bearer_token(lifetime)
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

#[test]
fn tokens_equal_those_of_the_generator_for_python() {
    for (session_token, seconds, expected) in TOKENS {
        let credentials = match session_token {
            Some(token) => credentials().with_session_token(token),
            None => credentials(),
        };
        let lifetime = Duration::from_secs(seconds);
        let token = token(config(credentials), lifetime).unwrap();
        assert_eq!(token.value.expose(), expected);
        assert_eq!(token.expires_at, now() + lifetime);
    }
}

#[test]
fn the_lifetime_is_cut_to_that_of_the_credentials() {
    let lifetime_with = |left: i64| {
        let expires_at = if left < 0 {
            now() - Duration::from_secs(left.unsigned_abs())
        } else {
            now() + Duration::from_secs(left.unsigned_abs())
        };
        let token = token(
            config(credentials().with_expiry(expires_at)),
            MAX_BEARER_TOKEN_LIFETIME,
        )
        .unwrap();
        token.expires_at.duration_since(now()).unwrap()
    };
    assert_eq!(lifetime_with(900), Duration::from_secs(900));
    assert_eq!(lifetime_with(100_000), MAX_BEARER_TOKEN_LIFETIME);
    let with_fraction = token(config(credentials()), Duration::from_millis(1_999)).unwrap();
    assert_eq!(with_fraction.expires_at, now() + Duration::from_secs(1));
}

#[test]
fn expired_credentials_make_no_token() {
    for expires_at in [
        now() - Duration::from_secs(5),
        now(),
        now() + Duration::from_millis(900),
    ] {
        let credentials = credentials().with_expiry(expires_at);
        let error = token(config(credentials), Duration::from_secs(60)).unwrap_err();
        assert!(matches!(error, Error::Credentials(_)), "{error:?}");
        assert!(error.to_string().contains("have expired"), "{error}");
    }
}

#[test]
fn what_has_no_token_is_refused() {
    for lifetime in [
        Duration::ZERO,
        Duration::from_millis(999),
        Duration::from_secs(43_201),
    ] {
        let error = token(config(credentials()), lifetime).unwrap_err();
        assert_eq!(error.to_string(), "lifetime must be from 1 s to 12 h");
    }
    let endpoint = Endpoint::Container("http://127.0.0.1:8080".to_owned());
    let error = token(
        Config {
            endpoint,
            ..config(credentials())
        },
        Duration::from_secs(60),
    )
    .unwrap_err();
    assert!(
        matches!(error, Error::Config(_)) && error.to_string().contains("container"),
        "{error}"
    );
    let region = Some("cn-north-1".to_owned());
    let error = token(
        Config {
            region,
            ..config(credentials())
        },
        Duration::from_secs(60),
    )
    .unwrap_err();
    assert!(
        matches!(error, Error::Config(_)) && error.to_string().contains("cn-north-1"),
        "{error}"
    );
}

#[test]
fn debug_hides_the_token() {
    let token = token(config(credentials()), Duration::from_secs(60)).unwrap();
    let text = format!("{token:?}");
    assert!(
        !text.contains("sagemaker-api-key") && text.contains("expires_at"),
        "{text}"
    );
}

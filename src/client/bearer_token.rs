//! Bearer tokens for the OpenAI-compatible API of an endpoint.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::target::SIGNING_NAME;
use super::{Client, Inner};
use crate::aws::Credentials;
use crate::aws::region::partition_of;
use crate::error::{ConfigError, CredentialsError, Error, InvalidInput};
use crate::sigv4::{AmzDate, Presign, Request, Scope, SigningKey};
use crate::text::Secret;

/// The longest lifetime of a bearer token.
///
/// Source: `token_generator.py` of sagemaker-core 2.27.0.
pub const MAX_BEARER_TOKEN_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// The host in the signature, for every region. Source: `token_generator.py` of sagemaker-core 2.27.0.
const HOST: &str = "sagemaker.amazonaws.com";

/// A token that permits what its credentials permit, made by [`Client::bearer_token`]. `Debug` hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BearerToken {
    /// The token: the part of the header `Authorization` after `Bearer`, and the API key of OpenAI clients.
    pub value: Secret,
    /// When it expires, by this machine's clock.
    pub expires_at: SystemTime,
}

impl Client {
    /// Makes a token for clients of OpenAI's Chat Completions API, with the credentials that a call would use now.
    ///
    /// An endpoint whose container speaks that API answers it at
    /// `https://runtime.sagemaker.REGION.amazonaws.com/endpoints/NAME/openai/v1/chat/completions`. The token is valid
    /// for every endpoint that the credentials may invoke in the region. Nothing is sent to make one, except for credentials that are
    /// not loaded yet.
    ///
    /// `lifetime` is from 1 s to [`MAX_BEARER_TOKEN_LIFETIME`], in whole seconds. A token expires with its credentials at
    /// the latest: see [`BearerToken::expires_at`].
    ///
    /// The caller needs the permissions `sagemaker:CallWithBearerToken` on all resources and `sagemaker:InvokeEndpoint` on
    /// the endpoint.
    ///
    /// Source: <https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-openai-compatible.html>.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidInput`] for another lifetime, [`Error::Credentials`] without credentials or with expired ones, and [`Error::Config`] for
    /// a container, which needs no token, and for regions outside the partition `aws`, for which AWS documents none.
    pub fn bearer_token(&self, lifetime: Duration) -> Result<BearerToken, Error> {
        if !(Duration::from_secs(1)..=MAX_BEARER_TOKEN_LIFETIME).contains(&lifetime) {
            return Err(InvalidInput::new("lifetime", "must be from 1 s to 12 h").into());
        }
        let state = self.inner.state();
        let deadline = self.inner.call_deadline();
        let target = self.inner.target(state, deadline)?;
        let Some(signer) = &target.signer else {
            return Err(ConfigError::new(
                "endpoint",
                "is a container, which takes no bearer token",
            )
            .into());
        };
        let region = signer.region();
        if partition_of(region).id != "aws" {
            let problem =
                format!("is {region}: bearer tokens are documented for the partition aws only");
            return Err(ConfigError::new("region", problem).into());
        }
        let credentials = self.inner.credentials(target, deadline)?;
        let now = self.inner.config.system.now();
        // The service compares both dates with its own clock.
        let service_now = Inner::signing_time(&state.clock_skew, &self.inner.config.retry, now);
        let lifetime = whole_seconds(lifetime.min(time_left(&credentials, service_now)));
        if lifetime.is_zero() {
            let problem = "the credentials have expired: a bearer token of them would not be valid";
            return Err(CredentialsError::new(problem).into());
        }
        let amz_date = Inner::amz_date(service_now)?;
        let value = token(&credentials, region, amz_date, lifetime);
        Ok(BearerToken {
            value,
            expires_at: now + lifetime,
        })
    }
}

/// Zero if the credentials have expired.
fn time_left(credentials: &Credentials, service_now: SystemTime) -> Duration {
    let Some(expires_at) = credentials.expires_at else {
        return Duration::MAX;
    };
    expires_at
        .duration_since(service_now)
        .unwrap_or(Duration::ZERO)
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn token(credentials: &Credentials, region: &str, amz_date: AmzDate, lifetime: Duration) -> Secret {
    let scope = Scope {
        amz_date,
        region,
        service: SIGNING_NAME,
    };
    let presign = Presign {
        host: HOST,
        access_key_id: &credentials.access_key_id,
        session_token: credentials.session_token.as_ref().map(Secret::expose),
        scope,
        expires_in: lifetime,
    };
    let request = Request {
        query: "Action=CallWithBearerToken",
        ..Request::new("POST", "/")
    };
    let key = SigningKey::derive(credentials.secret_access_key.expose(), scope);
    let url = Zeroizing::new(presign.url(&request, &key));
    let without_scheme = url.strip_prefix("https://").unwrap_or(&url);
    // The version is not signed.
    let text = Zeroizing::new(format!("{without_scheme}&Version=1"));
    Secret::from(format!(
        "sagemaker-api-key-{}",
        STANDARD.encode(text.as_bytes())
    ))
}

//! Requests to moto's server, which checks signatures with botocore. Needs a running `moto_server`, whose URL is in the
//! environment variable `MOTO_URL`, and its Python, whose path is in `MOTO_PYTHON`.
//!
//! Differences to AWS: moto does not check the date of a signature; its errors are XML, so only their status can be
//! compared; it refuses valid signatures if the body or the Content-Type is empty or the body is not UTF-8.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod async_inference;
mod server;
mod streams;
mod sts;
#[path = "../support/mod.rs"]
mod support;

use sagemaker_invoke::credentials::Credentials;
use sagemaker_invoke::{Error, InvokeEndpoint, InvokeEndpointResponse};
use server::{Moto, element};

/// Allows the one action of the client.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:InvokeEndpoint","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

impl Moto {
    /// Creates a role and returns the credentials of a session of it.
    fn session(&self, role: &str) -> Credentials {
        let arn = self.role(role, TRUST, POLICY);
        let answer = self.query(
            "sts",
            &[
                ("Action", "AssumeRole"),
                ("Version", "2011-06-15"),
                ("RoleArn", &arn),
                ("RoleSessionName", "caller"),
            ],
        );
        Credentials::new(
            element(&answer, "AccessKeyId"),
            element(&answer, "SecretAccessKey"),
        )
        .with_session_token(element(&answer, "SessionToken"))
    }

    fn invoke(
        &self,
        credentials: &Credentials,
        request: &InvokeEndpoint<'_>,
    ) -> InvokeEndpointResponse {
        self.client(credentials).invoke(request).unwrap()
    }

    fn assert_refused(&self, credentials: &Credentials) {
        let error = self
            .client(credentials)
            .invoke(&InvokeEndpoint::new("e", b"body"))
            .unwrap_err();
        assert!(matches!(error, Error::Service(_)), "{error}");
        assert_eq!(
            (error.status(), error.may_have_run()),
            (Some(403), false),
            "{error}"
        );
    }
}

/// All members, with spaces for canonicalization to trim or collapse.
fn every_member(body: &[u8]) -> InvokeEndpoint<'_> {
    InvokeEndpoint {
        content_type: Some("text/csv;  charset=utf-8"),
        accept: Some(" application/json "),
        custom_attributes: Some("  trace =  1,   end  "),
        target_model: Some("folder/model  v1.tar.gz "),
        target_variant: Some("blue"),
        target_container_hostname: Some("container-1"),
        inference_id: Some("id  with   spaces"),
        enable_explanations: Some(" `[0]`  > `0.8`"),
        inference_component_name: Some("component-1"),
        session_id: Some("NEW_SESSION"),
        prefix_aware_id: Some("prefix  1 "),
        ..InvokeEndpoint::new("Churn-model-2", body)
    }
}

fn check_valid_credentials(moto: &Moto, user: &Credentials, session: &Credentials) {
    let six_mebibytes = vec![b'x'; 6 * 1024 * 1024];
    for credentials in [user, session] {
        for request in [
            InvokeEndpoint::new("e", b"1,2,3"),
            InvokeEndpoint::new("e", "zwölf Boxkämpfer".as_bytes()),
            InvokeEndpoint::new("e", &six_mebibytes),
            InvokeEndpoint {
                accept: Some(""),
                ..InvokeEndpoint::new("e", b"1,2,3")
            },
            every_member(b"1,2,3"),
        ] {
            assert_eq!(
                moto.invoke(credentials, &request).status,
                200,
                "{request:?}"
            );
        }
    }
}

fn check_invalid_credentials(moto: &Moto, user: &Credentials, session: &Credentials) {
    let id = &user.access_key_id;
    let token = session.session_token.as_ref().unwrap().expose();
    moto.assert_refused(&Credentials::new(id, "another-secret"));
    moto.assert_refused(&Credentials::new(
        "AKIAIOSFODNN7EXAMPLE",
        user.secret_access_key.clone(),
    ));
    moto.assert_refused(
        &Credentials::new(&session.access_key_id, "another-secret").with_session_token(token),
    );
    moto.assert_refused(&session.clone().with_session_token(format!("{token}x")));
    moto.assert_refused(&Credentials::new(
        &session.access_key_id,
        session.secret_access_key.clone(),
    ));
}

/// A request of [`Client::sign`] is accepted from another HTTP client, and refused after a change.
fn check_signed_request(moto: &Moto, user: &Credentials) {
    let request = every_member(b"1,2,3");
    let signed = moto.client(user).sign(&request).unwrap();
    let path = signed.url.strip_prefix(&moto.url()).unwrap();
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(moto.post(path, &headers, "1,2,3").0, 200);
    assert_eq!(moto.post(path, &headers, "1,2,4").0, 403);
    assert_eq!(
        moto.post(&path.replace("Churn", "churn"), &headers, "1,2,3")
            .0,
        403
    );
    let other_accept: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| (name, if name == "accept" { "text/csv" } else { value }))
        .collect();
    assert_eq!(moto.post(path, &other_accept, "1,2,3").0, 403);
}

#[test]
#[ignore = "needs a running moto_server, run by .ci/run"]
fn moto_accepts_valid_signatures_only() {
    let moto = Moto::connect();
    let user = moto.user("caller", Some(POLICY));
    let without_permission = moto.user("without-permission", None);
    let session = moto.session("caller-role");
    moto.set_results(
        "endpoint-results",
        r#"{"Body":"churn","ContentType":"text/plain","InvokedProductionVariant":"blue","CustomAttributes":"a"}"#,
    );
    moto.check_signatures(true);

    let response = moto.invoke(&user, &InvokeEndpoint::new("first", b"1,2,3"));
    assert_eq!((response.status, &response.body[..]), (200, &b"churn"[..]));
    assert_eq!(response.content_type.as_deref(), Some("text/plain"));
    assert_eq!(response.invoked_production_variant.as_deref(), Some("blue"));
    assert_eq!(response.custom_attributes.as_deref(), Some("a"));

    check_valid_credentials(&moto, &user, &session);
    check_invalid_credentials(&moto, &user, &session);
    moto.assert_refused(&without_permission);
    check_signed_request(&moto, &user);
}

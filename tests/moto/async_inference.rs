//! Asynchronous requests and their results. Here moto checks permissions, too.
//!
//! Differences to AWS: moto answers 200 instead of 202 and writes the result at once; a missing object is 404 also
//! without the permission `s3:ListBucket`.

use std::time::Duration;

use sagemaker_invoke::error::AsyncResultErrorKind;
use sagemaker_invoke::{
    AsyncInput, AsyncResult, AsyncTicket, Client, Credentials, Error, InvokeEndpointAsync,
};

use super::server::Moto;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sagemaker:InvokeEndpointAsync","s3:GetObject","s3:ListBucket"],"Resource":"*"}]}"#;
const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const SUBMIT_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sagemaker:InvokeEndpointAsync","Resource":"*"}]}"#;

const WAIT: Duration = Duration::from_secs(20);

fn submit(client: &Client, endpoint_name: &str) -> AsyncTicket {
    let request = InvokeEndpointAsync {
        inference_id: Some("job-1"),
        content_type: Some("text/csv"),
        request_ttl: Some(Duration::from_secs(60)),
        ..InvokeEndpointAsync::new(endpoint_name, AsyncInput::Body(b"1,2,3"))
    };
    let response = client.invoke(&request).unwrap();
    assert_eq!(
        (response.status, response.inference_id.as_deref()),
        (200, Some("job-1"))
    );
    response.ticket()
}

#[test]
#[ignore = "needs a running moto_server, run by .ci/run"]
fn results_are_collected_from_moto() {
    let moto = Moto::connect();
    let (user, submitter) = (
        moto.user("caller", Some(POLICY)),
        moto.user("submitter", Some(SUBMIT_ONLY)),
    );
    let reader = moto.user("reader", Some(READ_ONLY));
    let stranger = moto.user("without-permission", None);
    moto.set_results(
        "async-endpoint-results",
        r#"{"data":"churn"},{"is_failure":true,"data":"it failed"},{"data":"third"}"#,
    );
    moto.check_signatures(true);
    let client = moto.client(&user);

    let ticket = submit(&client, "first");
    let collected = client
        .wait_for_async_result(&ticket.to_string().parse().unwrap(), WAIT)
        .unwrap();
    let AsyncResult::Ready { body, .. } = collected else {
        unreachable!("{collected:?}")
    };
    assert_eq!(body, b"churn");

    let failed = submit(&client, "second");
    let result = client.wait_for_async_result(&failed, WAIT).unwrap();
    assert_eq!(result, AsyncResult::Failed("it failed".to_owned()));

    // The output of a failed job never comes.
    let missing = AsyncTicket::new(failed.output_location);
    assert_eq!(client.async_result(&missing).unwrap(), AsyncResult::NotYet);
    let reader = moto.client(&reader);
    assert_eq!(reader.async_result(&missing).unwrap(), AsyncResult::NotYet);
    let error = client
        .wait_for_async_result(&missing, Duration::from_secs(2))
        .unwrap_err();
    assert!(matches!(kind(error), AsyncResultErrorKind::NotReady(_)));

    // A caller without permission gets a 403, whether there is an object or not.
    let ticket = submit(&moto.client(&submitter), "third");
    for credentials in [&submitter, &stranger] {
        for ticket in [&ticket, &missing] {
            let error = moto.client(credentials).async_result(ticket).unwrap_err();
            assert_eq!(kind(error), AsyncResultErrorKind::AccessDenied);
        }
    }
    let wrong_key = Credentials::new(&user.access_key_id, "another-secret");
    assert_eq!(
        kind(moto.client(&wrong_key).async_result(&ticket).unwrap_err()),
        AsyncResultErrorKind::Refused
    );

    let input = InvokeEndpointAsync::new("e", AsyncInput::Body(b"1,2,3"));
    for credentials in [&stranger, &wrong_key] {
        let error = moto.client(credentials).invoke(&input).unwrap_err();
        assert_eq!(
            (error.status(), error.may_have_run()),
            (Some(403), false),
            "{error}"
        );
    }
}

fn kind(error: Error) -> AsyncResultErrorKind {
    let Error::AsyncResult(error) = error else {
        unreachable!("{error:?}")
    };
    error.kind
}

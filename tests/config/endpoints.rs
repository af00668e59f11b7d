//! Endpoints resolved by a client from its environment: AWS's test cases, and cases of every partition.

use std::path::Path;
use std::sync::Arc;

use sagemaker_invoke::{Client, Config, InvokeEndpoint};
use serde_json::Value;

use super::support::FakeSystem;

const CASES: usize = 47;

/// The only exception: AWS's rules accept an endpoint URL without a region, but a signature needs a region. The test
/// fails if the case passes.
const URL_WITHOUT_REGION: &str =
    "For custom endpoint with region not set and fips disabled and dualstack disabled";

/// The URL of a signed request without the path of the operation, or the text of the error.
fn endpoint(variables: &[(&str, &str)]) -> Result<String, String> {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let system = FakeSystem::on_loopback(&[&keys, variables].concat());
    let config = Config::from_system(Arc::new(system)).map_err(|it| it.to_string())?;
    let client = Client::new(config).map_err(|it| it.to_string())?;
    let request = InvokeEndpoint::new("e", b"");
    let signed = client.sign(&request).map_err(|it| it.to_string())?;
    let url = signed.url.strip_suffix("/endpoints/e/invocations").unwrap();
    assert_eq!(
        signed.header("host"),
        url.split("://").nth(1),
        "the Host header names the same host"
    );
    Ok(url.to_owned())
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_cases_pass() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/vectors/endpoints/sagemaker-runtime/endpoint-tests-1.json");
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value = serde_json::from_slice(&text).unwrap();
    let cases = json["testCases"].as_array().unwrap();
    assert_eq!(cases.len(), CASES);
    let failures: Vec<String> = cases.iter().filter_map(failure_of).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let has_exception = cases
        .iter()
        .any(|case| case["documentation"] == URL_WITHOUT_REGION);
    assert!(has_exception, "the exception names no case");
}

/// The failure of a case; `None` if it passes, or is the exception and fails.
fn failure_of(case: &Value) -> Option<String> {
    let documentation = case["documentation"].as_str().unwrap();
    let parameters = &case["params"];
    let mut variables = vec![
        ("AWS_USE_FIPS_ENDPOINT", flag(parameters, "UseFIPS")),
        (
            "AWS_USE_DUALSTACK_ENDPOINT",
            flag(parameters, "UseDualStack"),
        ),
    ];
    for (name, variable) in [
        ("Region", "AWS_REGION"),
        ("Endpoint", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"),
    ] {
        variables.extend(
            parameters
                .get(name)
                .map(|value| (variable, value.as_str().unwrap())),
        );
    }
    let ours = endpoint(&variables);
    let official = case["expect"]["endpoint"]["url"].as_str();
    let agrees = match official {
        Some(url) => ours.as_deref() == Ok(url),
        None => {
            case["expect"]["error"].as_str().unwrap();
            ours.is_err()
        }
    };
    let should_agree = documentation != URL_WITHOUT_REGION;
    (agrees != should_agree).then(|| format!("{documentation}: {official:?}, ours {ours:?}"))
}

fn flag(parameters: &Value, name: &str) -> &'static str {
    match parameters.get(name).map(|value| value.as_bool().unwrap()) {
        Some(true) => "true",
        Some(false) | None => "false",
    }
}

/// A region of each partition, and its host: without a variant, with FIPS, with dual-stack, with both.
const HOSTS: [[&str; 5]; 8] = [
    [
        "eu-west-1",
        "runtime.sagemaker.eu-west-1.amazonaws.com",
        "runtime-fips.sagemaker.eu-west-1.amazonaws.com",
        "runtime.sagemaker.eu-west-1.api.aws",
        "runtime.sagemaker-fips.eu-west-1.api.aws",
    ],
    [
        "us-gov-west-1",
        "runtime.sagemaker.us-gov-west-1.amazonaws.com",
        "runtime.sagemaker.us-gov-west-1.amazonaws.com",
        "runtime.sagemaker.us-gov-west-1.api.aws",
        "runtime.sagemaker-fips.us-gov-west-1.api.aws",
    ],
    [
        "cn-northwest-1",
        "runtime.sagemaker.cn-northwest-1.amazonaws.com.cn",
        "runtime.sagemaker-fips.cn-northwest-1.amazonaws.com.cn",
        "runtime.sagemaker.cn-northwest-1.api.amazonwebservices.com.cn",
        "runtime.sagemaker-fips.cn-northwest-1.api.amazonwebservices.com.cn",
    ],
    [
        "eusc-de-east-1",
        "runtime.sagemaker.eusc-de-east-1.amazonaws.eu",
        "runtime.sagemaker-fips.eusc-de-east-1.amazonaws.eu",
        "runtime.sagemaker.eusc-de-east-1.api.amazonwebservices.eu",
        "runtime.sagemaker-fips.eusc-de-east-1.api.amazonwebservices.eu",
    ],
    [
        "us-iso-east-1",
        "runtime.sagemaker.us-iso-east-1.c2s.ic.gov",
        "runtime.sagemaker-fips.us-iso-east-1.c2s.ic.gov",
        "runtime.sagemaker.us-iso-east-1.api.aws.ic.gov",
        "runtime.sagemaker-fips.us-iso-east-1.api.aws.ic.gov",
    ],
    [
        "us-isob-east-1",
        "runtime.sagemaker.us-isob-east-1.sc2s.sgov.gov",
        "runtime.sagemaker-fips.us-isob-east-1.sc2s.sgov.gov",
        "runtime.sagemaker.us-isob-east-1.api.aws.scloud",
        "runtime.sagemaker-fips.us-isob-east-1.api.aws.scloud",
    ],
    [
        "eu-isoe-west-1",
        "runtime.sagemaker.eu-isoe-west-1.cloud.adc-e.uk",
        "runtime.sagemaker-fips.eu-isoe-west-1.cloud.adc-e.uk",
        "runtime.sagemaker.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        "runtime.sagemaker-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
    ],
    [
        "us-isof-south-1",
        "runtime.sagemaker.us-isof-south-1.csp.hci.ic.gov",
        "runtime.sagemaker-fips.us-isof-south-1.csp.hci.ic.gov",
        "runtime.sagemaker.us-isof-south-1.api.aws.hci.ic.gov",
        "runtime.sagemaker-fips.us-isof-south-1.api.aws.hci.ic.gov",
    ],
];

#[test]
fn every_partition_has_its_host_in_every_variant() {
    let variants = [
        ("false", "false"),
        ("true", "false"),
        ("false", "true"),
        ("true", "true"),
    ];
    for [region, hosts @ ..] in HOSTS {
        for ((use_fips, use_dual_stack), host) in variants.into_iter().zip(hosts) {
            let variables = [
                ("AWS_REGION", region),
                ("AWS_USE_FIPS_ENDPOINT", use_fips),
                ("AWS_USE_DUALSTACK_ENDPOINT", use_dual_stack),
            ];
            assert_eq!(endpoint(&variables), Ok(format!("https://{host}")));
        }
    }
}

#[test]
fn an_error_names_the_setting_that_is_missing_or_invalid() {
    let url = ("AWS_ENDPOINT_URL", "https://example.com");
    for (variables, word) in [
        (&[][..], "region"),
        (&[url], "region"),
        (&[("AWS_REGION", "evil.com/")], "region"),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                url,
                ("AWS_USE_FIPS_ENDPOINT", "true"),
            ],
            "AWS_USE_FIPS_ENDPOINT",
        ),
        (
            &[
                ("AWS_REGION", "us-east-1"),
                url,
                ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ],
            "AWS_USE_DUALSTACK_ENDPOINT",
        ),
    ] {
        let error = endpoint(variables).unwrap_err();
        assert!(error.contains(word), "{variables:?}: {error}");
    }
}

//! The official endpoint cases, through the environment that a client reads.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sagemaker_invoke::host::Host;
use sagemaker_invoke::{Client, Config, InvokeEndpoint};
use serde_json::Value;

const CASES: usize = 47;

/// The one case that cannot agree: AWS's rules take an endpoint URL without a region, but a signature needs one.
/// The test fails if it does agree.
const URL_WITHOUT_REGION: &str =
    "For custom endpoint with region not set and fips disabled and dualstack disabled";

/// A machine with nothing but these variables.
#[derive(Debug)]
struct Environment(HashMap<&'static str, String>);

impl Host for Environment {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Where the client would send a request, up to the operation's path.
fn endpoint(variables: &[(&'static str, &str)]) -> Result<String, String> {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let variables = variables.iter().copied().chain(keys).map(|(name, value)| (name, value.to_owned()));
    let config =
        Config::from_host(Arc::new(Environment(variables.collect()))).map_err(|it| it.to_string())?;
    let client = Client::new(config).map_err(|it| it.to_string())?;
    let request = InvokeEndpoint::new("e", b"");
    let signed = client.sign(&request).map_err(|it| it.to_string())?;
    let url = signed.url.strip_suffix("/endpoints/e/invocations").unwrap();
    assert_eq!(signed.header("host"), url.split("://").nth(1), "the Host header names the same host");
    Ok(url.to_owned())
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_official_cases() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/vectors/endpoints/sagemaker-runtime/endpoint-tests-1.json");
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let json: Value = serde_json::from_slice(&text).unwrap();
    let cases = json["testCases"].as_array().unwrap();
    assert_eq!(cases.len(), CASES);
    let faults: Vec<String> = cases.iter().filter_map(fault_of).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let has_exception = cases.iter().any(|case| case["documentation"] == URL_WITHOUT_REGION);
    assert!(has_exception, "the exception names no case");
}

/// What is wrong with our answer to a case.
fn fault_of(case: &Value) -> Option<String> {
    let documentation = case["documentation"].as_str().unwrap();
    let parameter = |name: &str| case.get("params").and_then(|params| params.get(name));
    let text = |name: &str| parameter(name).map(|it| it.as_str().unwrap());
    let flag = |name: &str| {
        parameter(name).map_or("false", |it| if it.as_bool().unwrap() { "true" } else { "false" })
    };
    let mut variables = vec![
        ("AWS_USE_FIPS_ENDPOINT", flag("UseFIPS")),
        ("AWS_USE_DUALSTACK_ENDPOINT", flag("UseDualStack")),
    ];
    variables.extend(text("Region").map(|it| ("AWS_REGION", it)));
    variables.extend(text("Endpoint").map(|it| ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", it)));
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

/// A region of each partition, and its host: plain, with FIPS, with dual-stack, with both.
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

/// Facts of the partitions and of the rule set, so that a run without the official cases is not blind.
#[test]
fn every_partition_in_every_variant() {
    let variants = [("false", "false"), ("true", "false"), ("false", "true"), ("true", "true")];
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
fn what_cannot_be_resolved_names_what_is_wrong() {
    let url = ("AWS_ENDPOINT_URL", "https://example.com");
    for (variables, word) in [
        (&[][..], "region"),
        (&[url], "region"),
        (&[("AWS_REGION", "evil.com/")], "region"),
        (&[("AWS_REGION", "us-east-1"), url, ("AWS_USE_FIPS_ENDPOINT", "true")], "AWS_USE_FIPS_ENDPOINT"),
        (
            &[("AWS_REGION", "us-east-1"), url, ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "AWS_USE_DUALSTACK_ENDPOINT",
        ),
    ] {
        let error = endpoint(variables).unwrap_err();
        assert!(error.contains(word), "{variables:?}: {error}");
    }
}

use super::region::partition_of;

/// A service of AWS: how its hosts are named and how its endpoint URL is configured.
///
/// Source: the endpoint rule sets of the services, as botocore 1.44.5 ships them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What comes before the region in the name of the host.
    prefix: &'static str,
    /// The same for FIPS hosts.
    fips_prefix: &'static str,
    /// The same for FIPS hosts without dual-stack in the partition `aws`.
    aws_fips_prefix: &'static str,
    /// The variable of its endpoint URL.
    pub(crate) variable: &'static str,
    /// Its block in a `services` section of the configuration file.
    pub(crate) block: &'static str,
}

impl Service {
    pub(crate) const SAGEMAKER_RUNTIME: Self = Self {
        prefix: "runtime.sagemaker",
        fips_prefix: "runtime.sagemaker-fips",
        aws_fips_prefix: "runtime-fips.sagemaker",
        variable: "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
        block: "sagemaker_runtime",
    };
    pub(crate) const STS: Self = Self {
        prefix: "sts",
        fips_prefix: "sts-fips",
        aws_fips_prefix: "sts-fips",
        variable: "AWS_ENDPOINT_URL_STS",
        block: "sts",
    };
    pub(crate) const SSO: Self = Self {
        prefix: "portal.sso",
        fips_prefix: "portal.sso-fips",
        aws_fips_prefix: "portal.sso-fips",
        variable: "AWS_ENDPOINT_URL_SSO",
        block: "sso",
    };
    pub(crate) const SSO_OIDC: Self = Self {
        prefix: "oidc",
        fips_prefix: "oidc-fips",
        aws_fips_prefix: "oidc-fips",
        variable: "AWS_ENDPOINT_URL_SSO_OIDC",
        block: "sso_oidc",
    };

    /// Only for its settings: the hosts of S3 have another form, see [`s3_host`](Self::s3_host).
    pub(crate) const S3: Self = Self {
        prefix: "s3",
        fips_prefix: "s3-fips",
        aws_fips_prefix: "s3-fips",
        variable: "AWS_ENDPOINT_URL_S3",
        block: "s3",
    };

    /// The host of Amazon S3 in a region, which must be a valid label of a host name.
    ///
    /// Source: "Amazon S3 dual-stack endpoints" and "FIPS endpoints by service" of AWS.
    pub(crate) fn s3_host(region: &str, fips: bool, dual_stack: bool) -> String {
        let prefix = if fips { "s3-fips" } else { "s3" };
        let dual_stack = if dual_stack { ".dualstack" } else { "" };
        format!(
            "{prefix}{dual_stack}.{region}.{}",
            partition_of(region).dns_suffix
        )
    }

    /// The host of the service in a region, which must be a valid label of a host name.
    pub(crate) fn host(self, region: &str, fips: bool, dual_stack: bool) -> String {
        let partition = partition_of(region);
        let suffix = if dual_stack {
            partition.dual_stack_dns_suffix
        } else {
            partition.dns_suffix
        };
        let prefix = match (fips, dual_stack, partition.id) {
            // The plain hosts of GovCloud are FIPS hosts.
            (false, _, _) | (true, false, "aws-us-gov") => self.prefix,
            (true, false, "aws") => self.aws_fips_prefix,
            (true, _, _) => self.fips_prefix,
        };
        // Hosts are compared in lower case, for example with `no_proxy`.
        format!("{prefix}.{region}.{suffix}").to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_fips_hosts_of_sagemaker_have_three_spellings() {
        let host = |region, dual_stack| Service::SAGEMAKER_RUNTIME.host(region, true, dual_stack);
        assert_eq!(
            host("us-east-1", false),
            "runtime-fips.sagemaker.us-east-1.amazonaws.com"
        );
        assert_eq!(
            host("us-gov-west-1", false),
            "runtime.sagemaker.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            host("cn-north-1", false),
            "runtime.sagemaker-fips.cn-north-1.amazonaws.com.cn"
        );
        assert_eq!(
            host("us-east-1", true),
            "runtime.sagemaker-fips.us-east-1.api.aws"
        );
    }

    #[test]
    #[ignore = "reads ../shared, run by .ci/run"]
    fn the_official_endpoints() {
        let services = [
            ("sagemaker-runtime", Service::SAGEMAKER_RUNTIME),
            ("sts", Service::STS),
            ("sso", Service::SSO),
            ("sso-oidc", Service::SSO_OIDC),
        ];
        for (name, service) in services {
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors/endpoints");
            let file = std::fs::read(format!("{root}/{name}/endpoint-tests-1.json")).unwrap();
            let cases: Value = serde_json::from_slice(&file).unwrap();
            let mut compared = 0;
            for case in cases["testCases"].as_array().unwrap() {
                let params = &case["params"];
                // A configured URL has no host of AWS, this crate has no option for the global endpoint, and
                // `aws-global` is not a region.
                let is_compared = params["Endpoint"].is_null()
                    && params["UseGlobalEndpoint"] != true
                    && params["Region"] != "aws-global";
                let (Some(region), Some(url), true) = (
                    params["Region"].as_str(),
                    case["expect"]["endpoint"]["url"].as_str(),
                    is_compared,
                ) else {
                    continue;
                };
                let host = service.host(
                    region,
                    params["UseFIPS"] == true,
                    params["UseDualStack"] == true,
                );
                assert_eq!(format!("https://{host}"), url, "{params}");
                compared += 1;
            }
            assert!(compared > 20, "{name}: {compared}");
        }
    }
}

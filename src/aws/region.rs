//! The partitions of AWS: groups of regions with domain names of their own.
//!
//! Source: `partitions.json` of the AWS SDKs, from botocore 1.44.5.

/// A group of regions with the same domain names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    /// The start of its region codes; empty for `aws`, the partition of all other regions.
    prefix: &'static str,
    /// The end of its host names.
    pub(crate) dns_suffix: &'static str,
    /// The end of its host names with both IPv4 and IPv6 addresses.
    pub(crate) dual_stack_dns_suffix: &'static str,
}

const AWS: Partition = Partition {
    id: "aws",
    prefix: "",
    dns_suffix: "amazonaws.com",
    dual_stack_dns_suffix: "api.aws",
};

const OTHERS: [Partition; 7] = [
    Partition {
        id: "aws-cn",
        prefix: "cn-",
        dns_suffix: "amazonaws.com.cn",
        dual_stack_dns_suffix: "api.amazonwebservices.com.cn",
    },
    Partition {
        id: "aws-eusc",
        prefix: "eusc-de-",
        dns_suffix: "amazonaws.eu",
        dual_stack_dns_suffix: "api.amazonwebservices.eu",
    },
    Partition {
        id: "aws-iso",
        prefix: "us-iso-",
        dns_suffix: "c2s.ic.gov",
        dual_stack_dns_suffix: "api.aws.ic.gov",
    },
    Partition {
        id: "aws-iso-b",
        prefix: "us-isob-",
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_dns_suffix: "api.aws.scloud",
    },
    Partition {
        id: "aws-iso-e",
        prefix: "eu-isoe-",
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_dns_suffix: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        id: "aws-iso-f",
        prefix: "us-isof-",
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_dns_suffix: "api.aws.hci.ic.gov",
    },
    Partition {
        id: "aws-us-gov",
        prefix: "us-gov-",
        dns_suffix: "amazonaws.com",
        dual_stack_dns_suffix: "api.aws",
    },
];

/// Returns the partition of a region. Unknown regions belong to `aws`, as in the AWS SDKs.
pub(crate) fn partition_of(region: &str) -> &'static Partition {
    OTHERS
        .iter()
        .find(|partition| partition.contains(region))
        .unwrap_or(&AWS)
}

impl Partition {
    /// Implements `regionRegex`, `^PREFIX\w+\-\d+$`, and the global pseudo-region, for example `aws-cn-global`.
    fn contains(&self, region: &str) -> bool {
        if region.strip_suffix("-global") == Some(self.id) {
            return true;
        }
        match region
            .strip_prefix(self.prefix)
            .and_then(|rest| rest.split_once('-'))
        {
            Some((word, number)) => is_region_part(word) && is_number(number),
            None => false,
        }
    }
}

fn is_region_part(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The region of a pseudo-region, `fips-us-east-1` or `us-east-1-fips`, which means the FIPS endpoint of the region.
/// `None` for any other name. Source: botocore.
pub(crate) fn region_of_fips(name: &str) -> Option<&str> {
    name.strip_prefix("fips-")
        .or_else(|| name.strip_suffix("-fips"))
}

/// Whether a region can be part of a host name: a label of RFC 1123, 1 to 63 letters, digits and inner hyphens.
pub(crate) fn is_host_label(region: &str) -> bool {
    (1..=63).contains(&region.len())
        && region
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_belongs_to_its_partition() {
        for (region, id) in [
            ("us-east-1", "aws"),
            ("mx-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-west-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("us-gov-west-1", "aws-us-gov"),
            ("aws-cn-global", "aws-cn"),
            ("aws-iso-global", "aws-iso"),
            ("cn-north", "aws"),
            ("us-gov-west-x", "aws"),
            ("moon-base-1", "aws"),
        ] {
            assert_eq!(partition_of(region).id, id, "{region}");
        }
    }

    #[test]
    fn a_pseudo_region_means_fips() {
        assert_eq!(region_of_fips("fips-us-east-1"), Some("us-east-1"));
        assert_eq!(region_of_fips("us-gov-west-1-fips"), Some("us-gov-west-1"));
        assert_eq!(region_of_fips("us-east-1"), None);
    }

    #[test]
    fn a_region_must_be_a_host_label() {
        for bad in [
            "",
            "-a",
            "a-",
            "a.b",
            "a/b",
            "a b",
            "ü",
            "a@b",
            &"a".repeat(64),
        ] {
            assert!(!is_host_label(bad), "{bad:?}");
        }
        assert!(is_host_label("us-east-1"));
    }
}

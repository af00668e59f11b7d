//! Regions and the partitions that they lie in.
//!
//! Source: `partitions.json` of the AWS SDKs, as botocore 1.44.5 ships it.

/// A family of regions that share their domain names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    /// What a region's code begins with; empty for the partition that takes all the rest.
    prefix: &'static str,
    pub(crate) dns_suffix: &'static str,
    pub(crate) dual_stack_dns_suffix: &'static str,
}

const AWS: Partition =
    Partition { id: "aws", prefix: "", dns_suffix: "amazonaws.com", dual_stack_dns_suffix: "api.aws" };

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

/// The partition of a region; a region that none claims lies in `aws`.
pub(crate) fn partition_of(region: &str) -> &'static Partition {
    OTHERS.iter().find(|partition| partition.claims(region)).unwrap_or(&AWS)
}

impl Partition {
    /// The prefix, then a word, a hyphen and a number; or the partition's own global pseudo-region.
    fn claims(&self, region: &str) -> bool {
        if region.strip_suffix("-global") == Some(self.id) {
            return true;
        }
        let Some((word, number)) = region.strip_prefix(self.prefix).and_then(|rest| rest.split_once('-'))
        else {
            return false;
        };
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        !word.is_empty()
            && is_word(word)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// Whether the text can stand as one label of a host name, which it will.
pub(crate) fn is_host_label(region: &str) -> bool {
    let fits = (1..=63).contains(&region.len());
    let plain = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    fits && plain && !region.starts_with('-') && !region.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_claims_its_regions() {
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
    fn a_region_must_be_a_host_label() {
        for bad in ["", "-a", "a-", "a.b", "a/b", "a b", "ü", "a@b", &"a".repeat(64)] {
            assert!(!is_host_label(bad), "{bad:?}");
        }
        assert!(is_host_label("us-east-1"));
    }
}

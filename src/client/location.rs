//! The place of an object in Amazon S3.

use crate::sigv4::percent_encoded;

/// Longest key of an object. Source: the S3 user guide, "Naming Amazon S3 objects".
const MAX_KEY_BYTES: usize = 1024;

/// Bucket and key of an `s3://` URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct S3Location<'a> {
    pub(super) bucket: &'a str,
    key: &'a str,
}

impl<'a> S3Location<'a> {
    /// `None` unless it is `s3://BUCKET/KEY` with a bucket whose characters are safe in hosts and paths.
    pub(super) fn parse(url: &'a str) -> Option<Self> {
        let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
        let is_bucket = (3..=255).contains(&bucket.len())
            && bucket
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !bucket.starts_with('.');
        if is_bucket && (1..=MAX_KEY_BYTES).contains(&key.len()) {
            Some(Self { bucket, key })
        } else {
            None
        }
    }

    /// The path behind the bucket, percent-encoded except for slashes.
    pub(super) fn path(&self) -> String {
        let mut path = String::with_capacity(self.key.len() + 1);
        for segment in self.key.split('/') {
            path.push('/');
            path.push_str(&percent_encoded(segment));
        }
        path
    }
}

/// Whether the bucket can be part of the host name. Names with dots would not match the certificate, and old names with
/// upper case or underscores are no host names.
pub(super) fn is_bucket_host_label(bucket: &str) -> bool {
    bucket.len() <= 63
        && bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !bucket.starts_with('-')
        && !bucket.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_into_bucket_and_path() {
        for (url, bucket, path) in [
            ("s3://bucket/key", "bucket", "/key"),
            (
                "s3://b.u-C_k/a//b c/../é?#",
                "b.u-C_k",
                "/a//b%20c/../%C3%A9%3F%23",
            ),
            ("s3://bucket//", "bucket", "//"),
        ] {
            let location = S3Location::parse(url).unwrap();
            assert_eq!(
                (location.bucket, &*location.path()),
                (bucket, path),
                "{url}"
            );
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "bucket/key",
            "https://bucket/key",
            "s3://",
            "s3://bucket",
            "s3://bucket/",
            &format!("s3://bucket/{}", "k".repeat(1025)),
            "s3://ab/key",
            "s3://evil.com:80/key",
            "s3://a@b/key",
            "s3://b%2Fc/key",
            "s3://.../key",
        ] {
            assert_eq!(S3Location::parse(url), None, "{url}");
        }
    }

    #[test]
    fn only_plain_names_become_part_of_the_host() {
        assert!(is_bucket_host_label("a-b-1"));
        for bucket in ["a.b", "A", "a_b", "-a", "a-", &"a".repeat(64)] {
            assert!(!is_bucket_host_label(bucket), "{bucket}");
        }
    }
}

/// Headers with values that authenticate the caller or hold the caller's own data.
const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "x-amz-security-token",
    "x-amzn-sagemaker-custom-attributes",
    "x-amz-sso_bearer_token",
    "x-aws-ec2-metadata-token",
];

/// Whether the value of a header, its name in lower case, is kept out of logs and errors.
pub(crate) fn is_secret_header(name: &str) -> bool {
    SECRET_HEADERS.contains(&name)
}

//! AWS's signing test suite, read from the files of AWS and compared stage by stage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sagemaker_invoke::sigv4::{
    AmzDate, Authorization, CanonicalRequest, PathStyle, Payload, Request, Scope, SigningKey,
    StringToSign,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::support::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, time_of};

const CANONICAL_REQUEST: &str = "header-canonical-request.txt";
const STRING_TO_SIGN: &str = "header-string-to-sign.txt";
const SIGNATURE: &str = "header-signature.txt";
const SIGNED_REQUEST: &str = "header-signed-request.txt";

/// Stages of a case that cannot match, and why. The test fails if one of them matches.
struct Exception {
    case: &'static str,
    stages: &'static [&'static str],
    reason: &'static str,
}

const DIFFERENT_DATE: Exception = Exception {
    case: "double-encode-path",
    stages: &[SIGNED_REQUEST],
    reason: "its signed request has another date than its canonical request, and an unknown key",
};

const ENCODED_ONCE: Exception = Exception {
    case: "get-space-normalized",
    stages: &[CANONICAL_REQUEST, STRING_TO_SIGN, SIGNATURE, SIGNED_REQUEST],
    reason: "the request of this copy is percent-encoded already, but its canonical request is encoded only once",
};

/// The suite in the package of the aws-sigv4 crate, which Cargo downloads in any case.
#[test]
fn the_suite_of_the_aws_sigv4_package() {
    let folder = package_folder("aws-sigv4").join("aws-signing-test-suite/v4");
    run(&cases_in(&folder), 40, &[DIFFERENT_DATE, ENCODED_ONCE]);
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_suite_of_aws_c_auth() {
    run(&cases_in(&shared("aws-signing-test-suite/v4")), 38, &[]);
}

#[test]
#[ignore = "reads ../shared, run by .ci/run"]
fn the_cases_that_need_double_encoding() {
    let folder = shared("smithy-rs-extra");
    let cases = ["double-encode-path", "double-url-encode"].map(|name| folder.join(name));
    run(&cases, 2, &[DIFFERENT_DATE]);
    let once = PathStyle {
        encode_again: false,
        normalize: true,
    };
    for case in cases {
        let mut case = Case::read(&case);
        case.path_style = once;
        assert!(
            case.differing_stages().contains(&CANONICAL_REQUEST),
            "{} passes with one",
            case.name
        );
    }
}

/// Checks that all stages of all cases match, except the exceptions, which must differ.
fn run(folders: &[PathBuf], count: usize, exceptions: &[Exception]) {
    assert_eq!(folders.len(), count, "the number of cases");
    let mut failures = Vec::new();
    for folder in folders {
        let case = Case::read(folder);
        let differing = case.differing_stages();
        let exception = exceptions
            .iter()
            .find(|exception| exception.case == case.name);
        let expected = exception.map_or(&[][..], |exception| exception.stages);
        if differing != expected {
            let reason = exception.map_or("none", |exception| exception.reason);
            failures.push(format!(
                "{}: {differing:?} differ; exception: {reason}",
                case.name
            ));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    for exception in exceptions {
        assert!(
            folders
                .iter()
                .any(|folder| folder.ends_with(exception.case)),
            "no case {}",
            exception.case
        );
    }
}

/// A folder of the suite: the request, the parameters of the signature, and the expected stages.
struct Case {
    name: String,
    folder: PathBuf,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    amz_date: AmzDate,
    region: String,
    service: String,
    path_style: PathStyle,
}

impl Case {
    fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let context = Context::read(folder);
        let (request_line, mut headers, body) = parse_request(&read(&folder.join("request.txt")));
        let (method, rest) = request_line.split_once(' ').unwrap();
        let (target, version) = rest.rsplit_once(' ').unwrap();
        assert_eq!(version, "HTTP/1.1");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        context.add_headers(&mut headers, &body);
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            amz_date: context.amz_date,
            region: context.region,
            service: context.service,
            path_style: PathStyle {
                encode_again: true,
                normalize: context.normalize,
            },
            folder: folder.to_owned(),
            name,
        }
    }

    /// The stages that differ from the files, in the order of signing.
    fn differing_stages(&self) -> Vec<&'static str> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            payload: Payload::Bytes(&self.body),
            path_style: self.path_style,
        };
        let scope = Scope {
            amz_date: self.amz_date,
            region: &self.region,
            service: &self.service,
        };
        let canonical_request = CanonicalRequest::new(&request);
        let string_to_sign = StringToSign::new(&canonical_request, scope);
        let signature = SigningKey::derive(SECRET_ACCESS_KEY, scope).sign(&string_to_sign);
        let authorization = Authorization {
            access_key_id: ACCESS_KEY_ID,
            scope,
            canonical_request: &canonical_request,
            signature,
        };
        let stages = [
            (CANONICAL_REQUEST, canonical_request.to_string()),
            (STRING_TO_SIGN, string_to_sign.to_string()),
            (SIGNATURE, signature.to_string()),
            (SIGNED_REQUEST, authorization.to_string()),
        ];
        stages
            .into_iter()
            .filter(|(stage, ours)| self.differs(stage, ours))
            .map(|it| it.0)
            .collect()
    }

    fn differs(&self, stage: &str, ours: &str) -> bool {
        let file = self.folder.join(stage);
        if !file.exists() {
            // The two cases added by smithy-rs have fewer stages.
            assert!(
                self.name.starts_with("double-"),
                "{} is missing",
                file.display()
            );
            return false;
        }
        let official = String::from_utf8(read(&file)).unwrap();
        if stage == SIGNED_REQUEST {
            let value = official
                .lines()
                .find_map(|line| line.strip_prefix("Authorization:"))
                .unwrap();
            return value.trim_start() != ours;
        }
        official.trim_end_matches('\n') != ours.trim_end_matches('\n')
    }
}

/// The content of `context.json` except the key, which is the same in all cases.
struct Context {
    amz_date: AmzDate,
    region: String,
    service: String,
    normalize: bool,
    sign_body: bool,
    signed_token: Option<String>,
}

impl Context {
    fn read(folder: &Path) -> Self {
        let file = folder.join("context.json");
        if !file.exists() {
            return Self::of_smithy_case(folder);
        }
        let json: Value = serde_json::from_slice(&read(&file)).unwrap();
        let credentials = json.get("credentials").unwrap();
        let token = credentials
            .get("token")
            .map(|token| token.as_str().unwrap().to_owned());
        assert_eq!(credentials["access_key_id"], ACCESS_KEY_ID);
        assert_eq!(credentials["secret_access_key"], SECRET_ACCESS_KEY);
        let omits_token = json["omit_session_token"].as_bool().unwrap_or(false);
        Self {
            amz_date: amz_date(json["timestamp"].as_str().unwrap()),
            region: json["region"].as_str().unwrap().to_owned(),
            service: json["service"].as_str().unwrap().to_owned(),
            normalize: json["normalize"].as_bool().unwrap(),
            sign_body: json["sign_body"].as_bool().unwrap(),
            signed_token: if omits_token { None } else { token },
        }
    }

    /// The two cases added by smithy-rs have no `context.json`; these values are from their expected files.
    fn of_smithy_case(folder: &Path) -> Self {
        let (region, service) = match folder.file_name().unwrap().to_str().unwrap() {
            "double-encode-path" => ("us-east-1", "service"),
            "double-url-encode" => ("us-east-2", "lambda"),
            other => panic!("{other} has no context.json"),
        };
        Self {
            amz_date: amz_date("20210511T154045Z"),
            region: region.to_owned(),
            service: service.to_owned(),
            normalize: true,
            sign_body: false,
            signed_token: None,
        }
    }

    /// Adds the headers that a client adds before signing. Its date replaces the one of the request.
    fn add_headers(&self, headers: &mut Vec<(String, String)>, body: &[u8]) {
        if self.sign_body {
            headers.push((
                "x-amz-content-sha256".to_owned(),
                hex::encode(Sha256::digest(body)),
            ));
        }
        if let Some(token) = &self.signed_token {
            headers.push(("X-Amz-Security-Token".to_owned(), token.clone()));
        }
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-amz-date"));
        headers.push(("X-Amz-Date".to_owned(), self.amz_date.to_string()));
    }
}

fn amz_date(text: &str) -> AmzDate {
    AmzDate::from_system_time(time_of(text).unwrap()).unwrap()
}

/// Returns request line, headers and body. A line that begins with white space continues the value before it, joined
/// with one space (obs-fold of RFC 9112, section 5.2).
fn parse_request(file: &[u8]) -> (String, Vec<(String, String)>, Vec<u8>) {
    let head_end = file.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = file.split_at(head_end.unwrap_or(file.len()));
    let head = std::str::from_utf8(head).unwrap().replace("\r\n", "\n");
    let mut lines = head.lines();
    let request_line = lines.next().unwrap().to_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().unwrap();
            value.push(' ');
            value.push_str(line.trim_start());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    (
        request_line,
        headers,
        body.strip_prefix(b"\n\n").unwrap_or_default().to_vec(),
    )
}

fn cases_in(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn shared(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/vectors/sigv4")
        .join(part)
}

/// The folder with the sources of a dependency.
fn package_folder(name: &str) -> PathBuf {
    // Without the filter, Cargo needs the packages of all other platforms too.
    let host = text_of(Command::new("rustc").arg("-vV"));
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = text_of(
        Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--filter-platform",
                host,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR")),
    );
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages
        .iter()
        .find(|package| package["name"] == name)
        .unwrap();
    Path::new(package["manifest_path"].as_str().unwrap())
        .parent()
        .unwrap()
        .to_owned()
}

fn text_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

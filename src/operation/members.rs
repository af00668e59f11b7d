//! The constraints of the service model on the members of a request.
//!
//! Source: `service-2.json` of botocore 1.44.5. Where it allows any printable character, only ASCII is accepted here,
//! because the members become headers.

use std::fmt;

use crate::error::InvalidInput;

/// A constraint on the value of a member, and its text in an error message.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    accepts: fn(&str) -> bool,
    problem: &'static str,
}

/// `^[a-zA-Z0-9](-*[a-zA-Z0-9])*`, at most 63: endpoints, variants, container host names, inference components.
pub(super) const NAME: Rule = Rule {
    accepts: |text| text.len() <= 63 && is_name(text),
    problem: "must be 1 to 63 letters, digits and hyphens, with a letter or a digit at both ends",
};

/// `\p{ASCII}*` without control characters, at most 1024. An empty value is sent as an empty header.
pub(super) const ASCII: Rule = Rule {
    accepts: |text| text.len() <= 1024 && is_printable(text),
    problem: "must be at most 1024 printable ASCII characters",
};

/// `\A\S[\p{Print}]*\z`, 1 to 1024.
pub(super) const PRINTABLE_1024: Rule = Rule {
    accepts: |text| {
        (1..=1024).contains(&text.len()) && is_printable(text) && !text.starts_with(' ')
    },
    problem: "must be 1 to 1024 printable ASCII characters, the first of them not a space",
};

/// `\A\S[\p{Print}]*\z`, 1 to 64.
pub(super) const PRINTABLE_64: Rule = Rule {
    accepts: |text| (1..=64).contains(&text.len()) && is_printable(text) && !text.starts_with(' '),
    problem: "must be 1 to 64 printable ASCII characters, the first of them not a space",
};

/// `.*`, 1 to 64: a JMESPath expression.
pub(super) const EXPRESSION: Rule = Rule {
    accepts: |text| (1..=64).contains(&text.len()) && is_printable(text),
    problem: "must be 1 to 64 printable ASCII characters",
};

/// `^(NEW_SESSION)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*$`, at most 256.
pub(super) const SESSION: Rule = Rule {
    accepts: |text| text == "NEW_SESSION" || (text.len() <= 256 && is_name(text)),
    problem: "must be NEW_SESSION, or 1 to 256 letters, digits and hyphens with a letter or a digit at both ends",
};

/// `^[a-zA-Z0-9](-*[a-zA-Z0-9])*$`, at most 256: a session already open.
pub(super) const OPEN_SESSION: Rule = Rule {
    accepts: |text| text.len() <= 256 && is_name(text),
    problem: "must be 1 to 256 letters, digits and hyphens, with a letter or a digit at both ends",
};

/// `^(https|s3)://([^/]+)/?(.*)$`, 1 to 1024: the place of an input.
pub(super) const LOCATION: Rule = Rule {
    accepts: |text| text.len() <= 1024 && is_printable(text) && is_location(text),
    problem: "must be an s3:// or https:// URL of at most 1024 printable ASCII characters",
};

/// `^(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]+$`, 1 to 512. No text with these characters begins as the pattern forbids.
pub(super) const PATH_EXTENSION: Rule = Rule {
    accepts: |text| (1..=512).contains(&text.len()) && text.bytes().all(is_safe_in_key),
    problem: "must be 1 to 512 letters, digits and characters of !_.*'()/-",
};

/// `^(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9-_\.]*$`, 1 to 32.
pub(super) const FILE_NAME: Rule = Rule {
    accepts: |text| text.len() <= 32 && is_file_name(text),
    problem: "must be 1 to 32 letters, digits, hyphens, underscores and at most one dot, the first a letter or a digit",
};

/// A number of this crate, whose range is checked before it becomes a text.
pub(super) const NUMBER: Rule = Rule {
    accepts: |_| true,
    problem: "",
};

/// An optional member, and the header that it becomes.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    name: &'static str,
    header: &'static str,
    value: Option<&'a str>,
    rule: Rule,
}

impl<'a> Member<'a> {
    pub(super) const fn new(
        name: &'static str,
        header: &'static str,
        value: Option<&'a str>,
        rule: Rule,
    ) -> Self {
        Self {
            name,
            header,
            value,
            rule,
        }
    }

    pub(super) const fn custom_attributes(value: Option<&'a str>) -> Self {
        Self::new(
            "CustomAttributes",
            "x-amzn-sagemaker-custom-attributes",
            value,
            ASCII,
        )
    }

    pub(super) const fn inference_component_name(value: Option<&'a str>) -> Self {
        Self::new(
            "InferenceComponentName",
            "x-amzn-sagemaker-inference-component",
            value,
            NAME,
        )
    }

    pub(super) const fn inference_id(value: Option<&'a str>) -> Self {
        Self::new(
            "InferenceId",
            "x-amzn-sagemaker-inference-id",
            value,
            PRINTABLE_64,
        )
    }

    pub(super) const fn prefix_aware_id(value: Option<&'a str>) -> Self {
        Self::new(
            "PrefixAwareId",
            "x-amzn-sagemaker-prefix-aware-id",
            value,
            PRINTABLE_64,
        )
    }

    pub(super) const fn target_container_hostname(value: Option<&'a str>) -> Self {
        Self::new(
            "TargetContainerHostname",
            "x-amzn-sagemaker-target-container-hostname",
            value,
            NAME,
        )
    }

    pub(super) const fn target_variant(value: Option<&'a str>) -> Self {
        Self::new(
            "TargetVariant",
            "x-amzn-sagemaker-target-variant",
            value,
            NAME,
        )
    }

    #[cfg(test)]
    pub(super) const fn header(&self) -> &'static str {
        self.header
    }
}

/// Checks the endpoint's name and every member that is set.
pub(super) fn check_all(endpoint_name: &str, members: &[Member<'_>]) -> Result<(), InvalidInput> {
    check("EndpointName", endpoint_name, NAME)?;
    members.iter().try_for_each(|member| match member.value {
        Some(value) => check(member.name, value, member.rule),
        None => Ok(()),
    })
}

/// Header and value of the members that are set.
pub(super) fn headers<'a>(members: &[Member<'a>]) -> Vec<(&'static str, &'a str)> {
    // Room for host, date, token and authorization too, so that the list never grows.
    let mut headers = Vec::with_capacity(16);
    headers.extend(
        members
            .iter()
            .filter_map(|member| Some((member.header, member.value?))),
    );
    headers
}

/// Debug of a request: shows the length of the body and of the custom attributes instead of their content.
pub(super) fn fmt_request(
    f: &mut fmt::Formatter<'_>,
    operation: &str,
    endpoint_name: &str,
    body: &[u8],
    members: &[Member<'_>],
) -> fmt::Result {
    let mut fields = f.debug_struct(operation);
    fields
        .field("endpoint_name", &endpoint_name)
        .field("body", &Bytes(body.len()));
    for member in members {
        match (member.name, member.value) {
            (_, None) => {}
            ("CustomAttributes", Some(value)) => {
                fields.field(member.name, &Bytes(value.len()));
            }
            (name, Some(value)) => {
                fields.field(name, &value);
            }
        }
    }
    fields.finish()
}

/// Debug of hidden content.
pub(super) struct Bytes(pub(super) usize);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// Checks the value of one member.
fn check(member: &'static str, value: &str, rule: Rule) -> Result<(), InvalidInput> {
    if (rule.accepts)(value) {
        Ok(())
    } else {
        Err(InvalidInput::new(member, rule.problem))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_location(text: &str) -> bool {
    let rest = text
        .strip_prefix("s3://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn is_safe_in_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!_.*'()/-".contains(&byte)
}

fn is_file_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && text.matches('.').count() <= 1
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(rule: Rule, text: &str) -> bool {
        check("Member", text, rule).is_ok()
    }

    #[test]
    fn names_have_letters_digits_and_inner_hyphens() {
        for good in ["a", "A1", "a-b", "a--b", &"a".repeat(63)] {
            assert!(accepts(NAME, good), "{good}");
        }
        for bad in [
            "",
            "-",
            "-a",
            "a-",
            ".",
            "..",
            "a.b",
            "a/b",
            "a b",
            "a\n",
            "a\r\nx: y",
            "é",
            &"a".repeat(64),
        ] {
            assert!(!accepts(NAME, bad), "{bad:?}");
        }
    }

    #[test]
    fn text_is_printable_ascii_within_its_length() {
        for rule in [ASCII, PRINTABLE_1024, PRINTABLE_64, EXPRESSION] {
            assert!(accepts(rule, "a b~!"));
            for bad in ["a\tb", "a\nb", "a\r\nb", "a\0", "\u{7f}", "é"] {
                assert!(!accepts(rule, bad), "{bad:?}");
            }
        }
        assert!(
            accepts(ASCII, "")
                && accepts(ASCII, &"a".repeat(1024))
                && !accepts(ASCII, &"a".repeat(1025))
        );
        for (rule, longest) in [(PRINTABLE_1024, 1024), (PRINTABLE_64, 64), (EXPRESSION, 64)] {
            assert!(
                !accepts(rule, "")
                    && accepts(rule, &"a".repeat(longest))
                    && !accepts(rule, &"a".repeat(longest + 1))
            );
        }
        assert!(
            !accepts(PRINTABLE_1024, " a")
                && !accepts(PRINTABLE_64, " a")
                && accepts(EXPRESSION, " a")
        );
    }

    #[test]
    fn an_open_session_is_a_name() {
        assert!(accepts(OPEN_SESSION, &"a".repeat(256)));
        assert!(!accepts(OPEN_SESSION, "NEW_SESSION") && !accepts(OPEN_SESSION, &"a".repeat(257)));
    }

    #[test]
    fn a_session_is_a_name_or_new_session() {
        assert!(accepts(SESSION, "NEW_SESSION") && accepts(SESSION, &"a".repeat(256)));
        for bad in ["", "NEW_SESSIONS", "new_session", "a_b", &"a".repeat(257)] {
            assert!(!accepts(SESSION, bad), "{bad:?}");
        }
    }

    #[test]
    fn a_location_is_a_url_with_a_host() {
        for good in [
            "s3://b",
            "s3://b/",
            "s3://b/k ey",
            "https://h/k",
            &format!("s3://{}", "b".repeat(1019)),
        ] {
            assert!(accepts(LOCATION, good), "{good}");
        }
        for bad in [
            "",
            "s3://",
            "s3:///k",
            "http://h/k",
            "S3://b/k",
            "b/k",
            &format!("s3://{}", "b".repeat(1020)),
        ] {
            assert!(!accepts(LOCATION, bad), "{bad}");
        }
    }

    #[test]
    fn file_names_and_path_extensions_have_few_characters() {
        for good in ["a", "9", "a.b", "a-_.", &"a".repeat(32)] {
            assert!(accepts(FILE_NAME, good), "{good}");
        }
        for bad in ["", ".a", "-a", "_", "a.b.c", "a/b", "a b", &"a".repeat(33)] {
            assert!(!accepts(FILE_NAME, bad), "{bad}");
        }
        assert!(
            accepts(PATH_EXTENSION, "/a!_.*'()-/Z9") && accepts(PATH_EXTENSION, &"a".repeat(512))
        );
        for bad in ["", "s3:", "a b", "a~", "a+", &"a".repeat(513)] {
            assert!(!accepts(PATH_EXTENSION, bad), "{bad}");
        }
    }
}

//! The rules of the service's model for its members.
//!
//! Source: `service-2.json` of botocore 1.44.5. Its patterns that allow any printable character are held to ASCII
//! here, because a header carries nothing else unharmed.

use crate::error::InvalidInput;

/// A rule that a text keeps, and how an error names it.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    keeps: fn(&str) -> bool,
    text: &'static str,
}

/// `^[a-zA-Z0-9](-*[a-zA-Z0-9])*`, 63 at most: endpoints, variants, container host names, inference components.
pub(super) const NAME: Rule = Rule {
    keeps: |text| text.len() <= 63 && is_name(text),
    text: "must be 1 to 63 letters, digits and hyphens, with a letter or a digit at both ends",
};

/// `\p{ASCII}*` without control characters, 1024 at most; may be empty and is then sent as an empty header.
pub(super) const ASCII: Rule = Rule {
    keeps: |text| text.len() <= 1024 && is_printable(text),
    text: "must be at most 1024 printable ASCII characters",
};

/// `\A\S[\p{Print}]*\z`, 1 to 1024.
pub(super) const PRINTABLE_1024: Rule = Rule {
    keeps: |text| (1..=1024).contains(&text.len()) && is_printable(text) && !text.starts_with(' '),
    text: "must be 1 to 1024 printable ASCII characters, the first of them no space",
};

/// `\A\S[\p{Print}]*\z`, 1 to 64.
pub(super) const PRINTABLE_64: Rule = Rule {
    keeps: |text| (1..=64).contains(&text.len()) && is_printable(text) && !text.starts_with(' '),
    text: "must be 1 to 64 printable ASCII characters, the first of them no space",
};

/// `.*`, 1 to 64: a JMESPath expression.
pub(super) const EXPRESSION: Rule = Rule {
    keeps: |text| (1..=64).contains(&text.len()) && is_printable(text),
    text: "must be 1 to 64 printable ASCII characters",
};

/// `^(NEW_SESSION)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*$`, 256 at most.
pub(super) const SESSION: Rule = Rule {
    keeps: |text| text == "NEW_SESSION" || (text.len() <= 256 && is_name(text)),
    text: "must be NEW_SESSION, or 1 to 256 letters, digits and hyphens with a letter or a digit at both ends",
};

/// Holds one member against its rule.
pub(super) fn check(member: &'static str, value: &str, rule: Rule) -> Result<(), InvalidInput> {
    if (rule.keeps)(value) { Ok(()) } else { Err(InvalidInput::new(member, rule.text)) }
}

fn is_name(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !text.is_empty() && plain && !text.starts_with('-') && !text.ends_with('-')
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(rule: Rule, text: &str) -> bool {
        check("Member", text, rule).is_ok()
    }

    #[test]
    fn names() {
        for good in ["a", "A1", "a-b", "a--b", &"a".repeat(63)] {
            assert!(keeps(NAME, good), "{good}");
        }
        for bad in
            ["", "-", "-a", "a-", ".", "..", "a.b", "a/b", "a b", "a\n", "a\r\nx: y", "é", &"a".repeat(64)]
        {
            assert!(!keeps(NAME, bad), "{bad:?}");
        }
    }

    #[test]
    fn texts() {
        for rule in [ASCII, PRINTABLE_1024, PRINTABLE_64, EXPRESSION] {
            assert!(keeps(rule, "a b~!"));
            for bad in ["a\tb", "a\nb", "a\r\nb", "a\0", "\u{7f}", "é"] {
                assert!(!keeps(rule, bad), "{bad:?}");
            }
        }
        assert!(keeps(ASCII, "") && keeps(ASCII, &"a".repeat(1024)) && !keeps(ASCII, &"a".repeat(1025)));
        for (rule, longest) in [(PRINTABLE_1024, 1024), (PRINTABLE_64, 64), (EXPRESSION, 64)] {
            assert!(
                !keeps(rule, "")
                    && keeps(rule, &"a".repeat(longest))
                    && !keeps(rule, &"a".repeat(longest + 1))
            );
        }
        assert!(!keeps(PRINTABLE_1024, " a") && !keeps(PRINTABLE_64, " a") && keeps(EXPRESSION, " a"));
    }

    #[test]
    fn sessions() {
        assert!(keeps(SESSION, "NEW_SESSION") && keeps(SESSION, &"a".repeat(256)));
        for bad in ["", "NEW_SESSIONS", "new_session", "a_b", &"a".repeat(257)] {
            assert!(!keeps(SESSION, bad), "{bad:?}");
        }
    }
}

use super::*;
use crate::testing::{Random, fuzz_text};

const TOKEN: &str = "IQoJ/b3Jp+Z2lu==<&>\"EXAMPLE token";

fn redact(text: &str) -> String {
    let secrets = [
        ("x-amz-security-token", TOKEN),
        ("x-amzn-sagemaker-custom-attributes", "a&b"),
    ];
    Redactor::new(secrets).redact(text)
}

fn percent(text: &str, digits: fn(u8) -> String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|it| {
            if plain(it) {
                char::from(it).to_string()
            } else {
                digits(it)
            }
        })
        .collect()
}

fn lower_percent(text: &str) -> String {
    percent(text, |byte| format!("%{byte:02x}"))
}

fn mixed_percent(text: &str) -> String {
    percent(text, |byte| {
        if byte % 2 == 0 {
            format!("%{byte:02X}")
        } else {
            format!("%{byte:02x}")
        }
    })
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .trim_start_matches('"')
        .strip_suffix('"')
        .unwrap()
        .to_owned()
}

fn careful_json(text: &str) -> String {
    percent(text, |byte| format!("\\u{byte:04x}")).replace("\\u002f", "\\/")
}

fn xml(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    escaped.replace('"', "&quot;")
}

fn numeric_xml(text: &str) -> String {
    percent(text, |byte| {
        if byte % 2 == 0 {
            format!("&#{byte};")
        } else {
            format!("&#x{byte:02X};")
        }
    })
}

fn unchanged(text: &str) -> String {
    text.to_owned()
}

const ESCAPES: [fn(&str) -> String; 7] = [
    unchanged,
    lower_percent,
    mixed_percent,
    json,
    careful_json,
    xml,
    numeric_xml,
];

#[test]
fn a_secret_is_removed_in_each_form() {
    for outer in ESCAPES {
        for inner in ESCAPES {
            let text = format!("before ({}) after", outer(&inner(TOKEN)));
            assert_eq!(redact(&text), "before (..) after", "{text}");
        }
    }
    let form = TOKEN.replace(' ', "+");
    assert_eq!(
        redact(&format!("token={form}; {}", lower_percent(&form))),
        "token=..; .."
    );
}

#[test]
fn a_secret_is_removed_from_base64_at_each_alignment() {
    for before in ["", "a", "ab", "abc", "authorization: "] {
        let plain = format!("{before}{TOKEN} after");
        for text in [
            encoded(&plain),
            encoded(&plain).replace('+', "-").replace('/', "_"),
        ] {
            let redacted = redact(&text);
            assert!(
                redacted.contains("..") && redacted.len() < text.len() - 40,
                "{text} {redacted}"
            );
            assert!(
                redact(&lower_percent(&text)).len() < text.len() - 40,
                "{text}"
            );
        }
    }
}

/// Base64 from its definition, bit by bit.
fn encoded(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text.bytes().map(|byte| format!("{byte:08b}")).collect();
    let sextets = bits
        .as_bytes()
        .chunks(6)
        .map(|chunk| std::str::from_utf8(chunk).unwrap());
    let value = |sextet: &str| usize::from_str_radix(&format!("{sextet:0<6}"), 2).unwrap();
    sextets
        .map(|sextet| char::from(ALPHABET[value(sextet)]))
        .collect()
}

#[test]
fn a_canonical_request_shows_its_headers_with_single_spaces() {
    let redactor = Redactor::new([("h", " two  words   and more ")]);
    assert_eq!(redactor.redact("h:two words and more\n"), "h:..\n");
}

#[test]
fn a_short_value_is_removed_only_behind_its_name() {
    for text in [
        "x-amzn-sagemaker-custom-attributes:a&b",
        "X-Amzn-SageMaker-Custom-Attributes: a&b",
        "HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES=a&b",
        r#"{"x-amzn-sagemaker-custom-attributes": "a&b"}"#,
        r#"{\"x-amzn-sagemaker-custom-attributes\" : [\"a&b\"]}"#,
        "<x-amzn-sagemaker-custom-attributes>a&amp;b</x-amzn-sagemaker-custom-attributes>",
        "x-amzn-sagemaker-custom-attributes%3A%20a%26b",
    ] {
        let redacted = redact(text);
        let is_gone = ["a&b", "a&amp;b", "a%26b"]
            .iter()
            .all(|value| !redacted.contains(value));
        assert!(is_gone && redacted.contains(".."), "{redacted}");
    }
    for text in [
        "a&b",
        "x-amz-security-token: a&b",
        "x-amzn-sagemaker-custom-attributes: none, a&b",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_secret_that_a_server_or_the_limit_cut_is_removed() {
    assert_eq!(redact("token IQoJ/b3Jp+"), "token ..");
    assert_eq!(redact("token IQoJ/b3"), "token IQoJ/b3");
    let redactor = Redactor::new([("h", "0123456789abcdef")]);
    let text = "x0123456789abcdefy".repeat(1_000);
    for limit in 0..100 {
        let kept = redactor.redact_start(text.as_bytes(), limit);
        assert!(
            kept.bytes().all(|byte| matches!(byte, b'x' | b'y' | b'.')),
            "{kept}"
        );
        assert!(kept.len() <= limit + 2, "{limit}: {kept}");
    }
    assert_eq!(redactor.redact_start("ää".as_bytes(), 3), "ä\u{fffd}");
}

#[test]
fn secrets_that_overlap_are_both_removed() {
    let redactor = Redactor::new([
        ("a", "abcdefgh"),
        ("b", "fghijklmn"),
        ("c", "abcdefgh-and-more"),
    ]);
    assert_eq!(
        redactor.redact("(abcdefghijklmn) (abcdefgh-and-more)"),
        "(..) (..)"
    );
}

#[test]
fn without_secrets_nothing_changes() {
    let text = "100%25 \\u0041 &amp; %zz %+1 \\u+041 &; &#; &#x110000; &unknown; \u{1f600}";
    assert_eq!(Redactor::default().redact(text), text);
    assert_eq!(redact(text), text);
    assert_eq!(redact(""), "");
    assert_eq!(Redactor::new([("h", "")]).redact(text), text);
}

#[test]
fn any_value_is_found_under_any_escapes() {
    let pieces = [
        "a", "B", "7", "%", "%41", "\\", "\\u0041", "&", "&amp;", ";", "\"", "/", "+", " ", "=",
        "<",
    ];
    let mut random = Random(11);
    for _ in 0..20_000 {
        let before: String = (0..random.below(6))
            .map(|_| *random.pick(&pieces))
            .collect();
        let after: String = (0..random.below(6))
            .map(|_| *random.pick(&pieces))
            .collect();
        let value = format!("{before}12345678{after}");
        let escaped = random.pick(&ESCAPES)(&random.pick(&ESCAPES)(&value));
        let redacted = Redactor::new([("h", &*value)]).redact(&format!("({escaped})"));
        assert_eq!(redacted, "(..)", "{value} {escaped}");
    }
}

#[test]
fn fuzz_redactor() {
    const SECRET: &str = "c2VjcmV0/VG9rZW4+EXAMPLE==";
    let redactor = Redactor::new([("x-amz-security-token", SECRET), ("x-short", "a&b")]);
    let samples = [
        "X-Short: a&b \\u002f %2F &#x2F; \\\\u005c",
        "{\"m\":\"X_SHORT\\\":\\\"a\\u0026b\\\"\"}",
        "%2525%26amp%3b",
    ];
    fuzz_text(&samples, |text| {
        let middle = text
            .char_indices()
            .nth(text.len() / 3)
            .map_or(0, |(index, _)| index);
        let (before, after) = text.split_at(middle);
        let text = format!("{before}{SECRET}{after}");
        for redacted in [
            redactor.redact(&text),
            redactor.redact_start(text.as_bytes(), middle + 10),
        ] {
            assert!(
                !redacted.contains("c2VjcmV0") && !redacted.contains("EXAMPLE"),
                "{redacted:?}"
            );
        }
    });
}

#[test]
fn a_megabyte_of_escapes_is_searched() {
    let redactor = Redactor::new([("h", "0123456789abcdef")]);
    for piece in ["%2525", "\\u0025", "0123456789abcde", "x", "&amp;amp;"] {
        let text = piece.repeat(1024 * 1024 / piece.len()) + " 0123456789abcdef";
        assert_eq!(redactor.redact(&text).len(), text.len() - 14, "{piece}");
    }
}

/// Stands for what is left out of a URL.
const MASK: &str = "..";

/// A URL without what may be secret in it: user information, query and fragment.
pub(crate) fn masked_url(url: &str) -> String {
    let (scheme, rest) = split_scheme(url);
    let (location, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let authority = before_slash(location);
    // Perhaps a password with a question mark, or one whose `@` was encoded: then no part is certain to be the host.
    let host = before_slash(location.rsplit_once('@').map_or(location, |(_, rest)| rest));
    if query.contains('@') || authority.contains('%') || host.contains('%') {
        return format!("{scheme}{MASK}");
    }
    let masked_query = match query.chars().next() {
        Some(mark) => format!("{mark}{MASK}"),
        None => String::new(),
    };
    // The last one, since a password may hold others, and slashes.
    match location.rsplit_once('@') {
        Some((_, host_and_path)) => format!("{scheme}{MASK}@{host_and_path}{masked_query}"),
        None => format!("{scheme}{location}{masked_query}"),
    }
}

fn before_slash(location: &str) -> &str {
    location
        .split_once('/')
        .map_or(location, |(start, _)| start)
}

/// The scheme with `://`, and the rest.
fn split_scheme(url: &str) -> (&str, &str) {
    let scheme = url
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let end = scheme.count();
    let has_scheme = end > 0 && url.get(end..).is_some_and(|rest| rest.starts_with("://"));
    url.split_at(if has_scheme { end + "://".len() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fuzz_text;

    #[test]
    fn user_information_query_and_fragment_are_left_out() {
        for (url, masked) in [
            (
                "https://example.com/base/path",
                "https://example.com/base/path",
            ),
            ("https://example.com:8443", "https://example.com:8443"),
            ("/relative", "/relative"),
            ("", ""),
            (
                "https://me:hidden@example.com/base",
                "https://..@example.com/base",
            ),
            ("https://me:hid@d/en@example.com", "https://..@example.com"),
            ("me:hidden@example.com", "..@example.com"),
            ("me:hidden://x@example.com", "..@example.com"),
            ("//me:hidden@example.com", "..@example.com"),
            (
                "https://example.com/base?token=hidden",
                "https://example.com/base?..",
            ),
            ("https://example.com?hidden", "https://example.com?.."),
            ("https://example.com/#hidden", "https://example.com/#.."),
            ("https://me@example.com?hidden", "https://..@example.com?.."),
            ("https://me:hid?den@example.com", "https://.."),
            ("example.com?mail=hidden@example.com", ".."),
            ("https://me:hidden%40example.com", "https://.."),
            ("https://me:hid/d@en%40example.com", "https://.."),
            ("https://example.com/a%20b", "https://example.com/a%20b"),
        ] {
            assert_eq!(masked_url(url), masked, "{url}");
        }
    }

    #[test]
    fn fuzz_masked_urls() {
        let samples = [
            "https://me:a@example.com:8443/base/path?token=b#c",
            "//me:a%40b@h",
            "example.com?mail=a@b",
        ];
        fuzz_text(&samples, |url| {
            let masked = masked_url(url);
            // Masking twice gives the same: nothing is left to mask.
            assert_eq!(masked_url(&masked), masked);
            let (authority, secret) = (url.replace(['/', '?', '#', '@', '%', '\\'], ""), "hidden");
            assert!(
                !masked_url(&format!("https://me:{secret}@{authority}?{secret}")).contains(secret),
                "{authority}"
            );
        });
    }
}

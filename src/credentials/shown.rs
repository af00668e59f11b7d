//! Foreign texts in errors and log records: one line of bounded length, without secrets.

use crate::text::OneLine;
pub(super) use crate::text::shown_path;

/// One line of bounded length.
pub(super) fn shown(text: &str) -> String {
    OneLine::short(text).to_string()
}

/// The same in quotes, with escapes, for names and values of settings.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", OneLine::short(text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_path_is_shown_on_one_line() {
        assert_eq!(shown_path(Path::new("/a\nb\u{7}/c")).to_string(), "/a b /c");
    }
}

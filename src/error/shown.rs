//! Foreign texts in the texts of errors.

use crate::text::OneLine;

/// Maximum characters of one text in Display and Debug.
const MAX_SHOWN_CHARACTERS: usize = 1000;

pub(super) fn one_line(text: &str) -> OneLine<'_> {
    OneLine { text, max_characters: MAX_SHOWN_CHARACTERS }
}

//! Pseudo-random data, for the unit tests and the integration tests.

/// SplitMix64 with this state. A fixed seed makes failures reproducible.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to `limit`, `limit` excluded.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of the choices.
    pub(crate) fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Up to `max` pieces, concatenated.
    pub(crate) fn text_of(&mut self, pieces: &[&str], max: usize) -> String {
        (0..self.below(max + 1)).map(|_| self.of(pieces)).collect()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// A text with the characters of secret keys and session tokens.
    pub(crate) fn token(&mut self) -> String {
        (0..=self.below(200))
            .map(|_| self.of(&["A", "b", "0", "/", "+", "="]))
            .collect()
    }

    /// A value that is valid for every optional member: a name of up to 63 characters.
    pub(crate) fn member(&mut self) -> String {
        let inner: String = (0..self.below(62))
            .map(|_| self.of(&["a", "Z", "9", "-"]))
            .collect();
        format!("m{inner}x")
    }

    /// Up to `max` arbitrary characters; those with a meaning in URLs and headers are more frequent.
    pub(crate) fn any_text(&mut self, max: usize) -> String {
        let marks: Vec<char> = " %+&=/.?;:\t\r\n\0aZ~".chars().collect();
        (0..self.below(max + 1))
            .map(|_| match self.below(3) {
                0 => char::from_u32(u32::try_from(self.below(0x11_0000)).unwrap())
                    .unwrap_or('\u{fffd}'),
                _ => marks[self.below(marks.len())],
            })
            .collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

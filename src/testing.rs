//! What unit tests share: one fake system, one source of pseudo-random numbers, one fuzzer, one capture of the log.

#[allow(
    dead_code,
    reason = "the integration tests have the same file, and use more of it"
)]
mod fake_system;
#[allow(
    dead_code,
    reason = "the integration tests have the same file, and use more of it"
)]
mod random;

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

pub(crate) use self::fake_system::FakeSystem;
pub(crate) use self::random::Random;
use crate::system;

/// Sets the number of inputs of each fuzz test.
const FUZZ_INPUTS_VARIABLE: &str = "SAGEMAKER_INVOKE_FUZZ_INPUTS";
const DEFAULT_FUZZ_INPUTS: usize = 20_000;
const MAX_FUZZ_INPUT_BYTES: usize = 4096;

/// Memory a parser may use for any input, and in addition for each byte of it. The most greedy are a JSON object with
/// one member, for which 11 pairs are allocated at once, and a section of a shared file, which is two bytes at least
/// and is in both files here.
const FUZZ_MEMORY_BYTES: usize = 64 * 1024;
const FUZZ_MEMORY_BYTES_PER_BYTE: usize = 512;

/// Calls `check` with mutated samples, the same ones in each run. Fails on a panic, and on memory out of proportion to
/// the input.
pub(crate) fn fuzz<S: AsRef<[u8]>>(samples: &[S], mut check: impl FnMut(&[u8])) {
    let samples: Vec<&[u8]> = samples.iter().map(AsRef::as_ref).collect();
    samples.iter().for_each(|sample| check(sample));
    let mut mutator = Mutator {
        samples,
        random: Random(1),
    };
    for _ in 0..fuzz_inputs() {
        // Else the log of a test that captures it would count as memory of the parser.
        LOG.take();
        let input = mutator.input();
        let mut outcome = Ok(());
        let memory = allocation_counter::measure(|| {
            outcome = catch_unwind(AssertUnwindSafe(|| check(&input)));
        });
        assert!(outcome.is_ok(), "the input was: {}", input.escape_ascii());
        let limit = FUZZ_MEMORY_BYTES + FUZZ_MEMORY_BYTES_PER_BYTE * input.len();
        let used = usize::try_from(memory.bytes_max).unwrap();
        assert!(
            used <= limit,
            "{used} bytes of memory for the input: {}",
            input.escape_ascii()
        );
    }
}

/// Like [`fuzz`] for parsers of text: what is not UTF-8 is replaced.
pub(crate) fn fuzz_text(samples: &[&str], mut check: impl FnMut(&str)) {
    fuzz(samples, |input| check(&String::from_utf8_lossy(input)));
}

fn fuzz_inputs() -> usize {
    match std::env::var(FUZZ_INPUTS_VARIABLE) {
        Ok(number) => number.parse().unwrap(),
        Err(_) => DEFAULT_FUZZ_INPUTS,
    }
}

/// Fails if a text that holds foreign text has a line break or another control character, or is long.
pub(crate) fn assert_shown_safely(text: &str) {
    assert!(
        !text
            .chars()
            .any(|character| character.is_control() || character == '\u{202e}'),
        "{text:?}"
    );
    assert!(
        text.chars().count() < 8192,
        "{} characters",
        text.chars().count()
    );
}

/// Numbers at and beyond the ends of what integers and dates can be.
const EXTREME_NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "+5",
    "00000000000000000001",
    "65536",
    "2147483648",
    "4294967296",
    "253402300800",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "0.1",
    "9999",
];

/// Characters with a meaning in one format or another.
#[rustfmt::skip]
const MARKS: [char; 26] = [
    '\0', '\n', '\r', ' ', '\t', '"', '\'', '\\', '<', '>', '&', '%', '{', '}', '[', ']', ':', ';', ',', '=', '#', '@', '/',
    '\u{e9}', '\u{feff}', '\u{202e}',
];

struct Mutator<'a> {
    samples: Vec<&'a [u8]>,
    random: Random,
}

impl Mutator<'_> {
    /// A sample with up to six mutations.
    fn input(&mut self) -> Vec<u8> {
        let mut input = self.random.pick(&self.samples).to_vec();
        for _ in 0..=self.random.below(6) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_FUZZ_INPUT_BYTES);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input.len());
        match self.random.below(8) {
            0 => self.flip_bit(input),
            1 => drop(input.splice(range, [self.random.next().to_le_bytes()[0]])),
            2 => drop(input.drain(range)),
            3 => self.repeat(input, range),
            4 => self.splice(input, range.start),
            5 => self.replace_number(input, range.start),
            6 => input.truncate(range.end),
            _ => drop(input.splice(
                range.start..range.start,
                self.random.pick(&MARKS).to_string().into_bytes(),
            )),
        }
    }

    /// Mostly short, so that the rest of the input stays valid.
    fn range(&mut self, length: usize) -> Range<usize> {
        let start = self.random.below(length + 1);
        let longest = if self.random.below(4) == 0 { length } else { 4 };
        start..length.min(start + self.random.below(longest + 1))
    }

    fn flip_bit(&mut self, input: &mut [u8]) {
        if !input.is_empty() {
            input[self.random.below(input.len())] ^= 1 << self.random.below(8);
        }
    }

    fn repeat(&mut self, input: &mut Vec<u8>, range: Range<usize>) {
        let times = *self.random.pick(&[1, 2, 3, 40, 200]);
        let repeated = input[range.clone()].repeat(times);
        input.splice(range.end..range.end, repeated);
    }

    /// Continues with the end of another sample.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize) {
        let other = *self.random.pick(&self.samples);
        input.truncate(at);
        input.extend_from_slice(&other[self.random.below(other.len() + 1)..]);
    }

    /// Replaces the first number behind a place.
    fn replace_number(&mut self, input: &mut Vec<u8>, from: usize) {
        let digits = input
            .iter()
            .skip(from)
            .take_while(|byte| !byte.is_ascii_digit())
            .count();
        let start = from + digits;
        let end = start
            + input
                .iter()
                .skip(start)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
        let number = *self.random.pick(&EXTREME_NUMBERS);
        input.splice(start..end, number.bytes());
    }
}

thread_local! {
    static LOG: RefCell<String> = const { RefCell::new(String::new()) };
}

struct LogCapture;

impl log::Log for LogCapture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOG.with_borrow_mut(|log| log.push_str(&format!("{} {}\n", record.level(), record.args())));
    }

    fn flush(&self) {}
}

/// Captures what this thread logs from now on, at every level.
pub(crate) fn capture_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&LogCapture).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    LOG.take();
}

/// What this thread has logged since the capture began.
pub(crate) fn captured_log() -> String {
    LOG.take()
}

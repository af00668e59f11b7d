//! What unit tests share: one fake system, one source of pseudo-random numbers, one capture of the log.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::system::{Finished, OsSystem, System};

/// A system with an environment, files, a clock and names of its own. Processes are real.
#[derive(Debug, Default)]
pub(crate) struct FakeSystem {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    unreadable: BTreeMap<PathBuf, io::ErrorKind>,
    /// Name to address.
    pub(crate) names: BTreeMap<String, IpAddr>,
    /// From 1970 to the start of the clock.
    start: Duration,
    /// From the start of the clock.
    elapsed: Mutex<Duration>,
    lookups: AtomicUsize,
    lookups_hang: AtomicBool,
}

impl FakeSystem {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { variables: variables.iter().map(owned).collect(), ..Self::default() }
    }

    pub(crate) fn with_file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.lock().unwrap().insert(path.into(), content.into());
        self
    }

    /// A file that cannot be read.
    pub(crate) fn with_unreadable(mut self, path: &str, kind: io::ErrorKind) -> Self {
        self.unreadable.insert(path.into(), kind);
        self
    }

    pub(crate) fn at(self, unix_seconds: u64) -> Self {
        Self { start: Duration::from_secs(unix_seconds), ..self }
    }

    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(Path::new(path)).cloned()
    }

    /// How many lookups were begun.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// From now on a lookup does not end before [`resume_lookups`](Self::resume_lookups).
    pub(crate) fn hang_lookups(&self) {
        self.lookups_hang.store(true, Ordering::SeqCst);
    }

    pub(crate) fn resume_lookups(&self) {
        self.lookups_hang.store(false, Ordering::SeqCst);
    }
}

impl System for FakeSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        if let Some(kind) = self.unreadable.get(path) {
            return Err((*kind).into());
        }
        let files = self.files.lock().unwrap();
        files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.files.lock().unwrap().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn run(&self, command_line: &str, limit: Duration) -> io::Result<Finished> {
        OsSystem.run(command_line, limit)
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.start + *self.elapsed.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now) + *self.elapsed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        *self.elapsed.lock().unwrap() += duration;
    }

    fn random(&self) -> u64 {
        0x8000_0000_0000_0000
    }

    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        while self.lookups_hang.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let address = self.names.get(host).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(vec![SocketAddr::new(*address, port)])
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// Pseudo-random numbers, the same sequence on every run: xorshift64*, as in Vigna, "An experimental exploration of
/// Marsaglia's xorshift generators, scrambled".
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to `bound`, `bound` not included.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.next() >> 33) % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
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

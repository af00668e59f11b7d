//! The fake [`System`] of the unit tests and the integration tests.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::system::{OsSystem, ProcessOutput, System};

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Watch = dyn Fn(&'static str) + Send + Sync;

/// Environment and files in memory. Sleeps return at once and advance the clocks. Processes are real.
pub(crate) struct FakeSystem {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    unreadable: BTreeMap<PathBuf, io::ErrorKind>,
    reads_real_files: bool,
    lookup: Box<Lookup>,
    lookups: AtomicUsize,
    /// Where the clocks were stopped; `None` if they run.
    stopped_at: Option<(Instant, SystemTime)>,
    /// Subtracted from the time of day.
    behind: Duration,
    slept: Mutex<Duration>,
    /// `None` for real random numbers.
    random: Option<u64>,
    process_id: AtomicU32,
    watch: OnceLock<Box<Watch>>,
}

/// Without variables.
impl Default for FakeSystem {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl FakeSystem {
    /// A system with these variables and no files. It has no names, its clock stands at 1970, and it gives one random
    /// number, always the same.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            variables: variables.collect(),
            files: Mutex::default(),
            unreadable: BTreeMap::new(),
            reads_real_files: false,
            lookup: Box::new(|_, _| Err(io::ErrorKind::NotFound.into())),
            lookups: AtomicUsize::new(0),
            stopped_at: Some((Instant::now(), UNIX_EPOCH)),
            behind: Duration::ZERO,
            slept: Mutex::default(),
            random: Some(0x8000_0000_0000_0000),
            process_id: AtomicU32::new(OsSystem.process_id()),
            watch: OnceLock::new(),
        }
    }

    /// A system for calls over loopback, with real names, random numbers and clocks. The home directory is `/h`, and EC2
    /// instance metadata is disabled unless a variable enables it.
    pub(crate) fn on_loopback(variables: &[(&str, &str)]) -> Self {
        let base = [("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")];
        let variables: Vec<_> = base.iter().chain(variables).copied().collect();
        Self {
            stopped_at: None,
            random: None,
            ..Self::new(&variables)
        }
        .with_lookup(|host, port| OsSystem.lookup(host, port))
    }

    pub(crate) fn with_file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files
            .lock()
            .unwrap()
            .insert(path.into(), content.into());
        self
    }

    /// An unreadable file.
    pub(crate) fn with_unreadable(mut self, path: &str, kind: io::ErrorKind) -> Self {
        self.unreadable.insert(path.into(), kind);
        self
    }

    /// Reads the files of this machine. Those in memory are not used then.
    pub(crate) fn with_real_files(self) -> Self {
        Self {
            reads_real_files: true,
            ..self
        }
    }

    /// Adds the shared file `~/.aws/config`.
    pub(crate) fn with_config(self, content: &str) -> Self {
        self.with_file("/h/.aws/config", content)
    }

    /// Replaces the lookup of host names.
    pub(crate) fn with_lookup(
        self,
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            lookup: Box::new(lookup),
            ..self
        }
    }

    /// Lookups do not end while `hangs` is true.
    pub(crate) fn with_hanging_lookup(self, hangs: &Arc<AtomicBool>) -> Self {
        let (hangs, lookup) = (Arc::clone(hangs), self.lookup);
        let hanging = move |host: &str, port: u16| {
            while hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            lookup(host, port)
        };
        Self {
            lookup: Box::new(hanging),
            ..self
        }
    }

    /// Stops the time of day and the monotonic clock; only sleeps advance them.
    pub(crate) fn with_stopped_clock(self) -> Self {
        Self {
            stopped_at: Some((Instant::now(), SystemTime::now())),
            ..self
        }
    }

    /// The time at which the clock stands.
    pub(crate) fn at(self, unix_seconds: u64) -> Self {
        let time = UNIX_EPOCH + Duration::from_secs(unix_seconds);
        Self {
            stopped_at: Some((Instant::now(), time)),
            ..self
        }
    }

    /// Sets the time of day back by this.
    pub(crate) fn with_clock_behind(self, behind: Duration) -> Self {
        Self { behind, ..self }
    }

    pub(crate) fn with_random(self, random: u64) -> Self {
        Self {
            random: Some(random),
            ..self
        }
    }

    /// From now on the program is another process, as after a fork.
    pub(crate) fn become_another_process(&self) {
        self.process_id.fetch_add(1, Ordering::SeqCst);
    }

    /// From now on, calls `watch` with the name of each method before it runs.
    pub(crate) fn watch(&self, watch: impl Fn(&'static str) + Send + Sync + 'static) {
        assert!(self.watch.set(Box::new(watch)).is_ok());
    }

    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(Path::new(path)).cloned()
    }

    /// The total of all sleeps.
    pub(crate) fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    /// How many lookups were begun.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    fn begin(&self, method: &'static str) {
        if let Some(watch) = self.watch.get() {
            watch(method);
        }
    }
}

/// Hides variables and files: tests search the Debug text of a configuration for the secrets in them.
impl fmt::Debug for FakeSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeSystem")
    }
}

impl System for FakeSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.begin("variable");
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        self.begin("read_file");
        if self.reads_real_files {
            return OsSystem.read_file(path, max_bytes);
        }
        if let Some(kind) = self.unreadable.get(path) {
            return Err((*kind).into());
        }
        let files = self.files.lock().unwrap();
        let content = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if content.len() > usize::try_from(max_bytes).unwrap() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content.clone())
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.begin("replace_file");
        self.files
            .lock()
            .unwrap()
            .insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn run(
        &self,
        command_line: &str,
        limit: Duration,
        on_stderr: &mut dyn FnMut(&[u8]),
    ) -> io::Result<ProcessOutput> {
        self.begin("run");
        OsSystem.run(command_line, limit, on_stderr)
    }

    fn now(&self) -> SystemTime {
        self.begin("now");
        let now = self
            .stopped_at
            .map_or_else(|| OsSystem.now(), |(_, now)| now);
        now + self.slept() - self.behind
    }

    fn instant(&self) -> Instant {
        self.begin("instant");
        let instant = self
            .stopped_at
            .map_or_else(|| OsSystem.instant(), |(instant, _)| instant);
        instant + self.slept()
    }

    fn sleep(&self, duration: Duration) {
        self.begin("sleep");
        *self.slept.lock().unwrap() += duration;
    }

    fn random(&self) -> u64 {
        self.begin("random");
        self.random.unwrap_or_else(|| OsSystem.random())
    }

    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.begin("lookup");
        self.lookups.fetch_add(1, Ordering::SeqCst);
        (self.lookup)(host, port)
    }

    fn process_id(&self) -> u32 {
        self.begin("process_id");
        self.process_id.load(Ordering::SeqCst)
    }
}

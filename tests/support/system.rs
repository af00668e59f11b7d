//! The fake [`System`] of the tests.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sagemaker_invoke::system::{Finished, OsSystem, System};

type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Environment and files in memory; sleeps return at once and advance the clocks. Everything else is [`OsSystem`] unless
/// a test replaces it.
pub(crate) struct TestSystem {
    variables: BTreeMap<String, String>,
    files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    reads_real_files: bool,
    lookup: Option<Box<Lookup>>,
    lookups: AtomicUsize,
    /// Where the clocks were stopped; `None` if they run.
    stopped_at: Option<(Instant, SystemTime)>,
    /// Subtracted from the time of day.
    behind: Duration,
    slept: Mutex<Duration>,
    random: Option<u64>,
    process_id: AtomicU32,
}

impl TestSystem {
    /// A system with these variables and no files. The home directory is `/h`, and EC2 instance metadata is disabled
    /// unless a variable enables it.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let base = [("HOME", "/h"), ("AWS_EC2_METADATA_DISABLED", "true")];
        let all = base.iter().chain(variables);
        Self {
            variables: all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            files: Mutex::default(),
            reads_real_files: false,
            lookup: None,
            lookups: AtomicUsize::new(0),
            stopped_at: None,
            behind: Duration::ZERO,
            slept: Mutex::default(),
            random: None,
            process_id: AtomicU32::new(OsSystem.process_id()),
        }
    }

    pub(crate) fn with_file(self, path: &str, content: &str) -> Self {
        self.files.lock().unwrap().insert(path.into(), content.into());
        self
    }

    /// Reads the files of this machine. Those in memory are not used then.
    pub(crate) fn with_real_files(self) -> Self {
        Self { reads_real_files: true, ..self }
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
        Self { lookup: Some(Box::new(lookup)), ..self }
    }

    /// Stops the time of day and the monotonic clock; only sleeps advance them.
    pub(crate) fn with_stopped_clock(self) -> Self {
        Self { stopped_at: Some((Instant::now(), SystemTime::now())), ..self }
    }

    /// Sets the time of day back by this.
    pub(crate) fn with_clock_behind(self, behind: Duration) -> Self {
        Self { behind, ..self }
    }

    /// From now on the program is another process, as after a fork.
    pub(crate) fn become_another_process(&self) {
        self.process_id.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn with_random(self, random: u64) -> Self {
        Self { random: Some(random), ..self }
    }

    /// The total of all sleeps.
    pub(crate) fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }

    /// The number of lookups.
    pub(crate) fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

/// Hides variables and files: tests search the Debug text of a configuration for the secrets in them.
impl fmt::Debug for TestSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestSystem")
    }
}

impl System for TestSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        if self.reads_real_files {
            return OsSystem.read_file(path, max_bytes);
        }
        let files = self.files.lock().unwrap();
        let content = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if content.len() > usize::try_from(max_bytes).unwrap() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content.clone())
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.files.lock().unwrap().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn run(&self, command_line: &str, limit: Duration) -> io::Result<Finished> {
        OsSystem.run(command_line, limit)
    }

    fn now(&self) -> SystemTime {
        let now = self.stopped_at.map_or_else(|| OsSystem.now(), |(_, now)| now);
        now + self.slept() - self.behind
    }

    fn instant(&self) -> Instant {
        let instant = self.stopped_at.map_or_else(|| OsSystem.instant(), |(instant, _)| instant);
        instant + self.slept()
    }

    fn sleep(&self, duration: Duration) {
        *self.slept.lock().unwrap() += duration;
    }

    fn random(&self) -> u64 {
        self.random.unwrap_or_else(|| OsSystem.random())
    }

    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        match &self.lookup {
            Some(lookup) => lookup(host, port),
            None => OsSystem.lookup(host, port),
        }
    }

    fn process_id(&self) -> u32 {
        self.process_id.load(Ordering::SeqCst)
    }
}

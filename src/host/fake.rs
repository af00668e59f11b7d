//! A host for unit tests: its own environment, files, clock and names. Processes are real.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Host;

#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
    /// Name to address.
    pub(crate) names: BTreeMap<String, IpAddr>,
    /// From 1970 to the beginning.
    began: Duration,
    /// Since the beginning.
    elapsed: Mutex<Duration>,
}

impl FakeHost {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { variables: variables.iter().map(owned).collect(), ..Self::default() }
    }

    pub(crate) fn with_file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.lock().unwrap().insert(path.into(), content.into());
        self
    }

    pub(crate) fn at(self, unix_seconds: u64) -> Self {
        Self { began: Duration::from_secs(unix_seconds), ..self }
    }

    pub(crate) fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(Path::new(path)).cloned()
    }
}

impl Host for FakeHost {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let files = self.files.lock().unwrap();
        files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.files.lock().unwrap().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.began + *self.elapsed.lock().unwrap()
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
        let address = self.names.get(host).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(vec![SocketAddr::new(*address, port)])
    }
}

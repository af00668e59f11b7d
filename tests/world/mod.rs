//! A machine for tests of settings and credentials: its own environment and files, the real clock, no waits.
#![allow(dead_code, reason = "each test crate uses a part")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sagemaker_invoke::host::Host;

#[derive(Debug, Default)]
pub(crate) struct World {
    variables: BTreeMap<String, String>,
    files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
}

impl World {
    /// Its home is `/h`, and instance metadata is off.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let own = [("HOME", "/h"), ("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
        let all = own.iter().chain(variables);
        let variables = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, files: Mutex::default() }
    }

    pub(crate) fn with_config(self, content: &str) -> Self {
        self.with_file("/h/.aws/config", content)
    }

    pub(crate) fn with_file(self, path: &str, content: &str) -> Self {
        self.files.lock().unwrap().insert(path.into(), content.into());
        self
    }

    pub(crate) fn shared(self) -> Arc<dyn Host> {
        Arc::new(self)
    }
}

impl Host for World {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.lock().unwrap().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.files.lock().unwrap().insert(path.to_owned(), content.to_vec());
        Ok(())
    }

    fn sleep(&self, _: Duration) {}
}

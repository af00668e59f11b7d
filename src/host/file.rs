//! Files that are replaced whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside the old one and renames it: a reader sees the old content or the new, and a crash leaves one
/// of the two.
pub(super) fn replace(path: &Path, content: &[u8], random: u64) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let temporary = path.with_file_name(format!(".{}.{random:016x}", name.to_string_lossy()));
    let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error to tell is the first one.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_its_owners() {
        let directory = std::env::temp_dir().join(format!("sagemaker-invoke-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("token.json");
        for content in [&b"first"[..], b"second"] {
            replace(&path, content, 7).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no temporary file is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::create_dir(directory.join("taken")).unwrap();
        assert!(replace(&directory.join("taken"), b"x", 7).is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2, "nor after a failure");
        fs::remove_dir_all(&directory).unwrap();
    }
}

//! Reads files up to a limit and replaces them atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Maximum number of symbolic links to a file that is replaced, as in Linux (`man 7 path_resolution`).
const MAX_LINKS: usize = 40;

/// Reads a regular file. A FIFO or a device could block for ever or have no end.
pub(super) fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // Before opening, because to open a FIFO waits for its writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    // One byte more, which finds the end without growing. A file of the kernel's may announce nothing.
    let expected_bytes = metadata.len().min(max_bytes).saturating_add(1);
    let mut content = Vec::with_capacity(usize::try_from(expected_bytes).unwrap_or(0));
    File::open(path)?
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|bytes| bytes > max_bytes) {
        let problem = format!("larger than {max_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(content)
}

/// Writes a file beside the old one and renames it: a reader sees the old content or the new one, and a crash leaves
/// one of the two. Symbolic links to the file stay.
pub(super) fn replace(path: &Path, content: &[u8], random: u64) -> io::Result<()> {
    // A rename onto a link would replace the link. Tools that keep `~/.aws` elsewhere would then no longer see the file.
    let path = link_target(path)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let temporary = path.with_file_name(format!(".{}.{random:016x}", name.to_string_lossy()));
    let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Follows symbolic links, also to a file that does not exist yet.
fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        // Fails for anything but a link.
        let Ok(target) = fs::read_link(&path) else {
            return Ok(path);
        };
        // A relative target starts at the link's directory. `join` keeps an absolute one as it is.
        path = match path.parent() {
            Some(directory) => directory.join(target),
            None => target,
        };
    }
    let problem = format!("more than {MAX_LINKS} symbolic links");
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
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
    fn only_a_regular_file_within_the_limit_is_read() {
        let path =
            std::env::temp_dir().join(format!("sagemaker-invoke-read-{}", std::process::id()));
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(
            read(&path, 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&path, 5).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(
            read(&std::env::temp_dir(), 5).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        #[cfg(unix)]
        assert_eq!(
            read(Path::new("/dev/zero"), 5).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_belongs_to_its_owner() {
        let directory =
            std::env::temp_dir().join(format!("sagemaker-invoke-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("token.json");
        for content in [&b"first"[..], b"second"] {
            replace(&path, content, 7).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            1,
            "no temporary file is left"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        fs::create_dir(directory.join("taken")).unwrap();
        assert!(replace(&directory.join("taken"), b"x", 7).is_err());
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            2,
            "nor after a failure"
        );
        fs::remove_dir_all(&directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_through_symbolic_links() {
        use std::os::unix::fs::symlink;

        let directory =
            std::env::temp_dir().join(format!("sagemaker-invoke-links-{}", std::process::id()));
        let target = directory.join("target");
        fs::create_dir_all(&target).unwrap();
        fs::write(target.join("token.json"), b"old").unwrap();
        symlink("target/token.json", directory.join("first")).unwrap();
        symlink(directory.join("first"), directory.join("second")).unwrap();
        symlink("target/new.json", directory.join("dangling")).unwrap();
        symlink("loop", directory.join("loop")).unwrap();

        replace(&directory.join("second"), b"token", 7).unwrap();
        replace(&directory.join("dangling"), b"new", 7).unwrap();
        assert_eq!(fs::read(target.join("token.json")).unwrap(), b"token");
        assert_eq!(fs::read(target.join("new.json")).unwrap(), b"new");
        for link in ["first", "second", "dangling"] {
            assert!(directory.join(link).is_symlink(), "{link}");
        }
        replace(&directory.join("loop"), b"x", 7).unwrap_err();
        assert!(directory.join("loop").is_symlink());
        fs::remove_dir_all(&directory).unwrap();
    }
}

//! An output of a process, read without blocking. A process that outlives its parent can hold the pipe open for ever.

use std::io::{self, Read};

use zeroize::Zeroizing;

use self::pipe::{Handle, Pipe};

/// Maximum bytes kept of an output. Credentials are far smaller.
const MAX_BYTES: usize = 1024 * 1024;

/// Size of one read.
const CHUNK_BYTES: usize = 16 * 1024;

/// What was read, and the pipe until its end.
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    pipe: Option<Pipe>,
}

impl Output {
    pub(super) fn new(pipe: impl Into<Handle>) -> io::Result<Self> {
        Ok(Self {
            bytes: Vec::new(),
            pipe: Some(Pipe::new(pipe.into())?),
        })
    }

    /// Reads what is there, at most 1 MiB so that the caller sees its deadline. Returns whether this was the end.
    pub(super) fn poll(&mut self) -> io::Result<bool> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(true);
        };
        let mut chunk = Zeroizing::new([0_u8; CHUNK_BYTES]);
        for _ in 0..MAX_BYTES / CHUNK_BYTES {
            match pipe.read(&mut *chunk) {
                Ok(0) => {
                    self.pipe = None;
                    return Ok(true);
                }
                Ok(length) => {
                    // The rest is read and dropped, or the process would block on a full pipe.
                    let kept = length.min(MAX_BYTES.saturating_sub(self.bytes.len()));
                    self.bytes.extend(chunk.iter().take(kept));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

#[cfg(unix)]
mod pipe {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    pub(in crate::system::process) type Handle = OwnedFd;
    pub(super) struct Pipe(File);

    impl Pipe {
        pub(super) fn new(handle: Handle) -> io::Result<Self> {
            // The only safe way of the standard library to set O_NONBLOCK; it works for every kind of descriptor. The
            // process has the other end of the pipe, another descriptor, and keeps its blocking writes.
            let any_descriptor = UnixStream::from(handle);
            any_descriptor.set_nonblocking(true)?;
            Ok(Self(OwnedFd::from(any_descriptor).into()))
        }
    }

    impl io::Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
}

/// Windows has no pipes of this kind that can be read without blocking, so a thread reads.
#[cfg(windows)]
mod pipe {
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::windows::io::OwnedHandle;
    use std::sync::mpsc::{self, Receiver, TryRecvError};
    use std::thread;

    use zeroize::Zeroizing;

    pub(in crate::system::process) type Handle = OwnedHandle;

    /// The thread ends with the pipe, or when what it has read is not wanted any more.
    pub(super) struct Pipe {
        chunks: Receiver<io::Result<Zeroizing<Vec<u8>>>>,
        chunk: Zeroizing<Vec<u8>>,
    }

    impl Pipe {
        pub(super) fn new(handle: Handle) -> io::Result<Self> {
            let mut file = File::from(handle);
            let (sender, chunks) = mpsc::sync_channel(1);
            thread::Builder::new()
                .name("sagemaker-invoke process".to_owned())
                .spawn(move || {
                    loop {
                        let mut chunk = Zeroizing::new(vec![0; super::CHUNK_BYTES]);
                        let read = file.read(&mut chunk);
                        let is_last = !matches!(read, Ok(1..));
                        let sent = sender.send(read.map(|length| {
                            chunk.truncate(length);
                            chunk
                        }));
                        if is_last || sent.is_err() {
                            break;
                        }
                    }
                })?;
            Ok(Self {
                chunks,
                chunk: Zeroizing::default(),
            })
        }
    }

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.chunk.is_empty() {
                self.chunk = match self.chunks.try_recv() {
                    Ok(chunk) => chunk?,
                    Err(TryRecvError::Empty) => return Err(io::ErrorKind::WouldBlock.into()),
                    // The thread has sent the end.
                    Err(TryRecvError::Disconnected) => return Ok(0),
                };
            }
            let length = self.chunk.as_slice().read(buffer)?;
            self.chunk.drain(..length);
            Ok(length)
        }
    }
}

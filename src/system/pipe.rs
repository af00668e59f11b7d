//! Reads an output of a process without blocking. A process that outlives its parent can hold the pipe open for ever.

use std::io::{self, Read};

use zeroize::Zeroizing;

use self::platform::{Handle, NonBlocking};

/// Size of one read.
const CHUNK_BYTES: usize = 16 * 1024;

/// Maximum chunks read at once, 1 MiB, so that the caller sees its deadline although a process writes without end.
const MAX_CHUNKS: usize = 64;

/// The standard output or standard error of a process, until it is closed.
pub(super) struct Pipe(Option<NonBlocking>);

impl Pipe {
    pub(super) fn new(handle: impl Into<Handle>) -> io::Result<Self> {
        Ok(Self(Some(NonBlocking::new(handle.into())?)))
    }

    /// Passes on the bytes that have arrived, and returns whether the pipe is closed.
    pub(super) fn read_available(&mut self, on_bytes: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        let Some(pipe) = &mut self.0 else {
            return Ok(true);
        };
        let mut chunk = Zeroizing::new([0_u8; CHUNK_BYTES]);
        for _ in 0..MAX_CHUNKS {
            match pipe.read(&mut *chunk) {
                Ok(0) => {
                    self.0 = None;
                    return Ok(true);
                }
                Ok(length) => on_bytes(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    pub(in crate::system) type Handle = OwnedFd;
    pub(super) struct NonBlocking(File);

    impl NonBlocking {
        pub(super) fn new(handle: Handle) -> io::Result<Self> {
            // The only safe way of the standard library to set O_NONBLOCK; it works for every kind of descriptor. The
            // process has the other end of the pipe, another descriptor, and keeps its blocking writes.
            let any_descriptor = UnixStream::from(handle);
            any_descriptor.set_nonblocking(true)?;
            Ok(Self(OwnedFd::from(any_descriptor).into()))
        }
    }

    impl io::Read for NonBlocking {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
}

/// Windows cannot read these pipes without blocking, so a thread reads.
#[cfg(windows)]
mod platform {
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::windows::io::OwnedHandle;
    use std::sync::mpsc::{self, Receiver, TryRecvError};
    use std::thread;

    use zeroize::Zeroizing;

    pub(in crate::system) type Handle = OwnedHandle;

    /// The thread ends when the pipe is closed, or with the next bytes after the receiver is dropped.
    pub(super) struct NonBlocking {
        chunks: Receiver<io::Result<Zeroizing<Vec<u8>>>>,
        chunk: Zeroizing<Vec<u8>>,
    }

    impl NonBlocking {
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

    impl Read for NonBlocking {
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

//! What the measured programs share: they take commands from standard input, make calls, and print what they cost.
//!
//! | command | answer |
//! | --- | --- |
//! | `calls BYTES COUNT` | median time and mean CPU of a call in ns, mean allocations of a call |
//! | `threads COUNT MILLISECONDS` | calls per second of so many callers with 100 B |
//! | `stream BYTES COUNT PER_CHUNK GAP` | CPU of a frame in ns, allocations of a frame, median latency of a frame in ns |
//!
//! The words after `stream` are the body of the request, and server/src/stream.rs explains them. The latency is from the
//! server's write to the caller; it is 0 without a gap, where frames wait for their reader.

use std::io::{BufRead, Write};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use stats_alloc::INSTRUMENTED_SYSTEM;

/// One caller with a connection: takes a body, gives the length of the answer.
pub type Caller = Box<dyn FnMut(&[u8]) -> usize + Send>;

/// Reads one stream: takes the body of the request, and calls the function with each part.
pub type StreamReader = Box<dyn FnMut(&[u8], &mut dyn FnMut(&[u8]))>;

/// Calls on a connection before anything is measured.
const WARM_UP: usize = 5;

/// Serves commands until standard input ends. `new_caller` is asked for one caller per thread.
pub fn run(new_caller: impl Fn() -> Caller) {
    run_with_streams(
        new_caller,
        Box::new(|_, _| panic!("this program reads no streams")),
    );
}

/// The same for a program that reads streams too.
pub fn run_with_streams(new_caller: impl Fn() -> Caller, read_stream: StreamReader) {
    let threads = |count, time| on_threads(&new_caller, count, time);
    run_with(new_caller(), threads, read_stream);
}

/// The same for a program that has its own kind of threads.
pub fn run_with(
    mut call: Caller,
    threads: impl Fn(usize, Duration) -> f64,
    mut read_stream: StreamReader,
) {
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a command");
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| {
            words
                .get(at)
                .and_then(|it| it.parse().ok())
                .expect("a number")
        };
        let answer = match words[0] {
            "calls" => measure(&mut call, number(1), number(2)),
            "threads" => threads(number(1), Duration::from_millis(number(2) as u64)).to_string(),
            "stream" => {
                let wanted = StreamFigures {
                    bytes: number(1),
                    frames: number(2),
                    is_paced: number(4) > 0,
                };
                measure_stream(&mut read_stream, &words[1..].join(" "), &wanted)
            }
            other => panic!("unknown command {other}"),
        };
        let mut output = std::io::stdout();
        writeln!(output, "{answer}")
            .and_then(|()| output.flush())
            .expect("an answer");
    }
}

fn measure(call: &mut Caller, bytes: usize, count: usize) -> String {
    let body = vec![b'7'; bytes];
    let mut times = Vec::with_capacity(count);
    (0..WARM_UP).for_each(|_| assert!(call(&body) > 0));
    let allocations = INSTRUMENTED_SYSTEM.stats();
    let cpu = cpu_time();
    for _ in 0..count {
        let called_at = Instant::now();
        assert!(call(&body) > 0);
        times.push(called_at.elapsed().as_nanos());
    }
    let cpu = (cpu_time() - cpu).as_nanos() as usize / count;
    let change = INSTRUMENTED_SYSTEM.stats() - allocations;
    let allocations = (change.allocations + change.reallocations) as f64 / count as f64;
    times.sort_unstable();
    format!("{} {cpu} {allocations}", times[count / 2])
}

/// What a stream consists of.
struct StreamFigures {
    /// Bytes of each payload.
    bytes: usize,
    frames: usize,
    /// Whether each payload begins with the time of its write.
    is_paced: bool,
}

fn measure_stream(read: &mut StreamReader, body: &str, wanted: &StreamFigures) -> String {
    let mut latencies = Vec::with_capacity(if wanted.is_paced { wanted.frames } else { 0 });
    let (mut parts, mut bytes) = (0, 0);
    let allocations = INSTRUMENTED_SYSTEM.stats();
    let cpu = cpu_time();
    read(body.as_bytes(), &mut |part| {
        if wanted.is_paced {
            latencies.push(latency(part));
        }
        parts += 1;
        bytes += part.len();
    });
    let cpu = (cpu_time() - cpu).as_nanos() as f64 / wanted.frames as f64;
    let change = INSTRUMENTED_SYSTEM.stats() - allocations;
    let allocations = (change.allocations + change.reallocations) as f64 / wanted.frames as f64;
    assert_eq!(
        (parts, bytes),
        (wanted.frames, wanted.frames * wanted.bytes),
        "the stream is not whole"
    );
    latencies.sort_unstable();
    format!(
        "{cpu} {allocations} {}",
        latencies.get(wanted.frames / 2).unwrap_or(&0)
    )
}

/// Nanoseconds since the server took the time that the payload begins with. The clock is the same in all processes.
fn latency(part: &[u8]) -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the machine has a clock");
    let now = u64::try_from(Duration::from(now).as_nanos()).expect("less than 584 years");
    now.saturating_sub(u64::from_be_bytes(*part.first_chunk().expect("a time")))
}

fn on_threads(new_caller: impl Fn() -> Caller, count: usize, time: Duration) -> f64 {
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let mut call = new_caller();
                let start = &start;
                scope.spawn(move || {
                    let body = [b'7'; 100];
                    (0..WARM_UP).for_each(|_| assert!(call(&body) > 0));
                    start.wait();
                    let (begun_at, mut calls) = (Instant::now(), 0_u32);
                    while begun_at.elapsed() < time {
                        call(&body);
                        calls += 1;
                    }
                    f64::from(calls) / begun_at.elapsed().as_secs_f64()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|it| it.join().expect("a caller"))
            .sum()
    })
}

/// User and system time of the whole process.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .expect("the process has a clock")
        .into()
}

/// A required variable of the environment.
#[must_use]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

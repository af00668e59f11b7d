//! Streamed answers, with ureq and a bare decoder as the floor.

use crate::process::{Server, Talking, on_core};
use crate::programs::Program;
use crate::statistics::Samples;

const ROUNDS: usize = 15;

/// Short rounds, so that disturbances affect all programs alike.
const LATENCY_ROUNDS: usize = 45;

/// Rounds that measure a whole process.
const MEMORY_ROUNDS: usize = 3;

/// What a frame carries, its bytes, and the frames in a chunk of HTTP. A server that writes each frame when it has it
/// sends a chunk for each; a proxy or a slow reader joins them.
const CPU_CASES: [(&str, usize, usize); 4] = [
    ("60 B, 1,000 in a chunk", 60, 1000),
    ("1 KiB, 1,000 in a chunk", 1024, 1000),
    ("60 B, a chunk each", 60, 1),
    ("1 KiB, a chunk each", 1024, 1),
];

/// Frames of a stream; boto3 takes about ten times as long for one as the SDK.
const FRAMES: usize = 200_000;
const BOTO3_FRAMES: usize = 10_000;

/// Frames with a pause before each, so that each finds a reader that waits; harness/src/lib.rs has the form of a command.
const PACED: &str = "stream 60 300 1 500";

/// A stream of 1 GB.
const LARGE: &str = "stream 1000 1000000 1000 0";

/// CPU and allocations of a frame, client and server on one core.
pub fn compare_cpu(programs: &[Program], can_pin: bool) {
    let core = can_pin.then_some(0);
    println!(
        "## Streams: CPU per frame, HTTP{}\n",
        if can_pin {
            ", client and server on one core"
        } else {
            ""
        }
    );
    println!("Medians of {ROUNDS} rounds of one stream (quartiles).\n");
    println!(
        "| frames | program | CPU, µs | allocations | ours / it |\n| --- | --- | --- | --- | --- |"
    );
    let server = Server::start(core);
    let programs = readers(programs);
    let mut readers: Vec<_> = programs
        .iter()
        .map(|program| start(&server, program, &program.bench(), core))
        .collect();
    for (name, payload_bytes, frames_per_chunk) in CPU_CASES {
        let command = |program: &Program| {
            let frames = if program.is_rust() {
                FRAMES
            } else {
                BOTO3_FRAMES
            };
            format!("stream {payload_bytes} {frames} {frames_per_chunk} 0")
        };
        let mut samples = vec![Samples::default(); programs.len()];
        for _ in 0..ROUNDS {
            for ((program, reader), cpu) in programs.iter().zip(&mut readers).zip(&mut samples) {
                cpu.push(reader.numbers(&command(program))[0] / 1e3);
            }
        }
        let ours = samples[0].median();
        for (program, cpu) in programs.iter().zip(&samples) {
            let allocations = match program.count() {
                Some(count) => {
                    let figures = start(&server, program, &count, core).numbers(&command(program));
                    format!("{:.2}", figures[1])
                }
                None => "-".to_owned(),
            };
            let figures = format!(
                "{} | {allocations} | {:.3}",
                cpu.show(3),
                ours / cpu.median()
            );
            println!("| {name} | {} | {figures} |", program.name);
        }
    }
    println!();
}

/// From the server's write to the caller. On one core no other core has to be woken, so that the client's own work is a
/// larger part of the time.
pub fn compare_latency(programs: &[Program], can_pin: bool) {
    println!("## Streams: from the write of a frame to the caller, HTTP\n");
    println!(
        "Medians of {LATENCY_ROUNDS} rounds of 300 frames of 60 B, with 0.5 ms between them (quartiles).\n"
    );
    println!("| client and server | program | p50, µs | ours / it |\n| --- | --- | --- | --- |");
    let on_cores = [
        ("on a core each", Some(0), Some(1)),
        ("on one core", Some(0), Some(0)),
    ];
    let unpinned = [("not pinned", None, None)];
    let programs = readers(programs);
    for (place, client_core, server_core) in if can_pin {
        &on_cores[..]
    } else {
        &unpinned[..]
    } {
        let server = Server::start(*server_core);
        let mut readers: Vec<_> = programs
            .iter()
            .map(|program| start(&server, program, &program.bench(), *client_core))
            .collect();
        let mut samples = vec![Samples::default(); programs.len()];
        for _ in 0..LATENCY_ROUNDS {
            for (reader, latency) in readers.iter_mut().zip(&mut samples) {
                latency.push(reader.numbers(PACED)[2] / 1e3);
            }
        }
        let ours = samples[0].median();
        for (program, latency) in programs.iter().zip(&samples) {
            let figures = format!("{} | {:.3}", latency.show(1), ours / latency.median());
            println!("| {place} | {} | {figures} |", program.name);
        }
    }
    println!();
}

/// Peak memory of a process that reads one stream of 1 GB.
pub fn compare_memory(programs: &[Program], can_pin: bool) {
    println!("## Streams: peak memory over 1 GB\n");
    println!(
        "A million frames of 1,000 B, in a process of their own: median of {MEMORY_ROUNDS} (quartiles).\n"
    );
    println!("| program | MB | ours / it |\n| --- | --- | --- |");
    let server = Server::start(can_pin.then_some(1));
    let programs = readers(programs);
    let mut samples = vec![Samples::default(); programs.len()];
    for _ in 0..MEMORY_ROUNDS {
        for (program, memory) in programs.iter().zip(&mut samples) {
            let mut reader = start(&server, program, &program.bench(), can_pin.then_some(0));
            reader.ask(LARGE);
            memory.push(reader.peak_memory_kibibytes() / 1024.0);
        }
    }
    let ours = samples[0].median();
    for (program, memory) in programs.iter().zip(&samples) {
        println!(
            "| {} | {} | {:.3} |",
            program.name,
            memory.show(1),
            ours / memory.median()
        );
    }
    println!();
}

/// The programs that read streams, each once: TLS has no part in this.
fn readers(programs: &[Program]) -> Vec<Program> {
    let mut readers: Vec<Program> = programs
        .iter()
        .copied()
        .filter(|it| it.reads_streams)
        .collect();
    for floor in readers.iter_mut().filter(|it| it.package == "unsigned") {
        floor.name = "unsigned ureq + bare decoder";
    }
    readers
}

fn start(server: &Server, program: &Program, command: &[String], core: Option<usize>) -> Talking {
    let mut command = on_core(core, command);
    server.introduce(&mut command, program, false, "stream");
    Talking::start(command)
}

//! Calls on connections that stand.

use std::process::Command;

use crate::process::{Server, Talking, on_core};
use crate::programs::Program;
use crate::statistics::Samples;

const ROUNDS: usize = 15;

/// How many callers at once, and for how long.
const THREADS: [usize; 6] = [1, 2, 4, 8, 16, 32];
const THREADS_ROUNDS: usize = 5;
const THREADS_MILLISECONDS: usize = 300;

fn start(
    server: &Server,
    program: &Program,
    bench: &[String],
    core: Option<usize>,
    place: Place,
) -> Talking {
    let mut command: Command = on_core(core, bench);
    server.introduce(&mut command, program, place.tls, place.endpoint);
    Talking::start(command)
}

#[derive(Clone, Copy)]
struct Place {
    tls: bool,
    endpoint: &'static str,
}

/// Time, CPU and allocations of a call with 100 B, client and server on one core.
pub fn compare_small(programs: &[Program], can_pin: bool) {
    let core = can_pin.then_some(0);
    let server = Server::start(core);
    let place = Place {
        tls: false,
        endpoint: "small",
    };
    let mut callers: Vec<_> = programs
        .iter()
        .map(|program| start(&server, program, &program.bench(), core, place))
        .collect();
    let mut samples = vec![(Samples::default(), Samples::default()); programs.len()];
    for _ in 0..ROUNDS {
        for ((program, caller), (time, cpu)) in programs.iter().zip(&mut callers).zip(&mut samples)
        {
            let figures = caller.numbers(if program.is_rust() {
                "calls 100 2000"
            } else {
                "calls 100 100"
            });
            time.push(figures[0] / 1e3);
            cpu.push(figures[1] / 1e3);
        }
    }
    let allocations = programs.iter().map(|program| match program.count() {
        Some(count) => {
            format!(
                "{:.1}",
                start(&server, program, &count, core, place).numbers("calls 100 1000")[2]
            )
        }
        None => "-".to_owned(),
    });
    println!(
        "## Warm call, 100 B, HTTP{}\n",
        if can_pin {
            ", client and server on one core"
        } else {
            ""
        }
    );
    println!("Medians of {ROUNDS} rounds of calls (quartiles).\n");
    println!("| program | p50, µs | CPU, µs | allocations | p50: ours / it | CPU: ours / it |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let (our_time, our_cpu) = (samples[0].0.median(), samples[0].1.median());
    for ((program, (time, cpu)), allocations) in programs.iter().zip(&samples).zip(allocations) {
        let (time_ratio, cpu_ratio) = (our_time / time.median(), our_cpu / cpu.median());
        let figures = format!("{} | {} | {allocations}", time.show(1), cpu.show(1));
        println!(
            "| {} | {figures} | {time_ratio:.2} | {cpu_ratio:.2} |",
            program.name
        );
    }
    println!();
}

/// Large bodies and a large answer, client and server on a core each.
pub fn compare_large(programs: &[Program], can_pin: bool) {
    let cases = [
        ("1 MB body", "calls 1000000 40", false, "small"),
        ("5 MB body", "calls 5000000 10", false, "small"),
        ("25 MiB answer", "calls 100 3", false, "large"),
        ("1 MB body", "calls 1000000 40", true, "small"),
        ("5 MB body", "calls 5000000 10", true, "small"),
        ("25 MiB answer", "calls 100 3", true, "large"),
    ];
    println!(
        "## Large bodies and answers{}\n",
        if can_pin {
            ", client and server on a core each"
        } else {
            ""
        }
    );
    println!("p50 in ms, medians of {ROUNDS} rounds (quartiles).\n");
    println!("| call | program | ms | ours / it |\n| --- | --- | --- | --- |");
    for (name, calls, tls, endpoint) in cases {
        let server = Server::start(can_pin.then_some(1));
        let programs: Vec<&Program> = programs.iter().filter(|it| it.speaks_tls || !tls).collect();
        let place = Place { tls, endpoint };
        let core = can_pin.then_some(0);
        let mut callers: Vec<_> = programs
            .iter()
            .map(|program| start(&server, program, &program.bench(), core, place))
            .collect();
        let mut samples = vec![Samples::default(); programs.len()];
        for _ in 0..ROUNDS {
            for (caller, times) in callers.iter_mut().zip(&mut samples) {
                times.push(caller.numbers(calls)[0] / 1e6);
            }
        }
        let ours = samples[0].median();
        for (program, times) in programs.iter().zip(&samples) {
            let scheme = if tls { "HTTPS" } else { "HTTP" };
            let ratio = ours / times.median();
            println!(
                "| {name}, {scheme} | {} | {} | {ratio:.2} |",
                program.name,
                times.show(2)
            );
        }
    }
    println!();
}

/// Calls per second of many callers, nothing pinned.
pub fn compare_threads(programs: &[Program]) {
    println!("## Calls per second, 100 B, HTTP, thousands (connections opened)\n");
    println!("Medians of {THREADS_ROUNDS} rounds; the server takes its part of the same cores.\n");
    let titles: Vec<String> = THREADS.iter().map(usize::to_string).collect();
    println!(
        "| program | {} |\n|{}",
        titles.join(" | "),
        " --- |".repeat(THREADS.len() + 1)
    );
    let mut server = Server::start(None);
    let place = Place {
        tls: false,
        endpoint: "small",
    };
    let mut rows = vec![vec![(Samples::default(), 0); THREADS.len()]; programs.len()];
    for _ in 0..THREADS_ROUNDS {
        for (program, row) in programs.iter().zip(&mut rows) {
            for (threads, (rate, connections)) in THREADS.iter().zip(row) {
                let before = server.connections();
                let mut caller = start(&server, program, &program.bench(), None, place);
                rate.push(
                    caller.numbers(&format!("threads {threads} {THREADS_MILLISECONDS}"))[0] / 1e3,
                );
                drop(caller);
                *connections = (*connections).max(server.connections() - before);
            }
        }
    }
    for (program, row) in programs.iter().zip(&rows) {
        let cells: Vec<String> = row
            .iter()
            .map(|(rate, connections)| format!("{:.1} ({connections})", rate.median()))
            .collect();
        println!("| {} | {} |", program.name, cells.join(" | "));
    }
    println!();
}

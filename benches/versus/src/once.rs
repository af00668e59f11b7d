//! From the start of a process to its end, with one call between.

use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use crate::process::{Server, on_core};
use crate::programs::{Program, Roots, text};
use crate::statistics::Samples;

const ROUNDS: usize = 31;

/// Runs a command and prints its time in ns and its peak memory in KiB. A separate process for each, because the
/// system tells the peak of all children together.
pub fn run_here(command: &[&str]) {
    let (program, arguments) = command.split_first().expect("a command");
    let begun_at = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .status();
    let time = begun_at.elapsed().as_nanos();
    assert!(status.expect("it starts").success(), "{command:?}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    println!("{time} {}", usage.max_rss());
}

pub fn compare(programs: &[Program], can_pin: bool) {
    let server = Server::start(can_pin.then_some(1));
    for tls in [false, true] {
        let mut programs: Vec<Program> = programs
            .iter()
            .copied()
            .filter(|it| it.speaks_tls || !tls)
            .collect();
        if tls && let Some(sdk) = programs.iter().find(|it| it.package == "sdk").copied() {
            programs.push(Program {
                name: "official SDK, one root",
                roots: Roots::One,
                ..sdk
            });
        }
        println!(
            "## Start to first response, {}\n",
            if tls { "HTTPS" } else { "HTTP" }
        );
        println!("Whole process with one call of 100 B: median of {ROUNDS} rounds (quartiles).\n");
        println!("| program | ms | peak memory, MB | ours / it |\n| --- | --- | --- | --- |");
        let mut samples = vec![(Samples::default(), Samples::default()); programs.len()];
        for _ in 0..ROUNDS {
            for (program, (time, memory)) in programs.iter().zip(&mut samples) {
                // Once for nothing, so that none pays for what ran before it.
                run(&server, program, tls, can_pin);
                let [nanoseconds, kibibytes] = run(&server, program, tls, can_pin);
                time.push(nanoseconds / 1e6);
                memory.push(kibibytes / 1024.0);
            }
        }
        let ours = samples[0].0.median();
        for (program, (time, memory)) in programs.iter().zip(&samples) {
            let ratio = ours / time.median();
            println!(
                "| {} | {} | {} | {ratio:.3} |",
                program.name,
                time.show(2),
                memory.show(1)
            );
        }
        println!();
    }
}

fn run(server: &Server, program: &Program, tls: bool, can_pin: bool) -> [f64; 2] {
    let own = std::env::current_exe().expect("this program");
    let words: Vec<String> = [text(&own), "once".to_owned()]
        .into_iter()
        .chain(program.once())
        .collect();
    let mut command = on_core(can_pin.then_some(0), &words);
    server.introduce(&mut command, program, tls, "small");
    let output = command.stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", program.name);
    let printed = String::from_utf8(output.stdout).expect("text");
    let (time, memory) = printed.trim().split_once(' ').expect("two numbers");
    [time, memory].map(|it| it.parse().expect("a number"))
}

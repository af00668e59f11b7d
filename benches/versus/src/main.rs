//! Measures this crate beside the official SDK, boto3, ureq and the bare socket in one run, on loopback only, and
//! prints tables.
//!
//! `versus` does everything. `versus --keep-builds` leaves what is built and measures no footprint. `versus measure`
//! builds nothing and measures in the network that it is in. `versus streams` builds what is missing and measures only
//! streamed answers.

mod builds;
mod network;
mod once;
mod process;
mod programs;
mod statistics;
mod streams;
mod warm;

use std::time::Duration;
use std::{env, process as this_process, thread};

use programs::Program;

/// No run takes longer; the programs end when their input does.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["once", ref command @ ..] => return once::run_here(command),
        ["measure"] => return measure(),
        ["measure-streams"] => return measure_streams(),
        [] | ["--keep-builds"] | ["streams"] => {}
        _ => panic!("versus [--keep-builds | streams | measure | measure-streams]"),
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("not done in {PATIENCE:?}");
        this_process::exit(1);
    });
    let mut programs = programs::all();
    let is_streams = words == ["streams"];
    if is_streams {
        programs.retain(|it| it.reads_streams);
    }
    builds::prepare(&programs, words.is_empty());
    let (word, measure): (_, fn()) = if is_streams {
        ("measure-streams", measure_streams)
    } else {
        ("measure", measure)
    };
    if !network::run_in_own(word) {
        measure();
    }
}

fn measure() {
    let (programs, can_pin) = prepare();
    once::compare(&programs, can_pin);
    warm::compare_small(&programs, can_pin);
    warm::compare_large(&programs, can_pin);
    warm::compare_threads(&programs);
    compare_streams(&programs, can_pin);
}

fn measure_streams() {
    let (programs, can_pin) = prepare();
    compare_streams(&programs, can_pin);
}

fn compare_streams(programs: &[Program], can_pin: bool) {
    streams::compare_cpu(programs, can_pin);
    streams::compare_latency(programs, can_pin);
    streams::compare_memory(programs, can_pin);
}

/// The programs that are there, and whether they can be pinned to a core.
fn prepare() -> (Vec<Program>, bool) {
    let can_pin = process::can_pin();
    if !can_pin {
        println!(
            "Nothing is pinned to a core: taskset does not work here, or there is one core.\n"
        );
    }
    (
        programs::all()
            .into_iter()
            .filter(builds::is_there)
            .collect(),
        can_pin,
    )
}

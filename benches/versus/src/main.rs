//! Measures this crate beside the official SDK, boto3, ureq and the bare socket in one run, on loopback only, and
//! prints tables.
//!
//! `versus` does everything. `versus --keep-builds` leaves what is built and measures no footprint. `versus measure`
//! builds nothing and measures in the network that it is in.

mod builds;
mod network;
mod once;
mod process;
mod programs;
mod statistics;
mod warm;

use std::time::Duration;
use std::{env, process as this_process, thread};

/// No run takes longer; the programs end when their input does.
const PATIENCE: Duration = Duration::from_secs(45 * 60);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["once", ref command @ ..] => return once::run_here(command),
        ["measure"] => return measure(),
        [] => {}
        ["--keep-builds"] => {}
        _ => panic!("versus [--keep-builds | measure]"),
    }
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        eprintln!("not done in {PATIENCE:?}");
        this_process::exit(1);
    });
    builds::prepare(&programs::all(), words.is_empty());
    if !network::run_in_own("measure") {
        measure();
    }
}

fn measure() {
    let can_pin = process::can_pin();
    if !can_pin {
        println!("Nothing is pinned to a core: taskset does not work here, or there is one core.\n");
    }
    let programs: Vec<_> = programs::all().into_iter().filter(builds::is_there).collect();
    once::compare(&programs, can_pin);
    warm::compare_small(&programs, can_pin);
    warm::compare_large(&programs, can_pin);
    warm::compare_threads(&programs);
}

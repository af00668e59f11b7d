//! Builds the programs, and tells what each one weighs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::programs::{Program, folder, text};

/// The version that the figures are about; it came out with the official SDK that is compared.
const BOTO3: &str = "boto3==1.44.5";

/// Builds what is missing, or everything again to measure the footprint.
pub fn prepare(programs: &[Program], measures_footprint: bool) {
    cargo(&["build", "--release", "-p", "server"]);
    if measures_footprint {
        println!("## Footprint\n");
        println!(
            "| program | crates | clean build, s | of all cores, s | stripped, bytes | profile small, bytes |"
        );
        println!("| --- | --- | --- | --- | --- | --- |");
    }
    for program in programs.iter().filter(|it| it.is_rust()) {
        if measures_footprint {
            weigh(program);
        }
        build(
            program,
            &[
                "--release",
                "--features",
                &features(program, "bench"),
                "--bins",
            ],
        );
    }
    if let Some(boto3) = programs.iter().find(|it| !it.is_rust()) {
        install(boto3, measures_footprint);
    }
}

/// Whether the program could be built or installed.
pub fn is_there(program: &Program) -> bool {
    program
        .bench()
        .first()
        .is_some_and(|it| Path::new(it).exists())
}

fn weigh(program: &Program) {
    let _ = fs::remove_dir_all(program.target());
    cargo(&["fetch"]);
    let features = features(program, "");
    let (begun_at, cpu) = (Instant::now(), cpu_seconds());
    build(
        program,
        &[
            "--release",
            "--features",
            &features,
            "--bin",
            program.package,
        ],
    );
    let (seconds, cpu) = (begun_at.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let bytes = size_of(&program.target().join("release").join(program.package));
    // Whole-program optimisation of the SDK takes many minutes, and its size is not compared with a small one.
    let small = if program.package == "sdk" {
        "-".to_owned()
    } else {
        build(
            program,
            &[
                "--profile",
                "small",
                "--features",
                &features,
                "--bin",
                program.package,
            ],
        );
        size_of(&program.target().join("small").join(program.package)).to_string()
    };
    println!(
        "| {} | {} | {seconds:.1} | {cpu:.1} | {bytes} | {small} |",
        program.name,
        crates(program)
    );
}

/// What the processes that have ended took: the figure that other work on the machine changes least.
fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    (usage.user_time() + usage.system_time()).num_milliseconds() as f64 / 1e3
}

fn size_of(file: &Path) -> u64 {
    fs::metadata(file).expect("a binary").len()
}

/// Crates in the tree of the program, itself not counted.
fn crates(program: &Program) -> usize {
    let features = features(program, "");
    let arguments = [
        "tree",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "-p",
        program.package,
    ];
    let output = command(&arguments)
        .args(["--features", &features])
        .output()
        .expect("cargo runs");
    let listed = String::from_utf8(output.stdout).expect("text");
    let mut names: Vec<&str> = listed
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.len() - 1
}

fn features(program: &Program, more: &str) -> String {
    [program.features, more].join(",")
}

fn build(program: &Program, arguments: &[&str]) {
    let target = text(&program.target());
    let own = ["build", "--target-dir", &target, "-p", program.package];
    cargo(&[&own, arguments].concat());
}

fn cargo(arguments: &[&str]) {
    let output = command(arguments).output().expect("cargo runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(folder())
        .env_remove("CARGO_TARGET_DIR");
    command
}

/// A separate Python environment; what cannot be done is printed.
fn install(boto3: &Program, measures_footprint: bool) {
    let python = boto3.target().join("bin/python");
    let begun_at = Instant::now();
    let is_installed = python.exists()
        || runs(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(boto3.target()),
        ) && runs(Command::new(&python).args(["-m", "pip", "install", "--quiet", BOTO3]));
    if !is_installed {
        let _ = fs::remove_dir_all(boto3.target());
        println!("\nboto3 is left out: python3 with venv, or the package, is not to be had here.");
    } else if measures_footprint {
        let listed = Command::new(&python)
            .args(["-m", "pip", "list", "--format=freeze"])
            .output();
        let packages = String::from_utf8(listed.expect("pip runs").stdout).expect("text");
        let count = packages
            .lines()
            .filter(|it| !it.starts_with("pip") && !it.starts_with("setuptools"))
            .count();
        println!(
            "| {BOTO3} | {count} packages | {:.1} to install | - | - | - |",
            begun_at.elapsed().as_secs_f64()
        );
    }
    println!();
}

fn runs(command: &mut Command) -> bool {
    let silent = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

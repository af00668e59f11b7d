//! Every dependency of a build has a licence from the list in deny.toml.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

const DENY: &str = include_str!("../deny.toml");

/// The texts in quotes after `allow = [`.
fn allowed() -> Vec<&'static str> {
    let (_, rest) = DENY.split_once("allow = [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    list.lines().filter_map(|line| line.split('"').nth(1)).collect()
}

/// Whether the allowed licences satisfy an SPDX expression. `/` is an old spelling of OR.
fn is_satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    let is_satisfied = any_of(&mut words, allowed);
    assert!(words.is_empty(), "{expression} cannot be parsed");
    is_satisfied
}

fn any_of(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut is_satisfied = all_of(words, allowed);
    while let Some(rest) = words.strip_prefix(&["OR"]) {
        *words = rest;
        is_satisfied |= all_of(words, allowed);
    }
    is_satisfied
}

fn all_of(words: &mut &[&str], allowed: &[&str]) -> bool {
    let mut is_satisfied = licence(words, allowed);
    while let Some(rest) = words.strip_prefix(&["AND"]) {
        *words = rest;
        is_satisfied &= licence(words, allowed);
    }
    is_satisfied
}

fn licence(words: &mut &[&str], allowed: &[&str]) -> bool {
    let (first, rest) = words.split_first().unwrap();
    *words = rest;
    if *first == "(" {
        let is_satisfied = any_of(words, allowed);
        *words = words.strip_prefix(&[")"]).unwrap();
        return is_satisfied;
    }
    // A WITH clause only adds permissions.
    if let ["WITH", _, rest @ ..] = rest {
        *words = rest;
    }
    allowed.contains(first)
}

fn check(arguments: &[&str]) {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{l}"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let allowed = allowed();
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<_> =
        tree.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|')).collect();
    assert!(crates.len() > 30, "{tree}");
    for (name, licence) in crates {
        assert!(is_satisfied(licence, &allowed), "{name} has the licence {licence:?}");
    }
}

#[test]
fn licences_of_the_default_build() {
    check(&[]);
}

#[test]
#[ignore = "fetches the crates of all features and platforms, run by .ci/run"]
fn licences_of_every_build() {
    check(&["--all-features", "--target", "all"]);
}

#[test]
fn expressions_are_evaluated() {
    let allowed = ["MIT", "ISC", "Apache-2.0"];
    for satisfied in [
        "MIT",
        "GPL-3.0 OR MIT",
        "Unlicense/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        "GPL-3.0 AND ISC OR MIT",
    ] {
        assert!(is_satisfied(satisfied, &allowed), "{satisfied}");
    }
    for unsatisfied in
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT-0", "GPL-3.0 OR MIT AND BSD"]
    {
        assert!(!is_satisfied(unsatisfied, &allowed), "{unsatisfied}");
    }
}

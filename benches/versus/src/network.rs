//! A loopback network of our own: the machine's may pace what is sent for the sake of lines far away.

use std::env;
use std::process::{Command, Stdio};

/// Makes the loopback network, with the default congestion control of Linux. It is a property
/// of the routes, because the setting of the whole network takes a privilege that containers do not have.
const PREPARE: &str = "
    set -e
    ip link set lo up
    for addresses in 127.0.0.0/8 127.0.0.1; do
        ip route replace local $addresses dev lo table local proto kernel scope host src 127.0.0.1 congctl lock cubic
    done";

const CONGESTION_CONTROL_FILE: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

/// Runs this program with `word` in such a network, or says why it cannot: then nothing has run.
pub fn run_in_own(word: &str) -> bool {
    if !unshared(PREPARE, &[])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success())
    {
        println!(
            "No network of our own (unshare, ip): measured in the machine's, whose TCP is {}.\n",
            used()
        );
        return false;
    }
    let own = env::current_exe().expect("this program");
    let run = format!("{PREPARE}\nexec \"$@\"");
    let status = unshared(&run, &["sh", own.to_str().expect("a path in UTF-8"), word]).status();
    assert!(status.expect("it starts").success(), "{word}");
    true
}

fn unshared(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "sh", "-c", script])
        .args(arguments);
    command
}

fn used() -> String {
    let name = std::fs::read_to_string(CONGESTION_CONTROL_FILE).unwrap_or_default();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name.trim().to_owned()
    }
}

//! What is compared.

use std::path::{Path, PathBuf};

/// One program in one make.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    pub name: &'static str,
    /// The package; `boto3` is none of Rust's.
    pub package: &'static str,
    pub features: &'static str,
    pub speaks_tls: bool,
    pub reads_streams: bool,
    /// Which certificates it has to load before it can trust the peer.
    pub roots: Roots,
}

/// The peer's authority is always among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// It alone: the program's own roots are compiled in and cost nothing to load, so neither do they here.
    One,
    /// The system's too, because the program loads them by default.
    System,
}

/// All, ours first.
pub fn all() -> Vec<Program> {
    let rust = |name, package, features| Program {
        name,
        package,
        features,
        speaks_tls: package != "raw",
        reads_streams: matches!(package, "ours" | "sdk" | "unsigned" | "boto3"),
        roots: Roots::One,
    };
    vec![
        rust("ours (ring)", "ours", "ring"),
        Program {
            reads_streams: false,
            ..rust("ours (aws-lc)", "ours", "aws-lc")
        },
        Program {
            roots: Roots::System,
            ..rust("official SDK", "sdk", "")
        },
        rust("straight ureq + SigV4", "straight", ""),
        rust("unsigned ureq", "unsigned", ""),
        rust("raw + sign", "raw", ""),
        Program {
            roots: Roots::System,
            ..rust("boto3", "boto3", "")
        },
    ]
}

/// The folder of this package.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Program {
    pub fn is_rust(&self) -> bool {
        self.package != "boto3"
    }

    /// Where the program is built, and nothing else.
    pub fn target(&self) -> PathBuf {
        folder()
            .join("target/programs")
            .join(format!("{}{}", self.package, self.features))
    }

    /// The program that makes a single call.
    pub fn once(&self) -> Vec<String> {
        if self.is_rust() {
            self.binary("")
        } else {
            self.boto3(&["once"])
        }
    }

    /// The program that makes calls on command.
    pub fn bench(&self) -> Vec<String> {
        if self.is_rust() {
            self.binary("-bench")
        } else {
            self.boto3(&[])
        }
    }

    /// The same with an allocator that counts; there is none for boto3.
    pub fn count(&self) -> Option<Vec<String>> {
        self.is_rust().then(|| self.binary("-count"))
    }

    fn binary(&self, suffix: &str) -> Vec<String> {
        vec![text(
            &self
                .target()
                .join("release")
                .join(format!("{}{suffix}", self.package)),
        )]
    }

    fn boto3(&self, arguments: &[&str]) -> Vec<String> {
        let script = folder().join("boto3/program.py");
        let own = [text(&self.target().join("bin/python")), text(&script)];
        own.into_iter()
            .chain(arguments.iter().map(|it| (*it).to_owned()))
            .collect()
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

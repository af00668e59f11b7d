//! Where the values of a configuration came from.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Config;
use super::settings::Found;

/// What [`Config::from_env`] found and where; [`Config::origins`] shows it. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct Provenance(Vec<Origin>);

/// A setting, its value, and where that came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The field of [`Config`].
    pub setting: &'static str,
    /// The value as text; of certificates their length and SHA-256.
    pub value: String,
    /// `AWS_REGION`, `region in /home/me/.aws/config, line 3`, `default`, or `set by the program`.
    pub from: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.setting, self.value, self.from)
    }
}

impl Provenance {
    /// Notes what was found for which field; the configuration holds the values already.
    pub(super) fn new(config: &Config, found: &[(&'static str, &Found)]) -> Self {
        let noted = |(setting, value): (&'static str, String)| {
            let (_, found) = found.iter().find(|(name, _)| *name == setting)?;
            Some(Origin { setting, value, from: found.origin.clone() })
        };
        Self(values(config).into_iter().filter_map(noted).collect())
    }

    /// A value that the program changed since is its own.
    pub(super) fn origins(&self, config: &Config) -> Vec<Origin> {
        let with_default = values(config).into_iter().zip(values(&Config::default()));
        with_default
            .map(|((setting, value), (_, default))| {
                let noted = self.0.iter().find(|noted| noted.setting == setting && noted.value == value);
                let from = match noted {
                    Some(noted) => noted.from.clone(),
                    None if value == default => "default".to_owned(),
                    None => "set by the program".to_owned(),
                };
                Origin { setting, value, from }
            })
            .collect()
    }
}

fn values(config: &Config) -> [(&'static str, String); 4] {
    let ca_bundle = config.ca_bundle_pem.as_ref().map(|pem| {
        let sha256: String = Sha256::digest(pem).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} bytes, SHA-256 {sha256}", pem.len())
    });
    [
        ("region", config.region.clone().unwrap_or_else(|| "none".to_owned())),
        ("endpoint", format!("{:?}", config.endpoint)),
        ("ca_bundle_pem", ca_bundle.unwrap_or_else(|| "none".to_owned())),
        ("retry.max_attempts", config.retry.max_attempts.to_string()),
    ]
}

//! The chain of sources, and the search through it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::context::{Context, Place, Refusal};
use super::http::{Network, Wire};
use super::{Credentials, Source, container, environment, instance_metadata, profile, web_identity};
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::error::CredentialsError;
use crate::host::Host;

type Load = fn(&Context<'_>) -> Result<Credentials, Refusal>;

/// In the order of the official SDK for Rust.
const CHAIN: [(&str, Load); 5] = [
    ENVIRONMENT,
    ("profile", profile::load),
    ("web identity", web_identity::load),
    ("container", container::load),
    (INSTANCE_METADATA, instance_metadata::load),
];

const INSTANCE_METADATA: &str = "instance metadata";

const ENVIRONMENT: (&str, Load) = ("environment", environment::load);

/// A search may take so long, and no longer than its call.
const LIMIT: Duration = Duration::from_secs(60);

/// Everything that a search for credentials takes.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) source: Source,
    pub(super) host: Arc<dyn Host>,
    wire: Box<dyn Wire>,
    place: Place,
    last_of_instance: Mutex<Option<Credentials>>,
}

impl Loader {
    /// Touches nothing but memory.
    pub(super) fn new(config: &Config) -> Self {
        Self::with_wire(config, Box::new(Network::new(config)))
    }

    pub(super) fn with_wire(config: &Config, wire: Box<dyn Wire>) -> Self {
        let variant = match config.endpoint {
            Endpoint::Aws { fips, dual_stack } => Some((fips, dual_stack)),
            Endpoint::Url(_) | Endpoint::Container(_) => None,
        };
        Self {
            source: config.credentials.clone(),
            host: Arc::clone(&config.host),
            wire,
            place: Place { region: config.region.clone(), variant },
            last_of_instance: Mutex::default(),
        }
    }

    /// Searches, and checks what was found.
    pub(super) fn load(&self, deadline: Option<Instant>) -> Result<Credentials, CredentialsError> {
        let outcome = self.search(self.searched_until(deadline));
        outcome.map_err(|mut error| {
            error.is_out_of_time |= deadline.is_some_and(|deadline| self.host.instant() >= deadline);
            error
        })
    }

    fn searched_until(&self, deadline: Option<Instant>) -> Option<Instant> {
        [deadline, self.host.instant().checked_add(LIMIT)].into_iter().flatten().min()
    }

    fn search(&self, deadline: Option<Instant>) -> Result<Credentials, CredentialsError> {
        let last = self.last_of_instance.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let context = Context::new(&*self.host, &*self.wire, &self.place, last.as_ref(), deadline);
        let mut search = Search { context: &context, tried: Vec::new() };
        let found = search.ask(&self.source)?.ok_or_else(|| exhausted(&search.tried))?;
        found.credentials.check().map_err(|error| error.within(found.source))?;
        log::debug!("credentials {} come from: {}", found.credentials.access_key_id, found.source);
        if found.source == INSTANCE_METADATA {
            let mut last = self.last_of_instance.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(found.credentials.clone());
        }
        Ok(found.credentials)
    }

    fn region_of_instance(&self, deadline: Option<Instant>) -> Result<Option<String>, CredentialsError> {
        let deadline = self.searched_until(deadline);
        let context = Context::new(&*self.host, &*self.wire, &self.place, None, deadline);
        match instance_metadata::region(&context) {
            Ok(region) => Ok(Some(region)),
            Err(Refusal::NotConfigured(reason)) => {
                log::debug!("no region from instance metadata: {reason}");
                Ok(None)
            }
            Err(Refusal::Failed(error)) => Err(error),
        }
    }
}

/// The region that the metadata service knows; `None` off EC2.
pub(crate) fn region_of_instance(
    config: &Config,
    deadline: Option<Instant>,
) -> Result<Option<String>, CredentialsError> {
    Loader::new(config).region_of_instance(deadline)
}

/// Credentials and the name of their source.
struct Found {
    credentials: Credentials,
    source: &'static str,
}

struct Search<'a> {
    context: &'a Context<'a>,
    /// Each source that is not configured, and why it is not.
    tried: Vec<(&'static str, String)>,
}

impl Search<'_> {
    /// `None` when the source is not configured.
    fn ask(&mut self, source: &Source) -> Result<Option<Found>, CredentialsError> {
        match source {
            Source::Chain => self.ask_all(&CHAIN),
            Source::Environment => self.ask_all(&[ENVIRONMENT]),
            Source::Static(credentials) => {
                Ok(Some(Found { credentials: credentials.clone(), source: "configuration" }))
            }
            Source::Custom(custom) => {
                let name = "custom source";
                let answer = custom.0.provide();
                let answer = answer.map_err(|error| {
                    CredentialsError::new(format!("the {name} failed")).with_source(error)
                })?;
                if answer.is_none() {
                    self.tried.push((name, "it gave none".to_owned()));
                }
                Ok(answer.map(|credentials| Found { credentials, source: name }))
            }
            Source::List(sources) => {
                for source in sources {
                    if let Some(found) = self.ask(source)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }

    fn ask_all(&mut self, sources: &[(&'static str, Load)]) -> Result<Option<Found>, CredentialsError> {
        for (source, load) in sources {
            match load(self.context) {
                Ok(credentials) => return Ok(Some(Found { credentials, source })),
                Err(Refusal::NotConfigured(reason)) => {
                    log::debug!("no credentials from {source}: {reason}");
                    self.tried.push((source, reason));
                }
                // Nobody set this source up, so what the others lack may be what the user has to mend.
                Err(Refusal::Failed(error)) if *source == INSTANCE_METADATA => {
                    return Err(error.followed_by(&reasons(&self.tried)));
                }
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn exhausted(tried: &[(&str, String)]) -> CredentialsError {
    CredentialsError::new("no source has credentials").followed_by(&reasons(tried))
}

/// A line for each source.
fn reasons(tried: &[(&str, String)]) -> String {
    tried.iter().map(|(source, reason)| format!("\n  {source}: {reason}")).collect()
}

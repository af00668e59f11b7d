//! The default chain, and searches for credentials.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clocks::Clocks;
use super::context::{AwsHosts, Context, ProviderError};
use super::progress::Progress;
use super::sender::{NetworkSender, SendHttp};
use super::sources::{container, environment, imds, profile, web_identity};
use super::{Provider, Search};
use crate::aws::Credentials;
use crate::error::CredentialsError;
use crate::system::System;

/// A source of the chain.
struct Source {
    name: &'static str,
    load: fn(&Context<'_>) -> Result<Credentials, ProviderError>,
}

const ENVIRONMENT: Source = Source {
    name: "environment",
    load: environment::load,
};
const PROFILE: Source = Source {
    name: "profile",
    load: profile::load,
};
const INSTANCE_METADATA: &str = "instance metadata";

/// In the order of the official SDK for Rust.
const DEFAULT_CHAIN: [Source; 5] = [
    ENVIRONMENT,
    PROFILE,
    Source {
        name: "web identity",
        load: web_identity::load,
    },
    Source {
        name: "container",
        load: container::load,
    },
    Source {
        name: INSTANCE_METADATA,
        load: imds::load,
    },
];

/// Time limit of one search. The deadlines of calls do not apply, because calls share the search.
pub(super) const SEARCH_LIMIT: Duration = Duration::from_secs(60);

/// The error if the region is in no setting and not in instance metadata; the reason follows.
const NO_REGION: &str =
    "region is missing: set AWS_REGION, or region in the profile; instance metadata gives none";

/// Runs the searches of a client.
#[derive(Debug)]
pub(super) struct Loader {
    pub(super) provider: Provider,
    pub(super) system: Arc<dyn System>,
    sender: Box<dyn SendHttp>,
    hosts: AwsHosts,
    clocks: Clocks,
    last_instance_credentials: Mutex<Option<Credentials>>,
}

impl Loader {
    pub(super) fn new(search: Search) -> Self {
        let sender = Box::new(NetworkSender::new(&search));
        Self::with_sender(search, sender)
    }

    pub(super) fn with_sender(search: Search, sender: Box<dyn SendHttp>) -> Self {
        Self {
            provider: search.provider,
            system: search.system,
            sender,
            hosts: AwsHosts {
                region: search.region,
                variant: search.variant,
            },
            clocks: Clocks::new(search.corrects_clock),
            last_instance_credentials: Mutex::default(),
        }
    }

    /// Searches within [`SEARCH_LIMIT`] and checks the credentials.
    pub(super) fn load(
        &self,
        started_at: Instant,
        progress: &Progress,
    ) -> Result<Credentials, CredentialsError> {
        let last = self
            .last_instance_credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut context = self.context(progress);
        context.last_instance_credentials = last.as_ref();
        context.deadline = started_at.checked_add(SEARCH_LIMIT);
        let mut search = ChainSearch {
            context: &context,
            tried: Vec::new(),
        };
        let found = search.try_provider(&self.provider)?;
        let (credentials, source) = found.ok_or_else(|| nothing_found(&search.tried))?;
        let credentials = accept(credentials, source)?;
        if source == INSTANCE_METADATA {
            let mut last = self
                .last_instance_credentials
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *last = Some(credentials.clone());
        }
        Ok(credentials)
    }

    /// The first step of a search, which cannot wait; `None` if the search goes on from there, or begins elsewhere.
    pub(super) fn load_from_environment(
        &self,
        progress: &Progress,
    ) -> Option<Result<Credentials, CredentialsError>> {
        if !matches!(
            self.provider,
            Provider::DefaultChain | Provider::Environment
        ) {
            return None;
        }
        match environment::load(&self.context(progress)) {
            Ok(credentials) => Some(accept(credentials, ENVIRONMENT.name)),
            Err(ProviderError::NotConfigured(_)) => None,
            Err(ProviderError::Failed(error)) => Some(Err(error)),
        }
    }

    fn context<'a>(&'a self, progress: &'a Progress) -> Context<'a> {
        Context::new(
            &*self.system,
            &*self.sender,
            &self.hosts,
            progress,
            &self.clocks,
        )
    }

    pub(super) fn region_of_instance(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Option<String>, CredentialsError> {
        let progress = Progress::default();
        let limit = self.system.instant().checked_add(SEARCH_LIMIT);
        let mut context = self.context(&progress);
        context.deadline = [deadline, limit].into_iter().flatten().min();
        match imds::region(&context) {
            Ok(region) => Ok(Some(region)),
            Err(ProviderError::NotConfigured(reason)) => {
                log::debug!("no region from instance metadata: {reason}");
                Ok(None)
            }
            Err(ProviderError::Failed(error)) => {
                let mut error = error.within(NO_REGION);
                error.is_out_of_time |=
                    deadline.is_some_and(|deadline| self.system.instant() >= deadline);
                Err(error)
            }
        }
    }
}

fn accept(credentials: Credentials, source: &'static str) -> Result<Credentials, CredentialsError> {
    credentials
        .check()
        .map_err(|problem| CredentialsError::new(problem).within(source))?;
    log::debug!(
        "credentials {} come from: {source}",
        credentials.shown_key_id()
    );
    Ok(credentials)
}

/// The region of the EC2 instance; `None` elsewhere.
pub(crate) fn region_of_instance(
    search: Search,
    deadline: Option<Instant>,
) -> Result<Option<String>, CredentialsError> {
    Loader::new(search).region_of_instance(deadline)
}

struct ChainSearch<'a> {
    context: &'a Context<'a>,
    /// The sources found to be not configured, and the reasons.
    tried: Vec<(&'static str, String)>,
}

/// Credentials and the name of their source; `None` when nothing is configured.
type Found = Option<(Credentials, &'static str)>;

impl ChainSearch<'_> {
    fn try_provider(&mut self, provider: &Provider) -> Result<Found, CredentialsError> {
        match provider {
            Provider::DefaultChain => self.try_all(&DEFAULT_CHAIN),
            Provider::Environment => self.try_all(&[ENVIRONMENT]),
            Provider::Profile(name) => {
                let context = self.context.for_profile(name);
                let loaded = profile::load(&context)
                    .map_err(|error| named_profile_failure(error, &context))?;
                Ok(Some((loaded, PROFILE.name)))
            }
            Provider::Static(credentials) => Ok(Some((credentials.clone(), "configuration"))),
            Provider::Custom(custom) => self.try_custom(custom),
            Provider::Chain(providers) => {
                for provider in providers {
                    if let Some(found) = self.try_provider(provider)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }

    fn try_custom(&mut self, custom: &super::Custom) -> Result<Found, CredentialsError> {
        let name = "custom provider";
        self.context.begin_step(&format!("the {name}"))?;
        match custom.0.provide(self.context.deadline) {
            Ok(Some(credentials)) => Ok(Some((credentials, name))),
            Ok(None) => {
                self.tried.push((name, "it returned none".to_owned()));
                Ok(None)
            }
            Err(error) => {
                Err(CredentialsError::new(format!("the {name} failed")).with_source(error))
            }
        }
    }

    fn try_all(&mut self, sources: &[Source]) -> Result<Found, CredentialsError> {
        for Source { name, load } in sources {
            match load(self.context) {
                Ok(credentials) => return Ok(Some((credentials, name))),
                Err(ProviderError::NotConfigured(reason)) => {
                    log::debug!("no credentials from {name}: {reason}");
                    self.tried.push((name, reason));
                    if *name == PROFILE.name {
                        let missing = self.context.profiles()?.missing_files().iter();
                        self.tried
                            .extend(missing.map(|missing| (*name, missing.to_string())));
                    }
                }
                // Instance metadata needs no configuration, so the user may have meant another source.
                Err(ProviderError::Failed(error)) if *name == INSTANCE_METADATA => {
                    return Err(error.followed_by(&reasons(&self.tried)));
                }
                Err(ProviderError::Failed(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// The error for a profile that the program names. Its credentials may be in a missing file.
fn named_profile_failure(error: ProviderError, context: &Context<'_>) -> CredentialsError {
    let missing: String = match (&error, context.profiles()) {
        (ProviderError::NotConfigured(_), Ok(profiles)) => {
            let missing = profiles.missing_files().iter();
            missing.map(|missing| format!("; {missing}")).collect()
        }
        _ => String::new(),
    };
    error.into_failure().followed_by(&missing)
}

fn nothing_found(tried: &[(&str, String)]) -> CredentialsError {
    CredentialsError::new("no source has credentials").followed_by(&reasons(tried))
}

/// A line for each source.
fn reasons(tried: &[(&str, String)]) -> String {
    tried
        .iter()
        .map(|(source, reason)| format!("\n  {source}: {reason}"))
        .collect()
}

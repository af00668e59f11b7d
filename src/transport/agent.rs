//! The ureq agent with everything switched off that this room does itself or that nobody asked for.

use std::sync::Arc;

use ureq::config::AutoHeaderValue;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, NextTimeout};
use ureq::{Agent, http};

use super::addresses::Addresses;
use super::connect::{BeginExchange, BeginHandshake, OpenSocket};
use crate::config::{Config, Proxy};
use crate::error::ConfigError;
use crate::host::Host;
use crate::http::Origin;

/// Size of each buffer over TLS: four of its records. (Plain connections have buffers of their own, which grow.)
const TLS_BUFFER_BYTES: usize = 64 * 1024;

/// Builds the agent; nothing is read or opened yet but the environment's proxy settings.
pub(super) fn build(config: &Config, origin: &Origin, is_container: bool) -> Result<Agent, ConfigError> {
    let proxy = proxy_of(config, is_container)?;
    let has_proxy = proxy.is_some();
    let builder = ureq::config::Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(AutoHeaderValue::None)
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .timeout_await_100(None)
        .input_buffer_size(TLS_BUFFER_BYTES)
        .output_buffer_size(TLS_BUFFER_BYTES)
        .max_idle_connections(config.max_idle_connections)
        .max_idle_connections_per_host(config.max_idle_connections)
        .max_idle_age(config.max_idle_age)
        .proxy(proxy);
    let builder = with_tls(builder, config, origin)?;
    let addresses = Arc::new(Addresses::new(Arc::clone(&config.host), config.address_ttl));
    let chain = ().chain(ConnectProxyConnector::default()).chain(OpenSocket(addresses)).chain(BeginHandshake);
    #[cfg(feature = "rustls-no-provider")]
    let chain = chain.chain(ureq::unversioned::transport::RustlsConnector::default());
    #[cfg(feature = "native-tls")]
    let chain = chain.chain(ureq::unversioned::transport::NativeTlsConnector::default());
    let chain = chain.chain(BeginExchange { has_proxy });
    Ok(Agent::with_parts(builder.build(), chain, LookUpLater))
}

/// ureq asks its resolver before every call, also when the pool has a connection. Ours has nothing to say then:
/// names are looked up where connections are made.
#[derive(Debug)]
struct LookUpLater;

impl Resolver for LookUpLater {
    fn resolve(
        &self,
        _: &http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

fn proxy_of(config: &Config, is_container: bool) -> Result<Option<ureq::Proxy>, ConfigError> {
    match &config.proxy {
        Proxy::Off => Ok(None),
        Proxy::Url(url) => parse_proxy("proxy", url, "").map(Some),
        Proxy::Environment if is_container => Ok(None),
        Proxy::Environment => proxy_from_environment(&*config.host),
    }
}

/// The names and their order are ureq's own, `Proxy::try_from_env`; the environment is the host's.
fn proxy_from_environment(host: &dyn Host) -> Result<Option<ureq::Proxy>, ConfigError> {
    let names = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    let variable = |name: &str| host.variable(name).filter(|value| !value.trim().is_empty());
    let Some((name, url)) = names.into_iter().find_map(|name| Some((name, variable(name)?))) else {
        return Ok(None);
    };
    let no_proxy = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
    parse_proxy(name, &url, &no_proxy).map(Some)
}

/// The text of the URL is in no error, as it may hold a password.
fn parse_proxy(setting: &'static str, url: &str, no_proxy: &str) -> Result<ureq::Proxy, ConfigError> {
    let bad = |error: ureq::Error| ConfigError::new(setting, "is not the URL of a proxy").with_source(error);
    let parsed = ureq::Proxy::new(url.trim()).map_err(bad)?;
    if !matches!(parsed.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https) {
        return Err(ConfigError::new(
            setting,
            "is a SOCKS proxy; only http:// and https:// proxies are supported",
        ));
    }
    let mut builder = ureq::Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(username) = parsed.username() {
        builder = builder.username(username);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    no_proxy
        .split(',')
        .map(str::trim)
        .filter(|expression| !expression.is_empty())
        .fold(builder, ureq::ProxyBuilder::no_proxy)
        .build()
        .map_err(bad)
}

type Builder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

#[cfg(not(feature = "_tls"))]
fn with_tls(builder: Builder, config: &Config, origin: &Origin) -> Result<Builder, ConfigError> {
    if origin.tls {
        return Err(ConfigError::new(
            "endpoint",
            "is https, and this build has no TLS: enable a feature of the crate",
        ));
    }
    match &config.ca_bundle_pem {
        Some(_) => Err(ConfigError::new("ca_bundle_pem", "is set, and this build has no TLS")),
        None => Ok(builder),
    }
}

#[cfg(feature = "_tls")]
fn with_tls(builder: Builder, config: &Config, origin: &Origin) -> Result<Builder, ConfigError> {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    let provider =
        if cfg!(feature = "rustls-no-provider") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
    if origin.tls && provider == TlsProvider::Rustls {
        check_crypto_provider()?;
    }
    let root_certs = match &config.ca_bundle_pem {
        Some(pem) => certificates_of(pem)?,
        None if cfg!(feature = "platform-verifier") => RootCerts::PlatformVerifier,
        None => RootCerts::WebPki,
    };
    Ok(builder.tls_config(TlsConfig::builder().provider(provider).root_certs(root_certs).build()))
}

#[cfg(feature = "_tls")]
fn certificates_of(pem: &[u8]) -> Result<ureq::tls::RootCerts, ConfigError> {
    use ureq::tls::PemItem;

    let bad = |error| ConfigError::new("CA bundle", "is not in PEM form").with_source(error);
    let items = ureq::tls::parse_pem(pem).collect::<Result<Vec<_>, _>>().map_err(bad)?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(ConfigError::new("CA bundle", "holds no certificate in PEM form"));
    }
    Ok(certificates.into())
}

/// ureq panics when rustls has no provider of cryptography.
#[cfg(all(feature = "_tls", feature = "rustls-no-provider", not(feature = "rustls")))]
fn check_crypto_provider() -> Result<(), ConfigError> {
    match rustls::crypto::CryptoProvider::get_default() {
        Some(_) => Ok(()),
        None => Err(ConfigError::new(
            "feature rustls-no-provider",
            "needs a provider of cryptography: call rustls::crypto::CryptoProvider::install_default first",
        )),
    }
}

#[cfg(all(feature = "_tls", not(all(feature = "rustls-no-provider", not(feature = "rustls")))))]
#[expect(clippy::unnecessary_wraps, reason = "the twin of a function that can fail")]
fn check_crypto_provider() -> Result<(), ConfigError> {
    Ok(())
}

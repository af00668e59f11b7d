//! The ureq agent, with everything switched off that would add to the request or follow the response.

use std::sync::Arc;
use std::time::Duration;

use ureq::config::AutoHeaderValue;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Agent, http};

use super::connector::EndpointConnector;
use super::deadlines::Deadlines;
use super::{Origin, SettingError, TransportSettings, proxy, tls};

/// Size of a connection's output buffer. More saves no time over loopback; ureq fills the whole of it at its first use.
const OUTPUT_BYTES: usize = 32 * 1024;
/// Size of a connection's input buffer: the largest head that ureq accepts, 64 KiB, and room to see that it is larger.
const INPUT_BYTES: usize = 65 * 1024;

pub(super) fn build(
    settings: &TransportSettings<'_>,
    origin: &Origin,
    deadlines: &Arc<Deadlines>,
) -> Result<Agent, SettingError> {
    let proxy = proxy::resolve(settings.proxy, origin, &*settings.system)?;
    let connector = EndpointConnector {
        resolver: settings.resolver.clone(),
        has_proxy: proxy.is_some(),
        tls: tls::TlsConnector::default(),
        deadlines: Arc::clone(deadlines),
    };
    let config = ureq::config::Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(AutoHeaderValue::None)
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .timeout_await_100(None)
        // `Transport::send` looks for an idle connection first, and gives requests that may connect their limit.
        .timeout_connect(Some(Duration::ZERO))
        .timeout_per_write(settings.limits.send)
        .timeout_recv_response(settings.limits.response)
        .timeout_per_read(settings.limits.read)
        .input_buffer_size(INPUT_BYTES)
        .output_buffer_size(OUTPUT_BYTES)
        .max_idle_connections(settings.max_idle_connections)
        .max_idle_connections_per_host(settings.max_idle_connections)
        .max_idle_age(settings.max_idle_age)
        .proxy(proxy);
    let config = tls::configure(config, settings.ca_bundle_pem, origin)?.build();
    Ok(Agent::with_parts(config, connector, LookUpLater))
}

/// ureq asks its resolver before the pool. Names are looked up by the connector instead, when a connection is made.
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

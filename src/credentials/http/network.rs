//! The real network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::{Failure, FailureKind, Way, Wire};
use crate::config::{Config, Proxy, Timeouts};
use crate::error::{Error, Phase};
use crate::host::{Finished, Host};
use crate::http::{HttpRequest, HttpResponse, Origin};
use crate::transport::Transport;

/// The longest answer that is read: many times what credentials take.
const MAX_RESPONSE_BYTES: u64 = 256 * 1024;

/// Source: the addresses that the AWS SDKs allow over plain HTTP beside loopback: ECS, and EKS Pod Identity in both
/// families.
const CONTAINER_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Makes a connection for each call: there are a few of them in hours.
#[derive(Debug)]
pub(crate) struct Network(Config);

impl Network {
    pub(crate) fn new(config: &Config) -> Self {
        Self(config.clone())
    }

    fn transport(&self, origin: &Origin, way: Way) -> Result<Transport, Failure> {
        let response = way.response_limit();
        let timeouts =
            Timeouts { connect: way.connect_limit(), send: response, response, read: response, call: None };
        let is_checked = way == Way::Container && !origin.tls;
        let config = Config {
            timeouts,
            max_response_bytes: MAX_RESPONSE_BYTES,
            proxy: if way == Way::Service { self.0.proxy.clone() } else { Proxy::Off },
            host: if is_checked {
                Arc::new(ContainerNames(self.0.host.clone()))
            } else {
                self.0.host.clone()
            },
            ..self.0.clone()
        };
        Transport::new(&config, origin.clone(), false)
            .map_err(|error| Failure::new(FailureKind::Final, error.to_string()))
    }
}

impl Wire for Network {
    fn send(
        &self,
        origin: &Origin,
        request: &HttpRequest<'_>,
        way: Way,
        deadline: Option<Instant>,
    ) -> Result<HttpResponse, Failure> {
        let transport = self.transport(origin, way)?;
        let limit = way.connect_limit() + way.response_limit();
        let attempt_deadline = crate::host::System.instant().checked_add(limit);
        let deadline = [deadline, attempt_deadline].into_iter().flatten().min();
        transport.send(request, deadline).map_err(|error| failure_of(error, &origin.authority))
    }
}

/// In this room's words: no inference is at stake here.
fn failure_of(error: Error, authority: &str) -> Failure {
    let (kind, fault) = match error {
        Error::Connect(fault) => (FailureKind::Unreachable, fault),
        Error::Timeout(fault) if fault.phase < Phase::Send => (FailureKind::Unreachable, fault),
        Error::Timeout(fault) => (FailureKind::Silent, fault),
        Error::Broken(fault) | Error::InvalidResponse(fault) => (FailureKind::Broken, fault),
        Error::ResponseTooLarge(_) => {
            return Failure::new(FailureKind::Final, format!("the answer of {authority} is far too long"));
        }
        other => return Failure::new(FailureKind::Final, other.to_string()),
    };
    let problem = match (kind, &fault.source) {
        (FailureKind::Unreachable, None) => format!("could not connect to {authority} in time"),
        (FailureKind::Unreachable, Some(_)) => format!("could not connect to {authority}"),
        (FailureKind::Silent, _) => format!("{authority} did not answer in time"),
        _ => format!("the connection to {authority} broke while {}", fault.phase),
    };
    let kind = if is_forbidden(fault.source.as_deref()) { FailureKind::Final } else { kind };
    match fault.source {
        Some(source) => Failure::new(kind, problem).with_source(source),
        None => Failure::new(kind, problem),
    }
}

fn is_forbidden(source: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> bool {
    source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Whether a container's endpoint may lie here when it is called over plain HTTP.
fn is_container_address(address: IpAddr) -> bool {
    address.is_loopback() || CONTAINER_ADDRESSES.contains(&address)
}

/// Whether the host of an authority, when it is an address, is one that a container's endpoint may have.
pub(crate) fn may_be_container(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.parse().map_or(true, is_container_address)
}

/// A host whose names are looked up for a container's endpoint: one that leads off this machine has no address. Asked
/// at the lookup of the connection itself, so that the check and the connection cannot see different answers.
#[derive(Debug)]
struct ContainerNames(Arc<dyn Host>);

impl Host for ContainerNames {
    fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let addresses = self.0.lookup(host, port)?;
        if addresses.iter().all(|address| is_container_address(address.ip())) {
            return Ok(addresses);
        }
        let problem =
            "over plain HTTP the name must stand for loopback addresses only, or for those of ECS and EKS";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read_file(path)
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.0.replace_file(path, content)
    }

    fn run(&self, command_line: &str, limit: Duration) -> io::Result<Finished> {
        self.0.run(command_line, limit)
    }

    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn instant(&self) -> Instant {
        self.0.instant()
    }

    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }

    fn random(&self) -> u64 {
        self.0.random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::FakeHost;

    #[test]
    fn only_this_machine_and_the_two_services_of_aws_are_allowed_over_plain_http() {
        for (authority, may) in [
            ("127.0.0.1:80", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("169.254.170.2", true),
            ("169.254.170.23", true),
            ("[fd00:ec2::23]", true),
            ("a.name", true),
            ("169.254.169.254", false),
            ("10.0.0.1:1", false),
            ("[::2]", false),
        ] {
            assert_eq!(may_be_container(authority), may, "{authority}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_has_no_address() {
        let mut host = FakeHost::default();
        host.names.insert("here".to_owned(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        host.names.insert("there".to_owned(), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let names = ContainerNames(Arc::new(host));
        assert_eq!(names.lookup("here", 1).unwrap(), ["127.0.0.1:1".parse().unwrap()]);
        assert_eq!(names.lookup("there", 1).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}

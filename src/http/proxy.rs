//! The proxy for one origin, from a setting or from the environment.

use std::net::IpAddr;

use super::message::port_number;
use super::{Origin, SettingError};
use crate::system::System;

/// The proxy to use.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// As curl reads the environment: `https_proxy` or `http_proxy` by the scheme of the endpoint, else `all_proxy`, each
    /// also in upper case; not for the hosts in `no_proxy`. `HTTP_PROXY` is ignored in a CGI program, where a request can
    /// set it. For [`Endpoint::Container`](crate::Endpoint::Container): none.
    ///
    /// An entry of `no_proxy` is a name, which includes its subdomains, an address, a network such as `10.0.0.0/8`, or
    /// `*`, each with an optional port.
    #[default]
    Environment,
    /// No proxy, whatever the environment says.
    Off,
    /// This proxy for every host: `http://[user:password@]host[:port]`, or `https://`. Plain HTTP goes through it by
    /// CONNECT, too.
    Url(String),
}

/// Hides the URL, which may hold a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Off => "Off",
            Self::Url(_) => "Url(..)",
        })
    }
}

pub(super) fn resolve(
    proxy: &Proxy,
    origin: &Origin,
    system: &dyn System,
) -> Result<Option<ureq::Proxy>, SettingError> {
    match proxy {
        Proxy::Off => Ok(None),
        Proxy::Url(url) => parse("proxy", url).map(Some),
        Proxy::Environment => from_environment(origin, system),
    }
}

fn from_environment(
    origin: &Origin,
    system: &dyn System,
) -> Result<Option<ureq::Proxy>, SettingError> {
    let no_proxy = variable(system, "no_proxy").or_else(|| variable(system, "NO_PROXY"));
    if no_proxy.is_some_and(|entries| is_excluded(origin, &entries)) {
        return Ok(None);
    }
    let is_cgi = variable(system, "REQUEST_METHOD").is_some();
    let names = match (origin.tls, is_cgi) {
        (true, _) => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        (false, false) => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        (false, true) => ["http_proxy", "http_proxy", "all_proxy", "ALL_PROXY"],
    };
    match names
        .into_iter()
        .find_map(|name| Some((name, variable(system, name)?)))
    {
        Some((name, url)) => parse(name, &url).map(Some),
        None => Ok(None),
    }
}

fn variable(system: &dyn System, name: &str) -> Option<String> {
    system
        .variable(name)
        .filter(|value| !value.trim().is_empty())
}

/// No error repeats the URL: it may hold a password.
fn parse(setting: &'static str, url: &str) -> Result<ureq::Proxy, SettingError> {
    const INVALID: &str = "is not the URL of a proxy";
    if !has_valid_port(url) {
        return Err(SettingError::new(setting, INVALID));
    }
    let proxy = ureq::Proxy::new(url.trim())
        .map_err(|error| SettingError::new(setting, INVALID).with_source(error))?;
    match proxy.protocol() {
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(proxy),
        _ => {
            let problem = "is a SOCKS proxy; only http:// and https:// proxies are supported";
            Err(SettingError::new(setting, problem))
        }
    }
}

/// ureq uses the default port instead of one that cannot be.
fn has_valid_port(url: &str) -> bool {
    let after_scheme = url
        .trim()
        .split_once("://")
        .map_or(url.trim(), |(_, rest)| rest);
    let authority = after_scheme
        .split_once(['/', '?', '#'])
        .map_or(after_scheme, |(start, _)| start);
    // Behind the password and the colons of an IPv6 address.
    let host_and_port = authority
        .rsplit_once(['@', ']'])
        .map_or(authority, |(_, rest)| rest);
    match host_and_port.rsplit_once(':') {
        Some((_, port)) => port_number(port).is_some(),
        None => true,
    }
}

/// Whether an entry of `no_proxy` matches the origin.
fn is_excluded(origin: &Origin, no_proxy: &str) -> bool {
    no_proxy
        .split([',', ' ', '\t'])
        .any(|entry| !entry.is_empty() && matches_entry(origin, entry))
}

fn matches_entry(origin: &Origin, entry: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let host = origin.host().trim_end_matches('.');
    let (pattern, port) = split_port(entry);
    if port.is_some_and(|port| port != origin.port().to_string()) {
        return false;
    }
    match host.parse::<IpAddr>() {
        Ok(address) => matches_address(address, pattern),
        Err(_) => matches_name(host, pattern),
    }
}

/// Splits a port off a name, an IPv4 address or an IPv6 address in brackets.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = entry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (address, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

fn matches_name(host: &str, pattern: &str) -> bool {
    let domain = pattern
        .trim_start_matches("*.")
        .trim_start_matches('.')
        .trim_end_matches('.');
    let domain = domain.to_ascii_lowercase();
    match host.strip_suffix(&domain) {
        Some(rest) => !domain.is_empty() && (rest.is_empty() || rest.ends_with('.')),
        None => false,
    }
}

fn matches_address(address: IpAddr, pattern: &str) -> bool {
    let (network, prefix_bits) = pattern.split_once('/').unwrap_or((pattern, "128"));
    let Ok(prefix_bits) = prefix_bits.parse::<u32>() else {
        return false;
    };
    let (different, bits) = match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) => {
            ((address.to_bits() ^ network.to_bits()).into(), 32)
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) => {
            (address.to_bits() ^ network.to_bits(), 128_u32)
        }
        _ => return false,
    };
    // A shift by all bits leaves nothing to compare.
    different
        .checked_shr(bits.saturating_sub(prefix_bits))
        .unwrap_or(0_u128)
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeSystem, assert_shown_safely, fuzz_text};

    fn origin(url: &str) -> Origin {
        Origin::split_url(url).unwrap().0
    }

    /// The host of the proxy that the environment gives for the URL; an error as its text.
    fn proxy_for(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let system = FakeSystem::new(variables);
        match resolve(&Proxy::Environment, &origin(url), &system) {
            Ok(proxy) => proxy.map(|proxy| proxy.host().to_owned()),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn the_scheme_selects_the_variable() {
        let all = [
            ("HTTPS_PROXY", "http://upper-s"),
            ("https_proxy", "http://lower-s"),
            ("HTTP_PROXY", "http://upper"),
            ("ALL_PROXY", "http://all"),
        ];
        for (url, variables, expected) in [
            ("https://h", &all[..], Some("lower-s")),
            ("https://h", &all[..1], Some("upper-s")),
            ("http://h", &all[..], Some("upper")),
            ("http://h", &[all[3]], Some("all")),
            ("http://h", &all[..2], None),
            ("http://h", &[all[2], ("REQUEST_METHOD", "GET")], None),
            (
                "http://h",
                &[("http_proxy", "http://lower"), ("REQUEST_METHOD", "GET")],
                Some("lower"),
            ),
            ("https://h", &[("https_proxy", " "), all[3]], Some("all")),
        ] {
            assert_eq!(
                proxy_for(url, variables).as_deref(),
                expected,
                "{url} {variables:?}"
            );
        }
    }

    #[test]
    fn a_socks_proxy_is_an_error_only_where_it_would_be_used() {
        let socks = ("ALL_PROXY", "socks://localhost:1080");
        assert_eq!(
            proxy_for("https://h", &[socks, ("https_proxy", "http://p")]).unwrap(),
            "p"
        );
        assert_eq!(proxy_for("https://h", &[socks, ("no_proxy", "h")]), None);
        assert!(
            proxy_for("https://h", &[socks])
                .unwrap()
                .contains("ALL_PROXY is")
        );
    }

    #[test]
    fn no_proxy_has_names_ports_addresses_and_networks() {
        for (url, no_proxy, is_excluded) in [
            ("https://example.com", "example.com", true),
            ("https://a.example.com", "example.com", true),
            ("https://a.example.com", ".example.com", true),
            ("https://a.example.com", "*.EXAMPLE.com", true),
            ("https://anexample.com", "example.com", false),
            ("https://example.com", "other, *", true),
            ("https://example.com", "other example.com", true),
            ("https://example.com", "example.com:443", true),
            ("https://example.com:444", "example.com:443", false),
            ("http://127.0.0.1:80", "127.0.0.1", true),
            ("http://127.0.0.1", "127.0.0.0/8", true),
            ("http://128.0.0.1", "127.0.0.0/8", false),
            ("http://10.1.2.3", "0.0.0.0/0", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]:8080", "::1", true),
            ("http://[fd00::1]", "fd00::/8", true),
            ("http://[fe80::1]", "fd00::/8", false),
            ("http://10.0.0.1", "10.0.0.1/x", false),
            ("https://example.com", ",, .", false),
        ] {
            let variables = [("ALL_PROXY", "http://p"), ("NO_PROXY", no_proxy)];
            assert_eq!(
                proxy_for(url, &variables).is_none(),
                is_excluded,
                "{url} {no_proxy}"
            );
        }
    }

    #[test]
    fn an_invalid_url_is_refused_without_its_text() {
        for url in [
            "http://me:secret@h:0",
            "http://h:99999/secret",
            "http://h:secret",
            "http://h:+1",
            "secret://h",
        ] {
            let error = parse("proxy", url).unwrap_err().to_string();
            assert!(
                error.starts_with("proxy is ") && !error.contains("secret"),
                "{url}: {error}"
            );
        }
        for url in [
            "http://h",
            "h:8080",
            "http://me:secret@[::1]:8080/",
            "https://h:8443",
        ] {
            assert!(parse("proxy", url).is_ok(), "{url}");
        }
    }

    #[test]
    fn fuzz_proxies() {
        let samples = [
            "http://me:p%40ss@proxy:3128",
            "https://[::1]:443/",
            "socks5://h",
            "proxy:65535",
            "*, .example.com:443 [fd00::1]:80,10.0.0.0/8,fd00::/7\t127.0.0.1/32",
        ];
        let origins = [
            "https://a.example.com",
            "http://10.1.2.3:80",
            "https://[fd00::1]",
        ]
        .map(origin);
        fuzz_text(&samples, |text| {
            let system = FakeSystem::new(&[
                ("no_proxy", text),
                ("https_proxy", text),
                ("ALL_PROXY", text),
            ]);
            for origin in &origins {
                for proxy in [Proxy::Environment, Proxy::Url(text.to_owned())] {
                    if let Err(error) = resolve(&proxy, origin, &system) {
                        assert_shown_safely(&error.to_string());
                    }
                }
            }
        });
    }
}

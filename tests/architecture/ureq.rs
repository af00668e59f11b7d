//! What `src/http` uses of ureq.
//!
//! ureq's `unversioned` interfaces may change in a minor release, which is why Cargo.toml holds ureq at one. For the next
//! minor release, read ureq's changelog beside this list; the tests of TLS, faults and connections show the rest.

#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use crate::sources;

/// A module on each line, and the items used in it with their variants and associated functions. The last line has the
/// methods called on the agent and on builders.
const USED: &str = "\
ureq: Agent Agent::with_parts AsSendBody Body BodyReader Error Error::ConnectProxyFailed Error::ConnectionFailed
ureq: Error::HostNotFound Error::Io Error::LargeResponseHeader Error::Other Error::Protocol Error::Timeout Proxy
ureq: Proxy::new ProxyProtocol::Http ProxyProtocol::Https SendBody SendBody::from_reader Timeout Timeout::Global
ureq: Timeout::PerRead Timeout::RecvBody Timeout::Resolve Timeout::SendBody http
ureq::config: AutoHeaderValue AutoHeaderValue::None Config Config::builder ConfigBuilder
ureq::http: Error HeaderMap HeaderName HeaderValue::from_bytes Request Request::new Response Uri Uri::builder Version
ureq::http: Version::HTTP_10
ureq::http::header: CONTENT_LENGTH HeaderName HeaderName::from_static HeaderValue HeaderValue::from_str
ureq::http::header: TRANSFER_ENCODING
ureq::http::uri: Authority Scheme Scheme::HTTP Scheme::HTTPS
ureq::tls: Certificate Certificate::from_der PemItem PemItem::Certificate RootCerts RootCerts::PlatformVerifier
ureq::tls: RootCerts::WebPki TlsConfig TlsConfig::builder TlsProvider TlsProvider::NativeTls TlsProvider::Rustls
ureq::tls: parse_pem
ureq::typestate: AgentScope
ureq::unversioned::resolver: ResolvedSocketAddrs Resolver
ureq::unversioned::transport: Buffers ConnectProxyConnector ConnectProxyConnector::default ConnectionDetails Connector
ureq::unversioned::transport: Either Either::B LazyBuffers LazyBuffers::new NativeTlsConnector NextTimeout
ureq::unversioned::transport: NextTimeout::default RustlsConnector ShutdownHandle Transport
ureq::unversioned::transport::time: Duration Duration::Exact Duration::from_millis Duration::from_secs Instant
ureq::unversioned::transport::time: Duration::NotHappening Instant::Exact
methods: accept accept_encoding append authority build clone configure_request headers_mut http_status_as_error
methods: input_buffer_size max_idle_age max_idle_connections max_idle_connections_per_host max_redirects
methods: max_redirects_will_error method_mut output_buffer_size path_and_query provider proxy root_certs run scheme
methods: shutdown timeout_await_100 timeout_connect timeout_per_read timeout_per_write
methods: timeout_recv_response tls_config uri_mut user_agent";

#[test]
fn the_interfaces_of_ureq_that_are_used_are_listed() {
    let mut used = BTreeSet::new();
    for file in sources()
        .iter()
        .filter(|file| file.path.starts_with("http"))
    {
        used.extend(paths(&file.code));
        used.extend(builder_calls(&file.code));
    }
    let listed: BTreeSet<String> = USED.lines().flat_map(items).collect();
    let new: Vec<_> = used.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&used).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "used and not in the list: {new:#?}\nin the list and not used: {gone:#?}"
    );
}

fn items(line: &str) -> impl Iterator<Item = String> {
    let (module, items) = line.split_once(": ").unwrap();
    items
        .split(' ')
        .map(move |item| format!("{module}::{item}"))
}

/// The paths that begin with `ureq` or with a name imported from it, as full paths.
fn paths(code: &str) -> BTreeSet<String> {
    let imports = imports(code);
    let mut paths: BTreeSet<String> = imports.iter().map(|(_, path)| path.clone()).collect();
    paths.extend(paths_below("ureq", code).map(str::to_owned));
    for (name, path) in &imports {
        paths
            .extend(paths_below(name, code).map(|found| format!("{path}{}", &found[name.len()..])));
    }
    paths
}

/// The names and paths of `use ureq::a::{B, C as D};`.
fn imports(code: &str) -> Vec<(String, String)> {
    let mut imports = Vec::new();
    for (start, _) in code.match_indices("use ureq::") {
        let (tree, _) = code[start + "use ".len()..].split_once(';').unwrap();
        let (parent, leaves) = match tree.split_once('{') {
            Some((parent, leaves)) => (parent, leaves.trim_end_matches('}')),
            None => ("", tree),
        };
        assert!(
            !leaves.contains('{'),
            "nested braces are not understood: {tree}"
        );
        for leaf in leaves
            .split(',')
            .map(str::trim)
            .filter(|leaf| !leaf.is_empty())
        {
            let (path, alias) = leaf.split_once(" as ").unwrap_or((leaf, leaf));
            let name = alias.rsplit("::").next().unwrap();
            imports.push((name.to_owned(), format!("{parent}{path}")));
        }
    }
    imports
}

/// `Name::rest` for each use of `Name`; nothing where braces or generic arguments follow `Name::`.
fn paths_below<'a>(name: &'a str, code: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let starts = code.match_indices(name).map(|(start, _)| start);
    let whole = starts.filter(move |start| !code[..*start].ends_with(is_part));
    let paths = whole.map(move |start| code[start..].split(|it| !is_part(it)).next().unwrap());
    paths.filter(move |path| path[name.len()..].starts_with("::") && !path.ends_with("::"))
}

fn builder_calls(code: &str) -> BTreeSet<String> {
    // rustfmt puts each call of a long chain on a line of its own.
    let code: String = code.split('\n').map(str::trim).collect();
    let starts = ["builder()", "builder.", "message.", "agent."];
    let chains = starts.iter().flat_map(|start| code.match_indices(start));
    chains
        .flat_map(|(start, receiver)| calls(&code[start + receiver.trim_end_matches('.').len()..]))
        .collect()
}

/// The methods of the chain at the start of the text, without those inside their arguments.
fn calls(text: &str) -> Vec<String> {
    let mut calls = Vec::new();
    let mut depth = 0;
    for (position, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            '.' if depth == 0 => {
                let name = text[position + 1..].split('(').next().unwrap();
                calls.push(format!("methods::{name}"));
            }
            ';' | ',' | ')' | '{' | '=' if depth == 0 => break,
            _ => {}
        }
    }
    calls
}

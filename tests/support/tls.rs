//! Temporary certificates, and peers that use them for TLS.

use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sagemaker_invoke::Config;

use super::{Connection, Peer, REGION, SECRET_ACCESS_KEY, Wire, config, response, verify};

/// A temporary certificate authority, and the configuration of a server with a certificate of it.
pub(crate) struct Certificates {
    pub(crate) authority_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

impl Certificates {
    pub(crate) fn new(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut leaf);
        let leaf_key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self {
            authority_pem,
            server: Arc::new(server),
        }
    }

    pub(crate) fn trusted() -> Self {
        Self::new("localhost", |_| {})
    }

    /// A peer that passes each connection to `serve` after the TLS handshake.
    pub(crate) fn peer_with(&self, serve: impl Fn(Connection) + Send + Sync + 'static) -> Peer {
        let server = Arc::clone(&self.server);
        Peer::new(move |connection| {
            if let Some(connection) = connection.accept_tls(&server) {
                serve(connection);
            }
        })
    }

    /// A peer that echoes the body of each request if its signature is valid.
    pub(crate) fn peer(&self) -> Peer {
        self.peer_with(|mut connection| {
            while let Some(request) = connection.request() {
                let is_valid = verify(&request, SECRET_ACCESS_KEY, REGION).is_ok();
                let status = if is_valid { 200 } else { 403 };
                connection.send(response(status, &[], &request.body));
            }
        })
    }

    pub(crate) fn config(&self, peer: &Peer) -> Config {
        let ca_bundle_pem = Some(self.authority_pem.clone().into_bytes());
        Config {
            ca_bundle_pem,
            ..config(&url(peer))
        }
    }
}

pub(crate) fn url(peer: &Peer) -> String {
    format!("https://localhost:{}", peer.address.port())
}

impl Connection {
    /// Does the TLS handshake if there is a configuration for it; `None` if it fails.
    pub(crate) fn accept(self, server: Option<&Arc<ServerConfig>>) -> Option<Self> {
        match server {
            Some(server) => self.accept_tls(server),
            None => Some(self),
        }
    }

    /// Does the TLS handshake; `None` if it fails.
    pub(crate) fn accept_tls(mut self, server: &Arc<ServerConfig>) -> Option<Self> {
        let mut stream = self.stream.try_clone().unwrap();
        let mut session = ServerConnection::new(Arc::clone(server)).unwrap();
        session.complete_io(&mut stream).ok()?;
        self.wire = Box::new(StreamOwned::new(session, stream));
        Some(self)
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn has_more(&mut self) -> bool {
        self.fill_buf().is_ok_and(|bytes| !bytes.is_empty())
    }

    fn send_close_notify(&mut self) {
        self.conn.send_close_notify();
        self.flush().unwrap();
    }
}

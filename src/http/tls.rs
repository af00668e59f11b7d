//! TLS through ureq's connectors, as the features of this crate choose.

use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Transport};

use super::transport_error::BoxedError;
use super::{Origin, SettingError};

type AgentConfigBuilder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

/// The connector of each TLS library that is built in; ureq's configuration names the one that acts.
#[derive(Debug, Default)]
pub(super) struct TlsConnector {
    #[cfg(feature = "rustls-no-provider")]
    rustls: ureq::unversioned::transport::RustlsConnector,
    #[cfg(feature = "native-tls")]
    native_tls: ureq::unversioned::transport::NativeTlsConnector,
}

impl TlsConnector {
    /// The connection with TLS where the URL asks for it.
    #[cfg_attr(
        not(feature = "_tls"),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "no TLS")
    )]
    pub(super) fn connect(
        &self,
        #[cfg_attr(not(feature = "_tls"), expect(unused_variables, reason = "no TLS"))]
        details: &ConnectionDetails<'_>,
        transport: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        #[cfg(feature = "rustls-no-provider")]
        let transport = wrap(&self.rustls, details, transport)?;
        #[cfg(feature = "native-tls")]
        let transport = wrap(&self.native_tls, details, transport)?;
        Ok(transport)
    }
}

#[cfg(feature = "_tls")]
fn wrap(
    connector: &impl ureq::unversioned::transport::Connector<Box<dyn Transport>>,
    details: &ConnectionDetails<'_>,
    transport: Box<dyn Transport>,
) -> Result<Box<dyn Transport>, Error> {
    let transport = connector
        .connect(details, Some(transport))?
        .ok_or(Error::ConnectionFailed)?;
    Ok(Box::new(transport))
}

#[cfg(not(feature = "_tls"))]
pub(super) fn configure(
    builder: AgentConfigBuilder,
    ca_bundle_pem: Option<&[u8]>,
    origin: &Origin,
) -> Result<AgentConfigBuilder, SettingError> {
    if origin.tls {
        let problem = "is https, and this build has no TLS: enable a feature of the crate";
        return Err(SettingError::new("endpoint", problem));
    }
    match ca_bundle_pem {
        Some(_) => Err(SettingError::new(
            "ca_bundle_pem",
            "is set, and this build has no TLS",
        )),
        None => Ok(builder),
    }
}

#[cfg(feature = "_tls")]
pub(super) fn configure(
    builder: AgentConfigBuilder,
    ca_bundle_pem: Option<&[u8]>,
    #[cfg_attr(
        not(feature = "rustls-no-provider"),
        expect(unused_variables, reason = "one TLS for all")
    )]
    origin: &Origin,
) -> Result<AgentConfigBuilder, SettingError> {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    #[cfg(feature = "rustls-no-provider")]
    if origin.tls {
        check_crypto_provider()?;
    }
    let provider = if cfg!(feature = "rustls-no-provider") {
        TlsProvider::Rustls
    } else {
        TlsProvider::NativeTls
    };
    let root_certs = match ca_bundle_pem {
        Some(pem) => certificates_in(pem)?,
        None if cfg!(feature = "platform-verifier") => RootCerts::PlatformVerifier,
        None => RootCerts::WebPki,
    };
    Ok(builder.tls_config(
        TlsConfig::builder()
            .provider(provider)
            .root_certs(root_certs)
            .build(),
    ))
}

/// The certificates of a bundle. A block that cannot be used is an error: its owner expects it to be trusted.
#[cfg(feature = "_tls")]
fn certificates_in(pem: &[u8]) -> Result<ureq::tls::RootCerts, SettingError> {
    use ureq::tls::{Certificate, PemItem};

    const SETTING: &str = "CA bundle";
    // OpenSSL's form of a certificate with trust settings behind it.
    let text =
        String::from_utf8_lossy(pem).replace(" TRUSTED CERTIFICATE-----", " CERTIFICATE-----");
    let text = text.trim_start_matches('\u{feff}');
    let mut certificates = Vec::new();
    let mut blocks = 0;
    for item in ureq::tls::parse_pem(text.as_bytes()) {
        blocks += 1;
        // The parser's error repeats bytes of the file, which may be a private key.
        let item = item.map_err(|_| SettingError::new(SETTING, unreadable(text, blocks)))?;
        if let PemItem::Certificate(certificate) = item {
            let der = first_der_value(certificate.der());
            if !is_usable(der) {
                let problem =
                    format!("has a certificate that cannot be read, in its block {blocks}");
                return Err(SettingError::new(SETTING, problem));
            }
            certificates.push(Certificate::from_der(der).to_owned());
        }
    }
    if text.matches("-----BEGIN ").count() != blocks {
        return Err(SettingError::new(
            SETTING,
            "has a block that cannot be read",
        ));
    }
    if certificates.is_empty() {
        return Err(SettingError::new(
            SETTING,
            "holds no certificate in PEM form",
        ));
    }
    Ok(certificates.into())
}

/// Names the block that is not PEM, without its content.
#[cfg(feature = "_tls")]
fn unreadable(text: &str, block: usize) -> String {
    if !text.trim().contains('\n') {
        return "is not in PEM form: the file has no line breaks".to_owned();
    }
    format!("is not in PEM form, in its block {block}")
}

/// The bytes without what follows the first value of DER, whose length is in the bytes behind its tag (X.690, 8.1.3).
#[cfg(feature = "_tls")]
fn first_der_value(der: &[u8]) -> &[u8] {
    let header_and_length = match der {
        [_, length, ..] if *length < 0x80 => 2 + usize::from(*length),
        [_, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => der.len(),
    };
    der.get(..header_and_length).unwrap_or(der)
}

/// rustls drops what it cannot read when ureq hands it the bundle.
#[cfg(feature = "rustls-no-provider")]
fn is_usable(der: &[u8]) -> bool {
    rustls::RootCertStore::empty()
        .add(der.to_vec().into())
        .is_ok()
}

#[cfg(all(feature = "_tls", not(feature = "rustls-no-provider")))]
fn is_usable(_: &[u8]) -> bool {
    true
}

/// ureq panics when rustls has no crypto provider.
#[cfg(feature = "rustls-no-provider")]
fn check_crypto_provider() -> Result<(), SettingError> {
    if cfg!(feature = "rustls") || rustls::crypto::CryptoProvider::get_default().is_some() {
        return Ok(());
    }
    let problem =
        "needs a crypto provider: call rustls::crypto::CryptoProvider::install_default first";
    Err(SettingError::new("feature rustls-no-provider", problem))
}

/// Why the certificate of the peer is not trusted, if this is the error: the peer would show the same one again.
#[cfg(feature = "rustls-no-provider")]
pub(super) fn certificate_refusal(error: &Error) -> Option<BoxedError> {
    let Error::Io(error) = error else { return None };
    match error.get_ref()?.downcast_ref()? {
        // An error of webpki, which rustls does not show as a type. Its name does not say what to do.
        rustls::Error::InvalidCertificate(it)
            if format!("{it:?}").contains("CaUsedAsEndEntity") =>
        {
            let advice = "the server shows a CA certificate as its own: give it a certificate that the CA has signed, \
                          and trust the CA (CaUsedAsEndEntity)";
            Some(advice.into())
        }
        refused @ rustls::Error::InvalidCertificate(_) => {
            Some(Box::new(std::io::Error::new(error.kind(), refused.clone())))
        }
        _ => None,
    }
}

/// The operating system's TLS does not give the reason in a form that a program can read.
#[cfg(not(feature = "rustls-no-provider"))]
pub(super) fn certificate_refusal(_: &Error) -> Option<BoxedError> {
    None
}

#[cfg(all(test, feature = "rustls-no-provider"))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::testing::{assert_shown_safely, fuzz};

    fn problem(pem: &str) -> Option<String> {
        certificates_in(pem.as_bytes())
            .err()
            .map(|error| error.to_string())
    }

    fn certificate() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap()
            .pem()
    }

    #[test]
    fn a_bundle_may_have_a_byte_order_mark_comments_and_trusted_certificates() {
        let pem = certificate();
        for bundle in [
            pem.clone(),
            format!("\u{feff}{pem}"),
            format!("# a comment \u{e9}\r\n{pem}\n\n{}", certificate()),
            pem.replace(" CERTIFICATE", " TRUSTED CERTIFICATE"),
        ] {
            assert_eq!(problem(&bundle), None, "{bundle}");
        }
    }

    #[test]
    fn trust_settings_behind_a_certificate_are_cut_off() {
        for der in [&[0x30, 2, 1, 2][..], &[0x30, 0x82, 0, 3, 1, 2, 3]] {
            let with_settings = [der, &[0x30, 1, 7]].concat();
            assert_eq!(first_der_value(&with_settings), der);
        }
        assert_eq!(first_der_value(&[0x30]), [0x30]);
        assert_eq!(first_der_value(&[0x30, 9, 1]), [0x30, 9, 1]);
    }

    #[test]
    fn a_bundle_on_one_line_is_refused_without_its_bytes() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let pem = format!("{}{key}", certificate());
        for bundle in [pem.replace('\n', "\\n"), pem.replace('\n', " ")] {
            let error = certificates_in(bundle.as_bytes()).unwrap_err();
            let source = std::error::Error::source(&error);
            assert!(
                source.is_none() && error.to_string().contains("no line breaks"),
                "{error}"
            );
            assert!(format!("{error:?}").len() < 200, "{error:?}");
        }
    }

    #[test]
    fn a_block_that_cannot_be_read_is_an_error() {
        let pem = certificate();
        let unreadable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (bundle, expected) in [
            (String::new(), "holds no certificate"),
            ("text".to_owned(), "holds no certificate"),
            (
                format!("{pem}{unreadable}"),
                "has a certificate that cannot be read, in its block 2",
            ),
            (
                format!("{pem}-----BEGIN X-----\nAAAA\n-----END X-----\n"),
                "has a block that cannot be read",
            ),
            (
                format!("{pem}-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
                "is not in PEM form",
            ),
            (
                format!("{pem}-----BEGIN CERTIFICATE-----\nAAAA"),
                "is not in PEM form",
            ),
        ] {
            let problem = problem(&bundle).unwrap();
            assert!(
                problem.starts_with(&format!("CA bundle {expected}")),
                "{problem}: {bundle}"
            );
        }
    }

    /// Made by `openssl req -x509 -newkey ed25519 -subj /CN=a`; always the same, so that all runs have the same inputs.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBLjCB4aADAgECAhRXhNWGdQduJ830gcWABvjNhkr2/DAFBgMrZXAwDDEKMAgG
A1UEAwwBYTAgFw0yNjExMjUwOTM0NDFaGA8yMTI2MTEwMTA5MzQ0MVowDDEKMAgG
A1UEAwwBYTAqMAUGAytlcAMhAGS0WFUKZ2p6PndzvZ+Humyq3QVg2M0rR6oGHSrL
kDOVo1MwUTAdBgNVHQ4EFgQUIJDCzSczDY+daWg2YCwajXqb7WAwHwYDVR0jBBgw
FoAUIJDCzSczDY+daWg2YCwajXqb7WAwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXAD
QQDfRBZ7ECHjSzb3827xKKrB2Fi472ET9QdU7Z6CusYQeu5R4j8kqfF3uH2F/lw+
l44RMvz5nfMyTtTXIg3/FYYE
-----END CERTIFICATE-----
";

    #[test]
    fn fuzz_bundles() {
        let trusted = CERTIFICATE
            .replace(" CERTIFICATE", " TRUSTED CERTIFICATE")
            .replace('\n', "\r\n");
        let samples = [
            CERTIFICATE,
            &format!("\u{feff}# a comment\n{CERTIFICATE}\n{trusted}"),
        ];
        fuzz(&samples, |pem| {
            if let Err(error) = certificates_in(pem) {
                assert_shown_safely(&error.to_string());
            }
        });
    }
}

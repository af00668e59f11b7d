//! Step 3: the signing key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::hash_writer::HashWriter;
use super::{Scope, Signature, StringToSign};

/// The signing key: derived from a secret access key, for one day, one region and one service.
///
/// Deriving it takes four HMACs, more than the rest of a signature with a small body, so keep it for all requests of
/// its day, region and service. It holds the state of HMAC after the key went in, not the key. Memory is wiped on
/// drop, and `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningKey {
    mac: Hmac<Sha256>,
}

impl SigningKey {
    /// Derives the key for the day, the region and the service of `scope`.
    ///
    /// Any secret is accepted; a wrong one gives a signature that the service rejects.
    #[must_use]
    pub fn derive(secret_access_key: &str, scope: Scope<'_>) -> Self {
        let mut secret = Zeroizing::new(Vec::with_capacity(4 + secret_access_key.len()));
        secret.extend_from_slice(b"AWS4");
        secret.extend_from_slice(secret_access_key.as_bytes());
        let date_key = hmac(&secret, scope.amz_date.day());
        let region_key = hmac(&*date_key, scope.region);
        let service_key = hmac(&*region_key, scope.service);
        let signing_key = hmac(&*service_key, "aws4_request");
        Self {
            mac: new_hmac(&*signing_key),
        }
    }

    /// Signs the string to sign. Its scope must have the day, the region and the service of this key.
    #[must_use]
    pub fn sign(&self, string_to_sign: &StringToSign<'_>) -> Signature {
        let mut mac = self.mac.clone();
        HashWriter::update(&mut mac, |writer| string_to_sign.write_to(writer));
        Signature::new(mac.finalize().into_bytes().into())
    }
}

fn hmac(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = new_hmac(key);
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[expect(
    clippy::expect_used,
    reason = "RFC 2104 pads short keys and hashes long ones"
)]
fn new_hmac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::AmzDate;
    use super::*;

    /// Source: "Examples of how to derive a signing key for Signature Version 4" in the AWS General Reference.
    #[test]
    fn derives_the_key_of_the_documented_example() {
        let amz_date = AmzDate::from_unix_seconds(1_440_892_800).unwrap();
        let scope = Scope {
            amz_date,
            region: "us-east-1",
            service: "iam",
        };
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope);
        let documented =
            hex::decode("c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9")
                .unwrap();
        // The state of HMAC does not give the key back, so compare what both sign.
        let expected = new_hmac(&documented)
            .chain_update("x")
            .finalize()
            .into_bytes();
        assert_eq!(key.mac.chain_update("x").finalize().into_bytes(), expected);
    }

    #[test]
    fn debug_shows_no_key() {
        let amz_date = AmzDate::from_unix_seconds(0).unwrap();
        let key = SigningKey::derive(
            "secret",
            Scope {
                amz_date,
                region: "r",
                service: "s",
            },
        );
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }
}

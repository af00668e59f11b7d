use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::hash_writer::HashWriter;
use super::{Scope, Signature, StringToSign};

/// The secret key bound to a day, a region and a service, kept as HMAC state that is already keyed.
///
/// Deriving costs four HMACs; a key can be kept and cloned for every request of its scope.
#[derive(Clone)]
pub struct SigningKey {
    mac: Hmac<Sha256>,
}

impl SigningKey {
    /// Derives the key from the secret access key for the scope's day, region and service.
    #[must_use]
    pub fn derive(secret_access_key: &str, scope: Scope<'_>) -> Self {
        let mut secret = Zeroizing::new(Vec::with_capacity(4 + secret_access_key.len()));
        secret.extend_from_slice(b"AWS4");
        secret.extend_from_slice(secret_access_key.as_bytes());
        let day_key = mac_of(&secret, scope.amz_date.day());
        let region_key = mac_of(&*day_key, scope.region);
        let service_key = mac_of(&*region_key, scope.service);
        let signing_key = mac_of(&*service_key, "aws4_request");
        Self { mac: keyed(&*signing_key) }
    }

    /// Signs the string.
    #[must_use]
    pub fn sign(&self, string_to_sign: &StringToSign<'_>) -> Signature {
        let mut mac = self.mac.clone();
        HashWriter::update(&mut mac, |writer| string_to_sign.write_to(writer));
        Signature::new(mac.finalize().into_bytes().into())
    }

    /// Signs the text that the pieces make.
    #[inline]
    pub(super) fn sign_pieces(&self, pieces: &[&[u8]]) -> Signature {
        let mut mac = self.mac.clone();
        pieces.iter().for_each(|piece| mac.update(piece));
        Signature::new(mac.finalize().into_bytes().into())
    }
}

fn mac_of(key: &[u8], text: &str) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed(key);
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// Shows nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::AmzDate;
    use super::*;

    /// The worked example of AWS's "Examples of how to derive a signing key".
    #[test]
    fn derives_the_documented_key() {
        let amz_date = AmzDate::from_unix_seconds(1_440_892_800).unwrap();
        let scope = Scope { amz_date, region: "us-east-1", service: "iam" };
        let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope);
        let raw = {
            let mut raw = [0; 32];
            hex::decode_to_slice(
                "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
                &mut raw,
            )
            .unwrap();
            raw
        };
        let tag = |mac: Hmac<Sha256>| mac.chain_update("x").finalize().into_bytes();
        assert_eq!(tag(key.mac), tag(keyed(&raw)));
    }

    #[test]
    fn debug_shows_no_key() {
        let amz_date = AmzDate::from_unix_seconds(0).unwrap();
        let key = SigningKey::derive("secret", Scope { amz_date, region: "r", service: "s" });
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }
}

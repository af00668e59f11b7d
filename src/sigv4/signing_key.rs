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
        let day_key = Self::keyed(&secret).into_mac_of(scope.amz_date.day());
        let region_key = Self::keyed(&*day_key).into_mac_of(scope.region);
        let service_key = Self::keyed(&*region_key).into_mac_of(scope.service);
        let signing_key = Self::keyed(&*service_key).into_mac_of("aws4_request");
        Self::keyed(&*signing_key)
    }

    /// Signs the string.
    #[must_use]
    pub fn sign(&self, string_to_sign: &StringToSign<'_>) -> Signature {
        let mut writer = HashWriter::new(self.mac.clone());
        // This writer never fails.
        let _ = string_to_sign.write_to(&mut writer);
        Signature::new(writer.into_hash().finalize().into_bytes().into())
    }

    fn keyed(key: &[u8]) -> Self {
        // HMAC takes a key of any length.
        let mac = Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { mac }
    }

    fn into_mac_of(self, text: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.mac.chain_update(text).finalize().into_bytes().into())
    }
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
        assert_eq!(key.into_mac_of("x"), SigningKey::keyed(&raw).into_mac_of("x"));
    }

    #[test]
    fn debug_shows_no_key() {
        let amz_date = AmzDate::from_unix_seconds(0).unwrap();
        let key = SigningKey::derive("secret", Scope { amz_date, region: "r", service: "s" });
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }
}

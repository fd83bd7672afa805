//! Whether a webhook was signed with one of the app's secrets.
//!
//! Looks at the bytes as they came: Meta signs those, and any other spelling of the same JSON has
//! another signature.
//!
//! Source: Meta, "Create a webhook endpoint", validating payloads; read November 2026.

use std::fmt::{Debug, Formatter};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Length of an HMAC-SHA-256 in bytes.
const MAC_BYTES: usize = 32;

/// The secrets a webhook may be signed with: one, or two while a secret is being replaced.
#[derive(Clone)]
pub struct AppSecrets {
    /// HMAC with each secret already taken in.
    keyed: Vec<Hmac<Sha256>>,
}

impl AppSecrets {
    /// Takes the secrets in, in the order in which they are to be tried.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s [u8]>) -> Self {
        #[expect(clippy::expect_used, reason = "the library's signature allows for other MACs")]
        let keyed = |secret| Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Self { keyed: secrets.into_iter().map(keyed).collect() }
    }

    /// Returns whether a header has the form of a signature, whatever it signs.
    pub fn is_signature(header: &[u8]) -> bool {
        let digits = header.strip_prefix(b"sha256=").unwrap_or_default();
        digits.len() == 2 * MAC_BYTES && digits.iter().all(u8::is_ascii_hexdigit)
    }

    /// Returns the place of the secret that `header`, the value of `X-Hub-Signature-256`, signs
    /// `body` with, or nothing if it is none of them.
    ///
    /// A header that is malformed is no different from one that is wrong. The comparison takes the
    /// same time however nearly the signature fits; how many secrets were tried can be told, and
    /// says only whether a secret is being replaced.
    pub fn signer(&self, header: &[u8], body: &[u8]) -> Option<usize> {
        let mut claimed = [0_u8; MAC_BYTES];
        let digits = header.strip_prefix(b"sha256=")?;
        hex::decode_to_slice(digits, &mut claimed).ok()?;
        self.keyed.iter().position(|keyed| {
            let mut mac = keyed.clone();
            mac.update(body);
            mac.verify_slice(&claimed).is_ok()
        })
    }

    /// Returns the header that signs `body` with the first secret, if there is one.
    pub fn sign(&self, body: &[u8]) -> Option<String> {
        let mut mac = self.keyed.first()?.clone();
        mac.update(body);
        Some(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
    }

    /// Returns whether there is no secret, and so nothing can be signed.
    pub const fn is_empty(&self) -> bool {
        self.keyed.is_empty()
    }
}

impl Debug for AppSecrets {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "AppSecrets({} redacted)", self.keyed.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"test-app-secret-0001";
    const EMPTY: &[u8] = br#"{"object":"whatsapp_business_account","entry":[]}"#;
    const SIGNED: &[u8] =
        b"sha256=6c7d563c694361f705fbaae1cc200fe77ac07b50943250a6931917db3ee09a78";

    fn secrets(of: &[&[u8]]) -> AppSecrets {
        AppSecrets::new(of.iter().copied())
    }

    #[test]
    fn what_is_signed_here_is_signed_by_the_first_secret() {
        let both = secrets(&[SECRET, b"another"]);
        assert_eq!(both.sign(EMPTY).unwrap().as_bytes(), SIGNED);
        assert_eq!(both.signer(SIGNED, EMPTY), Some(0));
        assert_eq!(secrets(&[]).sign(EMPTY), None);
    }

    #[test]
    fn the_published_vectors_hold() {
        let text = include_bytes!("../../tests/data/whatsapp/inbound_text.json");
        let failed = include_bytes!("../../tests/data/whatsapp/status_failed_131050.json");
        let stop = include_bytes!("../../tests/data/whatsapp/user_preferences_stop.json");
        for (body, digits) in [
            (EMPTY, "6c7d563c694361f705fbaae1cc200fe77ac07b50943250a6931917db3ee09a78"),
            (text, "f10bae8c43a5efe13250a3a023a98a3e9018dab1957b0b149301475cdc8d3726"),
            (failed, "adee7a842b0258b2be012cf91f5be47d8f12b725d76f637bc4ddcc3358513944"),
            (stop, "47a0217794de96f5fb424d2ee29093dbb739fddac516817b9768af4cb0e6c4d4"),
        ] {
            let header = format!("sha256={digits}");
            assert_eq!(secrets(&[SECRET]).signer(header.as_bytes(), body), Some(0), "{digits}");
            assert_eq!(secrets(&[b"another"]).signer(header.as_bytes(), body), None);
        }
    }

    #[test]
    fn while_a_secret_is_replaced_both_are_good() {
        assert_eq!(secrets(&[b"new", SECRET]).signer(SIGNED, EMPTY), Some(1));
        assert_eq!(secrets(&[SECRET, b"old"]).signer(SIGNED, EMPTY), Some(0));
        assert_eq!(secrets(&[]).signer(SIGNED, EMPTY), None);
        assert!(secrets(&[]).is_empty());
    }

    #[test]
    fn a_malformed_header_is_simply_wrong() {
        let signed = std::str::from_utf8(SIGNED).unwrap();
        let bare = signed.trim_start_matches("sha256=");
        for header in [
            "",
            "sha256=",
            bare,
            &format!("sha1={bare}"),
            &format!("SHA256={bare}"),
            &format!("{signed}0"),
            &format!("{signed}00"),
            &format!(" {signed}"),
            &format!("{signed} "),
            &format!("{signed},{signed}"),
            &signed.replace('6', "g"),
            signed.trim_end_matches('8'),
        ] {
            assert_eq!(secrets(&[SECRET]).signer(header.as_bytes(), EMPTY), None, "{header:?}");
        }
        assert_eq!(secrets(&[SECRET]).signer(b"sha256=\xff\xfe", EMPTY), None);
    }

    #[test]
    fn hexadecimal_is_read_in_either_case() {
        let upper = format!("sha256={}", hex::encode_upper(hex::decode(&SIGNED[7..]).unwrap()));
        assert_eq!(secrets(&[SECRET]).signer(upper.as_bytes(), EMPTY), Some(0));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", secrets(&[SECRET])), "AppSecrets(1 redacted)");
    }

    proptest! {
        #[test]
        fn one_flipped_bit_of_the_body_or_the_signature_is_noticed(
            body in prop::collection::vec(any::<u8>(), 1..200),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
            in_body in any::<bool>(),
        ) {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
            mac.update(&body);
            let mut signature: [u8; 32] = mac.finalize().into_bytes().into();
            let header = format!("sha256={}", hex::encode(signature));
            prop_assert_eq!(secrets(&[SECRET]).signer(header.as_bytes(), &body), Some(0));
            let mut other = body.clone();
            if in_body {
                other[at.index(body.len())] ^= 1 << bit;
            } else {
                signature[at.index(32)] ^= 1 << bit;
            }
            let header = format!("sha256={}", hex::encode(signature));
            prop_assert_eq!(secrets(&[SECRET]).signer(header.as_bytes(), &other), None);
        }

        #[test]
        fn no_header_makes_it_panic(header in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(secrets(&[SECRET]).signer(&header, b"body"), None);
        }
    }
}

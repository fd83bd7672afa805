//! Keyed hashes by which things are found again without keeping their text.
//!
//! The hashing itself happens outside, with a secret; here a key is only compared.

use std::num::NonZeroU128;

/// Declares a 128-bit keyed hash, written as 32 hexadecimal digits.
macro_rules! hash_key {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(NonZeroU128);

        impl $name {
            /// Wraps a keyed hash. Zero, which no hash of ours is in practice, becomes one, so
            /// that an absent key takes no room of its own.
            pub const fn from_bits(bits: u128) -> Self {
                match NonZeroU128::new(bits) {
                    Some(bits) => Self(bits),
                    None => Self(NonZeroU128::MIN),
                }
            }

            /// Returns the hash.
            pub const fn bits(self) -> u128 {
                self.0.get()
            }
        }

        impl TryFrom<String> for $name {
            type Error = std::num::ParseIntError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                u128::from_str_radix(&text, 16).map(Self::from_bits)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                format!("{:032x}", key.bits())
            }
        }
    };
}

hash_key! {
    /// Finds a contact by one of its identifiers.
    ContactKey
}

hash_key! {
    /// Finds a message by the id WhatsApp gave it. The id itself contains a phone number.
    MessageKey
}

hash_key! {
    /// Finds a command by its caller's idempotency key.
    CommandId
}

hash_key! {
    /// Tells whether two requests under one idempotency key are the same request.
    Fingerprint
}

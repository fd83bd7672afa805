//! The text of an API key: `izin_sk_live_`, a public id, `_`, a secret, a checksum.
//!
//! The prefix lets secret scanners and people recognise a leaked key, and the checksum lets both
//! tell a key from a typo without asking anybody. Neither protects anything: the 43 secret
//! characters do, and whether they are right is decided in [`crate::keys::hash`].

use std::fmt::{Debug, Formatter};

use rand::{CryptoRng, Rng, distr::Alphanumeric};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::domain::access::{KEY_ID_CHARS, KeyEnv, KeyId, KeyKind};

/// Characters in a key.
pub const KEY_CHARS: usize = HEAD_CHARS + KEY_ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;

/// `izin_`, the kind, `_`, the environment, `_`.
const HEAD_CHARS: usize = 13;
/// Letters and digits drawn evenly: 43 times log2(62) is 256.03 bits.
const SECRET_CHARS: usize = 43;
/// 62^6 is more than the 2^32 values of a CRC-32.
const CHECKSUM_CHARS: usize = 6;

const PRODUCT: &str = "izin";
const DIGITS: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole API key: whoever holds its text is the caller.
///
/// There is no `Display`, no `==` and no `Serialize`: whoever needs the text calls
/// [`ApiKey::expose`] and can be found by searching for that name. The memory is wiped on drop.
pub struct ApiKey {
    text: [u8; KEY_CHARS],
    kind: KeyKind,
    env: KeyEnv,
    id: KeyId,
}

/// A text is not an API key. It never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Too short or too long.
    #[error("an API key has {KEY_CHARS} characters")]
    Length,
    /// It does not begin like one of our keys.
    #[error("an API key begins with izin_, its kind (sk or pk) and its environment (live or test)")]
    Head,
    /// A character that no key has, or a part that does not end where it should.
    #[error("an API key is made of letters and digits, and an underscore after its id")]
    Characters,
    /// The last six characters do not fit the others.
    #[error("the checksum of the API key does not fit: it was mistyped or cut")]
    Checksum,
}

impl ApiKey {
    /// Makes a new key. `chance` must be seeded by the operating system outside tests.
    ///
    /// # Panics
    ///
    /// Never: the parts it is put together from are what its own reader asks for.
    pub fn generate(kind: KeyKind, env: KeyEnv, chance: &mut impl CryptoRng) -> Self {
        let id = draw(KEY_ID_CHARS, chance);
        Self::assemble(&id, kind, env, chance)
    }

    /// Makes another secret for a key that keeps its id, for rotation.
    ///
    /// # Panics
    ///
    /// Never, as [`Self::generate`].
    pub fn generate_for(
        id: KeyId,
        kind: KeyKind,
        env: KeyEnv,
        chance: &mut impl CryptoRng,
    ) -> Self {
        Self::assemble(id.as_str(), kind, env, chance)
    }

    fn assemble(id: &str, kind: KeyKind, env: KeyEnv, chance: &mut impl CryptoRng) -> Self {
        let secret = draw(SECRET_CHARS, chance);
        let body = Zeroizing::new(format!(
            "{PRODUCT}_{}_{}_{}_{}",
            kind.letters(),
            env.word(),
            id,
            secret.as_str()
        ));
        let checksum = base62(crc32fast::hash(body.as_bytes()));
        let mut text = [0; KEY_CHARS];
        for (place, byte) in text.iter_mut().zip(body.bytes().chain(checksum)) {
            *place = byte;
        }
        let made = Self::read(&text);
        text.zeroize();
        #[expect(clippy::expect_used, reason = "a key that its own reader refuses is a bug here")]
        made.expect("a key put together from its parts is a key")
    }

    /// Parses a key as a caller presents it.
    ///
    /// # Errors
    ///
    /// [`KeyTextError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        match <&[u8; KEY_CHARS]>::try_from(text.as_bytes()) {
            Ok(text) => Self::read(text),
            Err(_) => Err(KeyTextError::Length),
        }
    }

    fn read(text: &[u8; KEY_CHARS]) -> Result<Self, KeyTextError> {
        let (body, checksum) = text.split_at(KEY_CHARS - CHECKSUM_CHARS);
        let (head, rest) = body.split_at(HEAD_CHARS);
        let (kind, env) = read_head(head).ok_or(KeyTextError::Head)?;
        let (id, rest) = rest.split_at(KEY_ID_CHARS);
        let [b'_', secret @ ..] = rest else { return Err(KeyTextError::Characters) };
        let is_plain = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
        if !is_plain(secret) || !is_plain(checksum) {
            return Err(KeyTextError::Characters);
        }
        let id = str::from_utf8(id).ok().and_then(|id| KeyId::parse(id).ok());
        let id = id.ok_or(KeyTextError::Characters)?;
        if checksum != base62(crc32fast::hash(body)) {
            return Err(KeyTextError::Checksum);
        }
        Ok(Self { text: *text, kind, env, id })
    }

    /// Returns what the key is for.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns whether the key is for real contacts.
    pub const fn env(&self) -> KeyEnv {
        self.env
    }

    /// Returns the public part of the key.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the whole text. It goes to the person who asked for the key, once, and nowhere
    /// else.
    pub fn expose(&self) -> &str {
        // Only ASCII gets in.
        str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl Debug for ApiKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ApiKey")
            .field("kind", &self.kind)
            .field("env", &self.env)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Drop for ApiKey {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl ZeroizeOnDrop for ApiKey {}

fn read_head(head: &[u8]) -> Option<(KeyKind, KeyEnv)> {
    let mut parts = head.split(|&byte| byte == b'_');
    let (product, kind, env) = (parts.next()?, parts.next()?, parts.next()?);
    if product != PRODUCT.as_bytes() || parts.next() != Some(b"") || parts.next().is_some() {
        return None;
    }
    let kind = KeyKind::ALL.into_iter().find(|known| known.letters().as_bytes() == kind)?;
    let env = KeyEnv::ALL.into_iter().find(|known| known.word().as_bytes() == env)?;
    Some((kind, env))
}

/// Writes a checksum in six digits of base 62, most significant first.
fn base62(mut value: u32) -> [u8; CHECKSUM_CHARS] {
    let mut places = [b'0'; CHECKSUM_CHARS];
    for place in places.iter_mut().rev() {
        let digit = usize::try_from(value % 62).unwrap_or_default();
        *place = DIGITS.get(digit).copied().unwrap_or(b'0');
        value /= 62;
    }
    places
}

/// Draws characters evenly.
fn draw(chars: usize, chance: &mut impl CryptoRng) -> Zeroizing<String> {
    Zeroizing::new((0..chars).map(|_| char::from(chance.sample(Alphanumeric))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn key(seed: u64) -> ApiKey {
        ApiKey::generate(KeyKind::Secret, KeyEnv::Live, &mut StdRng::seed_from_u64(seed))
    }

    /// The 43 characters that make the key one.
    fn secret(key: &ApiKey) -> &str {
        key.expose().get(HEAD_CHARS + KEY_ID_CHARS + 1..KEY_CHARS - CHECKSUM_CHARS).unwrap()
    }

    fn with_last(text: &str, last: char) -> String {
        let mut text = text.to_owned();
        text.pop();
        text.push(last);
        text
    }

    fn read_base62(digits: &[u8]) -> u64 {
        let place = |digit: u8| DIGITS.iter().position(|known| *known == digit).unwrap();
        digits.iter().fold(0, |sum, digit| sum * 62 + u64::try_from(place(*digit)).unwrap())
    }

    #[test]
    fn a_key_tells_its_kind_its_environment_and_its_id() {
        for kind in KeyKind::ALL {
            for env in KeyEnv::ALL {
                let made = ApiKey::generate(kind, env, &mut StdRng::seed_from_u64(1));
                let text = made.expose();
                let head = format!("izin_{}_{}_{}_", kind.letters(), env.word(), made.id());
                assert!(text.starts_with(&head), "{text}");
                let read = ApiKey::parse(text).unwrap();
                assert_eq!((read.kind(), read.env(), read.id()), (kind, env, made.id()));
                assert_eq!(read.expose(), text);
            }
        }
    }

    #[test]
    fn the_text_is_as_scanners_are_told_to_look_for_it() {
        let key = key(2);
        let tail = key.expose().strip_prefix("izin_sk_live_").unwrap();
        let (id, rest) = tail.split_once('_').unwrap();
        assert_eq!((id.len(), rest.len()), (12, 49));
        assert!(tail.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()));
    }

    #[test]
    fn every_single_typo_is_noticed() {
        let key = key(3);
        for at in 0..KEY_CHARS {
            for typed in [b'0', b'a', b'Z', b'_', b'-', b' '] {
                let mut text = key.expose().as_bytes().to_vec();
                if std::mem::replace(&mut text[at], typed) != typed {
                    assert!(ApiKey::parse(str::from_utf8(&text).unwrap()).is_err(), "at {at}");
                }
            }
        }
    }

    #[test]
    fn two_swapped_neighbours_are_noticed() {
        let key = key(4);
        for at in 1..KEY_CHARS {
            let mut text = key.expose().as_bytes().to_vec();
            text.swap(at - 1, at);
            if text != key.expose().as_bytes() {
                assert!(ApiKey::parse(str::from_utf8(&text).unwrap()).is_err(), "at {at}");
            }
        }
    }

    #[test]
    fn the_error_names_the_rule_that_was_broken() {
        let text = key(5).expose().to_owned();
        let error = |text: &str| ApiKey::parse(text).unwrap_err();
        assert_eq!(error(""), KeyTextError::Length);
        assert_eq!(error(text.strip_prefix('i').unwrap()), KeyTextError::Length);
        assert_eq!(error(&format!("{text} ")), KeyTextError::Length);
        assert_eq!(error(&text.replace("izin_", "iZin_")), KeyTextError::Head);
        assert_eq!(error(&text.replace("_sk_", "_rk_")), KeyTextError::Head);
        assert_eq!(error(&text.replace("_live_", "_prod_")), KeyTextError::Head);
        assert_eq!(error(&text.replace("_sk_live_", "_live_sk_")), KeyTextError::Head);
        assert_eq!(error(&text.replace("_sk_", "_pk_")), KeyTextError::Checksum);
        assert_eq!(error(&with_last(&text, '-')), KeyTextError::Characters);
    }

    #[test]
    fn debug_shows_the_public_part_only() {
        let key = key(6);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id().as_str()), "{shown}");
        assert!(!shown.contains(secret(&key)), "{shown}");
    }

    #[test]
    fn two_keys_share_nothing() {
        let mut chance = StdRng::seed_from_u64(8);
        let mut make = || ApiKey::generate(KeyKind::Secret, KeyEnv::Test, &mut chance);
        let (one, other) = (make(), make());
        assert_ne!(one.id(), other.id());
        assert_ne!(secret(&one), secret(&other));
    }

    proptest! {
        #[test]
        fn a_checksum_written_in_base_62_reads_back(value: u32) {
            prop_assert_eq!(read_base62(&base62(value)), u64::from(value));
        }

        #[test]
        fn a_generated_key_parses(seed: u64) {
            prop_assert!(ApiKey::parse(key(seed).expose()).is_ok());
        }

        #[test]
        fn no_text_panics(text in ".{0,90}") {
            prop_assert!(ApiKey::parse(&text).is_err());
        }

        #[test]
        fn no_text_with_the_right_head_panics(tail in "[0-9A-Za-z_é]{50,62}") {
            let text = format!("izin_sk_live_{tail}");
            prop_assert!(ApiKey::parse(&text).is_err());
        }
    }
}

//! One secret in one file: a line that says what it is for, and 32 random bytes in hexadecimal.
//!
//! ```text
//! izin-secret v1 vault epoch=1
//! 6f1e… (64 digits)
//! ```
//!
//! The first line keeps a file that was copied over another from being taken for it. The epoch
//! counts replacements, so that data can say which one it was sealed with.

use std::{
    fmt::{Debug, Formatter},
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    num::NonZeroU32,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rand::CryptoRng;
use zeroize::Zeroizing;

/// Bytes in a secret.
pub const SECRET_BYTES: usize = 32;

/// Format of the files written here.
const VERSION: &str = "v1";

/// More than any file of ours has.
const FILE_BYTES_MAX: u64 = 512;

/// A secret and which one in a row of replacements it is. `Debug` hides it, memory is wiped.
#[derive(Clone)]
pub struct SecretKey {
    bytes: Zeroizing<[u8; SECRET_BYTES]>,
    epoch: NonZeroU32,
}

impl SecretKey {
    /// Draws a new first secret.
    pub(super) fn draw(chance: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        chance.fill_bytes(bytes.as_mut_slice());
        Self { bytes, epoch: NonZeroU32::MIN }
    }

    /// Returns the secret bytes.
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.bytes
    }

    /// Returns which one in a row of replacements it is, from 1.
    pub fn epoch(&self) -> NonZeroU32 {
        self.epoch
    }
}

impl Debug for SecretKey {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "SecretKey(epoch {}, redacted)", self.epoch)
    }
}

/// Why a secret's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It is not there.
    #[error("the file is missing")]
    Missing,
    /// The operating system did not let us.
    #[error("failed to {doing} the file")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It is a folder, a pipe or the like.
    #[error("it is not a regular file")]
    NotAFile,
    /// Others than its owner may do something with it.
    #[error("its mode is {mode:04o}, so that others may reach it; chmod 600 it")]
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// It was written by a newer version.
    #[error("its format is newer than this program")]
    NewerFormat,
    /// It holds another secret than the name says.
    #[error("it is not the {expected} secret")]
    OtherSecret {
        /// What the name says.
        expected: &'static str,
    },
    /// It is cut, too long or otherwise not a secret of ours.
    #[error("it is not a line of description and 64 hexadecimal digits")]
    Malformed,
}

impl SecretFileError {
    /// Returns whether the secret is missing or not what it was.
    pub(super) const fn is_lost(&self) -> bool {
        match self {
            Self::Missing
            | Self::NotAFile
            | Self::NewerFormat
            | Self::OtherSecret { .. }
            | Self::Malformed => true,
            Self::Io { .. } | Self::Exposed { .. } => false,
        }
    }

    fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// Writes a secret to a new file and makes it durable; the folder is left to the caller.
pub(super) fn write(path: &Path, purpose: &str, secret: &SecretKey) -> Result<(), SecretFileError> {
    let digits = Zeroizing::new(hex::encode(secret.expose()));
    let (epoch, digits) = (secret.epoch, digits.as_str());
    let text = Zeroizing::new(format!("izin-secret {VERSION} {purpose} epoch={epoch}\n{digits}\n"));

    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(SecretFileError::io("create"))?;
    file.write_all(text.as_bytes()).map_err(SecretFileError::io("write"))?;
    file.sync_all().map_err(SecretFileError::io("sync"))
}

/// Reads a secret and refuses a file that others may reach or that holds something else.
pub(super) fn read(path: &Path, purpose: &'static str) -> Result<SecretKey, SecretFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SecretFileError::Missing);
        }
        Err(error) => return Err(SecretFileError::io("open")(error)),
    };
    // Asked of the open file, so that it cannot be another one by now.
    let metadata = file.metadata().map_err(SecretFileError::io("look at"))?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Exposed { mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => parse(&text, purpose),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SecretFileError::Malformed),
        Err(error) => Err(SecretFileError::io("read")(error)),
    }
}

fn parse(text: &str, purpose: &'static str) -> Result<SecretKey, SecretFileError> {
    let malformed = SecretFileError::Malformed;
    let Some((header, digits)) = text.split_once('\n') else { return Err(malformed) };
    let mut words = header.split(' ');
    if words.next() != Some("izin-secret") {
        return Err(malformed);
    }
    match words.next() {
        Some(VERSION) => {}
        Some(other) if is_newer(other) => return Err(SecretFileError::NewerFormat),
        Some(_) | None => return Err(malformed),
    }
    let (Some(found), Some(epoch), None) = (words.next(), words.next(), words.next()) else {
        return Err(malformed);
    };
    if found != purpose {
        return Err(SecretFileError::OtherSecret { expected: purpose });
    }
    let Some(epoch) = epoch.strip_prefix("epoch=").and_then(|epoch| epoch.parse().ok()) else {
        return Err(malformed);
    };
    let digits = digits.strip_suffix('\n').unwrap_or(digits);
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    match hex::decode_to_slice(digits, bytes.as_mut_slice()) {
        // A file of zeroes is what a disk leaves of a file that never reached it.
        Ok(()) if bytes.iter().any(|byte| *byte != 0) => Ok(SecretKey { bytes, epoch }),
        Ok(()) | Err(_) => Err(malformed),
    }
}

fn is_newer(version: &str) -> bool {
    version.strip_prefix('v').and_then(|number| number.parse().ok()).is_some_and(|n: u32| n > 1)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let drawn = SecretKey::draw(&mut StdRng::seed_from_u64(1));
        write(&path, "vault", &drawn).unwrap();
        let read = read(&path, "vault").unwrap();
        assert_eq!((read.expose(), read.epoch()), (drawn.expose(), NonZeroU32::MIN));
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_file_that_exists_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let mut chance = StdRng::seed_from_u64(1);
        write(&path, "vault", &SecretKey::draw(&mut chance)).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(write(&path, "vault", &SecretKey::draw(&mut chance)).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn the_epoch_is_kept_and_counts_from_one() {
        let text = |epoch: &str| format!("izin-secret v1 vault epoch={epoch}\n{DIGITS}\n");
        assert_eq!(parse(&text("7"), "vault").unwrap().epoch().get(), 7);
        assert!(matches!(parse(&text("0"), "vault"), Err(SecretFileError::Malformed)));
        assert!(matches!(parse(&text(""), "vault"), Err(SecretFileError::Malformed)));
    }

    #[test]
    fn what_is_not_exactly_a_secret_is_refused() {
        let header = "izin-secret v1 vault epoch=1";
        for bad in [
            String::new(),
            DIGITS.to_owned(),
            header.to_owned(),
            format!("{header}\n"),
            format!("{header}\n{}", DIGITS.strip_prefix("00").unwrap()),
            format!("{header}\n{DIGITS}00"),
            format!("{header}\n{DIGITS}\n\n"),
            format!("{header}\n{}", "00".repeat(32)),
            format!("{header}\n{}", "zz".repeat(32)),
            format!("{header} more\n{DIGITS}"),
            format!("other-secret v1 vault epoch=1\n{DIGITS}"),
            format!("izin-secret x vault epoch=1\n{DIGITS}"),
        ] {
            assert!(matches!(parse(&bad, "vault"), Err(SecretFileError::Malformed)), "{bad:?}");
        }
    }

    #[test]
    fn another_secret_and_a_newer_format_are_told_apart_from_damage() {
        let other = format!("izin-secret v1 mask epoch=1\n{DIGITS}");
        assert!(matches!(parse(&other, "vault"), Err(SecretFileError::OtherSecret { .. })));
        let newer = format!("izin-secret v2 vault of some other kind\n{DIGITS}");
        assert!(matches!(parse(&newer, "vault"), Err(SecretFileError::NewerFormat)));
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let text = format!("izin-secret v1 vault epoch=1\n{DIGITS}");
        let shown = format!("{:?}", parse(&text, "vault").unwrap());
        assert_eq!(shown, "SecretKey(epoch 1, redacted)");
    }
}

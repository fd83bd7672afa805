//! Opening the folder of secrets, or making it at first start.
//!
//! All secrets belong together: either every file is there, or none is and there is no data yet.
//! Everything between is refused, because a new secret would make the data unreadable for good
//! while looking like a fresh start.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rand::CryptoRng;

use crate::secrets::file::{self, SecretFileError, SecretKey};

/// Stands in the folder while the secrets are being made for the first time. If it is still there
/// at the next start, making them was cut short and nothing was ever sealed with them.
const UNFINISHED: &str = "unfinished";

/// Whether there is data that only the right secrets can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingData {
    /// This is the first start.
    None,
    /// There is a journal or a key vault.
    Found,
}

impl ExistingData {
    /// Looks for a journal or a key vault in a data directory, without opening either.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked into; one that is not there holds no data.
    pub fn in_dir(data_dir: &Path) -> io::Result<Self> {
        let has_journal = match fs::read_dir(data_dir.join("journal")) {
            Ok(mut files) => files.next().transpose()?.is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let found = has_journal || data_dir.join("vault").try_exists()?;
        Ok(if found { Self::Found } else { Self::None })
    }
}

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The folder could not be made, looked at or made durable.
    #[error("failed to {doing} the secrets directory {}", dir.display())]
    Dir {
        /// The folder.
        dir: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may do something with the folder.
    #[error("the mode of the secrets directory {} is {mode:04o}, so that others may reach it; chmod 700 it", dir.display())]
    Exposed {
        /// The folder.
        dir: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// One file cannot be used.
    #[error("failed to use the secret {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: SecretFileError,
    },
    /// There is data, but the secrets it was sealed with are not there.
    #[error(
        "the data was sealed with secrets that are not in {}; restore them, or name their place \
         with IZIN_SECRETS_DIR: new ones could not open it",
        dir.display()
    )]
    Lost {
        /// The folder.
        dir: PathBuf,
    },
}

impl SecretsError {
    /// Returns whether a secret is missing or not what it was, as against out of reach.
    pub const fn is_lost(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::File { source, .. } => source.is_lost(),
            Self::Dir { .. } | Self::Exposed { .. } => false,
        }
    }
}

/// Declares the secrets, so that fields, files and getters cannot disagree.
macro_rules! secrets {
    ($($(#[$docs:meta])* $name:ident, $file:literal, $purpose:literal;)+) => {
        /// The server's own secrets. `Debug` hides them, memory is wiped.
        #[derive(Debug, Clone)]
        pub struct Secrets {
            $($name: SecretKey,)+
        }

        impl Secrets {
            $(
                $(#[$docs])*
                pub fn $name(&self) -> &SecretKey {
                    &self.$name
                }
            )+

            fn read(dir: &Path) -> Result<Self, SecretsError> {
                Ok(Self { $($name: read_one(dir, $file, $purpose)?,)+ })
            }

            fn draw(chance: &mut impl CryptoRng) -> Self {
                Self { $($name: SecretKey::draw(chance),)+ }
            }

            fn write(&self, dir: &Path) -> Result<(), SecretsError> {
                $(write_one(dir, $file, $purpose, &self.$name)?;)+
                Ok(())
            }
        }

        /// Every file, in the order in which they are written.
        const FILES: [&str; [$($file),+].len()] = [$($file),+];
    };
}

secrets! {
    /// Returns the secret under which API keys are hashed.
    pepper, "pepper", "pepper";
    /// Returns the secret that wraps the key of every contact in the vault.
    vault, "vault.key", "vault";
    /// Returns the secret under which identifiers are hashed to find a contact.
    index, "index.key", "index";
    /// Returns the secret that hides in the ledger which entries are about the same contact.
    mask, "mask.key", "mask";
    /// Returns the secret under which an erased person's identifiers are remembered.
    suppression, "suppression.key", "suppression";
    /// Returns the seed of the key that signs checkpoints.
    signing, "signing.key", "signing";
}

impl Secrets {
    /// Opens the secrets in `dir`, or makes them when there are none and no data either.
    ///
    /// `chance` must be seeded by the operating system outside tests.
    ///
    /// # Errors
    ///
    /// [`SecretsError`] when others may reach the folder or a file, when a file is missing or not
    /// what its name says, and when there is data but no secrets.
    pub fn open_or_create(
        dir: &Path,
        data: ExistingData,
        chance: &mut impl CryptoRng,
    ) -> Result<Self, SecretsError> {
        make_dir(dir)?;
        refuse_exposed(dir)?;
        let unfinished = exists(dir, UNFINISHED)?;
        let mut any = false;
        for file in FILES {
            any |= exists(dir, file)?;
        }
        match data {
            ExistingData::None if unfinished || !any => Self::create(dir, chance),
            ExistingData::Found if unfinished || !any => {
                Err(SecretsError::Lost { dir: dir.to_owned() })
            }
            ExistingData::None | ExistingData::Found => Self::read(dir),
        }
    }

    fn create(dir: &Path, chance: &mut impl CryptoRng) -> Result<Self, SecretsError> {
        let failed = |doing| move |source| SecretsError::Dir { dir: dir.to_owned(), doing, source };
        fs::write(dir.join(UNFINISHED), "").map_err(failed("begin"))?;
        sync(dir)?;
        for file in FILES {
            if exists(dir, file)? {
                fs::remove_file(dir.join(file)).map_err(failed("clear"))?;
            }
        }
        let secrets = Self::draw(chance);
        secrets.write(dir)?;
        sync(dir)?;
        fs::remove_file(dir.join(UNFINISHED)).map_err(failed("finish"))?;
        sync(dir)?;
        // What will be read at every later start is what counts.
        Self::read(dir)
    }
}

fn read_one(dir: &Path, name: &str, purpose: &'static str) -> Result<SecretKey, SecretsError> {
    let path = dir.join(name);
    file::read(&path, purpose).map_err(|source| SecretsError::File { path, source })
}

fn write_one(
    dir: &Path,
    name: &str,
    purpose: &str,
    secret: &SecretKey,
) -> Result<(), SecretsError> {
    let path = dir.join(name);
    file::write(&path, purpose, secret).map_err(|source| SecretsError::File { path, source })
}

/// Makes the folder, mode 0700, and those above it, and makes that durable.
fn make_dir(dir: &Path) -> Result<(), SecretsError> {
    if dir.is_dir() {
        return Ok(());
    }
    let failed = |source| SecretsError::Dir { dir: dir.to_owned(), doing: "make", source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    match dir.parent() {
        Some(parent) if parent != Path::new("") => sync(parent),
        Some(_) | None => sync(Path::new(".")),
    }
}

fn refuse_exposed(dir: &Path) -> Result<(), SecretsError> {
    let failed = |source| SecretsError::Dir { dir: dir.to_owned(), doing: "look at", source };
    let mode = fs::metadata(dir).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretsError::Exposed { dir: dir.to_owned(), mode });
    }
    Ok(())
}

fn exists(dir: &Path, name: &str) -> Result<bool, SecretsError> {
    let failed = |source| SecretsError::Dir { dir: dir.to_owned(), doing: "look into", source };
    // A link that leads nowhere counts: following it would make it look like a first start.
    match fs::symlink_metadata(dir.join(name)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn sync(dir: &Path) -> Result<(), SecretsError> {
    let failed = |source| SecretsError::Dir { dir: dir.to_owned(), doing: "sync", source };
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};
    use tempfile::TempDir;

    use super::*;

    /// A folder whose parent exists and which does not exist itself.
    fn place() -> (TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("secrets");
        (above, dir)
    }

    fn open(dir: &Path, data: ExistingData, seed: u64) -> Result<Secrets, SecretsError> {
        Secrets::open_or_create(dir, data, &mut StdRng::seed_from_u64(seed))
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// Everything in a folder, to see that nothing in it changed.
    fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut paths: Vec<_> =
            fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
    }

    #[test]
    fn the_first_start_makes_them_and_later_ones_find_the_same() {
        let (_above, dir) = place();
        let made = open(&dir, ExistingData::None, 1).unwrap();
        assert_eq!(mode(&dir), 0o700);
        for file in FILES {
            assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
        }
        assert_eq!(contents(&dir).len(), FILES.len());
        for data in [ExistingData::None, ExistingData::Found] {
            let found = open(&dir, data, 2).unwrap();
            assert_eq!(found.pepper().expose(), made.pepper().expose());
            assert_eq!(found.vault().expose(), made.vault().expose());
            assert_eq!(found.signing().expose(), made.signing().expose());
        }
    }

    #[test]
    fn no_two_secrets_are_the_same() {
        let (_above, dir) = place();
        let secrets = open(&dir, ExistingData::None, 1).unwrap();
        let mut all = [
            secrets.pepper(),
            secrets.vault(),
            secrets.index(),
            secrets.mask(),
            secrets.suppression(),
            secrets.signing(),
        ]
        .map(|secret| *secret.expose());
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_empty_folder_that_somebody_mounted_is_filled() {
        let (_above, dir) = place();
        fs::create_dir(&dir).unwrap();
        set_mode(&dir, 0o700);
        assert!(open(&dir, ExistingData::None, 1).is_ok());
    }

    #[test]
    fn a_folder_or_file_that_others_may_reach_is_refused() {
        let (_above, dir) = place();
        open(&dir, ExistingData::None, 1).unwrap();
        for bad in [0o750, 0o701, 0o705, 0o770, 0o710] {
            set_mode(&dir, bad);
            let error = open(&dir, ExistingData::Found, 1).unwrap_err();
            assert!(matches!(error, SecretsError::Exposed { mode, .. } if mode == bad), "{error}");
        }
        set_mode(&dir, 0o700);
        for file in FILES {
            for bad in [0o640, 0o604, 0o660, 0o610, 0o602] {
                set_mode(&dir.join(file), bad);
                let error = open(&dir, ExistingData::Found, 1).unwrap_err();
                let SecretsError::File { path, source } = error else { panic!("{error}") };
                assert_eq!(path, dir.join(file));
                assert!(matches!(source, SecretFileError::Exposed { mode } if mode == bad));
            }
            set_mode(&dir.join(file), 0o600);
        }
        set_mode(&dir.join("pepper"), 0o400);
        assert!(open(&dir, ExistingData::Found, 1).is_ok());
    }

    #[test]
    fn an_exposed_empty_folder_is_not_filled() {
        let (_above, dir) = place();
        fs::create_dir(&dir).unwrap();
        set_mode(&dir, 0o755);
        assert!(open(&dir, ExistingData::None, 1).is_err());
        assert!(contents(&dir).is_empty());
    }

    #[test]
    fn one_missing_file_is_refused_and_nothing_is_made_in_its_place() {
        for data in [ExistingData::None, ExistingData::Found] {
            for file in FILES {
                let (_above, dir) = place();
                open(&dir, ExistingData::None, 1).unwrap();
                fs::remove_file(dir.join(file)).unwrap();
                let before = contents(&dir);
                let error = open(&dir, data, 2).unwrap_err();
                let SecretsError::File { path, source } = error else { panic!("{error}") };
                assert_eq!(path, dir.join(file));
                assert!(matches!(source, SecretFileError::Missing));
                assert_eq!(contents(&dir), before);
            }
        }
    }

    #[test]
    fn data_without_secrets_is_refused_and_no_secrets_are_made() {
        let (_above, dir) = place();
        let error = open(&dir, ExistingData::Found, 1).unwrap_err();
        assert!(matches!(error, SecretsError::Lost { .. }), "{error}");
        assert!(contents(&dir).is_empty());
    }

    #[test]
    fn a_file_copied_over_another_is_noticed() {
        let (_above, dir) = place();
        open(&dir, ExistingData::None, 1).unwrap();
        fs::copy(dir.join("mask.key"), dir.join("index.key")).unwrap();
        let error = open(&dir, ExistingData::Found, 1).unwrap_err();
        let SecretsError::File { source, .. } = error else { panic!("{error}") };
        assert!(matches!(source, SecretFileError::OtherSecret { expected: "index" }));
    }

    #[test]
    fn a_first_start_cut_short_anywhere_is_begun_again_as_long_as_there_is_no_data() {
        for kept in 0..=FILES.len() {
            let (_above, dir) = place();
            let cut_short = open(&dir, ExistingData::None, 1).unwrap();
            fs::write(dir.join(UNFINISHED), "").unwrap();
            for file in &FILES[kept..] {
                fs::remove_file(dir.join(file)).unwrap();
            }
            let before = contents(&dir);
            let error = open(&dir, ExistingData::Found, 2).unwrap_err();
            assert!(matches!(error, SecretsError::Lost { .. }), "{error}");
            assert_eq!(contents(&dir), before);

            let made = open(&dir, ExistingData::None, 2).unwrap();
            assert_ne!(made.pepper().expose(), cut_short.pepper().expose());
            assert_eq!(contents(&dir).len(), FILES.len());
            assert!(open(&dir, ExistingData::Found, 3).is_ok());
        }
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_a_first_start() {
        let (_above, dir) = place();
        fs::create_dir(&dir).unwrap();
        set_mode(&dir, 0o700);
        std::os::unix::fs::symlink("/nowhere/pepper", dir.join("pepper")).unwrap();
        assert!(open(&dir, ExistingData::None, 1).is_err());
        assert_eq!(contents(&dir).len(), 1);
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_refused() {
        let (_above, dir) = place();
        open(&dir, ExistingData::None, 1).unwrap();
        fs::remove_file(dir.join("pepper")).unwrap();
        fs::create_dir(dir.join("pepper")).unwrap();
        let error = open(&dir, ExistingData::Found, 1).unwrap_err();
        let SecretsError::File { source, .. } = error else { panic!("{error}") };
        assert!(matches!(source, SecretFileError::NotAFile));
    }

    #[test]
    fn a_journal_or_a_vault_counts_as_data() {
        let data_dir = tempfile::tempdir().unwrap();
        let look = || ExistingData::in_dir(data_dir.path()).unwrap();
        assert_eq!(look(), ExistingData::None);
        fs::create_dir(data_dir.path().join("journal")).unwrap();
        assert_eq!(look(), ExistingData::None);
        fs::write(data_dir.path().join("journal/00000000000000000000.seg"), "").unwrap();
        assert_eq!(look(), ExistingData::Found);
        fs::remove_dir_all(data_dir.path().join("journal")).unwrap();
        fs::write(data_dir.path().join("vault"), "").unwrap();
        assert_eq!(look(), ExistingData::Found);
    }

    #[test]
    fn debug_shows_no_secret() {
        let (_above, dir) = place();
        let secrets = open(&dir, ExistingData::None, 1).unwrap();
        let shown = format!("{secrets:?}");
        for file in FILES {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(!shown.contains(text.lines().nth(1).unwrap()));
        }
        assert_eq!(shown.matches("redacted").count(), FILES.len());
    }
}

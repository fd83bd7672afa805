//! The packs in the binary.

use std::sync::LazyLock;

use super::pack::Pack;

/// The files by name: every version of every pack that was ever shipped. The order makes no
/// difference.
pub(super) const FILES: &[(&str, &str)] = &[
    ("packs/whatsapp.toml", include_str!("packs/whatsapp.toml")),
    ("packs/us.toml", include_str!("packs/us.toml")),
    ("packs/us-states.toml", include_str!("packs/us-states.toml")),
    ("packs/americas.toml", include_str!("packs/americas.toml")),
    ("packs/americas-2.toml", include_str!("packs/americas-2.toml")),
    ("packs/europe.toml", include_str!("packs/europe.toml")),
    ("packs/europe-2.toml", include_str!("packs/europe-2.toml")),
    ("packs/europe-practice.toml", include_str!("packs/europe-practice.toml")),
    ("packs/europe-practice-2.toml", include_str!("packs/europe-practice-2.toml")),
    ("packs/asia-pacific.toml", include_str!("packs/asia-pacific.toml")),
    ("packs/asia-pacific-2.toml", include_str!("packs/asia-pacific-2.toml")),
    ("packs/africa-middle-east.toml", include_str!("packs/africa-middle-east.toml")),
];

static PACKS: LazyLock<Vec<Pack>> = LazyLock::new(read);

#[expect(clippy::expect_used, reason = "the files are part of the binary")]
fn read() -> Vec<Pack> {
    let parse = |(file, text): &(&str, &str)| Pack::read(file, text);
    FILES.iter().map(|file| parse(file).expect("a test reads every pack")).collect()
}

/// Returns the packs that are shipped. Defaults for an operator's counsel to review.
pub fn packs() -> &'static [Pack] {
    &PACKS
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_is_a_pack_of_its_name_and_of_one_version() {
        let mut versions = BTreeSet::new();
        for (file, text) in FILES {
            let pack = Pack::read(file, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(file.starts_with(&format!("packs/{}", pack.id)), "{file}");
            assert!(!pack.rules.is_empty(), "{file} has no rule");
            assert!(versions.insert((pack.id, pack.version)), "{file} is there twice");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/packs");
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name();
            let path = format!("packs/{}", name.to_str().unwrap());
            assert!(FILES.iter().any(|(file, _)| *file == path), "{path}");
        }
    }
}

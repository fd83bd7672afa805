//! A table from payload to facts, for every sample and for every shape that has none.
//!
//! `whatsapp/*.json` are samples as published for tests, byte for byte; `whatsapp/written/*.json`
//! were written from the documented shapes. All identifiers in them are made up or reserved.

use std::{collections::BTreeSet, fs, path::PathBuf};

use izin::whatsapp::{self, Conclusion, DedupeKey, Reading};

use super::show::shown;

/// Returns every file of a folder of samples, by name.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Returns every sample, by name.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = files("whatsapp");
    all.extend(files("whatsapp/written"));
    all
}

fn read(name: &str) -> Reading {
    let (_, body) = all().into_iter().find(|(known, _)| known == name).unwrap();
    whatsapp::read(&body).unwrap()
}

fn table(folder: &str) -> String {
    let rows = files(folder).into_iter().map(|(name, body)| {
        let reading = whatsapp::read(&body).unwrap();
        format!("{name}\n{}", shown(&reading))
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_sample_says_exactly_this() {
    assert_eq!(files("whatsapp").len(), 82);
    insta::assert_snapshot!("published", table("whatsapp"));
}

#[test]
fn every_shape_without_a_sample_says_exactly_this() {
    insta::assert_snapshot!("written", table("whatsapp/written"));
}

#[test]
fn debug_shows_no_personal_data_of_any_sample() {
    let private = [
        "12025550123",
        "12025550177",
        "447700900456",
        "US.9",
        "US.ENT",
        "GB.9",
        "wamid",
        "sample-",
        "ana.contoh",
        "Ana",
        "AAECAwQFBgc",
        "CAkKCwwNDg8",
        "welcome",
        "gate=01",
        "Halo",
        "stop.",
        "SUBSCRIBE",
        "OPT_OUT",
        "consent:",
        "topic:",
        "SAMPLECLICK",
        "experiment",
        "offers",
    ];
    for (name, body) in all() {
        let reading = whatsapp::read(&body).unwrap();
        let debug = format!("{reading:?}");
        for text in private {
            assert!(!debug.contains(text), "{name} shows {text}: {debug}");
        }
    }
}

#[test]
fn a_repeat_has_the_same_key_and_different_facts_have_different_ones() {
    let mut keys: BTreeSet<DedupeKey> = BTreeSet::new();
    let repeat = read("batch_mixed_unordered_with_duplicate");
    let inbound: Vec<_> = repeat
        .facts
        .iter()
        .filter(|fact| fact.conclusion.name() == "inbound")
        .map(|fact| fact.key.unwrap())
        .collect();
    assert_eq!(inbound.len(), 3);
    assert_eq!(inbound[0], inbound[1]);
    assert_ne!(inbound[0], inbound[2]);
    for (name, body) in all() {
        if name.starts_with("batch") || name.starts_with("status_delivered") {
            continue;
        }
        let (first, again) = (whatsapp::read(&body).unwrap(), whatsapp::read(&body).unwrap());
        assert_eq!(first, again, "{name}");
        for fact in first.facts {
            let is_message = matches!(fact.conclusion, Conclusion::Inbound(_));
            if let Some(key) = fact.key {
                let is_new = keys.insert(key);
                assert!(is_new || !is_message, "{name} has the key of another sample");
            }
        }
    }
}

#[test]
fn what_has_no_time_of_its_own_has_no_key_that_would_hide_a_second_one() {
    for name in ["value_errors_130429", "unknown_field"] {
        let facts = read(name).facts;
        assert_eq!(facts.len(), 1, "{name}");
        assert_eq!(facts[0].key.is_some(), facts[0].at.is_some(), "{name}");
    }
}

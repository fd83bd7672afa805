//! Where the metadata comes from, and in what order its regions count.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use rlibphonenumber::{PhoneMetadata, PhoneMetadataCollection};

/// Google's metadata, all regions of the world.
pub(crate) struct Source {
    /// Google's version, such as `9.0.42`.
    pub(crate) version: String,
    /// The version of the parser that it comes with.
    pub(crate) parser: String,
    /// As the parser takes it.
    pub(crate) collection: PhoneMetadataCollection,
}

/// A calling code with the regions that share it.
pub(crate) struct CallingCode<'a> {
    pub(crate) code: i32,
    /// The main region first, the others as the metadata lists them.
    pub(crate) regions: Vec<&'a PhoneMetadata>,
}

impl Source {
    /// Returns all calling codes in their order.
    pub(crate) fn calling_codes(&self) -> Vec<CallingCode<'_>> {
        let mut codes: Vec<CallingCode<'_>> = Vec::new();
        for region in &self.collection.metadata {
            let code = region.country_code();
            match codes.iter_mut().find(|known| known.code == code) {
                Some(known) if region.main_country_for_code() => known.regions.insert(0, region),
                Some(known) => known.regions.push(region),
                None => codes.push(CallingCode { code, regions: vec![region] }),
            }
        }
        codes.sort_by_key(|known| known.code);
        codes
    }
}

/// Reads the metadata inside the parser that Izin's lock file names.
pub(crate) fn of_parser() -> Result<Source> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = tree["packages"].as_array().context("cargo lists no packages")?;
    let parser = packages.iter().find(|package| package["name"] == "rlibphonenumber");
    let parser = parser.context("Izin does not depend on rlibphonenumber")?;
    let manifest = Path::new(parser["manifest_path"].as_str().unwrap_or_default());
    let folder = manifest.parent().context("a manifest is in a folder")?;
    let readme = fs::read_to_string(folder.join("Readme.md"))?;
    let version = readme
        .lines()
        .find_map(|line| line.strip_prefix("**Used metadata version:** `v"))
        .and_then(|rest| rest.split('`').next())
        .context("the parser's Readme.md does not say which metadata it has")?;
    let is_version = version.split('.').count() == 3
        && version.split('.').all(|part| part.parse::<u16>().is_ok());
    ensure!(is_version, "{version} is not a version of the metadata such as 9.0.42");
    let bytes = fs::read(folder.join("src/generated/metadata/metadata.bin"))?;
    let collection = PhoneMetadataCollection::decode(bytes.as_slice())?;
    ensure!(collection.metadata.len() > 200, "the metadata does not cover the world");
    let parser = parser["version"].as_str().unwrap_or_default().to_owned();
    Ok(Source { version: version.to_owned(), parser, collection })
}

/// Takes the anchors off a pattern, which the parser's metadata puts around Google's own.
pub(crate) fn bare(pattern: Option<&str>) -> Result<&str> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok("") };
    pattern
        .strip_prefix("^(?:")
        .and_then(|pattern| pattern.strip_suffix(")$"))
        .with_context(|| format!("the pattern {pattern} has no anchors"))
}

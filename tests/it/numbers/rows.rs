//! The recorded questions and answers that the tests of numbers share.

use std::{fs, path::PathBuf};

use izin::numbers::Region;

/// One recorded question and answer.
#[derive(serde::Deserialize)]
pub(super) struct Row {
    pub(super) input: String,
    pub(super) region_hint: Option<String>,
    pub(super) e164: Option<String>,
    pub(super) possible: bool,
    pub(super) valid: bool,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) region: Option<String>,
    pub(super) error: Option<String>,
    pub(super) category: String,
}

impl Row {
    /// Returns the written form, which is the category without where the number is from.
    pub(super) fn form(&self) -> &str {
        self.category.split(':').next().unwrap_or_default()
    }
}

/// Returns the lines of a file.
pub(super) fn data(name: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/numbers").join(name);
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// Returns the recorded rows.
pub(super) fn corpus() -> Vec<Row> {
    data("corpus-dev.jsonl").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the region a row is read in.
pub(super) fn hint(row: &Row) -> Option<Region> {
    row.region_hint.as_deref().map(|code| Region::parse(code).unwrap())
}

//! The plans that the parser reads by, as text: what it needs of each region and no more.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use crate::source::{Source, bare};

/// Returns the lines, as `src/numbers/plans.rs` describes them.
#[expect(deprecated, reason = "deprecated for readers of the parser's own copy; this is ours")]
pub(crate) fn text(source: &Source) -> Result<String> {
    let Source { version, parser, collection } = source;
    let mut text = format!(
        "# From libphonenumber, Google, Apache-2.0: metadata {version} of rlibphonenumber {parser}\n"
    );
    for region in &collection.metadata {
        let general = region.general_desc.clone().unwrap_or_default();
        let lengths = |lengths: &[i32]| {
            let lengths: Vec<_> = lengths.iter().map(ToString::to_string).collect();
            lengths.join(",")
        };
        let fields = [
            region.id.as_str(),
            &region.country_code().to_string(),
            if region.main_country_for_code() { "main" } else { "" },
            bare(region.international_prefix.as_deref())?,
            bare(region.national_prefix_for_parsing.as_deref())?,
            region.national_prefix_transform_rule(),
            bare(general.national_number_pattern.as_deref())?,
            &lengths(&general.possible_length),
            &lengths(&general.possible_length_local_only),
        ];
        // Whatever else matches more than ASCII digits would mean something else without Unicode.
        ensure!(fields.iter().all(|field| !field.contains(['\t', '\n', '.', '^'])), "{fields:?}");
        writeln!(text, "{}", fields.join("\t"))?;
    }
    Ok(text)
}

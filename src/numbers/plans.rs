//! The numbering plans the parser reads by: which prefixes are dialled where, and what is viable.
//!
//! Only what reading needs. Kinds and regions are in the automaton, made of the same metadata, and
//! formats are in neither.

use rlibphonenumber::{PhoneMetadata, PhoneMetadataCollection, PhoneNumberDesc};

/// One plan a line, fields between tabs: region, calling code, `main` for the main region of a
/// shared code, international prefix, national prefix for parsing, what that becomes, pattern of
/// all numbers, their lengths, lengths dialled in one area only. A line that begins with `#` says
/// where they are from. Patterns are Google's, to the letter.
static PLANS: &str = include_str!("metadata/plans.tsv");

/// Returns the plans as the parser takes them; `None` if a line is not as described.
pub(super) fn collection() -> Option<PhoneMetadataCollection> {
    let lines = PLANS.lines().filter(|line| !line.starts_with('#'));
    Some(PhoneMetadataCollection { metadata: lines.map(plan).collect::<Option<_>>()? })
}

#[expect(deprecated, reason = "deprecated for readers only; a plan is made by these fields")]
fn plan(line: &str) -> Option<PhoneMetadata> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (id, code, main) = (next()?, next()?, next()?);
    let (international, national, transform) = (next()?, next()?, next()?);
    let (viable, lengths, local_lengths) = (next()?, next()?, next()?);
    let general_desc = PhoneNumberDesc {
        national_number_pattern: pattern(viable),
        possible_length: numbers(lengths)?,
        possible_length_local_only: numbers(local_lengths)?,
        ..PhoneNumberDesc::default()
    };
    Some(PhoneMetadata {
        id: id.to_owned(),
        country_code: Some(code.parse().ok()?),
        main_country_for_code: Some(main == "main"),
        international_prefix: pattern(international),
        national_prefix_for_parsing: pattern(national),
        national_prefix_transform_rule: given(transform),
        general_desc: Some(general_desc),
        ..PhoneMetadata::default()
    })
}

/// Wraps a pattern as the engine wants it: between anchors, which it takes off as needed.
///
/// `\d` is made to mean the ten ASCII digits, and nothing but those is ever matched. Otherwise it
/// would mean every digit of Unicode, which makes the compiled pattern some twenty times as large.
fn pattern(text: &str) -> Option<String> {
    given(text).map(|text| format!("^(?:(?-u){text})$"))
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn numbers(text: &str) -> Option<Vec<i32>> {
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{Region, automaton};

    #[test]
    fn every_line_is_a_plan_that_the_engine_accepts() {
        let plans = collection().unwrap();
        assert!(plans.metadata.len() > 240, "the plans cover the world");
        rlibphonenumber::metadata_validator::validate_metadata(plans, false).unwrap();
    }

    #[test]
    fn plans_and_automaton_are_of_one_version_and_know_the_same_regions() {
        let source = PLANS.lines().next().unwrap();
        assert!(source.contains(&format!(" metadata {} of ", automaton::version())), "{source}");
        for plan in collection().unwrap().metadata {
            let is_world = plan.id == "001";
            assert!(is_world || Region::parse(&plan.id).is_ok(), "{}", plan.id);
        }
    }

    #[test]
    fn a_line_of_another_form_is_no_plan() {
        assert!(plan("ID\t62").is_none());
        assert!(plan("ID\tx\t\t\t\t\t\\d\t7\t").is_none());
        assert!(plan("ID\t62\t\t\t\t\t\\d\tseven\t").is_none());
        assert!(plan("ID\t62\t\t\t\t\t\\d\t7,8\t").is_some());
    }
}

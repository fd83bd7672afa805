//! Number parsing held against recorded answers of Google's libphonenumber.
//!
//! The corpus was answered by the Python edition at metadata 9.0.43 and leaves out whatever
//! changed since 9.0.33 or differs between Google's own editions. WhatsApp's forms (`wa_link`,
//! `wa_prefix`, `wa_jid`) were answered as the international numbers they hold.

use std::{collections::BTreeMap, fmt::Write as _};

use izin::numbers;
use serde_json::{Value, json};

use super::rows::{Row, corpus, data, hint};

/// A row whose answer is not Google's, and why that is accepted.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownDifference {
    input: String,
    region_hint: Option<String>,
    why: String,
}

impl KnownDifference {
    fn is_of(&self, row: &Row) -> bool {
        self.input == row.input && self.region_hint == row.region_hint
    }
}

/// How many rows of one category agree, field by field.
#[derive(Default)]
struct Agreement {
    rows: usize,
    by_field: BTreeMap<&'static str, usize>,
    all: usize,
}

type Answer = BTreeMap<&'static str, Value>;

fn recorded(row: &Row) -> Answer {
    BTreeMap::from([
        ("e164", json!(row.e164)),
        ("possible", json!(row.possible)),
        ("valid", json!(row.valid)),
        ("type", json!(row.kind)),
        ("region", json!(row.region)),
        ("error", json!(row.error)),
    ])
}

fn answered(row: &Row) -> Answer {
    let (number, error) = match numbers::parse(&row.input, hint(row)) {
        Ok(number) => (Some(number), None),
        Err(error) => (None, Some(error.code())),
    };
    BTreeMap::from([
        ("e164", json!(number.map(|number| number.e164()))),
        ("possible", json!(number.is_some_and(|number| number.possible()))),
        ("valid", json!(number.is_some_and(|number| number.valid()))),
        ("type", json!(number.map(|number| number.kind()))),
        ("region", json!(number.and_then(|number| number.region()))),
        ("error", json!(error)),
    ])
}

#[test]
#[expect(clippy::print_stderr, reason = "the table is what a reader of the run wants to see")]
fn every_answer_is_googles() {
    let known: Vec<KnownDifference> = data("known-differences.jsonl")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut categories = BTreeMap::<String, Agreement>::new();
    let mut differences = Vec::new();
    for row in corpus() {
        let (recorded, answered) = (recorded(&row), answered(&row));
        for name in [row.form(), "TOTAL"] {
            let agreement = categories.entry(name.to_owned()).or_default();
            agreement.rows += 1;
            agreement.all += usize::from(recorded == answered);
            for (field, value) in &recorded {
                let same = usize::from(answered[field] == *value);
                *agreement.by_field.entry(field).or_default() += same;
            }
        }
        if recorded != answered {
            differences.push((row, recorded, answered));
        }
    }
    eprintln!("{}", table(&categories));
    assert_eq!(categories["TOTAL"].rows, 5_000);

    let is_new = |row: &Row| !known.iter().any(|difference| difference.is_of(row));
    let report: String = differences
        .iter()
        .filter(|(row, ..)| is_new(row))
        .map(|(row, recorded, answered)| describe(row, recorded, answered))
        .collect();
    assert!(report.is_empty(), "answers differ from Google's:\n{report}");
    for difference in &known {
        let is_still_one = differences.iter().any(|(row, ..)| difference.is_of(row));
        assert!(is_still_one, "listed, but not different any more: {}", difference.why);
    }
}

fn describe(row: &Row, recorded: &Answer, answered: &Answer) -> String {
    let mut text = format!("{} {:?} ({:?})\n", row.category, row.input, row.region_hint);
    for (field, google) in recorded.iter().filter(|(field, value)| answered[*field] != **value) {
        writeln!(text, "    {field}: {} but Google says {google}", answered[field]).unwrap();
    }
    text
}

/// One line per category: how many rows agree in every field, and in each.
fn table(categories: &BTreeMap<String, Agreement>) -> String {
    let fields: Vec<_> = categories["TOTAL"].by_field.keys().collect();
    let mut text = format!("{:<20} {:>6} {:>9}", "category", "rows", "all equal");
    for field in &fields {
        write!(text, " {field:>9}").unwrap();
    }
    text.push('\n');
    for (name, Agreement { rows, by_field, all }) in categories {
        let share = |same: &usize| hundredths(*same, *rows);
        write!(text, "{name:<20} {rows:>6} {:>9}", share(all)).unwrap();
        for same in by_field.values() {
            write!(text, " {:>9}", share(same)).unwrap();
        }
        text.push('\n');
    }
    text
}

/// A share in per cent with two digits behind the point, rounded down.
fn hundredths(part: usize, whole: usize) -> String {
    let share = part * 10_000 / whole;
    format!("{}.{:02}", share / 100, share % 100)
}

#[test]
fn the_rows_of_normalize_say_the_same_in_the_same_order() {
    let mut input = String::new();
    let mut expected = Vec::new();
    for row in corpus().into_iter().step_by(7) {
        let asked = json!({"input": row.input, "region_hint": row.region_hint});
        writeln!(input, "{asked}").unwrap();
        expected.push((answered(&row), row.input));
    }
    let mut output = Vec::new();
    numbers::normalize_stream(input.as_bytes(), &mut output, None).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.lines().count(), expected.len());
    for (line, (fields, input)) in output.lines().zip(expected) {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["input"], json!(input));
        for (field, value) in fields {
            assert_eq!(row[field], value, "{field} of {input:?}");
        }
        assert_eq!(row["match_key"].is_null(), row["e164"].is_null());
        assert_eq!(row.as_object().map(serde_json::Map::len), Some(8));
    }
}

#[test]
fn suggestions_are_valid_numbers_and_only_for_what_is_none() {
    for row in corpus() {
        if let Some(found) = numbers::suggest(&row.input, hint(&row)) {
            assert!(!row.valid, "{:?} needs no suggestion", row.input);
            let meant = numbers::parse(found.e164().as_str(), None);
            assert!(meant.is_ok_and(|number| number.valid()), "{:?}", row.input);
        }
    }
}

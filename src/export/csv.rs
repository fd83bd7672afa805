//! Rows as comma-separated values, for people and their spreadsheets.
//!
//! A spreadsheet runs what begins like a formula, and callers choose much of what is in a row. In
//! some countries it splits at `;`, and pasted text splits at tabs, whatever the quotes say: so not
//! only the beginning of a cell counts, but what follows each character that may end one. There an
//! apostrophe is put before what would begin like a formula, which shows it as text. Whoever takes
//! one apostrophe away wherever it stands there before a formula has what was recorded: texts that
//! look so by themselves get another. Numbers are digits without their `+`, which would need one.
//! Source: OWASP, "CSV Injection".

use std::{borrow::Cow, io};

use csv::QuoteStyle;

use crate::export::{
    ExportError, Sink,
    row::{COLUMNS, ConsentRow, Moment, status_name},
};

/// Writes rows, the names of the columns first.
pub(super) struct Rows<'a> {
    writer: csv::Writer<&'a mut Sink>,
}

impl<'a> Rows<'a> {
    /// Writes the names of the columns.
    pub(super) fn begin(sink: &'a mut Sink) -> Result<Self, ExportError> {
        let mut writer =
            csv::WriterBuilder::new().quote_style(QuoteStyle::Always).from_writer(sink);
        writer.write_record(COLUMNS).map_err(io::Error::from)?;
        Ok(Self { writer })
    }

    /// Writes a row.
    pub(super) fn write(&mut self, row: &ConsentRow<'_>) -> Result<(), ExportError> {
        let ConsentRow {
            contact_id,
            number,
            user_id,
            topic,
            status,
            granted_at,
            decided_at,
            recorded_at,
            expires_at,
            source_type,
            entry_point,
            url,
            reference,
            statement_id,
            statement_digest,
            statement_language,
            seq,
            basis,
        } = row;
        let mut id = uuid::Uuid::encode_buffer();
        let moment = |moment: &Moment| Cow::Owned(moment.0.to_rfc3339());
        let digits = number.map(|number| number.strip_prefix('+').unwrap_or(number));
        let cells: [Cow<'_, str>; COLUMNS.len()] = [
            Cow::Borrowed(contact_id.as_uuid().hyphenated().encode_lower(&mut id)),
            cell(digits),
            cell(*user_id),
            cell(*topic),
            Cow::Borrowed(status_name(*status)),
            granted_at.as_ref().map(moment).unwrap_or_default(),
            moment(decided_at),
            moment(recorded_at),
            expires_at.as_ref().map(moment).unwrap_or_default(),
            cell(Some(source_type)),
            cell(*entry_point),
            cell(*url),
            cell(*reference),
            cell(*statement_id),
            cell(*statement_digest),
            cell(*statement_language),
            Cow::Owned(seq.0.to_string()),
            Cow::Borrowed(basis.unwrap_or_default()),
        ];
        let record = cells.iter().map(|cell| cell.as_bytes());
        self.writer.write_record(record).map_err(io::Error::from)?;
        Ok(())
    }

    /// Hands what is buffered on.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        Ok(self.writer.flush()?)
    }
}

/// What a formula begins with, in narrow and in wide letters. Some programs drop a NUL, and run
/// what follows.
const FORMULA: [char; 9] =
    ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\0'];

/// What may end a cell inside a text, quoted or not.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// Returns a cell no spreadsheet takes for a formula, or for several of which one is.
fn cell(text: Option<&str>) -> Cow<'_, str> {
    let text = text.unwrap_or_default();
    // Each piece but the first comes after a separator, which is the last character before it.
    let pieces = || {
        let pieces = text.split_inclusive(SEPARATORS).enumerate();
        pieces.map(|(place, piece)| (runs(piece) || place == 0 && begins_with_space(piece), piece))
    };
    if !pieces().any(|(is_armed, _)| is_armed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for (is_armed, piece) in pieces() {
        if is_armed {
            shown.push('\'');
        }
        shown.push_str(piece);
    }
    Cow::Owned(shown)
}

/// Returns whether a piece begins like a formula, also behind what programs pass over: quotes that
/// close at once, spaces, marks without width. Apostrophes are among them so that each can be told
/// from those put there.
fn runs(piece: &str) -> bool {
    let is_passed_over = |character: char| {
        matches!(character, '"' | '\'' | '\u{feff}' | '\u{200b}')
            || character.is_whitespace() && !SEPARATORS.contains(&character)
    };
    piece.trim_start_matches(is_passed_over).starts_with(FORMULA)
}

/// Some programs trim what a cell begins with, and look again.
fn begins_with_space(piece: &str) -> bool {
    piece.trim_start_matches('\'').starts_with(['\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes the apostrophes away that [`cell`] put there.
    fn recorded(shown: &str) -> String {
        let pieces = shown.split_inclusive(SEPARATORS).enumerate();
        let bare = pieces.map(|(place, piece)| match piece.strip_prefix('\'') {
            Some(rest) if runs(rest) || place == 0 && begins_with_space(rest) => rest,
            _ => piece,
        });
        bare.collect()
    }

    /// Splits a line as a program does that was told to split at another character: quotes count
    /// only where a cell begins.
    fn split_at(delimiter: u8, line: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.delimiter(delimiter).has_headers(false).flexible(true);
        let records = reader.from_reader(line.as_bytes()).into_records();
        records
            .flat_map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn what_begins_like_a_formula_becomes_text_and_nothing_else_changes() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\0=1", "\u{ff1d}1", " =1", "\"=1", "'=1"] {
            assert_eq!(cell(Some(formula)), format!("'{formula}"));
        }
        for text in ["", "a=1", "https://example.com/?a=-1", " x", "'", "a;b", "a; b\tc\n\nd"] {
            assert_eq!(cell(Some(text)), text);
        }
    }

    #[test]
    fn what_would_be_a_cell_of_its_own_elsewhere_is_disarmed_too() {
        for (text, shown) in [
            ("x;=1+1|cmd", "x;'=1+1|cmd"),
            ("x\t=1", "x\t'=1"),
            ("x\r\n=1", "x\r\n'=1"),
            ("x;;\"\"=1;+2", "x;;'\"\"=1;'+2"),
            ("\t=1", "'\t'=1"),
            ("=1;=2", "'=1;'=2"),
        ] {
            assert_eq!(cell(Some(text)), shown);
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_like_a_formula_wherever_it_is_split(
            text in prop_oneof![any::<String>(), "[a;=+\"' \t\r\n,-]{0,12}"],
        ) {
            let shown = cell(Some(&text));
            prop_assert_eq!(recorded(&shown), text.as_str());
            let mut builder = csv::WriterBuilder::new();
            let mut writer = builder.quote_style(QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record([b"1", shown.as_bytes(), b"2"]).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            for delimiter in *b",;\t" {
                for cell in split_at(delimiter, &line) {
                    prop_assert!(!cell.trim_start_matches('"').starts_with(FORMULA), "{:?}", line);
                }
            }
        }
    }
}

//! Rows as comma-separated values, for people and their spreadsheets.
//!
//! A spreadsheet runs what begins like a formula, and callers choose much of what is in a row: a
//! cell that begins so is written with an apostrophe before it, which shows it as text. Numbers
//! are digits without their `+`, which would need one. Source: OWASP, "CSV Injection".

use std::{borrow::Cow, io};

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
        let mut writer = csv::Writer::from_writer(sink);
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

/// Returns a cell no spreadsheet takes for a formula.
fn cell(text: Option<&str>) -> Cow<'_, str> {
    let text = text.unwrap_or_default();
    match text.chars().next() {
        Some(
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '\u{ff1d}' | '\u{ff0b}'
            | '\u{ff0d}' | '\u{ff20}',
        ) => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_like_a_formula_becomes_text_and_nothing_else_changes() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "\u{ff1d}1"]
        {
            assert_eq!(cell(Some(formula)), format!("'{formula}"));
        }
        for text in ["", "a=1", "https://example.com/?a=-1", "'=1", " x"] {
            assert_eq!(cell(Some(text)), text);
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_like_a_formula(text: String) {
            let shown = cell(Some(&text));
            prop_assert!(!shown.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']));
            prop_assert!(shown.ends_with(&text));
        }
    }
}

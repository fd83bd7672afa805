//! Rows of numbers in, one JSON row each out: what `izin normalize` does.
//!
//! Opens no files and prints nothing itself; the caller passes both ends. Rows carry the numbers
//! they were given: whoever runs this asked for them.

use std::{
    borrow::Cow,
    io::{self, BufRead, BufReader, Read, Write},
};

use super::{e164::E164, number::NumberType, parse::parse, region::Region, spelling::MatchKey};
use crate::limits;

/// What one line says, and what became of it.
///
/// `error` is one of libphonenumber's five (see [`super::NumberError::code`]) or says what is
/// wrong with the row: `UNKNOWN_REGION`, `MALFORMED_ROW`, `LINE_TOO_LONG`, `NOT_UTF8`.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct NormalizeRow<'a> {
    input: Option<Cow<'a, str>>,
    e164: Option<E164>,
    possible: bool,
    valid: bool,
    #[serde(rename = "type")]
    kind: Option<NumberType>,
    region: Option<Region>,
    error: Option<&'static str>,
    match_key: Option<MatchKey>,
}

impl std::fmt::Debug for NormalizeRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { input: _, e164: _, possible, valid, kind, region, error, match_key: _ } = self;
        f.debug_struct("NormalizeRow")
            .field("possible", possible)
            .field("valid", valid)
            .field("kind", kind)
            .field("region", region)
            .field("error", error)
            .finish_non_exhaustive()
    }
}

impl<'a> NormalizeRow<'a> {
    fn read(input: Cow<'a, str>, region: Option<Region>) -> Self {
        let number = match parse(&input, region) {
            Ok(number) => number,
            Err(error) => return Self::failed(Some(input), error.code()),
        };
        let e164 = number.e164();
        Self {
            input: Some(input),
            e164: Some(e164),
            possible: number.possible(),
            valid: number.valid(),
            kind: Some(number.kind()),
            region: number.region(),
            error: None,
            match_key: Some(MatchKey::of(e164)),
        }
    }

    fn failed(input: Option<Cow<'a, str>>, error: &'static str) -> Self {
        Self {
            input,
            e164: None,
            possible: false,
            valid: false,
            kind: None,
            region: None,
            error: Some(error),
            match_key: None,
        }
    }
}

/// A row given as JSON. Another member is a fault of the row: a `region_hint` that is spelled wrong
/// would be passed over else, and the number read as one of another country.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RowInput {
    input: String,
    #[serde(default)]
    region_hint: Option<String>,
}

/// Reads one line: a number in any form, or a JSON object `{"input", "region_hint"}`.
///
/// `default_region` counts where the row names none.
pub fn normalize_line(line: &str, default_region: Option<Region>) -> NormalizeRow<'_> {
    if !line.trim_start().starts_with('{') {
        return NormalizeRow::read(Cow::Borrowed(line), default_region);
    }
    let Ok(RowInput { input, region_hint }) = serde_json::from_str(line) else {
        return NormalizeRow::failed(Some(Cow::Borrowed(line)), "MALFORMED_ROW");
    };
    let input = Cow::Owned(input);
    match region_hint.as_deref().map(Region::parse).transpose() {
        Ok(hint) => NormalizeRow::read(input, hint.or(default_region)),
        Err(_unknown) => NormalizeRow::failed(Some(input), "UNKNOWN_REGION"),
    }
}

/// Answers every line of `input` with one JSON line on `output`, in order and in constant memory.
///
/// The output is flushed whenever the input has to be waited for, so a program may ask line by
/// line. Bad lines are answered like all others.
///
/// # Errors
///
/// Whatever reading or writing fails with.
pub fn normalize_stream(
    input: impl Read,
    mut output: impl Write,
    default_region: Option<Region>,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        let row = match next_line(&mut input, &mut line)? {
            Line::End => return output.flush(),
            Line::TooLong => NormalizeRow::failed(None, "LINE_TOO_LONG"),
            Line::Read => match std::str::from_utf8(&line) {
                Ok(text) => normalize_line(text, default_region),
                Err(_invalid) => NormalizeRow::failed(None, "NOT_UTF8"),
            },
        };
        serde_json::to_writer(&mut output, &row)?;
        output.write_all(b"\n")?;
    }
}

enum Line {
    Read,
    TooLong,
    End,
}

/// Reads the next line into `line`, without its end; skips what is too long to keep.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    // Two bytes more than the longest line: its end may be `\r\n`.
    let bytes_max = u64::try_from(limits::NORMALIZE_LINE_BYTES_MAX + 2).unwrap_or(u64::MAX);
    line.clear();
    if input.take(bytes_max).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > limits::NORMALIZE_LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
    }
    let is_kept = line.len() <= limits::NORMALIZE_LINE_BYTES_MAX;
    Ok(if is_kept { Line::Read } else { Line::TooLong })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8], region: &str) -> Vec<String> {
        let mut output = Vec::new();
        normalize_stream(input, &mut output, Region::parse(region).ok()).unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.is_empty() || output.ends_with('\n'));
        output.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_row_has_every_field_in_its_order() {
        assert_eq!(
            answers(b"+1 202-555-0123\n", ""),
            [
                r#"{"input":"+1 202-555-0123","e164":"+12025550123","possible":true,"valid":true,"type":"FIXED_LINE_OR_MOBILE","region":"US","error":null,"match_key":"1:2025550123"}"#
            ]
        );
        assert_eq!(
            answers(b"hello", ""),
            [
                r#"{"input":"hello","e164":null,"possible":false,"valid":false,"type":null,"region":null,"error":"NOT_A_NUMBER","match_key":null}"#
            ]
        );
    }

    #[test]
    fn every_line_is_answered_in_order_whatever_it_holds() {
        let mut input = Vec::new();
        input.extend_from_slice(b"07700 900456\r\n\n");
        input.extend_from_slice(b"{\"input\":\"(202) 555-0123\",\"region_hint\":\"US\"}\n");
        input.extend_from_slice(b"{\"input\":\"(202) 555-0123\",\"region\":\"US\"}\n");
        input.extend_from_slice(b"{\"input\":\"07700 900456\",\"region_hint\":null}\n");
        input.extend_from_slice(
            b"{\"input\":\"1\",\"region_hint\":\"QQ\"}\n{\"input\":1}\n{\n\xFF\n",
        );
        input.extend(std::iter::repeat_n(b'7', limits::NORMALIZE_LINE_BYTES_MAX + 1));
        input.extend_from_slice(b"\n+447700900456");
        let expected = [
            "+447700900456",
            "NOT_A_NUMBER",
            "+12025550123",
            "MALFORMED_ROW",
            "+447700900456",
            "UNKNOWN_REGION",
            "MALFORMED_ROW",
            "MALFORMED_ROW",
            "NOT_UTF8",
            "LINE_TOO_LONG",
            "+447700900456",
        ];
        let rows = answers(&input, "GB");
        assert_eq!(rows.len(), expected.len());
        for (row, part) in rows.iter().zip(expected) {
            assert!(row.contains(part), "{row} has no {part}");
        }
    }

    #[test]
    fn the_longest_line_is_still_read() {
        for end in ["", "\n", "\r\n"] {
            let mut input = vec![b'7'; limits::NORMALIZE_LINE_BYTES_MAX];
            input.extend_from_slice(end.as_bytes());
            let rows = answers(&input, "");
            assert_eq!(rows.len(), 1);
            assert!(rows[0].contains("\"TOO_LONG\""), "a line of the greatest length, {end:?}");
            input.insert(0, b'7');
            let rows = answers(&input, "");
            assert_eq!(rows.len(), 1);
            assert!(rows[0].contains("\"LINE_TOO_LONG\""), "one byte more, {end:?}");
        }
    }

    #[test]
    fn answers_are_flushed_before_the_next_line_is_awaited() {
        /// Gives one line per read and notes how much had been flushed by then.
        struct Asker<'a>(
            std::slice::Iter<'a, &'static str>,
            &'a std::cell::Cell<usize>,
            &'a std::cell::RefCell<Vec<usize>>,
        );
        impl Read for Asker<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.2.borrow_mut().push(self.1.get());
                let line = self.0.next().map_or("", |line| line);
                buffer[..line.len()].copy_from_slice(line.as_bytes());
                Ok(line.len())
            }
        }
        struct Counter<'a>(usize, &'a std::cell::Cell<usize>);
        impl Write for Counter<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += bytes.split(|&byte| byte == b'\n').count() - 1;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.1.set(self.0);
                Ok(())
            }
        }
        let (flushed, seen) = (std::cell::Cell::new(0), std::cell::RefCell::new(Vec::new()));
        let lines = ["+12025550123\n", "x\n"];
        normalize_stream(Asker(lines.iter(), &flushed, &seen), Counter(0, &flushed), None).unwrap();
        assert_eq!(*seen.borrow(), [0, 1, 2]);
    }

    #[test]
    fn debug_never_shows_a_digit() {
        let shown = format!("{:?}", normalize_line("+12025550123", None));
        assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
    }
}

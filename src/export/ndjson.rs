//! Rows as JSON, one object per line, for tools.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::export::{ExportError, Sink};

/// Writes one line.
pub(super) fn write(sink: &mut Sink, line: &impl Serialize) -> Result<(), ExportError> {
    serde_json::to_writer(&mut *sink, line).map_err(io::Error::from)?;
    Ok(sink.write_all(b"\n")?)
}

//! Records as bytes: a version byte and JSON with members in a fixed order.
//!
//! What is hashed is what is stored: nothing is decoded and encoded again to verify it.

use crate::domain::event::Record;

const FORMAT: u8 = b'1';

/// A payload cannot be read as a record.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A newer version wrote it.
    #[error("the record has a format this version does not know")]
    Format,
    /// It is not what any version wrote.
    #[error("failed to read a record")]
    Json(#[source] serde_json::Error),
}

/// Writes a record.
///
/// # Errors
///
/// [`CodecError::Json`], which plain data does not cause.
pub fn encode(record: &Record) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(FORMAT);
    serde_json::to_writer(&mut bytes, record).map_err(CodecError::Json)?;
    Ok(bytes)
}

/// Reads a record.
///
/// # Errors
///
/// [`CodecError`].
pub fn decode(payload: &[u8]) -> Result<Record, CodecError> {
    match payload.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(CodecError::Json),
        _ => Err(CodecError::Format),
    }
}

/// Returns the JSON of a payload, for people and exports.
///
/// # Errors
///
/// [`CodecError::Format`].
pub fn json(payload: &[u8]) -> Result<&[u8], CodecError> {
    match payload.split_first() {
        Some((&FORMAT, json)) => Ok(json),
        _ => Err(CodecError::Format),
    }
}

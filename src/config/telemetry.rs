//! `[telemetry]`: what is logged and how it looks.
//!
//! Personal data is never logged, at no level.

use crate::config::reader::Reader;

/// What is logged and how it looks.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The least severe level shown: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

const LEVELS: [(&str, &str); 5] = [
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
];

const FORMATS: [(&str, LogFormat); 3] =
    [("auto", LogFormat::Auto), ("pretty", LogFormat::Pretty), ("json", LogFormat::Json)];

impl Telemetry {
    pub(super) fn read(from: &mut Reader) -> Self {
        let format = LogFormat::Auto;
        Self {
            level: from.word("telemetry.level", Some("info"), &LEVELS).unwrap_or("info"),
            format: from.word("telemetry.format", Some(format), &FORMATS).unwrap_or(format),
        }
    }
}

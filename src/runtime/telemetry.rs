//! Logs and panics, on standard error.
//!
//! Decides how they look and never what is in them: personal data is kept out where it is known,
//! by types that do not print. The one exception is a panic's own text, which is held back here.

use std::{
    io::{self, IsTerminal, Write},
    panic::{self, PanicHookInfo},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people when standard error is a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none of the five there are.
    #[error("the log level is not one of error, warn, info, debug, trace")]
    UnknownLevel,
    /// Something in this process already started a log.
    #[error("failed to start the log")]
    AlreadyStarted(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts the log of this process and the counting of panics.
///
/// `level` is the least severe level shown of our own lines; libraries are heard from `warn` up.
///
/// # Errors
///
/// [`TelemetryError`] when there is no such level or a log was started before.
pub fn start(level: &str, format: Format) -> Result<Panics, TelemetryError> {
    let json = match format {
        Format::Auto => !io::stderr().is_terminal(),
        Format::Pretty => false,
        Format::Json => true,
    };
    subscriber(filter(level)?, json, io::stderr)
        .try_init()
        .map_err(TelemetryError::AlreadyStarted)?;
    Ok(Panics::count())
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let others = match level {
        "error" => "error",
        "warn" | "info" | "debug" | "trace" => "warn",
        _ => return Err(TelemetryError::UnknownLevel),
    };
    Ok(EnvFilter::new(format!("{others},izin={level}")))
}

fn subscriber<W>(filter: EnvFilter, json: bool, writer: W) -> impl SubscriberInitExt
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).compact().boxed()
    };
    tracing_subscriber::registry().with(filter).with(lines)
}

/// Counts the panics of the process. Each is a bug.
#[derive(Debug, Clone, Default)]
pub struct Panics(Arc<AtomicU64>);

impl Panics {
    /// Replaces the process's panic hook by one that logs where a panic happened and counts it.
    pub fn count() -> Self {
        let panics = Self::default();
        let counted = panics.clone();
        panic::set_hook(Box::new(move |info| {
            counted.0.fetch_add(1, Ordering::Relaxed);
            report(info);
        }));
        panics
    }

    /// Returns how many panics there were.
    pub fn seen(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns what a panic says, unless it was put together at run time: a fixed text was written by
/// us or by a library's author, a formatted one may quote a phone number.
fn safe_text<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(text held back)")
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let text = safe_text(info);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(panic.place = place, panic.thread = thread, "panic: {text}");
        return;
    }
    // Before the log is up a panic must not vanish; if standard error is gone as well, nobody is
    // left to tell.
    drop(writeln!(io::stderr(), "panic at {place} in thread {thread}: {text}"));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps what is written, for looking at it afterwards.
    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, json: bool, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let made = kept.clone();
        let guard = subscriber(filter(level).unwrap(), json, move || made.clone()).set_default();
        work();
        drop(guard);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_json_with_their_fields() {
        let line = logged("info", true, || tracing::info!(target: "izin", seq = 7, "appended"));
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["message"], "appended");
        assert_eq!(line["seq"], 7);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn libraries_are_heard_from_warn_up() {
        let text = logged("debug", false, || {
            tracing::debug!(target: "izin::ledger", "ours");
            tracing::info!(target: "library", "theirs, quiet");
            tracing::warn!(target: "library", "theirs, loud");
        });
        assert!(text.contains("ours") && text.contains("theirs, loud"), "{text}");
        assert!(!text.contains("quiet"), "{text}");
    }

    #[test]
    fn a_level_that_does_not_exist_is_an_error() {
        assert!(matches!(filter("loud"), Err(TelemetryError::UnknownLevel)));
    }

    #[test]
    fn a_panic_is_counted_and_its_formatted_text_held_back() {
        let before = panic::take_hook();
        let panics = Panics::count();
        let number = String::from("+12025550123");
        let text = logged("info", true, || {
            drop(panic::catch_unwind(|| panic!("no such contact: {number}")));
            drop(panic::catch_unwind(|| panic!("the writer is gone")));
        });
        panic::set_hook(before);
        assert!(panics.seen() >= 2);
        assert!(!text.contains("2025550123"), "{text}");
        assert!(text.contains("telemetry.rs") && text.contains("(text held back)"), "{text}");
        assert!(text.contains("the writer is gone"), "{text}");
    }
}

//! Reading bodies: bounded in size, depth, time and, over all requests, in memory.
//!
//! Nothing is parsed before it is whole, and nothing is held that was not counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::header,
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt;
use serde::Deserialize;

use crate::{
    http::{
        problem::{
            BODY_INVALID, BODY_MALFORMED, BODY_TOO_LARGE, CONTENT_TYPE, OVERLOADED, Problem,
            REQUEST_TIMEOUT,
        },
        strict::{Strict, in_plain_words},
    },
    limits,
};

/// Bytes of bodies that are held right now, over all requests.
#[derive(Debug, Clone)]
pub struct BodyBudget {
    held: Arc<AtomicUsize>,
    max: usize,
}

/// A body and its place on the budget.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    _place: Place,
}

#[derive(Debug)]
struct Place {
    budget: BodyBudget,
    len: usize,
}

impl BodyBudget {
    /// Makes a budget of `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { held: Arc::new(AtomicUsize::new(0)), max }
    }

    /// Returns how many bytes are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Place {
    fn grow(&mut self, by: usize) -> Result<(), Problem> {
        let before = self.budget.held.fetch_add(by, Ordering::Relaxed);
        self.len += by;
        if before.saturating_add(by) > self.budget.max {
            return Err(Problem::new(OVERLOADED, "too many bodies are being read").retry_after_s(1));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.len, Ordering::Relaxed);
    }
}

impl std::ops::Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a whole body of at most `max` bytes within `deadline`.
///
/// # Errors
///
/// [`BODY_TOO_LARGE`], [`REQUEST_TIMEOUT`], [`OVERLOADED`] or [`BODY_MALFORMED`] when the
/// connection breaks off.
pub async fn read(
    req: &HttpRequest,
    payload: Payload,
    max: usize,
    deadline: Duration,
    budget: &BodyBudget,
) -> Result<Body, Problem> {
    let announced = req
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|len| len > max) {
        return Err(too_large(max));
    }
    let mut place = Place { budget: budget.clone(), len: 0 };
    let all = collect(payload, max, &mut place);
    match tokio::time::timeout(deadline, all).await {
        Ok(bytes) => Ok(Body { bytes: bytes?, _place: place }),
        Err(tokio::time::error::Elapsed { .. }) => {
            Err(Problem::new(REQUEST_TIMEOUT, "the body did not arrive in time"))
        }
    }
}

async fn collect(mut payload: Payload, max: usize, place: &mut Place) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            tracing::debug!(%error, "a body broke off");
            Problem::new(BODY_MALFORMED, "the body broke off")
        })?;
        if bytes.len().saturating_add(chunk.len()) > max {
            return Err(too_large(max));
        }
        place.grow(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn too_large(max: usize) -> Problem {
    Problem::new(BODY_TOO_LARGE, "the body is larger than this call takes").with("limit", max)
}

/// Refuses a body that does not say it is `media`.
///
/// # Errors
///
/// [`CONTENT_TYPE`].
pub fn expect_media(req: &HttpRequest, media: &str) -> Result<(), Problem> {
    if is_media(req, media) {
        return expect_plain(req);
    }
    Err(Problem::new(CONTENT_TYPE, format!("the body must be {media}")))
}

/// Refuses a body that is compressed, or says that it is written in anything but UTF-8.
///
/// # Errors
///
/// [`CONTENT_TYPE`]. Source: RFC 9110, 15.5.16, for both; RFC 8259, 8.1.
pub fn expect_plain(req: &HttpRequest) -> Result<(), Problem> {
    let given = |name| req.headers().get_all(name).map(|value| value.to_str().unwrap_or("?"));
    let codings = given(header::CONTENT_ENCODING).flat_map(|value| value.split(','));
    if !codings.map(str::trim).all(|coding| coding.eq_ignore_ascii_case("identity")) {
        return Err(Problem::new(CONTENT_TYPE, "the body must not be compressed"));
    }
    let parameters = given(header::CONTENT_TYPE).flat_map(|value| value.split(';').skip(1));
    let mut parameters = parameters.filter_map(|parameter| parameter.split_once('='));
    let is_utf8 = parameters.all(|(name, value)| {
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
    });
    if is_utf8 { Ok(()) } else { Err(Problem::new(CONTENT_TYPE, "the body must be UTF-8")) }
}

/// Returns whether a body says it is `media`, parameters aside.
pub fn is_media(req: &HttpRequest, media: &str) -> bool {
    let given = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split(';').next()).unwrap_or_default();
    given.trim().eq_ignore_ascii_case(media)
}

/// Parses a JSON body.
///
/// # Errors
///
/// [`BODY_MALFORMED`] for what is no JSON or too deep, [`BODY_INVALID`] for JSON that does not
/// fit; both point at the place.
pub fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    if depth(bytes) > limits::JSON_DEPTH_MAX {
        return Err(Problem::new(
            BODY_MALFORMED,
            format!("the body is nested deeper than {} levels", limits::JSON_DEPTH_MAX),
        ));
    }
    read_whole(bytes).map_err(|_somewhere| locate::<T>(bytes))
}

/// Parses one of many lines: what does not fit is nothing, and [`parse`] says why.
pub fn parse_line<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    read_whole(bytes).ok()
}

fn read_whole<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Strict(&mut json))?;
    json.end()?;
    Ok(value)
}

/// Parses once more what could not be parsed, this time noting each step for the pointer, which
/// is too dear to do for bodies that fit.
fn locate<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed: Result<T, _> = serde_path_to_error::deserialize(Strict(&mut json));
    match parsed {
        Err(error) => {
            let pointer = pointer(error.path());
            explain(&error.into_inner(), pointer)
        }
        Ok(_) => match json.end() {
            Err(error) => explain(&error, String::new()),
            Ok(()) => Problem::new(BODY_MALFORMED, "not JSON"),
        },
    }
}

fn explain(error: &serde_json::Error, pointer: String) -> Problem {
    use serde_json::error::Category;
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => {
            // The words are serde's: which member, which type. Values could be personal.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            Problem::at(BODY_INVALID, pointer, without_values(text))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::at(BODY_MALFORMED, pointer, format!("not JSON at {place}"))
        }
    }
}

/// Cuts a quoted value out of serde's "invalid value: string "…", expected …".
fn without_values(text: &str) -> String {
    match (text.split_once(": "), text.rsplit_once(", expected ")) {
        (Some(("invalid type", _)), Some((_, expected))) => {
            format!("{} is expected", in_plain_words(expected))
        }
        (Some((kind, _)), Some((_, expected))) if kind.starts_with("invalid ") => {
            format!("{kind}, expected {}", in_plain_words(expected))
        }
        _ => text.to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Returns how deep brackets and braces nest, outside strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its type matters")]
        items: Vec<Item>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only its type matters")]
        count: u8,
    }

    fn refused(body: &[u8]) -> (Problem, String) {
        let problem = parse::<Sample>(body).unwrap_err();
        let text = format!("{problem:?}");
        (problem, text)
    }

    #[test]
    fn a_wrong_type_is_pointed_at_without_its_value() {
        let (problem, text) = refused(br#"{"items":[{"count":1},{"count":"+12025550123"}]}"#);
        assert_eq!(problem.code(), BODY_INVALID);
        assert!(text.contains("/items/1/count"), "{text}");
        assert!(!text.contains("2025550123"), "{text}");
    }

    #[test]
    fn what_is_expected_is_said_in_the_words_of_json() {
        for (body, detail) in [
            (&b"[[]]"[..], "an object is expected"),
            (br#"{"items":{}}"#, "an array is expected"),
            (br#"{"items":[[1]]}"#, "an object is expected"),
            (br#"{"items":[{"count":"x"}]}"#, "a whole number from 0 to 255 is expected"),
            (
                br#"{"items":[{"count":256}]}"#,
                "invalid value, expected a whole number from 0 to 255",
            ),
        ] {
            let (problem, text) = refused(body);
            assert_eq!(problem.code(), BODY_INVALID);
            assert!(text.contains(detail), "{text}");
        }
        assert!(parse_line::<Sample>(b"[[]]").is_none());
        assert!(parse_line::<Sample>(b"{\"items\":[]} x").is_none());
        assert!(parse_line::<Sample>(b"{\"items\":[]}").is_some());
    }

    #[test]
    fn broken_twice_named_and_trailing_json_is_refused() {
        for body in [&b"{"[..], b"{\"items\":[]} x", b"\xff", b"", b"\xef\xbb\xbf{\"items\":[]}"] {
            assert_eq!(refused(body).0.code(), BODY_MALFORMED, "{body:?}");
        }
        assert_eq!(refused(br#"{"items":[],"items":[]}"#).0.code(), BODY_INVALID);
        assert_eq!(refused(br#"{"items":[],"more":1}"#).0.code(), BODY_INVALID);
    }

    #[test]
    fn depth_counts_brackets_and_not_what_strings_hold() {
        assert_eq!(depth(br#"{"a":["[[[[\"[[["]}"#), 2);
        let deep = [vec![b'['; 33], vec![b']'; 33]].concat();
        assert_eq!(refused(&deep).0.code(), BODY_MALFORMED);
    }
}

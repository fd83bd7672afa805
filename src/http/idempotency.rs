//! The `Idempotency-Key` header. Source: draft-ietf-httpapi-idempotency-key-header-07, and what
//! clients do in practice: bare or quoted.

use actix_web::HttpRequest;

use crate::{
    http::problem::{IDEMPOTENCY_KEY_INVALID, Problem},
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
};

/// Returns the caller's idempotency key, without its quotes.
///
/// # Errors
///
/// [`IDEMPOTENCY_KEY_INVALID`].
pub fn key(req: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = req.headers().get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().and_then(unquote);
    match text {
        Some(text)
            if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') =>
        {
            Ok(Some(text))
        }
        _ => Err(Problem::new(
            IDEMPOTENCY_KEY_INVALID,
            "an idempotency key is 1 to 255 visible ASCII characters, bare or quoted",
        )),
    }
}

/// Takes the quotes and escapes of a structured-field string off; a bare text stays.
fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let inner = inner.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return None,
            _ => text.push(character),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(value: &str) -> Result<Option<String>, Problem> {
        key(&TestRequest::default().insert_header(("Idempotency-Key", value)).to_http_request())
    }

    #[test]
    fn a_quoted_key_is_the_bare_one() {
        assert_eq!(read("abc-1").unwrap(), read("\"abc-1\"").unwrap());
        assert_eq!(read(r#""a\"b""#).unwrap().as_deref(), Some("a\"b"));
    }

    #[test]
    fn an_empty_open_or_overlong_key_is_refused() {
        for value in ["", "\"", "\"\"", "\"a", "\"a\"b\"", &"x".repeat(256)] {
            assert!(read(value).is_err(), "{value}");
        }
    }
}

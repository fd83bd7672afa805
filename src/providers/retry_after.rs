//! Reads how long a provider asks to be left alone.
//!
//! Has no clock: a date is measured against the `Date` of the same reply, so a wrong clock on
//! either side does not matter. Without that header a date says nothing, and the breaker's own
//! pause holds.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Returns the pause named by `Retry-After`, in seconds or as a date; zero when it is over.
///
/// Source: RFC 9110, sections 10.2.3 (`Retry-After`) and 5.6.7 (the three forms of a date that a
/// recipient must accept).
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = text_of(headers, &RETRY_AFTER)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is a very long pause, which whoever obeys it bounds.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = unix_seconds(text)?;
    let sent = unix_seconds(text_of(headers, &DATE)?)?;
    let seconds = until.saturating_sub(sent);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// Returns the second of an HTTP date in any of its three forms.
fn unix_seconds(text: &str) -> Option<i64> {
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.timestamp());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        headers
    }

    #[test]
    fn seconds_need_no_date() {
        assert_eq!(read(&headers("125", None)), Some(Duration::from_secs(125)));
        assert_eq!(read(&headers(" 0 ", None)), Some(Duration::ZERO));
    }

    #[test]
    fn more_seconds_than_fit_are_a_long_pause_and_not_none() {
        assert_eq!(read(&headers(&"9".repeat(40), None)), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn a_date_in_any_form_is_measured_against_the_date_of_the_reply() {
        let sent = Some("Sun, 06 Nov 1994 08:49:00 GMT");
        for until in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(read(&headers(until, sent)), Some(Duration::from_secs(37)), "{until}");
        }
    }

    #[test]
    fn a_date_in_the_past_is_no_pause() {
        let sent = Some("Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(read(&headers("Sun, 06 Nov 1994 08:49:37 GMT", sent)), Some(Duration::ZERO));
    }

    #[test]
    fn a_date_without_one_to_measure_against_says_nothing() {
        assert_eq!(read(&headers("Sun, 06 Nov 1994 08:49:37 GMT", None)), None);
        assert_eq!(read(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_neither_seconds_nor_a_date_says_nothing() {
        for text in ["", "soon", "-5", "1.5", "12 s", "Sun, 31 Feb 1994 08:49:37 GMT"] {
            assert_eq!(read(&headers(text, Some("Sun, 06 Nov 1994 08:49:00 GMT"))), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(RETRY_AFTER, value.clone());
                headers.insert(DATE, value);
                if let Some(pause) = read(&headers) {
                    prop_assert!(pause <= Duration::from_secs(u64::MAX));
                }
            }
        }
    }
}

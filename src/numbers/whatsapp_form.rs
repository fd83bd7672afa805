//! Recognising the forms in which WhatsApp itself writes a person's number.
//!
//! Finds the digits only; whether they are a number is read afterwards like any other text.

use std::borrow::Cow;

/// Returns the international number in a text, with or without its `+`, if the text is one of
/// WhatsApp's forms.
///
/// A form without a number in it (a link to a message, say) answers with text that is none, so
/// that its other digits are never taken for somebody's number.
///
/// The list is ours: links people copy, what messaging platforms put before a number, and the
/// addresses (`@c.us`, `@s.whatsapp.net`) that unofficial clients use.
pub(super) fn international(input: &str) -> Option<Cow<'_, str>> {
    // Most inputs are plain numbers: none of the forms does without an `@`, a `:` or a `/`.
    if !input.bytes().any(|byte| matches!(byte, b'@' | b':' | b'/')) {
        return None;
    }
    let text = input.trim();
    link(text).or_else(|| prefixed(text)).or_else(|| address(text))
}

/// `wa.me/…`, `api.whatsapp.com/send?phone=…` and `whatsapp://send?phone=…`.
fn link(text: &str) -> Option<Cow<'_, str>> {
    if let Some(call) = strip(text, "whatsapp://send") {
        return Some(phone_of(call));
    }
    let page = strip(text, "https://").or_else(|| strip(text, "http://")).unwrap_or(text);
    let page = strip(page, "www.").unwrap_or(page);
    if let Some(path) = strip(page, "wa.me/") {
        let end = path.find(['?', '#', '/', '&']).unwrap_or(path.len());
        return Some(percent_decoded(path.split_at_checked(end)?.0));
    }
    strip(page, "api.whatsapp.com/send").map(phone_of)
}

/// `whatsapp:…` and `wa:…`.
fn prefixed(text: &str) -> Option<Cow<'_, str>> {
    strip(text, "whatsapp:").or_else(|| strip(text, "wa:")).map(Cow::Borrowed)
}

/// `…@c.us` and `…@s.whatsapp.net`.
fn address(text: &str) -> Option<Cow<'_, str>> {
    let (user, server) = text.rsplit_once('@')?;
    let is_personal = ["c.us", "s.whatsapp.net"].iter().any(|s| server.eq_ignore_ascii_case(s));
    is_personal.then_some(Cow::Borrowed(user))
}

/// Returns the parameter `phone` of what follows `send` in a link, or nothing.
fn phone_of(after_send: &str) -> Cow<'_, str> {
    let query = after_send.strip_prefix('/').unwrap_or(after_send).strip_prefix('?');
    let query = query.and_then(|query| query.split('#').next()).unwrap_or_default();
    let phone = query.split('&').find_map(|pair| strip(pair, "phone="));
    phone.map_or(Cow::Borrowed(""), percent_decoded)
}

/// Puts the `+` before what [`international`] found, if it is missing.
pub(super) fn with_plus(number: &str) -> Cow<'_, str> {
    let trimmed = number.trim();
    if trimmed.starts_with(['+', '\u{FF0B}']) {
        return Cow::Borrowed(number);
    }
    Cow::Owned(format!("+{trimmed}"))
}

/// Removes a prefix written in any case.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Decodes `%2B` and its like; what is not an ASCII escape stays as it is.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        if let Some((digits, tail)) = after.split_at_checked(2)
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            && let Ok(byte) = u8::from_str_radix(digits, 16)
            && byte.is_ascii()
        {
            decoded.push(char::from(byte));
            rest = tail;
        } else {
            decoded.push('%');
            rest = after;
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_the_digits_with_a_plus() {
        for form in [
            "wa.me/12025550123",
            "https://wa.me/12025550123",
            "http://WA.me/+12025550123?text=Halo%20kak",
            "https://wa.me/%2B12025550123#top",
            "https://api.whatsapp.com/send?phone=12025550123",
            "https://api.whatsapp.com/send/?text=Hi&phone=%2B12025550123&type=x",
            "api.whatsapp.com/send?phone=+12025550123&text=Hi",
            "whatsapp://send?phone=12025550123",
            "whatsapp://send/?phone=12025550123",
            "whatsapp:12025550123",
            "WhatsApp: +12025550123",
            "wa:+12025550123",
            "12025550123@c.us",
            " +12025550123@S.WhatsApp.net ",
        ] {
            let found = international(form).unwrap();
            assert_eq!(with_plus(&found).trim(), "+12025550123", "{form}");
        }
    }

    #[test]
    fn other_texts_are_left_to_the_parser() {
        for text in
            ["+12025550123", "tel:+12025550123", "a@b.co", "https://example.com/wa.me/1", "wag:1"]
        {
            assert_eq!(international(text), None, "{text}");
        }
    }

    #[test]
    fn links_without_a_number_hold_none() {
        for link in ["https://wa.me/message/AB62812", "https://api.whatsapp.com/send?text=62812"] {
            let text = international(link).unwrap();
            assert!(!text.chars().any(|c| c.is_ascii_digit()), "{text}");
        }
    }

    #[test]
    fn broken_escapes_stay_text() {
        assert_eq!(percent_decoded("%2B1%20%zz%C3%A9%"), "+1 %zz%C3%A9%");
    }
}

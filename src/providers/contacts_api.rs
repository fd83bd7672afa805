//! The `contacts` protocol: one number in, one row about it out.
//!
//! Asks about one number at a time, although the protocol takes many: every look-up is decided
//! and recorded on its own.
//!
//! Source: WhatsApp On-Premises API, reference "contacts"; Whapi, "Check phones", has the same at
//! `/contacts`. Both read November 2026.

use reqwest::{
    Method, RequestBuilder, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{NumberState, UnknownCause, WaId, digits_of},
        http::Http,
        reply,
        settings::ProviderUrl,
    },
};

/// Where and how to ask.
#[derive(Debug)]
pub(super) struct ContactsApi {
    endpoint: Url,
    authorization: Option<HeaderValue>,
}

#[derive(Serialize)]
struct Question<'a> {
    /// The reply waits for the result, so that there is nothing to poll.
    blocking: &'static str,
    /// The provider's own cache is good enough: ours asks again after the same seven days.
    force_check: bool,
    contacts: [&'a str; 1],
}

/// What came beside an error is no answer: a no least of all.
#[derive(Deserialize)]
struct Reply {
    contacts: Vec<Row>,
    #[serde(default)]
    errors: Option<Vec<IgnoredAny>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Row {
    input: String,
    status: Status,
    wa_id: Option<String>,
    #[serde(default)]
    errors: Option<Vec<IgnoredAny>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Valid,
    Invalid,
    Processing,
    Failed,
}

impl ContactsApi {
    /// Takes an address that names the endpoint already, or the one of the service above it.
    pub(super) fn new(url: &ProviderUrl, authorization: Option<HeaderValue>) -> Self {
        Self::at(url, "/v1/contacts", authorization)
    }

    /// As [`Self::new`], with the endpoint where Whapi has it.
    pub(super) fn whapi(url: &ProviderUrl, authorization: Option<HeaderValue>) -> Self {
        Self::at(url, "/contacts", authorization)
    }

    fn at(url: &ProviderUrl, path: &str, authorization: Option<HeaderValue>) -> Self {
        let suffix = if url.path().ends_with("/contacts") { "" } else { path };
        Self { endpoint: url.join(suffix), authorization }
    }

    pub(super) fn question(&self, http: &Http, number: &PhoneNumber) -> RequestBuilder {
        let question =
            Question { blocking: "wait", force_check: false, contacts: [number.as_e164()] };
        let request = http
            .request(Method::POST, self.endpoint.clone())
            .header(ACCEPT, "application/json")
            .json(&question);
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }
}

/// Reads what a reply says about `number`.
pub(super) fn read(body: &[u8], number: &PhoneNumber) -> NumberState {
    reply::read(body, |reply: Reply| judge(&reply, number))
}

fn judge(reply: &Reply, number: &PhoneNumber) -> NumberState {
    let Reply { contacts: rows, errors, error } = reply;
    let is_doubtful = is_failure(errors.as_deref(), *error)
        || rows.iter().any(|row| is_failure(row.errors.as_deref(), row.error));
    if is_doubtful {
        return NumberState::unknown(UnknownCause::Undecided);
    }
    let Some((first, others)) = rows.split_first() else {
        return NumberState::unknown(UnknownCause::NoAnswer);
    };
    if rows.iter().any(|row| !echoes(&row.input, number)) {
        return NumberState::unknown(UnknownCause::AnotherNumber);
    }
    let is_same = |row: &Row| row.status == first.status && row.wa_id == first.wa_id;
    if !others.iter().all(is_same) {
        return NumberState::unknown(UnknownCause::Contradictory);
    }
    match (first.status, first.wa_id.as_deref()) {
        (Status::Valid, wa_id) => reply::of_account(true, wa_id.and_then(WaId::parse), number),
        (Status::Invalid, None) => NumberState::NotRegistered,
        (Status::Invalid, Some(_)) => NumberState::unknown(UnknownCause::Contradictory),
        (Status::Processing, _) => NumberState::InProgress,
        (Status::Failed, _) => NumberState::unknown(UnknownCause::Undecided),
    }
}

fn is_failure(errors: Option<&[IgnoredAny]>, error: Option<IgnoredAny>) -> bool {
    error.is_some() || errors.is_some_and(|errors| !errors.is_empty())
}

/// Returns whether `input` is `number` as it was sent, perhaps written differently.
fn echoes(input: &str, number: &PhoneNumber) -> bool {
    let kept = input.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')' | '.'));
    kept.eq(digits_of(number).chars())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> PhoneNumber {
        PhoneNumber::parse("+12025550123").unwrap()
    }

    fn unknown(cause: UnknownCause) -> NumberState {
        NumberState::Unknown { cause }
    }

    fn read_rows(rows: &str) -> NumberState {
        read(format!(r#"{{"contacts":[{rows}]}}"#).as_bytes(), &number())
    }

    #[test]
    fn the_endpoint_is_added_only_where_it_is_missing() {
        for (url, endpoint) in [
            ("https://wa.example", "https://wa.example/v1/contacts"),
            ("https://wa.example/", "https://wa.example/v1/contacts"),
            ("https://wa.example/tenant/", "https://wa.example/tenant/v1/contacts"),
            ("https://wa.example/v1/contacts", "https://wa.example/v1/contacts"),
            ("https://wa.example/v1/contacts/", "https://wa.example/v1/contacts"),
            ("https://wa.example/contacts", "https://wa.example/contacts"),
            ("https://wa.example/mycontacts", "https://wa.example/mycontacts/v1/contacts"),
        ] {
            let api = ContactsApi::new(&ProviderUrl::parse(url).unwrap(), None);
            assert_eq!(api.endpoint.as_str(), endpoint, "{url}");
        }
        for url in ["https://gate.example", "https://gate.example/contacts"] {
            let api = ContactsApi::whapi(&ProviderUrl::parse(url).unwrap(), None);
            assert_eq!(api.endpoint.as_str(), "https://gate.example/contacts", "{url}");
        }
    }

    #[test]
    fn valid_carries_the_id_where_there_is_a_usable_one() {
        let valid = r#""input":"+12025550123","status":"valid""#;
        let id = WaId::parse("12025550123");
        for (wa_id, expected) in [
            (r#","wa_id":"12025550123""#, id),
            ("", None),
            (r#","wa_id":null"#, None),
            (r#","wa_id":"somebody""#, None),
        ] {
            let state = read_rows(&format!("{{{valid}{wa_id}}}"));
            assert_eq!(state, NumberState::Registered { wa_id: expected }, "{wa_id}");
        }
    }

    #[test]
    fn an_id_of_somebody_else_makes_the_answer_worthless() {
        let row = r#"{"input":"+12025550123","status":"valid","wa_id":"12025550199"}"#;
        assert_eq!(read_rows(row), unknown(UnknownCause::AnotherNumber));
    }

    #[test]
    fn an_echo_may_be_written_differently_but_not_be_another_number() {
        for input in ["12025550123", "+1 202-555-0123", "+1 (202) 555.0123"] {
            let state = read_rows(&format!(r#"{{"input":"{input}","status":"invalid"}}"#));
            assert_eq!(state, NumberState::NotRegistered, "{input}");
        }
        for input in ["+12025550124", "2025550123", "", "+12025550123 ext 4", "012025550123"] {
            let state = read_rows(&format!(r#"{{"input":"{input}","status":"invalid"}}"#));
            assert_eq!(state, unknown(UnknownCause::AnotherNumber), "{input}");
        }
    }

    #[test]
    fn a_row_repeated_counts_once_and_rows_that_differ_count_for_nothing() {
        let valid = r#"{"input":"+12025550123","status":"valid"}"#;
        let invalid = r#"{"input":"12025550123","status":"invalid"}"#;
        let stranger = r#"{"input":"+12025550199","status":"invalid"}"#;
        assert_eq!(read_rows(&format!("{invalid},{invalid}")), NumberState::NotRegistered);
        let differing = read_rows(&format!("{invalid},{valid}"));
        assert_eq!(differing, unknown(UnknownCause::Contradictory));
        let mixed = read_rows(&format!("{invalid},{stranger}"));
        assert_eq!(mixed, unknown(UnknownCause::AnotherNumber));
    }

    #[test]
    fn not_registered_with_an_id_contradicts_itself() {
        let row = r#"{"input":"+12025550123","status":"invalid","wa_id":"12025550123"}"#;
        assert_eq!(read_rows(row), unknown(UnknownCause::Contradictory));
    }

    #[test]
    fn processing_and_failed_are_neither_yes_nor_no() {
        let row = |status| format!(r#"{{"input":"+12025550123","status":"{status}"}}"#);
        assert_eq!(read_rows(&row("processing")), NumberState::InProgress);
        assert_eq!(read_rows(&row("failed")), unknown(UnknownCause::Undecided));
        assert_eq!(read_rows(&row("INVALID")), unknown(UnknownCause::WrongShape));
        assert_eq!(read_rows(&row("gone")), unknown(UnknownCause::WrongShape));
    }

    #[test]
    fn replies_of_another_shape_say_which_way_they_are_wrong() {
        for (body, cause) in [
            (r#"{"contacts":[]}"#, UnknownCause::NoAnswer),
            ("{}", UnknownCause::WrongShape),
            ("[]", UnknownCause::WrongShape),
            ("null", UnknownCause::WrongShape),
            (r#"{"contacts":null}"#, UnknownCause::WrongShape),
            (r#"{"contacts":[{"status":"invalid"}]}"#, UnknownCause::WrongShape),
            (r#"{"contacts":[{"input":"+12025550123"}]}"#, UnknownCause::WrongShape),
            (r#"{"errors":[{"code":1015,"title":"busy"}]}"#, UnknownCause::WrongShape),
            (r#"{"contacts":[],"contacts":[]}"#, UnknownCause::WrongShape),
            ("", UnknownCause::NotJson),
            ("<html></html>", UnknownCause::NotJson),
            (r#"{"contacts":["#, UnknownCause::NotJson),
            (r#"{"contacts":[]} trailing"#, UnknownCause::NotJson),
        ] {
            assert_eq!(read(body.as_bytes(), &number()), unknown(cause), "{body}");
        }
        let deep = format!(r#"{{"contacts":{}"#, "[".repeat(100_000));
        assert!(matches!(read(deep.as_bytes(), &number()), NumberState::Unknown { .. }));
    }

    #[test]
    fn what_comes_beside_an_error_is_no_answer() {
        let rows = r#""contacts":[{"input":"+12025550123","status":"invalid"}]"#;
        for error in [r#""errors":[{"code":1}]"#, r#""error":{"code":1}"#, r#""error":"busy""#] {
            let state = read(format!("{{{error},{rows}}}").as_bytes(), &number());
            assert_eq!(state, unknown(UnknownCause::Undecided), "{error}");
            let row = format!(r#"{{"input":"+12025550123","status":"invalid",{error}}}"#);
            assert_eq!(read_rows(&row), unknown(UnknownCause::Undecided), "{error}");
        }
        for none in [r#""errors":[]"#, r#""errors":null"#, r#""error":null"#] {
            let state = read(format!("{{{none},{rows}}}").as_bytes(), &number());
            assert_eq!(state, NumberState::NotRegistered, "{none}");
        }
    }

    #[test]
    fn members_nobody_told_us_of_are_ignored() {
        let body = r#"{"meta":{"version":"2.53"},
            "contacts":[{"input":"+12025550123","status":"invalid","lid":"1"}]}"#;
        assert_eq!(read(body.as_bytes(), &number()), NumberState::NotRegistered);
    }

    proptest! {
        #[test]
        fn noise_is_never_taken_for_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let state = read(&body, &number());
            let is_unknown = matches!(state, NumberState::Unknown { .. });
            prop_assert!(is_unknown, "{:?}", state);
        }

        #[test]
        fn only_an_explicit_no_about_this_number_is_not_registered(
            input in "\\+?[0-9 ]{0,14}",
            status in prop::sample::select(vec!["valid", "invalid", "processing", "failed", "?"]),
            cut in 0_usize..80,
        ) {
            let body = format!(r#"{{"contacts":[{{"input":"{input}","status":"{status}"}}]}}"#);
            let whole = read(body.as_bytes(), &number());
            let is_ours = input.replace([' ', '+'], "") == "12025550123";
            prop_assert_eq!(whole == NumberState::NotRegistered, is_ours && status == "invalid");
            let part = body.as_bytes().get(..cut.min(body.len() - 1)).unwrap();
            let is_unknown = matches!(read(part, &number()), NumberState::Unknown { .. });
            prop_assert!(is_unknown);
        }
    }
}

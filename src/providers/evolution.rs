//! Evolution API's protocol: numbers in, a row about each out.
//!
//! Asks about one number at a time, although the protocol takes many: every look-up is decided and
//! recorded on its own.
//!
//! Source: Evolution API (EvolutionAPI/evolution-api), `whatsappNumber` and `OnWhatsAppDto`, read
//! November 2026. It answers `exists: false` also when what WhatsApp found goes by other digits
//! than those asked about, so where that can be, its no is a doubt. It keeps yeses of its own.

use reqwest::{
    Method, RequestBuilder, Url,
    header::{ACCEPT, HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{NumberState, UnknownCause, WaId, digits_of},
        http::Http,
        reply,
        settings::{ProviderUrl, SessionName},
    },
};

const API_KEY: HeaderName = HeaderName::from_static("apikey");

/// Where and how to ask.
#[derive(Debug)]
pub(super) struct Evolution {
    endpoint: Url,
    api_key: Option<HeaderValue>,
}

#[derive(Serialize)]
struct Question<'a> {
    numbers: [&'a str; 1],
}

#[derive(Deserialize, PartialEq, Eq)]
struct Row {
    jid: Option<String>,
    exists: bool,
    number: String,
}

impl Evolution {
    pub(super) fn new(
        url: &ProviderUrl,
        instance: &SessionName,
        api_key: Option<HeaderValue>,
    ) -> Self {
        let endpoint = url.join_parts(&["chat", "whatsappNumbers", instance.as_str()]);
        Self { endpoint, api_key }
    }

    pub(super) fn question(&self, http: &Http, number: &PhoneNumber) -> RequestBuilder {
        let request = http
            .request(Method::POST, self.endpoint.clone())
            .header(ACCEPT, "application/json")
            .json(&Question { numbers: [digits_of(number)] });
        match &self.api_key {
            Some(value) => request.header(API_KEY, value.clone()),
            None => request,
        }
    }
}

/// Reads what a reply says about `number`.
pub(super) fn read(body: &[u8], number: &PhoneNumber) -> NumberState {
    reply::read(body, |rows: Vec<Row>| judge(&rows, number))
}

fn judge(rows: &[Row], number: &PhoneNumber) -> NumberState {
    let Some((first, others)) = rows.split_first() else {
        return NumberState::unknown(UnknownCause::NoAnswer);
    };
    let is_ours = |row: &Row| row.number.trim_start_matches('+') == digits_of(number);
    if !rows.iter().all(is_ours) {
        return NumberState::unknown(UnknownCause::AnotherNumber);
    }
    if others.iter().any(|row| row != first) {
        return NumberState::unknown(UnknownCause::Contradictory);
    }
    let wa_id = first.jid.as_deref().and_then(WaId::of_account);
    reply::of_account_or_doubt(first.exists, wa_id, number)
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
        read(format!("[{rows}]").as_bytes(), &number())
    }

    #[test]
    fn yes_carries_the_id_where_the_account_shows_its_number() {
        let id = WaId::parse("12025550123");
        for (jid, expected) in [
            (r#""12025550123@s.whatsapp.net""#, id),
            (r#""98765432109876@lid""#, None),
            (r#""""#, None),
            ("null", None),
        ] {
            let row =
                format!(r#"{{"jid":{jid},"exists":true,"number":"12025550123","lid":"lid"}}"#);
            assert_eq!(read_rows(&row), NumberState::Registered { wa_id: expected }, "{jid}");
        }
    }

    #[test]
    fn a_no_counts_only_where_whatsapp_keeps_the_digits() {
        let no = |digits: &str| {
            let row = format!(
                r#"[{{"jid":"{digits}@s.whatsapp.net","exists":false,"number":"{digits}"}}]"#
            );
            read(row.as_bytes(), &PhoneNumber::parse(&format!("+{digits}")).unwrap())
        };
        assert_eq!(no("12025550123"), NumberState::NotRegistered);
        assert_eq!(no("447700900456"), NumberState::NotRegistered);
        for digits in ["5531970000000", "525500000000", "5491100000000"] {
            assert_eq!(no(digits), unknown(UnknownCause::Undecided), "{digits}");
        }
    }

    #[test]
    fn rows_about_somebody_else_or_that_differ_count_for_nothing() {
        let ours = r#"{"jid":"12025550123@s.whatsapp.net","exists":false,"number":"12025550123"}"#;
        let yes = ours.replace("false", "true");
        let stranger = ours.replace("12025550123", "12025550199");
        let mixed = ours.replace("12025550123@", "12025550199@");
        assert_eq!(read_rows(&format!("{ours},{ours}")), NumberState::NotRegistered);
        assert_eq!(read_rows(&format!("{ours},{yes}")), unknown(UnknownCause::Contradictory));
        for rows in [stranger.clone(), format!("{ours},{stranger}"), mixed] {
            assert_eq!(read_rows(&rows), unknown(UnknownCause::AnotherNumber), "{rows}");
        }
        assert_eq!(read_rows(""), unknown(UnknownCause::NoAnswer));
    }

    #[test]
    fn replies_of_another_shape_say_which_way_they_are_wrong() {
        for (body, cause) in [
            ("{}", UnknownCause::WrongShape),
            ("null", UnknownCause::WrongShape),
            (r#"[{"exists":false}]"#, UnknownCause::WrongShape),
            (r#"[{"exists":null,"number":"12025550123"}]"#, UnknownCause::WrongShape),
            (r#"[{"exists":"false","number":"12025550123"}]"#, UnknownCause::WrongShape),
            (r#"{"numbers":[{"exists":false}]}"#, UnknownCause::WrongShape),
            ("", UnknownCause::NotJson),
            (r#"[{"exists":false,"#, UnknownCause::NotJson),
            ("[] x", UnknownCause::NotJson),
        ] {
            assert_eq!(read(body.as_bytes(), &number()), unknown(cause), "{body}");
        }
    }

    proptest! {
        #[test]
        fn noise_is_never_taken_for_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let state = read(&body, &number());
            let is_unknown = matches!(state, NumberState::Unknown { .. });
            prop_assert!(is_unknown, "{:?}", state);
        }
    }
}

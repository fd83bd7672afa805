//! GREEN-API's protocol: a number in, yes or no out.
//!
//! The address holds the token, so it appears in no log line and no error, and neither does any
//! text of the HTTP client, which quotes addresses.
//!
//! Source: GREEN-API, "`CheckWhatsapp`", "Common errors" and "Rate limiter" (10 checks per second and
//! instance), read November 2026. Its notes warn of wrong noes for numbers of countries whose
//! digits WhatsApp rewrites, so where that can be, its no is a doubt.

use std::fmt;

use reqwest::{Method, RequestBuilder, Url, header::ACCEPT};
use serde::{Deserialize, Serialize};

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{NumberState, WaId, digits_of},
        http::Http,
        reply,
        settings::{ProviderUrl, SessionName, Token},
    },
};

/// Digits of the shortest number it takes; it calls any shorter one a bad request.
const DIGITS_MIN: usize = 11;

/// Where to ask.
pub(super) struct GreenApi {
    endpoint: Url,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    phone_number: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    exists_whatsapp: bool,
    chat_id: Option<String>,
}

impl GreenApi {
    pub(super) fn new(url: &ProviderUrl, instance: &SessionName, token: &Token) -> Self {
        let instance = format!("waInstance{}", instance.as_str());
        Self { endpoint: url.join_parts(&[&instance, "checkWhatsapp", token.expose()]) }
    }

    pub(super) fn question(&self, http: &Http, number: &PhoneNumber) -> RequestBuilder {
        http.request(Method::POST, self.endpoint.clone())
            .header(ACCEPT, "application/json")
            .json(&Question { phone_number: digits_of(number).parse().unwrap_or_default() })
    }
}

impl fmt::Debug for GreenApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreenApi({})", self.endpoint.origin().ascii_serialization())
    }
}

/// Returns whether it can be asked about `number` at all.
pub(super) fn takes(number: &PhoneNumber) -> bool {
    digits_of(number).len() >= DIGITS_MIN
}

/// Reads what a reply says about `number`.
pub(super) fn read(body: &[u8], number: &PhoneNumber) -> NumberState {
    // The question is not repeated in the reply: the chat is all that can show a mix-up.
    reply::read(body, |reply: Reply| {
        let wa_id = reply.chat_id.as_deref().and_then(WaId::of_account);
        reply::of_account_or_doubt(reply.exists_whatsapp, wa_id, number)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::providers::answer::UnknownCause;

    fn number() -> PhoneNumber {
        PhoneNumber::parse("+12025550123").unwrap()
    }

    fn unknown(cause: UnknownCause) -> NumberState {
        NumberState::Unknown { cause }
    }

    #[test]
    fn yes_carries_the_id_where_a_chat_with_a_number_is_named() {
        let id = WaId::parse("12025550123");
        for (rest, expected) in [
            (r#","chatId":"12025550123@c.us""#, id),
            ("", None),
            (r#","chatId":"""#, None),
            (r#","chatId":null"#, None),
            (r#","chatId":"98765432109876@lid""#, None),
        ] {
            let body = format!(r#"{{"existsWhatsapp":true{rest}}}"#);
            let state = read(body.as_bytes(), &number());
            assert_eq!(state, NumberState::Registered { wa_id: expected }, "{rest}");
        }
    }

    #[test]
    fn a_no_counts_only_where_whatsapp_keeps_the_digits() {
        let no = br#"{"existsWhatsapp":false}"#;
        assert_eq!(read(no, &number()), NumberState::NotRegistered);
        for e164 in ["+5531970000000", "+525500000000", "+5491100000000"] {
            let state = read(no, &PhoneNumber::parse(e164).unwrap());
            assert_eq!(state, unknown(UnknownCause::Undecided), "{e164}");
        }
        let stranger = br#"{"existsWhatsapp":false,"chatId":"447700900456@c.us"}"#;
        assert_eq!(read(stranger, &number()), unknown(UnknownCause::AnotherNumber));
    }

    #[test]
    fn short_numbers_are_not_asked_about() {
        assert!(takes(&number()));
        assert!(!takes(&PhoneNumber::parse("+6591234567").unwrap()));
    }

    #[test]
    fn debug_hides_the_token() {
        let url = ProviderUrl::parse("https://api.example").unwrap();
        let instance = SessionName::parse("1101000001").unwrap();
        let api = GreenApi::new(&url, &instance, &Token::parse("t0ken-s3cret").unwrap());
        assert!(
            api.endpoint.as_str().ends_with("/waInstance1101000001/checkWhatsapp/t0ken-s3cret")
        );
        assert_eq!(format!("{api:?}"), "GreenApi(https://api.example)");
    }

    #[test]
    fn replies_of_another_shape_say_which_way_they_are_wrong() {
        for (body, cause) in [
            ("{}", UnknownCause::WrongShape),
            ("[]", UnknownCause::WrongShape),
            (r#"{"existsWhatsapp":null}"#, UnknownCause::WrongShape),
            (r#"{"existsWhatsapp":"false"}"#, UnknownCause::WrongShape),
            (r#"{"existsWhatsapp":0}"#, UnknownCause::WrongShape),
            (r#"{"existsWhatsapp":false,"existsWhatsapp":true}"#, UnknownCause::WrongShape),
            (r#"{"statusCode":400,"message":"bad"}"#, UnknownCause::WrongShape),
            ("", UnknownCause::NotJson),
            (r#"{"existsWhatsapp":false"#, UnknownCause::NotJson),
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

//! WAHA's protocol: a question in the address, yes or no in the reply.
//!
//! The address holds the number, so it appears in no log line and no error, and neither does any
//! text of the HTTP client, which quotes addresses.
//!
//! Source: WAHA (devlikeapro/waha), `checkNumberStatus` of its engines, read November 2026. One of
//! them may name a `@lid` chat and give the number's own in `pn`, and may name both beside a no.

use reqwest::{
    Method, RequestBuilder, Url,
    header::{ACCEPT, HeaderName, HeaderValue},
};
use serde::Deserialize;

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{NumberState, WaId, digits_of},
        http::Http,
        reply,
        settings::{ProviderUrl, SessionName},
    },
};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where and how to ask.
#[derive(Debug)]
pub(super) struct Waha {
    endpoint: Url,
    session: SessionName,
    api_key: Option<HeaderValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    number_exists: bool,
    chat_id: Option<String>,
    pn: Option<String>,
}

impl Waha {
    pub(super) fn new(
        url: &ProviderUrl,
        session: SessionName,
        api_key: Option<HeaderValue>,
    ) -> Self {
        Self { endpoint: url.join("/api/contacts/check-exists"), session, api_key }
    }

    pub(super) fn question(&self, http: &Http, number: &PhoneNumber) -> RequestBuilder {
        let request = http
            .request(Method::GET, self.endpoint.clone())
            .query(&[("phone", digits_of(number)), ("session", self.session.as_str())])
            .header(ACCEPT, "application/json");
        match &self.api_key {
            Some(value) => request.header(API_KEY, value.clone()),
            None => request,
        }
    }
}

/// Reads what a reply says about `number`.
pub(super) fn read(body: &[u8], number: &PhoneNumber) -> NumberState {
    // The question is not repeated in the reply: the chat is all that can show a mix-up.
    reply::read(body, |reply: Reply| {
        let mut ids = [&reply.chat_id, &reply.pn].into_iter().flatten();
        let wa_id = ids.find_map(|id| wa_id_of(id));
        reply::of_account(reply.number_exists, wa_id, number)
    })
}

/// Returns the digits of a chat with a number. A `@lid` has digits too, but they are no number.
fn wa_id_of(chat_id: &str) -> Option<WaId> {
    WaId::parse(chat_id.strip_suffix("@c.us")?)
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
            (r#","chatId":"12025550123@c.us""#, id.clone()),
            ("", None),
            (r#","chatId":null"#, None),
            (r#","chatId":"12025550123""#, None),
            (r#","chatId":"12025550123@s.whatsapp.net""#, None),
            (r#","chatId":"98765432109876@lid""#, None),
            (r#","chatId":"98765432109876@lid","pn":"12025550123@c.us""#, id),
            (r#","chatId":"@c.us""#, None),
        ] {
            let body = format!(r#"{{"numberExists":true{rest}}}"#);
            let state = read(body.as_bytes(), &number());
            assert_eq!(state, NumberState::Registered { wa_id: expected }, "{rest}");
        }
    }

    #[test]
    fn no_is_no_unless_it_is_about_somebody_else() {
        for rest in ["", r#","chatId":null"#, r#","chatId":"12025550123@c.us""#] {
            let body = format!(r#"{{"numberExists":false{rest}}}"#);
            assert_eq!(read(body.as_bytes(), &number()), NumberState::NotRegistered, "{rest}");
        }
        for exists in [true, false] {
            let body = format!(r#"{{"numberExists":{exists},"chatId":"447700900456@c.us"}}"#);
            let state = read(body.as_bytes(), &number());
            assert_eq!(state, unknown(UnknownCause::AnotherNumber));
        }
    }

    #[test]
    fn replies_of_another_shape_say_which_way_they_are_wrong() {
        for (body, cause) in [
            ("{}", UnknownCause::WrongShape),
            ("[]", UnknownCause::WrongShape),
            (r#"{"numberExists":null}"#, UnknownCause::WrongShape),
            (r#"{"numberExists":"false"}"#, UnknownCause::WrongShape),
            (r#"{"numberExists":0}"#, UnknownCause::WrongShape),
            (r#"{"numberExists":false,"numberExists":true}"#, UnknownCause::WrongShape),
            (r#"{"numberExists":true,"chatId":{"user":"1"}}"#, UnknownCause::WrongShape),
            ("", UnknownCause::NotJson),
            (r#"{"numberExists":false"#, UnknownCause::NotJson),
            (r#"{"numberExists":false}x"#, UnknownCause::NotJson),
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

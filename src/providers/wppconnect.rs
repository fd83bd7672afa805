//! wppconnect-server's protocol: a question in the address, a profile in the reply.
//!
//! The address holds the number, so it appears in no log line and no error, and neither does any
//! text of the HTTP client, which quotes addresses.
//!
//! Source: wppconnect-server (wppconnect-team/wppconnect-server), `checkNumberStatus` and its
//! engines, read November 2026. A number that exists comes with status 200, one that does not with
//! 404; an engine may leave out `canReceiveMessage` and name a `@lid`.

use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;

use crate::{
    domain::phone::PhoneNumber,
    providers::{
        answer::{NumberState, UnknownCause, WaId, digits_of},
        http::Http,
        reply,
        settings::{ProviderUrl, SessionName},
    },
};

const EXISTS: u16 = 200;
const EXISTS_NOT: u16 = 404;

/// Where and how to ask.
#[derive(Debug)]
pub(super) struct Wppconnect {
    url: ProviderUrl,
    session: SessionName,
    authorization: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct Reply {
    status: String,
    response: Option<Profile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    id: Option<Account>,
    status: Option<u16>,
    can_receive_message: Option<bool>,
    number_exists: Option<bool>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(rename = "_serialized")]
    serialized: Option<String>,
}

impl Wppconnect {
    pub(super) const fn new(
        url: ProviderUrl,
        session: SessionName,
        authorization: Option<HeaderValue>,
    ) -> Self {
        Self { url, session, authorization }
    }

    pub(super) fn question(&self, http: &Http, number: &PhoneNumber) -> RequestBuilder {
        let session = self.session.as_str();
        let parts = ["api", session, "check-number-status", digits_of(number)];
        let request = http
            .request(Method::GET, self.url.join_parts(&parts))
            .header(ACCEPT, "application/json");
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
    if reply.status != "success" {
        return NumberState::unknown(UnknownCause::Undecided);
    }
    let Some(profile) = &reply.response else {
        return NumberState::unknown(UnknownCause::NoAnswer);
    };
    let account = profile.id.as_ref().and_then(|id| id.serialized.as_deref());
    let wa_id = account.and_then(WaId::of_account);
    // The question is not repeated in the reply: the account is all that can show a mix-up.
    if wa_id.as_ref().is_some_and(|wa_id| !wa_id.can_belong_to(number)) {
        return NumberState::unknown(UnknownCause::AnotherNumber);
    }
    match (profile.number_exists, profile.status, profile.can_receive_message) {
        (None, _, _) => NumberState::unknown(UnknownCause::Undecided),
        (Some(true), Some(EXISTS) | None, Some(true) | None) => NumberState::Registered { wa_id },
        (Some(false), Some(EXISTS_NOT) | None, Some(false) | None) => NumberState::NotRegistered,
        (Some(_), _, _) => NumberState::unknown(UnknownCause::Contradictory),
    }
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

    fn read_profile(profile: &str) -> NumberState {
        let body = format!(r#"{{"status":"success","response":{profile}}}"#);
        read(body.as_bytes(), &number())
    }

    #[test]
    fn yes_carries_the_id_where_the_account_shows_its_number() {
        let id = WaId::parse("12025550123");
        for (account, expected) in [
            (r#"{"server":"c.us","user":"12025550123","_serialized":"12025550123@c.us"}"#, id),
            (r#"{"user":"12025550123","_serialized":"98765432109876@lid"}"#, None),
            (r#"{"user":"12025550123"}"#, None),
            ("null", None),
        ] {
            let profile = format!(r#"{{"id":{account},"status":200,"numberExists":true}}"#);
            let expected = NumberState::Registered { wa_id: expected };
            assert_eq!(read_profile(&profile), expected, "{account}");
        }
    }

    #[test]
    fn members_that_contradict_each_other_are_no_answer() {
        for (profile, expected) in [
            (
                r#"{"status":404,"canReceiveMessage":false,"numberExists":false}"#,
                NumberState::NotRegistered,
            ),
            (r#"{"numberExists":false}"#, NumberState::NotRegistered),
            (
                r#"{"status":200,"canReceiveMessage":false,"numberExists":true}"#,
                unknown(UnknownCause::Contradictory),
            ),
            (
                r#"{"status":200,"canReceiveMessage":false,"numberExists":false}"#,
                unknown(UnknownCause::Contradictory),
            ),
            (r#"{"status":500,"numberExists":false}"#, unknown(UnknownCause::Contradictory)),
            (r#"{"status":404,"numberExists":true}"#, unknown(UnknownCause::Contradictory)),
            (r#"{"status":404,"numberExists":null}"#, unknown(UnknownCause::Undecided)),
            (r#"{"status":404}"#, unknown(UnknownCause::Undecided)),
            ("null", unknown(UnknownCause::NoAnswer)),
        ] {
            assert_eq!(read_profile(profile), expected, "{profile}");
        }
    }

    #[test]
    fn an_answer_about_somebody_else_is_worthless() {
        for exists in [true, false] {
            let profile = format!(
                r#"{{"id":{{"_serialized":"447700900456@c.us"}},"numberExists":{exists}}}"#
            );
            assert_eq!(read_profile(&profile), unknown(UnknownCause::AnotherNumber));
        }
    }

    #[test]
    fn replies_of_another_shape_say_which_way_they_are_wrong() {
        for (body, cause) in [
            (r#"{"status":"success"}"#, UnknownCause::NoAnswer),
            (
                r#"{"status":"Disconnected","response":{"numberExists":false}}"#,
                UnknownCause::Undecided,
            ),
            (r#"{"status":"error","message":"x"}"#, UnknownCause::Undecided),
            ("{}", UnknownCause::WrongShape),
            ("[]", UnknownCause::WrongShape),
            (r#"{"numberExists":false}"#, UnknownCause::WrongShape),
            (
                r#"{"status":"success","response":{"numberExists":"false"}}"#,
                UnknownCause::WrongShape,
            ),
            (r#"{"status":"success","response":[]}"#, UnknownCause::WrongShape),
            ("", UnknownCause::NotJson),
            (r#"{"status":"success","response":{"numb"#, UnknownCause::NotJson),
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

//! Decisions as bytes, laid by hand: what serde makes of a [`DecisionBody`], at a third of the
//! cost. It is the answer this service gives most, up to ten thousand times in one reply.
//!
//! Knows no rules and no shape of its own: a test holds every byte to serde's.

use serde::Serialize;

use crate::{
    domain::{consent::ConsentStatus, ticket::MessageKind},
    http::{
        v1::decision::{ConsentBody, DecisionBody, ReasonBody, WindowBody},
        wire::{ContactName, Moment},
    },
};

/// Writes a decision behind what `bytes` holds.
///
/// # Errors
///
/// When serde cannot write a text, which it always can.
pub(super) fn lay(body: &DecisionBody<'_>, bytes: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let DecisionBody {
        eligible,
        reference,
        contact: ContactName { id, number },
        kind,
        as_of,
        reasons,
        next_eligible_at,
        consent,
        session_window: WindowBody { open, closes_at },
        recipient_identity_key_hash,
    } = body;
    let mut pen = Pen { bytes };
    pen.raw("{\"eligible\":");
    pen.truth(*eligible);
    if let Some(reference) = reference {
        pen.raw(",\"ref\":");
        pen.json(reference)?;
    }
    pen.raw(",\"contact\":{\"id\":");
    match id {
        Some(id) => {
            let mut text = uuid::Uuid::encode_buffer();
            pen.quoted(id.as_uuid().hyphenated().encode_lower(&mut text));
        }
        None => pen.raw("null"),
    }
    pen.raw(",\"number\":");
    pen.json(number)?;
    pen.raw("},\"kind\":");
    pen.raw(match kind {
        MessageKind::Template => "\"template\"",
        MessageKind::Session => "\"session\"",
    });
    pen.raw(",\"as_of\":");
    pen.json(&as_of.0)?;
    pen.raw(",\"reasons\":[");
    for (place, reason) in reasons.iter().enumerate() {
        pen.raw(if place == 0 { "" } else { "," });
        pen.reason(reason)?;
    }
    pen.raw("],\"next_eligible_at\":");
    pen.moment(*next_eligible_at);
    pen.raw(",\"consent\":");
    match consent {
        Some(consent) => pen.consent(consent)?,
        None => pen.raw("null"),
    }
    pen.raw(",\"session_window\":{\"open\":");
    pen.truth(*open);
    pen.raw(",\"closes_at\":");
    pen.moment(*closes_at);
    pen.raw("},\"recipient_identity_key_hash\":");
    pen.json(recipient_identity_key_hash)?;
    pen.raw("}");
    Ok(())
}

struct Pen<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Pen<'_> {
    fn raw(&mut self, json: &str) {
        self.bytes.extend_from_slice(json.as_bytes());
    }

    fn truth(&mut self, truth: bool) {
        self.raw(if truth { "true" } else { "false" });
    }

    /// Writes a text in which nothing needs escaping.
    fn quoted(&mut self, text: &str) {
        self.raw("\"");
        self.raw(text);
        self.raw("\"");
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), serde_json::Error> {
        serde_json::to_writer(&mut *self.bytes, value)
    }

    fn moment(&mut self, moment: Option<Moment>) {
        match moment {
            Some(Moment(at)) => self.quoted(at.rfc3339().as_str()),
            None => self.raw("null"),
        }
    }

    fn reason(&mut self, reason: &ReasonBody) -> Result<(), serde_json::Error> {
        let ReasonBody { code, scope, since, seq, retry_at, fix, rules } = reason;
        self.raw("{\"code\":");
        self.json(code)?;
        self.raw(",\"scope\":");
        self.json(scope)?;
        self.raw(",\"since\":");
        self.moment(*since);
        self.raw(",\"seq\":");
        self.json(seq)?;
        self.raw(",\"retry_at\":");
        self.moment(*retry_at);
        self.raw(",\"fix\":");
        self.json(fix)?;
        if !rules.is_empty() {
            self.raw(",\"rules\":");
            self.json(rules)?;
        }
        self.raw("}");
        Ok(())
    }

    fn consent(&mut self, consent: &ConsentBody<'_>) -> Result<(), serde_json::Error> {
        let ConsentBody { topic, status, granted_at, expires_at, seq, basis } = consent;
        self.raw("{\"topic\":");
        self.json(topic)?;
        self.raw(",\"status\":");
        self.raw(match status {
            ConsentStatus::NeverAsked => "\"never_asked\"",
            ConsentStatus::Pending => "\"pending\"",
            ConsentStatus::Granted => "\"granted\"",
            ConsentStatus::Expired => "\"expired\"",
            ConsentStatus::Withdrawn => "\"withdrawn\"",
        });
        self.raw(",\"granted_at\":");
        self.moment(*granted_at);
        self.raw(",\"expires_at\":");
        self.moment(*expires_at);
        self.raw(",\"seq\":");
        self.json(seq)?;
        if let Some(basis) = basis {
            self.raw(",\"basis\":");
            self.quoted(basis.name());
        }
        self.raw("}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{entry::Seq, ids::ContactId, reason::TABLE, time::Timestamp},
        policy::ConsentBasis,
    };

    fn moment() -> impl Strategy<Value = Option<Moment>> {
        let ms = prop_oneof![any::<i64>(), 0..2_000_000_000_000_i64];
        option::of(ms.prop_map(|ms| Moment(Timestamp::from_unix_ms(ms))))
    }

    fn seq() -> impl Strategy<Value = Option<Seq>> {
        option::of(any::<u64>().prop_map(Seq))
    }

    fn reason() -> impl Strategy<Value = ReasonBody> {
        let rules = prop::collection::vec("[a-z]{1,4}@[0-9]/[a-z\"]{1,4}", 0..3);
        let parts = (0..TABLE.len(), moment(), seq(), moment(), rules);
        parts.prop_map(|(row, since, seq, retry_at, rules)| {
            let row = &TABLE[row];
            let (code, scope, fix) = (row.code, row.scope.code(), row.fix);
            ReasonBody { code, scope, since, seq, retry_at, fix, rules }
        })
    }

    fn basis() -> impl Strategy<Value = Option<ConsentBasis>> {
        option::of(prop::sample::select(ConsentBasis::ALL.to_vec()))
    }

    fn status() -> impl Strategy<Value = ConsentStatus> {
        prop::sample::select(vec![
            ConsentStatus::NeverAsked,
            ConsentStatus::Pending,
            ConsentStatus::Granted,
            ConsentStatus::Expired,
            ConsentStatus::Withdrawn,
        ])
    }

    proptest! {
        #[test]
        fn every_byte_is_serdes(
            (eligible, open, is_session) in any::<(bool, bool, bool)>(),
            texts in prop::array::uniform4(option::of("[ -~\\PC\\n\"\\\\]{0,20}")),
            id in option::of(any::<u128>()),
            as_of in any::<u64>(),
            reasons in prop::collection::vec(reason(), 0..4),
            consent in option::of((status(), moment(), moment(), seq(), basis())),
            (next_eligible_at, closes_at) in (moment(), moment()),
        ) {
            let [reference, number, topic, hash] = &texts;
            let topic = topic.as_deref().unwrap_or("promotions");
            let body = DecisionBody {
                eligible,
                reference: reference.as_deref(),
                contact: ContactName {
                    id: id.map(|bits| ContactId::from_uuid(Uuid::from_u128(bits))),
                    number: number.as_deref(),
                },
                kind: if is_session { MessageKind::Session } else { MessageKind::Template },
                as_of: Seq(as_of),
                reasons,
                next_eligible_at,
                consent: consent.map(|(status, granted_at, expires_at, seq, basis)| {
                    ConsentBody { topic, status, granted_at, expires_at, seq, basis }
                }),
                session_window: WindowBody { open, closes_at },
                recipient_identity_key_hash: hash.as_deref(),
            };
            let mut laid = b"before".to_vec();
            lay(&body, &mut laid).unwrap();
            let expected = format!("before{}", serde_json::to_string(&body).unwrap());
            prop_assert_eq!(String::from_utf8(laid).unwrap(), expected);
        }
    }
}

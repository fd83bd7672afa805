//! Calls. One that the person makes opens the window like a message; what becomes of ours, and of
//! the call itself, decides nothing.
//!
//! Source: Meta, "User-initiated calls" and "Calling API and webhook reference", November 2025.

use crate::whatsapp::{
    facts::{Conclusion, Context, DedupeKey, Inbound, MessageKind, Private},
    payload::{
        defects::Part,
        envelope::{ReadError, unknown},
        inbound::{id_and_moment, sender},
        people::Cards,
        shape,
        sink::{Origin, Sink},
        view::View,
    },
};

/// WhatsApp's word for calls that the person makes.
const BY_THE_PERSON: &str = "USER_INITIATED";

/// Reads the calls of an update, each on its own.
pub(super) fn calls(
    value: View<'_, '_>,
    origin: &Origin,
    sink: &mut Sink,
) -> Result<(), ReadError> {
    if !sink.has_room(value.len("calls")) {
        return Err(ReadError::TooMuch);
    }
    let cards = Cards::read(value);
    for node in value.list("calls") {
        if let Some(call) = View::of(node, Part::Message, value.defects()) {
            self::call(call, &cards, origin, sink);
        }
    }
    if !value.has("calls") || value.has("statuses") {
        unknown(value, origin, sink);
    }
    Ok(())
}

/// Reads the begin or the end of one call: each shows at its own moment that the person called.
fn call(call: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    let event = call.word("event").map(str::to_ascii_lowercase).unwrap_or_default();
    let direction = call.word("direction").unwrap_or_default();
    let is_known = matches!(event.as_str(), "connect" | "terminate");
    let (id, at) = id_and_moment(call);
    let key = id
        .as_ref()
        .map(|id: &Private| DedupeKey::of(&[b"call", id.expose().as_bytes(), event.as_bytes()]));
    if !is_known || !direction.eq_ignore_ascii_case(BY_THE_PERSON) {
        let shape = shape::labelled("call", call.word("event"));
        sink.add(origin, at, key, Conclusion::Unknown { field: origin.field.clone(), shape });
        return;
    }
    let known = cards.complete_sender(sender(call));
    if known.person.is_nobody() {
        call.fault("from");
        return;
    }
    let kind = MessageKind::Call;
    let inbound = Inbound {
        message: id,
        person: known.person,
        opens_window: kind.opens_window(),
        answer: None,
        context: Context::default(),
        referral: None,
        shared_number: None,
        identity_hash: known.identity_hash,
        group: None,
        faults: Vec::new(),
        kind,
    };
    sink.add(origin, at, key, Conclusion::Inbound(Box::new(inbound)));
}

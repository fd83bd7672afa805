//! Statuses of messages of ours, and errors that belong to none.

use crate::{
    domain::time::Timestamp,
    whatsapp::{
        errors::Action,
        facts::{
            Conclusion, Conversation, DedupeKey, DeliveryState, Fault, IdentityMismatch, Person,
            Pricing, Private, Status,
        },
        payload::{
            defects::Part,
            inbound::id_and_moment,
            people::Cards,
            shape,
            sink::{Origin, Sink},
            view::View,
        },
    },
};

/// Reads the statuses of an update, each on its own.
pub(super) fn statuses(value: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    for node in value.list("statuses") {
        if let Some(status) = View::of(node, Part::Status, value.defects()) {
            one(status, cards, origin, sink);
        }
    }
}

/// Reads the errors of an update that name no message.
pub(super) fn trouble(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let faults = faults(value);
    if !faults.is_empty() {
        sink.add_of_value(origin, value.node(), Conclusion::Trouble(faults));
    }
}

/// Reads the errors of a message, a status or an update.
pub(super) fn faults(item: View<'_, '_>) -> Vec<Fault> {
    let nodes = item.list("errors").iter();
    nodes.filter_map(|node| fault(View::of(node, Part::Fault, item.defects())?)).collect()
}

/// Reads one error: its code and, in either of two places, its details.
pub(in crate::whatsapp) fn fault(fault: View<'_, '_>) -> Option<Fault> {
    let Some(code) = fault.integer("code") else {
        if !fault.has("code") {
            fault.fault("code");
        }
        return None;
    };
    let data = fault.object("error_data");
    Some(Fault { code, details: data.and_then(|data| data.details()) })
}

fn one(status: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    let Some(word) = status.word("status") else {
        if !status.has("status") {
            status.fault("status");
        }
        return;
    };
    let (message, at) = id_and_moment(status);
    let Some(state) = DeliveryState::of_word(word) else {
        let shape = shape::labelled("status", Some(word));
        let unknown = Conclusion::Unknown { field: origin.field.clone(), shape };
        let key = message
            .as_ref()
            .map(|id| DedupeKey::of(&[b"status", id.expose().as_bytes(), word.as_bytes(), b""]));
        sink.add(origin, at, key, unknown);
        return;
    };
    let (recipient, group) = recipient(status);
    let recipient = cards.complete(recipient).person;
    let key = key(message.as_ref(), state, group.is_some().then_some(&recipient));
    let status = Status {
        state,
        group,
        callback: status.private("biz_opaque_callback_data"),
        identity_hash: status.private("recipient_identity_key_hash"),
        faults: faults(status),
        pricing: status.object("pricing").map(pricing),
        conversation: status.object("conversation").map(conversation),
        message,
        recipient,
    };
    let mismatch = mismatch(&status);
    sink.add(origin, at, key, Conclusion::Status(Box::new(status)));
    if let Some(mismatch) = mismatch {
        add_mismatch(mismatch, at, origin, sink);
    }
}

/// Returns the key of a status: message and state; in a group there is one for each member.
fn key(
    message: Option<&Private>,
    state: DeliveryState,
    member: Option<&Person>,
) -> Option<DedupeKey> {
    let member = member.and_then(Person::identifier).map_or("", Private::expose);
    let word = state.word().as_bytes();
    Some(DedupeKey::of(&[b"status", message?.expose().as_bytes(), word, member.as_bytes()]))
}

/// Returns to whom a message went, and the group if it went to one.
fn recipient(status: View<'_, '_>) -> (Person, Option<Private>) {
    if status.word("recipient_type") == Some("group") {
        let wa_id = status.wa_id("recipient_participant_id");
        return (Person { wa_id, ..Person::default() }, status.private("recipient_id"));
    }
    // The parent's id was named the other way round until May 2026.
    let parent = status.user_id("recipient_parent_user_id");
    let person = Person {
        wa_id: status.wa_id("recipient_id"),
        user_id: status.user_id("recipient_user_id"),
        parent_user_id: parent.or_else(|| status.user_id("parent_recipient_user_id")),
        username: None,
    };
    (person, None)
}

fn pricing(pricing: View<'_, '_>) -> Pricing {
    Pricing {
        kind: pricing.kept("type"),
        category: pricing.kept("category"),
        model: pricing.kept("pricing_model"),
        billable: pricing.flag("billable"),
    }
}

fn conversation(conversation: View<'_, '_>) -> Conversation {
    Conversation {
        id: conversation.id("id"),
        origin: conversation.object("origin").and_then(|origin| origin.kept("type")),
        ends_at: conversation.moment("expiration_timestamp"),
    }
}

/// Returns that the recipient's identity is another, if that is why the message failed.
fn mismatch(status: &Status) -> Option<IdentityMismatch> {
    let is_other = |fault: &Fault| fault.rule().action == Action::Identity;
    let failed = status.state == DeliveryState::Failed && status.faults.iter().any(is_other);
    failed.then(|| IdentityMismatch {
        message: status.message.clone(),
        recipient: status.recipient.clone(),
        callback: status.callback.clone(),
    })
}

fn add_mismatch(
    mismatch: IdentityMismatch,
    at: Option<Timestamp>,
    origin: &Origin,
    sink: &mut Sink,
) {
    let message = mismatch.message.as_ref();
    let key = message.map(|id| DedupeKey::of(&[b"mismatch", id.expose().as_bytes()]));
    sink.add(origin, at, key, Conclusion::IdentityMismatch(mismatch));
}

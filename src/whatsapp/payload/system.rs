//! System messages: what WhatsApp says about a person, in the words of every generation.
//!
//! They come without contacts, and none is looked at: one could be of the person before or after.
//!
//! Source: Meta, "system messages webhook reference", "Business-scoped user IDs", "Changelog" of 11
//! August 2026, and the On-Premises API; read November 2026.

use crate::whatsapp::{
    facts::{Conclusion, IdentityChanged, NumberChanged, Person, Private, UserIdChanged},
    payload::{
        defects::Part,
        inbound::{id_and_moment, key, sender},
        shape,
        sink::{Origin, Sink},
        view::View,
    },
};

/// Reads a system message.
pub(super) fn message(message: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let (id, at) = id_and_moment(message);
    let Some(system) = message.object("system") else {
        message.fault("system");
        return;
    };
    let conclusion = match kind(system) {
        Some(Kind::Number) => number_changed(message, system),
        Some(Kind::UserId) => user_id_changed(message, system),
        Some(Kind::Identity) => identity_changed(message, system),
        None => {
            let shape = shape::labelled("system", system.word("type"));
            Some(Conclusion::Unknown { field: origin.field.clone(), shape })
        }
    };
    match conclusion {
        Some(conclusion) => sink.add(origin, at, key(id.as_ref()), conclusion),
        None => message.fault("from"),
    }
}

enum Kind {
    Number,
    UserId,
    Identity,
}

/// Returns what a system message is about: by its type, or without one by its looks.
fn kind(system: View<'_, '_>) -> Option<Kind> {
    let word = system.word("type").map(str::to_ascii_lowercase);
    match word.as_deref() {
        Some("user_changed_number" | "customer_changed_number") => Some(Kind::Number),
        Some("user_changed_user_id") => Some(Kind::UserId),
        Some("customer_identity_changed" | "user_identity_changed") => Some(Kind::Identity),
        None if system.has("identity") => Some(Kind::Identity),
        None if system.has("wa_id") || system.has("new_wa_id") => Some(Kind::Number),
        None if system.has("previous_user_id") && system.has("user_id") => Some(Kind::UserId),
        // A type nobody knows settles it, whatever else is there.
        Some(_) | None => None,
    }
}

/// Returns the number the message is from, or the one that older messages name inside. Nobody moves to
/// the number they are at: a message from the new one tells the old one inside.
fn old_number(
    message: View<'_, '_>,
    system: View<'_, '_>,
    new: Option<&Private>,
) -> Option<Private> {
    let inside = system.wa_id("customer").or_else(|| system.wa_id("user"));
    let from = message.wa_id("from");
    let is_new = from.is_some() && from.as_ref() == new;
    match inside {
        Some(inside) if is_new => Some(inside),
        inside => from.or(inside),
    }
}

/// Takes for the former what is named so. Which user id the message itself carries, no page says;
/// where nothing else tells who moved it is taken, unless it is the new one.
fn number_changed(message: View<'_, '_>, system: View<'_, '_>) -> Option<Conclusion> {
    let new = Person {
        wa_id: system.wa_id("wa_id").or_else(|| system.wa_id("new_wa_id")),
        ..current(system)
    };
    let old_number = old_number(message, system, new.wa_id.as_ref());
    let mut old = Person { wa_id: old_number, ..previous(system) };
    if old.is_nobody() {
        let own = message.user_id("from_user_id");
        old.user_id = own.filter(|id| new.user_id.as_ref() != Some(id));
    }
    let is_told = !old.is_nobody();
    is_told.then_some(Conclusion::NumberChanged(NumberChanged { old, new }))
}

fn user_id_changed(message: View<'_, '_>, system: View<'_, '_>) -> Option<Conclusion> {
    let old = Person { wa_id: message.wa_id("from"), ..previous(system) };
    let new = Person { wa_id: system.wa_id("wa_id"), ..current(system) };
    let is_told = !(old.is_nobody() && new.is_nobody());
    is_told.then_some(Conclusion::UserIdChanged(UserIdChanged { old, new }))
}

fn previous(system: View<'_, '_>) -> Person {
    Person {
        user_id: system.user_id("previous_user_id"),
        parent_user_id: system.user_id("previous_parent_user_id"),
        ..Person::default()
    }
}

fn current(system: View<'_, '_>) -> Person {
    Person {
        user_id: system.user_id("user_id"),
        parent_user_id: system.user_id("parent_user_id"),
        ..Person::default()
    }
}

fn identity_changed(message: View<'_, '_>, system: View<'_, '_>) -> Option<Conclusion> {
    let inside = system.wa_id("customer").or_else(|| system.wa_id("user"));
    let sender = sender(message);
    let person = Person { wa_id: inside.or_else(|| sender.wa_id.clone()), ..sender };
    let block = system.node().get("identity").filter(|node| node.text().is_none());
    let block = block.and_then(|node| View::of(node, Part::Message, system.defects()));
    let (hash, acknowledged, made_at) = match block {
        Some(block) => (
            block.private("hash"),
            block.flag("acknowledged").unwrap_or(false),
            block.moment_ms("created_timestamp"),
        ),
        None => (system.private("identity"), false, None),
    };
    let is_told = !person.is_nobody();
    let changed = IdentityChanged { person, hash, acknowledged, made_at };
    is_told.then_some(Conclusion::IdentityChanged(changed))
}

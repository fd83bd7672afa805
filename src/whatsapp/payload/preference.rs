//! Wishes about marketing, and changes of user ids as they were first documented.
//!
//! Source: Meta, "`user_preferences` webhook reference", copy of September 2026; "Business-scoped
//! user IDs" of March to July 2026 for `user_id_update`, which the changelog of 11 August 2026
//! takes back.

use crate::whatsapp::{
    facts::{Conclusion, DedupeKey, Person, Preference, PreferenceChoice, Private, UserIdChanged},
    payload::{
        defects::Part,
        people::Cards,
        shape,
        sink::{Origin, Sink},
        view::View,
    },
};

/// The one category there is.
const MARKETING: &str = "marketing_messages";

/// Reads the wishes of an update, each on its own.
pub(super) fn preferences(value: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    for node in value.list("user_preferences") {
        if let Some(wish) = View::of(node, Part::Preference, value.defects()) {
            preference(wish, cards, origin, sink);
        }
    }
}

fn preference(wish: View<'_, '_>, cards: &Cards, origin: &Origin, sink: &mut Sink) {
    let own = Person {
        wa_id: wish.wa_id("wa_id"),
        user_id: wish.user_id("user_id"),
        parent_user_id: wish.user_id("parent_user_id"),
        username: None,
    };
    // Without identifiers of its own it can only be of the one contact there is.
    let person = cards.complete_sender(own).person;
    if person.is_nobody() {
        wish.fault("wa_id");
        return;
    }
    let Some(word) = wish.word("value") else {
        if !wish.has("value") {
            wish.fault("value");
        }
        return;
    };
    let at = wish.moment("timestamp");
    if !wish.has("timestamp") {
        wish.fault("timestamp");
    }
    let key = at.zip(person.identifier()).map(|(at, identifier)| {
        DedupeKey::of(&[
            b"preference",
            identifier.expose().as_bytes(),
            word.to_ascii_lowercase().as_bytes(),
            wish.word("category").unwrap_or(MARKETING).as_bytes(),
            &at.unix_ms().to_be_bytes(),
        ])
    });
    let choice = match word.to_ascii_lowercase().as_str() {
        "stop" => PreferenceChoice::Stop,
        "resume" => PreferenceChoice::Resume,
        _ => {
            let shape = shape::labelled("preference", Some(word));
            let field = origin.field.clone();
            sink.add(origin, at, key, Conclusion::Unknown { field, shape });
            return;
        }
    };
    let other_category = wish.word("category").filter(|word| *word != MARKETING).map(Box::from);
    let preference = Preference { person, choice, other_category };
    sink.add(origin, at, key, Conclusion::Preference(preference));
}

/// Reads the changes of user ids of an update, each on its own.
pub(super) fn user_ids(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    for node in value.list("user_id_update") {
        if let Some(update) = View::of(node, Part::Preference, value.defects()) {
            user_id(update, origin, sink);
        }
    }
}

fn user_id(update: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let wa_id = update.wa_id("wa_id");
    let (own, parent) = (update.object("user_id"), update.object("parent_user_id"));
    let side = |member: &'static str| Person {
        wa_id: wa_id.clone(),
        user_id: own.and_then(|ids| ids.user_id(member)),
        parent_user_id: parent.and_then(|ids| ids.user_id(member)),
        username: None,
    };
    let (old, new) = (side("previous"), side("current"));
    if old.user_id.is_none() && new.user_id.is_none() {
        update.fault("user_id");
        return;
    }
    let at = update.moment("timestamp");
    let key = at.map(|at| {
        let [from, to] = [&old, &new].map(|side| side.user_id.as_ref().map_or("", Private::expose));
        let at = at.unix_ms().to_be_bytes();
        DedupeKey::of(&[b"user_id", from.as_bytes(), to.as_bytes(), &at])
    });
    sink.add(origin, at, key, Conclusion::UserIdChanged(UserIdChanged { old, new }));
}

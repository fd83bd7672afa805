//! From the identifiers a webhook carries to a person the ledger can find.

use crate::{
    domain::{
        command::{NumberIdentifier, Person, UserIdentifier},
        ids::ContactId,
        phone::PhoneNumber,
    },
    http::{edge::Edge, person},
    numbers,
    whatsapp::{self, Private, SharedNumber},
};

/// Returns whom a fact names; nothing if it names nobody.
///
/// A parent business's user id stands in only where nothing else is there.
pub(super) fn person(edge: &Edge, named: &whatsapp::Person) -> Option<Person> {
    let number = named.wa_id.as_ref().and_then(|wa_id| number(edge, wa_id));
    let user = named.user_id.as_ref().or_else(|| {
        let is_only = number.is_none();
        named.parent_user_id.as_ref().filter(|_| is_only)
    });
    let user = user.map(|user_id| self::user(edge, user_id));
    if number.is_none() && user.is_none() {
        return None;
    }
    Some(Person { number, user, new_id: ContactId::from_uuid(edge.ids.next()) })
}

/// Returns a user id and its key.
pub(super) fn user(edge: &Edge, user_id: &Private) -> UserIdentifier {
    let user_id = user_id.expose();
    UserIdentifier { user_id: user_id.into(), key: edge.indexer.user(user_id) }
}

/// Returns a number as WhatsApp spells it, under the spelling its person is kept under. Its length
/// is not doubted: WhatsApp delivers to it.
pub(super) fn number(edge: &Edge, wa_id: &Private) -> Option<NumberIdentifier> {
    let contact = numbers::from_wa_id(wa_id.expose()).ok()?;
    let spellings = &contact.spellings();
    let canonical = spellings.canonical();
    let number = PhoneNumber::parse(canonical.as_str()).ok()?;
    let parsed = numbers::parse(canonical.as_str(), None).ok();
    let written = (contact.wa_id() != canonical.digits()).then(|| Box::from(contact.wa_id()));
    Some(NumberIdentifier {
        number,
        key: edge.indexer.number(canonical.as_str()),
        is_valid: parsed.as_ref().is_some_and(numbers::Number::valid),
        home: parsed.as_ref().map(person::home).unwrap_or_default(),
        written,
        weak: person::weak_keys(&edge.indexer, spellings),
    })
}

/// Returns the number a person shared as their own.
pub(super) fn shared(edge: &Edge, shared: &SharedNumber) -> Option<NumberIdentifier> {
    if let Some(found) = shared.wa_id.as_ref().and_then(|wa_id| number(edge, wa_id)) {
        return Some(found);
    }
    let card = shared.number.as_ref()?;
    person::number(edge, card.expose(), None).ok()
}

/// Returns the two letters of the country whose number somebody has.
pub(super) fn region(named: &whatsapp::Person) -> Option<numbers::Region> {
    let contact = numbers::from_wa_id(named.wa_id.as_ref()?.expose()).ok()?;
    let canonical = contact.spellings().canonical();
    numbers::parse(canonical.as_str(), None).ok()?.region()
}

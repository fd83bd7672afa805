//! All contacts, found by place, by key and by id.
//!
//! Indexes hold only places and look at the contact itself to compare, so that a million contacts
//! cost a few bytes each beyond their facts. Their order never shows.

use std::collections::BTreeMap;

use hashbrown::HashTable;

use crate::domain::{contact::Contact, entry::Subject, ids::ContactId, key::ContactKey};

/// Most contacts one ledger can hold.
pub const CONTACTS_MAX: u32 = u32::MAX - 1;

/// All contacts. Place 0 is the service itself and always empty.
#[derive(Debug, Clone, Default)]
pub struct Contacts {
    places: Vec<Option<Contact>>,
    by_number: HashTable<u32>,
    by_user: HashTable<u32>,
    by_wa: HashTable<u32>,
    /// By user ids that contacts had before the one they have: few do.
    by_former: BTreeMap<ContactKey, u32>,
    by_id: HashTable<u32>,
}

impl Contacts {
    /// Returns the contact at a place, if one is known there.
    pub fn get(&self, subject: Subject) -> Option<&Contact> {
        self.places.get(index(subject)?)?.as_ref()
    }

    /// Returns the place of the contact this key leads to: of the one that stayed, if the one with
    /// the key became part of another.
    pub fn find(&self, key: ContactKey) -> Option<Subject> {
        self.find_by(key, |_| true).map(|place| self.resolve(place))
    }

    /// Returns the place of the contact this id leads to.
    pub fn find_id(&self, id: ContactId) -> Option<Subject> {
        self.place_of_id(id).map(|place| self.resolve(place))
    }

    /// Returns the place of the contact that brought this key: a contact that stayed may have taken
    /// over the keys of one that became part of it.
    pub fn place_of(&self, key: ContactKey) -> Option<Subject> {
        let is_merged = |contact: &Contact| contact.details().merged_into.is_some();
        self.find_by(key, is_merged).or_else(|| self.find_by(key, |_| true))
    }

    fn find_by(&self, key: ContactKey, fits: impl Fn(&Contact) -> bool) -> Option<Subject> {
        let hash = hash_key(key);
        let key = Some(key);
        let by_number = |place: &u32| self.has(*place, |c| c.number_key == key && fits(c));
        let by_user = |place: &u32| self.has(*place, |c| c.user_key == key && fits(c));
        let by_wa = |place: &u32| self.has(*place, |c| c.aliases().wa_key == key && fits(c));
        let found = self.by_number.find(hash, by_number);
        let found = found.or_else(|| self.by_user.find(hash, by_user));
        let found = found.or_else(|| self.by_wa.find(hash, by_wa));
        let by_former = || {
            let found = key.and_then(|key| self.by_former.get(&key));
            found.filter(|place| self.has(**place, &fits))
        };
        found.or_else(by_former).map(|place| subject(*place))
    }

    /// Returns the place of the contact that has this id itself.
    pub fn place_of_id(&self, id: ContactId) -> Option<Subject> {
        let found = self.by_id.find(hash_id(id), |place| self.has(*place, |c| c.id == id));
        found.map(|place| subject(*place))
    }

    /// Returns the place of the contact that stayed where the one at `place` became part of it.
    pub fn resolve(&self, place: Subject) -> Subject {
        follow(place, |place| self.get(place))
    }

    /// Returns the place the next new contact takes.
    pub fn next(&self) -> Subject {
        subject(u32::try_from(self.places.len()).unwrap_or(CONTACTS_MAX))
    }

    /// Returns how many places are taken, erased contacts included.
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether nobody is known.
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the contacts at places from `from` on, in order.
    pub fn from(&self, from: Subject) -> impl Iterator<Item = (Subject, &Contact)> {
        let start = index(from).unwrap_or(0);
        let tail = self.places.get(start..).unwrap_or_default();
        tail.iter().enumerate().filter_map(move |(offset, contact)| {
            let place = u32::try_from(start + offset).ok()?;
            contact.as_ref().map(|contact| (subject(place), contact))
        })
    }

    pub(super) fn get_mut(&mut self, subject: Subject) -> Option<&mut Contact> {
        self.places.get_mut(index(subject)?)?.as_mut()
    }

    /// Puts a contact at its place and keeps the indexes true. Keys are only ever added:
    /// a user id that is replaced leads there still.
    pub(super) fn set(&mut self, at: Subject, contact: Contact) {
        let Some(place) = index(at) else { return };
        self.skip_to(at);
        let Some(slot) = self.places.get_mut(place) else { return };
        let before = slot.replace(contact);
        let Some(now) = self.places.get(place).and_then(Option::as_ref) else { return };
        let (number_key, user_key, id) = (now.number_key, now.user_key, now.id);
        let known = before.as_ref();
        let wa_key = now.aliases().wa_key;
        let former = now.aliases().users.clone();
        let Self { places, by_number, by_user, by_wa, by_former, by_id } = self;
        let Ok(place) = u32::try_from(place) else { return };
        if let Some(key) =
            known.and_then(|known| known.user_key).filter(|key| user_key != Some(*key))
            && let Ok(entry) = by_user.find_entry(hash_key(key), |p| *p == place)
        {
            entry.remove();
        }
        for key in former {
            by_former.entry(key).or_insert(place);
        }
        let at = |place: &u32| usize::try_from(*place).ok().and_then(|p| places.get(p)?.as_ref());
        if known.is_none() {
            by_id.insert_unique(hash_id(id), place, |p| at(p).map_or(0, |c| hash_id(c.id)));
        }
        if let Some(key) = number_key
            && known.is_none_or(|known| known.number_key != Some(key))
        {
            let hasher = |p: &u32| at(p).and_then(|c| c.number_key).map_or(0, hash_key);
            by_number.insert_unique(hash_key(key), place, hasher);
        }
        if let Some(key) = user_key
            && known.is_none_or(|known| known.user_key != Some(key))
        {
            let hasher = |p: &u32| at(p).and_then(|c| c.user_key).map_or(0, hash_key);
            by_user.insert_unique(hash_key(key), place, hasher);
        }
        if let Some(key) = wa_key
            && known.is_none_or(|known| known.aliases().wa_key != Some(key))
        {
            let hasher = |p: &u32| at(p).and_then(|c| c.aliases().wa_key).map_or(0, hash_key);
            by_wa.insert_unique(hash_key(key), place, hasher);
        }
    }

    /// Leaves every place up to and including `at` in existence, empty where nobody is known.
    pub(super) fn skip_to(&mut self, at: Subject) {
        let Some(place) = index(at) else { return };
        while self.places.len() <= place {
            self.places.push(None);
        }
    }

    fn has(&self, place: u32, is_it: impl Fn(&Contact) -> bool) -> bool {
        self.get(subject(place)).is_some_and(is_it)
    }
}

/// Follows what contacts became part of. The rules make no circle; one in a damaged ledger ends
/// somewhere in it.
pub(super) fn follow<'a>(
    place: Subject,
    contact: impl Fn(Subject) -> Option<&'a Contact>,
) -> Subject {
    let (mut at, mut steps) = (place, 0_u32);
    while let Some((into, _)) = contact(at).and_then(|contact| contact.details().merged_into)
        && steps < CONTACTS_MAX
    {
        at = into;
        steps += 1;
    }
    at
}

/// Equal when the same contacts are at the same places; the indexes follow from them.
impl PartialEq for Contacts {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

/// Contacts are counted from 1 because 0 is the service; places in memory from 0.
fn index(subject: Subject) -> Option<usize> {
    usize::try_from(subject.0.checked_sub(1)?).ok()
}

const fn subject(place: u32) -> Subject {
    Subject(place.saturating_add(1))
}

/// Keys are keyed hashes already: half of one is as good a hash as any.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "half a hash is a hash"
)]
const fn hash_key(key: ContactKey) -> u64 {
    key.bits() as u64
}

/// The low half of a UUID v7 is random.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "half a hash is a hash"
)]
const fn hash_id(id: ContactId) -> u64 {
    id.as_uuid().as_u128() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn contact(n: u128) -> Contact {
        let number = Some(ContactKey::from_bits(n << 1));
        Contact::new(ContactId::from_uuid(Uuid::from_u128(n)), number, None)
    }

    proptest! {
        #[test]
        fn every_contact_is_found_by_each_of_its_keys(count in 1_u32..300) {
            let mut contacts = Contacts::default();
            for n in 1..=count {
                contacts.set(Subject(n), contact(u128::from(n)));
            }
            for n in 1..=count {
                let mut linked = contact(u128::from(n));
                linked.user_key = Some(ContactKey::from_bits((u128::from(n) << 1) + 1));
                contacts.set(Subject(n), linked);
            }
            for n in 1..=count {
                let bits = u128::from(n) << 1;
                prop_assert_eq!(contacts.find(ContactKey::from_bits(bits)), Some(Subject(n)));
                prop_assert_eq!(contacts.find(ContactKey::from_bits(bits + 1)), Some(Subject(n)));
                let id = ContactId::from_uuid(Uuid::from_u128(u128::from(n)));
                prop_assert_eq!(contacts.find_id(id), Some(Subject(n)));
            }
            prop_assert_eq!(contacts.find(ContactKey::from_bits(u128::MAX)), None);
            prop_assert_eq!(contacts.next(), Subject(count + 1));
        }
    }

    #[test]
    fn an_erased_place_stays_empty_and_is_not_given_to_another() {
        let mut contacts = Contacts::default();
        contacts.skip_to(Subject(2));
        assert_eq!(contacts.get(Subject(2)), None);
        assert_eq!(contacts.next(), Subject(3));
    }
}

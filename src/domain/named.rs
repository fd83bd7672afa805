//! By which of a person's identifiers something was said.
//!
//! A number or user id that was given up is somebody else's next: only what is said under it again
//! says anything of whoever has it now.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::domain::{command::Person, key::ContactKey};

/// The identifiers an act names a person by. The serde form is stored: members are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Named {
    /// The number, by its keyed hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_key: Option<ContactKey>,
    /// The business-scoped user id, by its keyed hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_key: Option<ContactKey>,
}

/// Stands for an identifier where only sameness within one contact matters: 32 bits of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyTag(NonZeroU32);

/// The same as [`Named`], in the room a contact in memory has for it. The serde form is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NameTags {
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<KeyTag>,
    /// The user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<KeyTag>,
}

impl Named {
    /// Returns by what a person is named.
    pub fn of(person: &Person) -> Self {
        Self {
            number_key: person.number.as_ref().map(|number| number.key),
            user_key: person.user.as_ref().map(|user| user.key),
        }
    }

    /// Returns these identifiers, and of the other ones those that are missing here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            number_key: self.number_key.or(other.number_key),
            user_key: self.user_key.or(other.user_key),
        }
    }

    /// Returns the number, or the user id where there is no number.
    pub fn first(self) -> Option<ContactKey> {
        self.number_key.or(self.user_key)
    }

    /// Returns what stands for these identifiers.
    pub fn tags(self) -> NameTags {
        NameTags { number: self.number_key.map(KeyTag::of), user: self.user_key.map(KeyTag::of) }
    }
}

impl KeyTag {
    /// Returns what stands for a key. The key is a keyed hash, so any 32 bits of it do.
    pub fn of(key: ContactKey) -> Self {
        let low = u32::try_from(key.bits() & u128::from(u32::MAX)).unwrap_or(u32::MAX);
        Self(NonZeroU32::new(low).unwrap_or(NonZeroU32::MIN))
    }
}

impl NameTags {
    /// Nobody: of what is no act under any identifier.
    pub const NONE: Self = Self { number: None, user: None };

    /// Returns whether one of these identifiers is among those.
    pub fn has_any(self, other: Self) -> bool {
        [other.number, other.user].into_iter().flatten().any(|tag| self.has(tag))
    }

    /// Returns whether an identifier is among these.
    pub fn has(self, tag: KeyTag) -> bool {
        [self.number, self.user].contains(&Some(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_tag_and_tags_of_other_keys_are_others() {
        let tag = |bits| KeyTag::of(ContactKey::from_bits(bits));
        assert_eq!(tag(1 << 40), tag(1 << 41), "no bits left");
        assert_ne!(tag(7), tag(8));
        let named = Named { number_key: Some(ContactKey::from_bits(7)), user_key: None };
        assert!(named.tags().has(tag(7)) && !named.tags().has(tag(8)));
        assert!(!NameTags::NONE.has(tag(1)));
    }
}

//! Who a message is from or a status is about: its own identifiers, completed by the contacts that
//! came with it where these are plainly the same person.

use crate::whatsapp::{
    facts::{Person, Private},
    payload::{defects::Part, view::View},
};

/// A person named beside messages and statuses. Names of people are not read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Card {
    person: Person,
    identity_hash: Option<Private>,
}

/// The contacts of one update.
#[derive(Debug, Default)]
pub(super) struct Cards {
    /// Those that name somebody.
    named: Vec<Card>,
    /// How many there are with those that cannot be read.
    count: usize,
}

/// What the contacts say of one person.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The person with all identifiers of the event.
    pub(super) person: Person,
    /// The identity hash behind the number.
    pub(super) identity_hash: Option<Private>,
}

impl Cards {
    /// Reads the contacts of an update.
    pub(super) fn read(value: View<'_, '_>) -> Self {
        let nodes = value.list("contacts");
        let views = nodes.iter().filter_map(|node| View::of(node, Part::Contact, value.defects()));
        let named = views.map(card).filter(|card| !card.person.is_nobody()).collect();
        Self { named, count: nodes.len() }
    }

    /// Completes the identifiers an item itself carries.
    ///
    /// A contact is the same person if it shares an identifier and contradicts none. If several
    /// that differ would do, none is taken: a wrong link is worse than a missing one.
    pub(super) fn complete(&self, own: Person) -> Known {
        let mut same = self.named.iter().filter(|card| is_same(&own, &card.person));
        let Some(card) = same.next() else {
            return Known { person: own, identity_hash: None };
        };
        if same.any(|other| other != card) {
            return Known { person: own, identity_hash: None };
        }
        Known { person: joined(own, &card.person), identity_hash: card.identity_hash.clone() }
    }

    /// The same for a message, whose sender is the only contact if the message names none.
    pub(super) fn complete_sender(&self, own: Person) -> Known {
        match self.named.as_slice() {
            [only] if own.is_nobody() && self.count == 1 => {
                Known { person: only.person.clone(), identity_hash: only.identity_hash.clone() }
            }
            _ => self.complete(own),
        }
    }
}

fn card(view: View<'_, '_>) -> Card {
    let username = view.object("profile").and_then(|profile| profile.private("username"));
    let person = Person {
        wa_id: view.wa_id("wa_id"),
        user_id: view.user_id("user_id"),
        parent_user_id: view.user_id("parent_user_id"),
        username,
    };
    Card { person, identity_hash: view.private("identity_key_hash") }
}

/// Returns whether two sets of identifiers share one and contradict each other in none.
fn is_same(one: &Person, other: &Person) -> bool {
    let pairs = [
        (&one.wa_id, &other.wa_id),
        (&one.user_id, &other.user_id),
        (&one.parent_user_id, &other.parent_user_id),
    ];
    let shares = pairs.iter().any(|(a, b)| a.is_some() && a == b);
    let contradicts = pairs.iter().any(|(a, b)| a.is_some() && b.is_some() && a != b);
    shares && !contradicts
}

fn joined(own: Person, card: &Person) -> Person {
    Person {
        wa_id: own.wa_id.or_else(|| card.wa_id.clone()),
        user_id: own.user_id.or_else(|| card.user_id.clone()),
        parent_user_id: own.parent_user_id.or_else(|| card.parent_user_id.clone()),
        username: own.username.or_else(|| card.username.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(wa_id: &str, user_id: &str) -> Person {
        let given = |text: &str| (!text.is_empty()).then(|| Private::new(text));
        Person { wa_id: given(wa_id), user_id: given(user_id), ..Person::default() }
    }

    fn cards(people: &[(&str, &str)]) -> Cards {
        let card = |&(wa_id, user_id): &(&str, &str)| Card {
            person: person(wa_id, user_id),
            identity_hash: Some(Private::new(&format!("hash of {wa_id}{user_id}"))),
        };
        Cards { named: people.iter().map(card).collect(), count: people.len() }
    }

    #[test]
    fn a_contact_that_shares_an_identifier_completes_the_person() {
        let known = cards(&[("1", "US.a"), ("2", "US.b")]).complete(person("2", ""));
        assert_eq!(known.person, person("2", "US.b"));
        assert_eq!(known.identity_hash.unwrap().expose(), "hash of 2US.b");
        assert_eq!(
            cards(&[("1", "US.a")]).complete(person("", "US.a")).person,
            person("1", "US.a")
        );
    }

    #[test]
    fn a_contact_that_contradicts_links_nothing() {
        let known = cards(&[("1", "US.a")]).complete(person("1", "US.other"));
        assert_eq!(known.person, person("1", "US.other"));
        assert_eq!(known.identity_hash, None);
    }

    #[test]
    fn two_contacts_that_differ_link_nothing_and_the_same_one_twice_does() {
        let known = cards(&[("1", "US.a"), ("1", "US.b")]).complete(person("1", ""));
        assert_eq!(known.person, person("1", ""));
        let known = cards(&[("1", "US.a"), ("1", "US.a")]).complete(person("1", ""));
        assert_eq!(known.person, person("1", "US.a"));
    }

    #[test]
    fn a_message_without_a_sender_is_from_the_only_contact() {
        let alone = cards(&[("1", "US.a")]);
        assert_eq!(alone.complete_sender(Person::default()).person, person("1", "US.a"));
        assert!(alone.complete(Person::default()).person.is_nobody());
        let two = cards(&[("1", "US.a"), ("2", "US.b")]);
        assert!(two.complete_sender(Person::default()).person.is_nobody());
        assert_eq!(alone.complete_sender(person("9", "")).person, person("9", ""));
        let beside_an_unreadable_one = Cards { count: 2, ..alone };
        assert!(beside_an_unreadable_one.complete_sender(Person::default()).person.is_nobody());
    }
}

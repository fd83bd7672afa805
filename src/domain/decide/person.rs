//! Rules about who a person is: found by what the caller knows of them, or new.

use std::borrow::Cow;

use crate::{
    domain::{
        command::{NumberIdentifier, OptIn, Person, UserIdentifier},
        consent::Consents,
        contact::Contact,
        decide::{Events, spelling},
        entry::Subject,
        event::Event,
        key::ContactKey,
        named::Named,
        refusal::Refusal,
        state::{CONTACTS_MAX, Draft},
        time::Timestamp,
    },
    policy::Country,
};

/// A person who is known now, or will be once the events so far are recorded.
pub(super) struct Found<'a> {
    /// Their place.
    pub(super) subject: Subject,
    /// What is known of them so far; `None` for somebody new.
    pub(super) known: Option<&'a Contact>,
    /// What they will have agreed to and withdrawn from.
    pub(super) consents: Cow<'a, Consents>,
    /// Weak spellings of the number they were named by.
    pub(super) weak: Vec<ContactKey>,
    /// By what they were named; by nothing where somebody else's act leads to them.
    pub(super) named: Named,
}

impl<'a> Found<'a> {
    /// A person who is known and was not named.
    pub(super) fn known(subject: Subject, known: &'a Contact) -> Self {
        let (consents, weak) = (Cow::Borrowed(&known.consents), Vec::new());
        Self { subject, known: Some(known), consents, weak, named: Named::default() }
    }

    /// Returns under which identifiers an act is that names them so, where those are not all of
    /// their own and no others.
    pub(super) fn under(&self) -> Option<Named> {
        let known = self.known?;
        let named = Named {
            number_key: self.named.number_key.map(|key| known.as_own(key)),
            user_key: self.named.user_key,
        };
        (named != known.own().or(named)).then_some(named)
    }
}

/// Returns whom an opt-in is about. Nobody has shown yet that a claim which awaits confirmation
/// comes from the person, so it joins no user id to a number: it is about the number alone.
pub(super) fn claimed(opt_in: &OptIn) -> Cow<'_, Person> {
    if opt_in.awaits_confirmation {
        by_number(&opt_in.person)
    } else {
        Cow::Borrowed(&opt_in.person)
    }
}

/// Returns a person as their number alone names them, or as they are named where they have none.
pub(super) fn by_number(person: &Person) -> Cow<'_, Person> {
    if person.number.is_some() && person.user.is_some() {
        Cow::Owned(Person { user: None, ..person.clone() })
    } else {
        Cow::Borrowed(person)
    }
}

/// Returns a person as each of their identifiers alone names them, the user id first.
pub(super) fn apart(person: &Person) -> [Person; 2] {
    let (by_user, by_number) = (person.clone(), person.clone());
    [Person { number: None, ..by_user }, Person { user: None, ..by_number }]
}

/// Finds the person, links an identifier that is new, or adds them. Whoever is known by a number
/// from now on has withdrawn from what was withdrawn from under its other spellings.
pub(super) fn find_or_add<'a>(
    draft: &'a Draft<'_>,
    person: &Person,
    now: Timestamp,
    events: &mut Events,
) -> Result<Found<'a>, Refusal> {
    let by_number = person.number.as_ref().and_then(|number| draft.find(number.key));
    let by_user = person.user.as_ref().and_then(|user| draft.find(user.key));
    let subject = match (by_number, by_user) {
        (Some(number), Some(user)) if number != user => return Err(Refusal::IdentifiersConflict),
        (Some(subject), _) | (None, Some(subject)) => subject,
        (None, None) => return add(draft, person, now, events),
    };
    let known = draft.contact(subject).ok_or(Refusal::ContactUnknown)?;
    let new_number = person.number.as_ref().filter(|number| {
        by_number.is_none() && {
            // A contact keeps its number: another one would be another person's claim.
            known.number_key.is_none() || known.number_key == Some(number.key)
        }
    });
    let new_user = person.user.as_ref().filter(|_| by_user.is_none() && known.user_key.is_none());
    let lost_number = person.number.is_some() && by_number.is_none() && new_number.is_none();
    let lost_user = person.user.is_some() && by_user.is_none() && new_user.is_none();
    if lost_number || lost_user {
        return Err(Refusal::IdentifiersConflict);
    }
    if new_number.is_some() || new_user.is_some() {
        let event = Event::IdentifierLinked {
            number: new_number.map(|number| number.number.clone()),
            number_key: new_number.map(|number| number.key),
            number_valid: new_number.is_some_and(|number| number.is_valid),
            user_id: new_user.map(|user| user.user_id.clone()),
            user_key: new_user.map(|user| user.key),
            weak_keys: new_number.map(|number| number.weak.clone()).unwrap_or_default(),
            country: new_number.map_or_else(
                || new_user.filter(|_| known.home.country.is_none()).and_then(country_of),
                |number| number.home.country,
            ),
            zone: new_number.and_then(|number| number.home.zone).map(|zone| zone.name().into()),
            seen_at: None,
        };
        events.push((subject, event));
        let weak = new_number.map(|number| number.weak.as_slice()).unwrap_or_default();
        spelling::spread(draft, (subject, &known.consents), weak, now, events);
    }
    let mut consents = Cow::Borrowed(&known.consents);
    take_over(draft, subject, new_number, &mut consents, now, events);
    let weak = person.number.as_ref().map(|number| number.weak.clone()).unwrap_or_default();
    Ok(Found { subject, known: Some(known), consents, weak, named: Named::of(person) })
}

fn add<'a>(
    draft: &'a Draft<'_>,
    person: &Person,
    now: Timestamp,
    events: &mut Events,
) -> Result<Found<'a>, Refusal> {
    // One entry may add two: whoever moved, and whom they are now.
    let is_added = |(_, event): &&(Subject, Event)| matches!(event, Event::ContactAdded { .. });
    let added = u32::try_from(events.iter().filter(is_added).count()).unwrap_or(u32::MAX);
    let subject = Subject(draft.next_contact().0.saturating_add(added));
    if person.number.is_none() && person.user.is_none() {
        return Err(Refusal::PersonUnnamed);
    }
    if subject.0 >= CONTACTS_MAX {
        return Err(Refusal::ContactsFull);
    }
    let number = person.number.as_ref();
    let user = person.user.as_ref();
    let event = Event::ContactAdded {
        contact: person.new_id,
        number: number.map(|number| number.number.clone()),
        number_key: number.map(|number| number.key),
        number_valid: number.is_some_and(|number| number.is_valid),
        user_id: user.map(|user| user.user_id.clone()),
        user_key: user.map(|user| user.key),
        weak_keys: number.map(|number| number.weak.clone()).unwrap_or_default(),
        country: number.map_or_else(|| user.and_then(country_of), |number| number.home.country),
        zone: number.and_then(|number| number.home.zone).map(|zone| zone.name().into()),
        seen_at: None,
    };
    events.push((subject, event));
    let mut consents = Cow::Owned(Consents::default());
    take_over(draft, subject, number, &mut consents, now, events);
    let weak = number.map(|number| number.weak.clone()).unwrap_or_default();
    Ok(Found { subject, known: None, consents, weak, named: Named::of(person) })
}

/// Returns the country a user id names, for people nobody knows a number of.
///
/// Source: Meta, "Business-scoped user IDs": two letters of ISO 3166-1, a dot, an opaque rest.
fn country_of(user: &UserIdentifier) -> Option<Country> {
    let (country, _) = user.user_id.split_once('.')?;
    Country::parse(country).ok()
}

fn take_over(
    draft: &Draft<'_>,
    subject: Subject,
    number: Option<&NumberIdentifier>,
    consents: &mut Cow<'_, Consents>,
    now: Timestamp,
    events: &mut Events,
) {
    if let Some(number) = number {
        spelling::take_over(draft, subject, number.key, consents, now, events);
    }
}

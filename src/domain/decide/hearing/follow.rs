//! What goes along when a person moves to another number, where policy lets it: what they agreed
//! to, with its own date and the entry that proves it, and always what restricts it.
//!
//! Whoever did something under the new number before may be somebody else, who is in doubt then:
//! only what restricts goes along to them. What the person withdrew before the move and is heard
//! after it goes along as well; what they agreed to and is heard after it does not.

use std::borrow::Cow;

use crate::domain::{
    absorbed::Mark,
    command::Person,
    consent::{Act, Consent, Consents, FullStop, TopicIx},
    contact::Contact,
    decide::{
        Events,
        consent::{outcome_of, outlasting},
        hearing::{
            Hearing,
            person::Parts,
            together::{SAME_PERSON, tied, tied_now},
        },
        person::Found,
        spelling::{Stop, withdrawals},
        void_tickets,
    },
    entry::Subject,
    event::{Event, OptedIn, Source},
    hearing::{Barred, Closed, Preference},
    key::ContactKey,
    named::KeyTag,
    names::TopicId,
    refusal::Refusal,
    state::Draft,
    ticket::VoidCause,
    time::Timestamp,
};

/// The source of what came from the number before.
pub(in crate::domain::decide) const NUMBER_CHANGED: &str = "number_changed";

/// Returns whom a restriction goes along to that a contact got at `at`, and why: with every move
/// since, to whoever is known to be the same person, and on from there. Nearer ones come first.
pub(in crate::domain::decide) fn followers(
    draft: &Draft<'_>,
    subject: Subject,
    at: Timestamp,
) -> Vec<(Subject, &'static str)> {
    walk(draft, subject, |place, contact| {
        let moved = followed(contact, at).map(|place| (place, NUMBER_CHANGED));
        let same = tied(draft, place, contact, at).map(|place| (place, SAME_PERSON));
        moved.chain(same).collect()
    })
}

/// Returns whom that goes along to with every move since which a contact did at `at`.
pub(super) fn movers(
    draft: &Draft<'_>,
    subject: Subject,
    at: Timestamp,
) -> Vec<(Subject, &'static str)> {
    walk(draft, subject, |_, contact| {
        followed(contact, at).map(|place| (place, NUMBER_CHANGED)).collect()
    })
}

fn followed(contact: &Contact, at: Timestamp) -> impl Iterator<Item = Subject> + '_ {
    let followed = contact.details().told().followed.iter();
    followed.filter(move |one| at <= one.at).map(|one| one.place)
}

fn walk(
    draft: &Draft<'_>,
    subject: Subject,
    next: impl Fn(Subject, &Contact) -> Vec<(Subject, &'static str)>,
) -> Vec<(Subject, &'static str)> {
    let mut found: Vec<(Subject, &'static str)> = Vec::new();
    let (mut last, mut walked) = (Some(subject), 0);
    while let Some((place, contact)) = last.and_then(|last| Some((last, draft.contact(last)?))) {
        for (place, via) in next(place, contact) {
            let place = draft.resolve(place);
            if place != subject && found.iter().all(|(known, _)| *known != place) {
                found.push((place, via));
            }
        }
        last = found.get(walked).map(|(place, _)| *place);
        walked += 1;
    }
    found
}

impl Hearing<'_, '_> {
    /// Returns whether this move to a number has been heard: whoever has turned up there since is
    /// no former owner of it.
    pub(super) fn was_heard(&self, closed: &[Subject], number: ContactKey) -> bool {
        closed.iter().any(|place| {
            let told = self.draft.contact(*place).map(|contact| contact.details().told());
            let is_it = |moved: &Closed| moved.key == number && self.at <= moved.mark.at;
            told.is_some_and(|told| told.moved_to.iter().any(is_it))
        })
    }

    /// Makes whoever has the number now known, and lets go along what there is, if policy says so
    /// and this is news. Whoever we knew by the number had it before them.
    pub(super) fn follow(
        &self,
        closed: &[Subject],
        new: &Person,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let policy = &self.draft.registry().policy().policy;
        let is_news = |place: &&Subject| {
            let moved =
                |event: &Event| matches!(event, Event::NumberMoved { closed_key: None, .. });
            events.iter().any(|(subject, event)| subject == *place && moved(event))
        };
        let from: Vec<(Subject, &Contact)> = closed
            .iter()
            .filter(is_news)
            .filter_map(|place| Some((*place, self.draft.contact(*place)?)))
            .collect();
        let follows = policy.settings().consent_follows_number && !from.is_empty();
        let Parts { main, other } = self.parts(new);
        let holder = other.unwrap_or(main);
        let number = holder.number.as_ref().map(|number| number.key);
        let is_known = number.is_some_and(|key| self.draft.find(key).is_some());
        let mut found = self.find_or_add(&holder, events)?;
        let former = found.known.filter(|_| is_known);
        let is_doubted = former.is_some_and(|known| known.has_before(self.as_of(self.at)));
        if is_doubted || !follows {
            self.take(&found, events);
        }
        if !follows {
            return Ok(());
        }
        for (place, contact) in from {
            let (to, happened_at) = (found.subject, self.at);
            events.push((place, Event::ConsentsFollowed { to, happened_at }));
            if !is_doubted {
                self.let_agreements_go_along(contact, &mut found, events);
            }
            let until = (self.at, NUMBER_CHANGED);
            self.let_restrictions_go_along(contact, until, &mut found, events);
            if let Some(change) = contact.identity_changed() {
                self.restrict(found.subject, doubted(change.at), events);
            }
        }
        Ok(())
    }

    /// What an earlier move of the number had ended stays where it is, and so does what was agreed
    /// to since by others than whoever has the number.
    fn let_agreements_go_along(
        &self,
        contact: &Contact,
        found: &mut Found<'_>,
        events: &mut Events,
    ) {
        let ended_at = contact.details().told().moved.map(|mark| mark.at);
        let holder = contact.own().first().map(KeyTag::of);
        let is_holders = |act: &Consent| holder.is_some_and(|tag| act.under.has(tag));
        let is_good = |act: &Consent| ended_at.is_none_or(|end| end < act.at && is_holders(act));
        let is_open =
            |act: &&Consent| act.act != Act::TookBack && act.at <= self.at && is_good(act);
        let id: Box<str> = contact.id.as_uuid().to_string().into();
        for act in contact.consents.acts().filter(is_open) {
            let Some(topic) = self.draft.registry().topic_id(act.topic) else { continue };
            if self.outlasts(found, topic, act) {
                continue;
            }
            if found.consents.would_decide(act) {
                let own = Consent { by: None, ..*act };
                let event = Event::OptedIn(Box::new(OptedIn {
                    number: None,
                    written: None,
                    topics: vec![outcome_of(topic, &own, self.now)],
                    captured_at: act.at,
                    awaits_confirmation: act.act == Act::Asked,
                    basis: act.basis,
                    source: Source {
                        kind: NUMBER_CHANGED.into(),
                        entry_point: None,
                        url: None,
                        reference: Some(id.clone()),
                    },
                    statement: None,
                    evidence: [
                        ("contact".into(), id.clone()),
                        ("entry".into(), act.seq.0.to_string().into()),
                    ]
                    .into(),
                    identity_hash: None,
                    derived_from: Some(act.seq),
                    under: None,
                    by_former: false,
                }));
                events.push((found.subject, event));
                found.consents.to_mut().fold_act(own);
            }
        }
    }

    /// Returns whether what is implied there already lasts longer.
    fn outlasts(&self, found: &Found<'_>, topic: &TopicId, act: &Consent) -> bool {
        let registry = self.draft.registry();
        let home = found.known.map(|known| known.home).unwrap_or_default();
        let category = registry.topic(topic).map(|(_, put)| put.value.category.into());
        category.is_some_and(|category| {
            let rules = registry.policy().policy.rules(home.country, category);
            outlasting(&found.consents, rules, act).is_some()
        })
    }

    /// Lets go along what restricts a contact, withdrawals until a moment.
    pub(super) fn let_restrictions_go_along(
        &self,
        contact: &Contact,
        (until, via): (Timestamp, &'static str),
        found: &mut Found<'_>,
        events: &mut Events,
    ) {
        let stops = restrictions(&contact.consents, until);
        for (topics, FullStop { at, seq }) in stops {
            let named =
                topics.map(|ix| self.draft.registry().topic_id(ix).map(|id| (id.clone(), ix)));
            let named: Option<Vec<_>> = named.map(|one| one.into_iter().collect());
            let stop = Stop { topics: named.as_deref(), at, seq, via };
            let to = (found.subject, found.weak.as_slice());
            stop.reach(self.draft, to, &mut found.consents, self.now, events);
            for (follower, via) in followers(self.draft, found.subject, at) {
                let Some(further) = self.draft.contact(follower) else { continue };
                let mut consents = Cow::Borrowed(&further.consents);
                let stop = Stop { via, ..stop };
                stop.reach(self.draft, (follower, &[]), &mut consents, self.now, events);
            }
        }
        let details = contact.details();
        let theirs = found.known.map(Contact::details);
        let is_blocked = theirs.is_some_and(|theirs| theirs.blocked.is_some());
        if details.blocked.is_some() && !is_blocked {
            let reason = Some(format!("{via}: {}", contact.id.as_uuid()).into());
            events.push((found.subject, Event::ContactBlocked { reason }));
            let cause = VoidCause::Blocked;
            void_tickets(self.draft, found.subject, cause, self.now, |_| true, events);
        }
        let told = details.told();
        if let Some(stopped) = told.marketing_stopped() {
            let (is_stopped, happened_at) = (true, stopped.at);
            let event = Event::MarketingPreferenceSeen { is_stopped, happened_at };
            self.restrict(found.subject, event, events);
        }
        if let Some(barred) = told.barred {
            let (code, sender, happened_at) = (barred.code, None, barred.mark.at);
            self.restrict(found.subject, Event::Barred { code, sender, happened_at }, events);
        }
    }

    /// What restricts a contact and happened before its consents went along holds where they went.
    /// A stop of marketing and a bar hold for whoever is known to be the same person.
    pub(super) fn pass_on(&self, events: &mut Events) {
        let mut more: Events = Vec::new();
        for one in events.iter() {
            self.part(one, events, &mut more);
            let (subject, event) = one;
            if Barred::only_by(event).is_some() {
                // That is about the number, whoever has it.
                continue;
            }
            let (event, at) =
                if let Event::MarketingPreferenceSeen { is_stopped: true, happened_at }
                | Event::Barred { happened_at, .. }
                | Event::IdentityDoubted { happened_at, .. } = event
                {
                    (event.clone(), *happened_at)
                } else if let Event::IdentityChanged { observed_at, .. } = event {
                    (doubted(*observed_at), *observed_at)
                } else if let Event::NumberMoved { happened_at, closed_key: None, .. } = event {
                    // What went along later was not this person's any more.
                    (doubted(*happened_at), happened_at.plus_ms(1))
                } else {
                    continue;
                };
            let is_doubt = matches!(event, Event::IdentityDoubted { .. });
            let mut further = if is_doubt {
                movers(self.draft, *subject, at)
            } else {
                followers(self.draft, *subject, at)
            };
            if !is_doubt {
                further.extend(tied_now(events, *subject).map(|place| (place, SAME_PERSON)));
            }
            for (follower, _) in further {
                let is_known = |(known, other): &(Subject, Event)| {
                    *known == follower && is_same_word(other, &event)
                };
                if !events.iter().chain(&more).any(is_known) {
                    self.restrict(follower, event.clone(), &mut more);
                }
            }
        }
        events.extend(more);
    }

    /// Records something that restricts a contact, if it is news there.
    pub(super) fn restrict(&self, subject: Subject, event: Event, events: &mut Events) {
        let known = self.draft.contact(subject);
        let told = known.map(|known| known.details().told());
        let (is_news, cause) = if let Event::MarketingPreferenceSeen { happened_at, .. } = &event {
            let known = told.and_then(|told| told.preference);
            (Preference::is_news(known, true, *happened_at), None)
        } else if let Event::Barred { happened_at, .. } = &event {
            let only = Barred::only_by(&event);
            let is_news = told.is_none_or(|told| told.is_barred_anew(only, *happened_at));
            (is_news, Some((VoidCause::Blocked, *happened_at)))
        } else if let Event::IdentityDoubted { happened_at, by_move } = &event {
            let known = told.and_then(|told| if *by_move { told.taken } else { told.doubted });
            (Mark::is_news(known, *happened_at), Some((VoidCause::IdentityChanged, *happened_at)))
        } else {
            (false, None)
        };
        if !is_news {
            return;
        }
        events.push((subject, event));
        let found = known.map(|known| Found::known(subject, known));
        match (found, cause) {
            (Some(found), Some((VoidCause::IdentityChanged, at))) => {
                self.void_before(&found, VoidCause::IdentityChanged, (at, None), events);
            }
            (Some(_), Some((cause, _))) => {
                void_tickets(self.draft, subject, cause, self.now, |_| true, events);
            }
            (Some(_), None) => self.void_marketing(subject, events),
            (None, _) => {}
        }
    }
}

/// Returns whether two events say the same of whomever they are about.
fn is_same_word(one: &Event, other: &Event) -> bool {
    let word = |event: &Event| {
        if let Event::MarketingPreferenceSeen { is_stopped, happened_at } = event {
            Some((Some(*is_stopped), *happened_at))
        } else if let Event::Barred { happened_at, .. } = event {
            Some((None, *happened_at))
        } else {
            None
        }
    };
    word(one).is_some_and(|said| word(other) == Some(said))
}

/// What puts somebody in doubt as of a moment.
pub(super) fn doubted(happened_at: Timestamp) -> Event {
    Event::IdentityDoubted { happened_at, by_move: false }
}

/// Returns what somebody withdrew from until then, topic by topic or from everything.
fn restrictions(consents: &Consents, until: Timestamp) -> Vec<(Option<TopicIx>, FullStop)> {
    withdrawals(consents).filter(|(_, stop)| until.may_be_after(stop.at)).collect()
}

//! Folding what WhatsApp told about a contact.

use crate::{
    domain::{
        absorbed::Mark,
        contact::Contact,
        entry::{Seq, Subject},
        event::{Event, LimitReported, Record, SeenTogether, SenderLearned},
        hearing::{Barred, Followed, Review, Told},
        incident::Incidents,
        registry::{Hold, HoldCause, HoldKey, Registry},
        state::Draft,
        time::Timestamp,
    },
    policy::Country,
};

/// The review that stands for identifiers of two contacts that came together.
pub(in crate::domain) const IDENTIFIERS_CONFLICT: &str = "identifiers_conflict";

impl Draft<'_> {
    fn fold_review(&mut self, seq: Seq, subject: Subject, event: &Event) {
        if let Event::ReviewOpened(opened) = event {
            let own = self.contact(subject).map(Contact::own).unwrap_or_default();
            let review = Review {
                contact: subject,
                why: opened.why.clone(),
                word: opened.word.clone(),
                scope: opened.scope.clone(),
                under: opened.under.unwrap_or(own),
                at: opened.happened_at,
                stop_at: opened.scope.as_ref().map(|_| opened.happened_at),
                more: None,
            };
            self.changes.reviews.insert(seq, Some(review));
        } else if let Event::ReviewRepeated { review, again } = event {
            if let Some(mut known) = self.review(*review).cloned() {
                known.fold_more(again.happened_at, again.scope.as_deref());
                self.changes.reviews.insert(*review, Some(known));
            }
        } else if let Event::ReviewDecided { review, .. } = event {
            self.changes.reviews.insert(*review, None);
        }
    }

    /// Folds an entry in that only what WhatsApp says makes.
    pub(super) fn fold_told(&mut self, seq: Seq, subject: Subject, record: &Record) {
        let event = &record.event;
        self.fold_review(seq, subject, event);
        let Some(contact) = self.contact_mut(subject) else { return };
        let details = contact.details_mut();
        if let Event::IdentityPredated { observed_at, .. } = event {
            if let Some(identity) = &mut details.identity {
                identity.fold_before(*observed_at, seq);
            }
        } else if let Event::IdentityDoubted { happened_at, by_move } = event {
            let told = details.told_mut();
            let known = if *by_move { &mut told.taken } else { &mut told.doubted };
            Mark::fold(known, *happened_at, seq);
        } else if let Event::MarketingPreferenceSeen { is_stopped, happened_at } = event {
            let mark = Mark { at: *happened_at, seq };
            details.told_mut().fold_preference(*is_stopped, mark);
        } else if let Event::NumberMoved { happened_at, closed_key, .. }
        | Event::UserMoved { happened_at, closed_key, .. } = event
        {
            let told = details.told_mut();
            if let Event::NumberMoved { number_key: Some(key), .. } = event {
                told.fold_moved_to(*key, Mark { at: *happened_at, seq });
            }
            match closed_key {
                Some(key) => told.fold_closed(*key, Mark { at: *happened_at, seq }),
                None => Mark::fold(&mut told.moved, *happened_at, seq),
            }
        } else if let Event::ConsentsFollowed { to, happened_at } = event {
            let other = Followed { place: *to, at: *happened_at };
            Followed::fold(&mut details.told_mut().followed, other);
        } else if let Event::SeenTogether(SeenTogether { with, happened_at }) = event {
            let other = Followed { place: *with, at: *happened_at };
            Followed::fold(&mut details.told_mut().together, other);
        } else if let Event::AnswerKept(answer) = event {
            details.told_mut().fold_kept(answer);
        } else if let Event::StatusKept(status) = event {
            details.told_mut().fold_early(status);
        } else if let Event::MarketingHeldBack { until, happened_at, .. } = event {
            let mark = Mark { at: *happened_at, seq };
            details.told_mut().fold_hold(until.unwrap_or(Timestamp::NEVER), mark);
        } else if let Event::ExperimentSeen { happened_at, .. } = event {
            Mark::fold(&mut details.told_mut().experiment, *happened_at, seq);
        } else if let Event::FailureSpared { sender, kind, happened_at, .. } = event {
            details.told_mut().fold_spared(sender, *kind, Mark { at: *happened_at, seq });
        } else if let Event::PairSlowed { sender, until, happened_at } = event {
            details.told_mut().fold_rest(sender, (*until, Some(*happened_at)), seq);
        } else if let Event::Barred { code, happened_at, .. } = event {
            let mark = Mark { at: *happened_at, seq };
            details.told_mut().fold_barred(Barred::only_by(event), *code, mark);
        } else if let Event::WindowEnded { sender, happened_at } = event {
            details.told_mut().fold_window_end(sender, *happened_at);
        } else if let Event::CountryBlocked { happened_at, .. } = event {
            Mark::fold(&mut details.told_mut().country_blocked, *happened_at, seq);
        } else {
            fold_review_of(details.told_mut(), seq, record);
        }
    }
}

/// Folds in what a contact has for people to look at.
fn fold_review_of(told: &mut Told, seq: Seq, record: &Record) {
    if let Event::ReviewOpened(opened) = &record.event {
        if &*opened.why == IDENTIFIERS_CONFLICT {
            told.conflict = Some(seq);
        } else {
            told.reviews.push(seq);
        }
        if opened.scope.is_some() {
            told.fold_stop(opened.happened_at, seq);
        }
    } else if let Event::ReviewRepeated { review, again } = &record.event {
        if again.scope.is_some() {
            told.fold_stop(again.happened_at, *review);
        }
    } else if let Event::ReviewDecided { review, .. } = &record.event {
        told.reviews.retain(|open| open != review);
        told.stops.retain(|open| open.seq != *review);
        if told.conflict.take_if(|open| *open == *review).is_some() {
            told.conflict_decided_at = told.conflict_decided_at.max(Some(record.at));
        }
    }
}

/// Folds an entry in that reports something about the business itself.
pub(super) fn fold_reported(
    registry: &mut Registry,
    incidents: &Incidents,
    seq: Seq,
    event: &Event,
) {
    if let Event::SenderLearned(SenderLearned { sender, account, happened_at }) = event {
        registry.fold_sender_account(sender, account.clone(), *happened_at);
    } else if let Event::AccountHeld { account, scope, cause, code, until, happened_at } = event {
        let hold = hold(*happened_at, *until, seq);
        registry.fold_account_hold(account, HoldKey::stored(*scope, *cause, *code), hold);
    } else if let Event::AccountLifted { account, causes, happened_at } = event {
        registry.fold_account_lift(account, causes.as_deref(), *happened_at);
    } else if let Event::SenderHalted { sender, scope, code, until, happened_at } = event {
        let key = HoldKey::stored(*scope, Some(HoldCause::Failed), Some(*code));
        registry.fold_sender_hold(sender, key, hold(*happened_at, *until, seq));
    } else if let Event::SenderReported { sender, change, happened_at } = event {
        registry.fold_sender_report(sender, change, *happened_at, seq);
    } else if let Event::TemplateReported { template, account, change, happened_at } = event {
        let about = (template, account.as_ref());
        registry.fold_template_report(about, change, *happened_at, seq);
    } else if let Event::CountryBlocked {
        country: Some(country),
        sender: Some(sender),
        happened_at,
    } = event
        && let Ok(country) = Country::parse(country)
    {
        let outcomes = registry.sender(sender).and_then(|(place, _)| incidents.of(place));
        let arrived_at = outcomes.and_then(|known| known.arrived(country));
        if arrived_at.is_none_or(|arrived| arrived <= *happened_at) {
            registry.fold_country(sender, country, Mark { at: *happened_at, seq });
        }
    } else if let Event::LimitReported(LimitReported { portfolio, limit, happened_at }) = event {
        registry.fold_limit(portfolio, *limit, *happened_at, seq);
    }
}

fn hold(at: Timestamp, until: Option<Timestamp>, seq: Seq) -> Hold {
    Hold { at, until: until.unwrap_or(Timestamp::NEVER), seq }
}

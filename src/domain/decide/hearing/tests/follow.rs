//! What goes along when a person moves to another number.

use super::{Desk, Event, HeardFact, SESSION, TEMPLATE, at};
use crate::domain::{
    command::{Command, ContactRef},
    consent::{ConsentStatus, Standing},
    decide::tests::topic_id,
    entry::Seq,
    key::ContactKey,
    reason::Reason,
};

impl Desk {
    /// A desk where policy says whether consents go along.
    fn with_policy(follows: bool) -> Self {
        let mut desk = Self::new();
        desk.let_follow(follows);
        desk
    }

    pub(super) fn let_follow(&mut self, follows: bool) {
        let text = format!(
            r#"{{"settings": {{"frequency_caps": [], "consent_follows_number": {follows}}}}}"#
        );
        self.policy(serde_json::from_str(&text).unwrap());
    }

    fn moves_at(&mut self, ms: i64, old: u128, new: u128) -> Vec<Event> {
        let (old, new) = (self.person(old), Some(self.person(new)));
        self.hear(ms, HeardFact::MovedNumber { old, new })
    }

    fn standing(&self, key: u128, topic: &str) -> Standing {
        let contacts = self.state.contacts();
        let subject = contacts.find(ContactKey::from_bits(key)).unwrap();
        let (ix, _) = self.state.registry().topic(&topic_id(topic)).unwrap();
        contacts.get(subject).unwrap().consents.standing(ix, at(self.now))
    }
}

#[test]
fn consents_stay_behind_unless_policy_lets_them_go_along() {
    let mut desk = Desk::with_policy(false);
    desk.opt_in(1, "promotions", None).unwrap();
    desk.opt_out(1, Some(&["orders"])).unwrap();
    let now = desk.now;
    desk.moves_at(now, 1, 2);
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::NeverAsked]));
}

#[test]
fn what_is_open_goes_along_with_its_own_date_and_a_reference_and_a_repeat_changes_nothing() {
    let mut desk = Desk::with_policy(true);
    desk.opt_in(1, "promotions", None).unwrap();
    let (agreed, entry) = (desk.now, Seq(desk.state.last().0));
    desk.ask(1, "orders");
    let asked = desk.now;
    desk.now += 100;
    let (moved, before) = (desk.now, desk.state.next());
    let events = desk.moves_at(moved, 1, 2);
    let carried: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::OptedIn(event) = event { Some(event) } else { None })
        .collect();
    assert_eq!(carried.len(), 2, "{events:?}");
    assert_eq!(carried[0].derived_from, Some(entry));
    assert_eq!(carried[0].evidence.get("entry").map(|it| &**it), Some(&*entry.0.to_string()));
    assert_eq!(carried[0].source.reference.as_ref(), carried[0].evidence.get("contact"));
    let [promotions, orders] = ["promotions", "orders"].map(|topic| desk.standing(2, topic));
    assert_eq!((promotions.status, promotions.at), (ConsentStatus::Granted, Some(at(agreed))));
    assert_eq!((orders.status, orders.at), (ConsentStatus::Pending, Some(at(asked))));
    assert!(desk.reserve(2, TEMPLATE).is_ok());
    assert_eq!(desk.reserve(1, TEMPLATE), Err(vec![Reason::NumberChanged]));
    // A repeat, before and after the person wrote from there, and an older copy.
    for ms in [moved, moved, moved - 50] {
        let again = desk.moves_at(ms, 1, 2);
        assert!(again.is_empty(), "{again:?}");
        desk.wrote(2, desk.now, None);
    }
    assert!(desk.reserve(2, TEMPLATE).is_ok());
    assert!(before < desk.state.next() && desk.replayed() == desk.state);
}

#[test]
fn a_repeat_does_not_take_whoever_wrote_since_for_a_former_owner() {
    for follows in [false, true] {
        let mut desk = Desk::with_policy(follows);
        desk.opt_in(1, "promotions", None).unwrap();
        let moved = desk.now;
        desk.moves_at(moved, 1, 2);
        desk.now += 10;
        desk.opt_in(2, "promotions", Some(moved + 5)).unwrap();
        let again = desk.moves_at(moved, 1, 2);
        assert!(again.is_empty(), "{again:?}");
        assert!(desk.reserve(2, TEMPLATE).is_ok());
    }
}

#[test]
fn what_restricts_goes_along_always_and_comes_after_it_if_it_is_heard_late() {
    for is_known in [false, true] {
        for is_late in [false, true] {
            let mut desk = Desk::with_policy(true);
            if is_known {
                desk.opt_in(2, "promotions", None).unwrap();
            }
            desk.opt_in(1, "promotions", None).unwrap();
            desk.opt_in(1, "orders", None).unwrap();
            desk.now += 100;
            let (said, moved) = (desk.now - 50, desk.now - 40);
            let restrict = |desk: &mut Desk| {
                desk.opt_out_at(1, Some(&["promotions"]), Some(said)).unwrap();
                desk.prefers(1, said, true);
            };
            if !is_late {
                restrict(&mut desk);
            }
            desk.moves_at(moved, 1, 2);
            if is_late {
                restrict(&mut desk);
            }
            let withdrawn = desk.standing(2, "promotions");
            let expected = (ConsentStatus::Withdrawn, Some(at(said)));
            assert_eq!((withdrawn.status, withdrawn.at), expected, "{is_known} {is_late}");
            let refused = desk.reserve(2, TEMPLATE).unwrap_err();
            assert!(refused.contains(&Reason::MarketingStopped), "{refused:?}");
            assert_eq!(refused.contains(&Reason::IdentityChanged), is_known, "{refused:?}");
            let orders = desk.standing(2, "orders").status;
            let expected =
                if is_known { ConsentStatus::NeverAsked } else { ConsentStatus::Granted };
            assert_eq!(orders, expected, "what was agreed goes to nobody who is in doubt");
            assert!(desk.moves_at(moved, 1, 2).is_empty(), "a repeat");
            assert!(desk.replayed() == desk.state);
        }
    }
}

#[test]
fn what_the_next_owner_of_the_old_number_does_goes_nowhere() {
    let mut desk = Desk::with_policy(true);
    desk.opt_in(1, "promotions", None).unwrap();
    let moved = desk.now;
    desk.moves_at(moved, 1, 2);
    desk.now += 100;
    desk.opt_out(1, None).unwrap();
    desk.prefers(1, desk.now, true);
    let (person, now) = (desk.person(1), desk.now);
    desk.hear(now, HeardFact::IdentityChanged { person, hash: None });
    assert!(desk.reserve(2, TEMPLATE).is_ok());
}

#[test]
fn a_block_and_an_open_change_of_identity_go_along() {
    let mut desk = Desk::with_policy(true);
    desk.opt_in(1, "promotions", None).unwrap();
    let contact = ContactRef::Key(ContactKey::from_bits(1));
    desk.run(Command::Block { contact, reason: None }).unwrap();
    let now = desk.now;
    desk.moves_at(now, 1, 2);
    assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::Blocked]));
    let contact = ContactRef::Key(ContactKey::from_bits(2));
    desk.run(Command::Unblock { contact }).unwrap();
    assert!(desk.moves_at(now, 1, 2).is_empty(), "a repeat");
    assert!(desk.reserve(2, TEMPLATE).is_ok());

    for is_late in [false, true] {
        let mut desk = Desk::with_policy(true);
        desk.opt_in(1, "promotions", None).unwrap();
        desk.now += 100;
        let (changed, moved) = (desk.now - 50, desk.now - 40);
        let change = |desk: &mut Desk| {
            let person = desk.person(1);
            desk.hear(changed, HeardFact::IdentityChanged { person, hash: None });
        };
        if !is_late {
            change(&mut desk);
        }
        desk.moves_at(moved, 1, 2);
        let ticket = desk.reserve(2, TEMPLATE);
        assert_eq!(ticket.is_ok(), is_late);
        if is_late {
            change(&mut desk);
        }
        assert_eq!(desk.reserve(2, TEMPLATE), Err(vec![Reason::IdentityChanged]), "{is_late}");
        desk.opt_in(2, "promotions", None).unwrap();
        assert!(desk.reserve(2, TEMPLATE).is_ok(), "registered anew");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn what_an_earlier_move_had_ended_does_not_come_back_by_the_next_owners_move() {
    let mut desk = Desk::with_policy(false);
    desk.opt_in(1, "promotions", None).unwrap();
    let now = desk.now;
    desk.moves_at(now, 1, 2);
    desk.let_follow(true);
    desk.opt_in(1, "orders", None).unwrap();
    let now = desk.now;
    desk.moves_at(now, 1, 3);
    assert_eq!(desk.standing(3, "promotions").status, ConsentStatus::NeverAsked);
    assert_eq!(desk.standing(3, "orders").status, ConsentStatus::Granted);
    assert_eq!(desk.reserve(3, SESSION), Err(vec![Reason::SessionWindowClosed]), "no window");
}

#[test]
fn a_stop_goes_on_to_the_number_after_the_next() {
    let mut desk = Desk::with_policy(true);
    desk.opt_in(1, "promotions", None).unwrap();
    desk.now += 100;
    let start = desk.now - 90;
    desk.moves_at(start + 10, 1, 2);
    desk.moves_at(start + 20, 2, 3);
    assert!(desk.reserve(3, TEMPLATE).is_ok());
    desk.wrote(1, start + 5, super::stop());
    for key in [2, 3] {
        assert_eq!(desk.standing(key, "promotions").status, ConsentStatus::Withdrawn, "{key}");
    }
    assert!(desk.wrote(1, start + 5, super::stop()).is_empty(), "a repeat");
    assert!(desk.replayed() == desk.state);
}

#[test]
fn a_late_stop_reaches_everyone_the_consents_of_its_number_went_along_to() {
    for is_late in [false, true] {
        let mut desk = Desk::with_policy(true);
        let start = desk.now;
        desk.now += 1_000;
        desk.opt_in(1, "promotions", Some(start)).unwrap();
        if !is_late {
            desk.wrote(1, start + 50, super::stop());
        }
        desk.moves_at(start + 100, 1, 2);
        desk.opt_in(1, "promotions", Some(start + 200)).unwrap();
        desk.moves_at(start + 300, 1, 3);
        desk.moves_at(start + 400, 2, 4);
        assert_eq!(desk.reserve(4, TEMPLATE).is_ok(), is_late);
        if is_late {
            desk.wrote(1, start + 50, super::stop());
        }
        for key in [2, 4] {
            assert_eq!(desk.standing(key, "promotions").status, ConsentStatus::Withdrawn, "{key}");
        }
        let next = desk.standing(3, "promotions");
        let expected = (ConsentStatus::Granted, Some(at(start + 200)));
        assert_eq!((next.status, next.at), expected, "the next owner said so after it");
        assert!(desk.wrote(1, start + 50, super::stop()).is_empty(), "a repeat");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn where_consents_of_either_side_went_along_to_is_kept_when_two_become_one() {
    for (from, into) in [(1, 2), (2, 1)] {
        let mut desk = Desk::with_policy(true);
        let start = desk.now;
        desk.now += 1_000;
        for key in [1, 2] {
            desk.opt_in(key, "promotions", Some(start)).unwrap();
        }
        desk.moves_at(start + 100, 1, 11);
        desk.moves_at(start + 100, 2, 12);
        super::owners::join(&mut desk, from, into);
        desk.wrote(1, start + 50, super::stop());
        for key in [11, 12] {
            assert_eq!(desk.standing(key, "promotions").status, ConsentStatus::Withdrawn, "{key}");
        }
        assert!(desk.replayed() == desk.state);
    }
}

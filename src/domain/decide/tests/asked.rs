//! Given that policy wants an agreement confirmed, when somebody claims it, then they were asked, and
//! what they claimed it with is no answer.

use serde_json::json;

use super::{Desk, opt_in_of, sender_id};
use crate::domain::{
    command::{Command, ContactRef, Merge, OptIn},
    consent::ConsentStatus,
    event::Evidence,
    hearing::{Heard, HeardFact},
    key::ContactKey,
    reason::Reason,
    ticket::MessageKind,
    time::Timestamp,
};

const TEMPLATE: MessageKind = MessageKind::Template;

fn evidence(members: &[(&str, &str)]) -> Evidence {
    members.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// What the form sends along whoever fills it in.
fn form() -> Evidence {
    evidence(&[("form_version", "7"), ("page", "/join")])
}

impl Desk {
    /// A business that wants every agreement confirmed.
    fn that_asks() -> Self {
        let mut desk = Self::new();
        desk.wants_confirmation();
        desk
    }

    fn wants_confirmation(&mut self) {
        let rule = json!({"id": "twice", "countries": ["*"], "categories": ["marketing"],
            "why": "To be sure.", "double_opt_in": true});
        let overrides = json!({"rules": [rule], "settings": {"frequency_caps": []}});
        self.policy(serde_json::from_value(overrides).unwrap());
    }

    /// Claims an agreement ten milliseconds on, and says where it stands and what refuses a message.
    fn claims(&mut self, key: u128, evidence: Evidence) -> (ConsentStatus, Vec<Reason>) {
        self.claims_as(key, evidence, false)
    }

    fn claims_as(
        &mut self,
        key: u128,
        evidence: Evidence,
        awaits_confirmation: bool,
    ) -> (ConsentStatus, Vec<Reason>) {
        self.now += 10;
        let opt_in = opt_in_of(self.person(key), "promotions");
        let opt_in = OptIn { evidence, awaits_confirmation, ..opt_in };
        self.run(Command::OptIn(Box::new(opt_in))).unwrap();
        self.now += 10;
        (self.status(key, "promotions"), self.reserve(key, TEMPLATE).err().unwrap_or_default())
    }

    fn is_somebody_else(&mut self, key: u128) {
        for hash in ["A", "B"] {
            self.now += 10;
            self.identity(key, hash, self.now).unwrap();
        }
    }

    fn gives_number_up(&mut self, key: u128) {
        self.now += 10;
        let fact = HeardFact::MovedNumber { old: self.person(key), new: None };
        let at = Timestamp::from_unix_ms(self.now);
        let heard = Heard { at, account: None, sender: Some(sender_id()), fact };
        self.run(Command::Hear(Box::new(heard))).unwrap();
    }
}

#[test]
fn a_question_put_to_whoever_had_the_number_before_is_put_again() {
    let (mail, none) = (evidence(&[("mail", "the link was followed")]), Evidence::new());
    let leaves: [fn(&mut Desk, u128); 2] = [Desk::is_somebody_else, Desk::gives_number_up];
    for (was_withdrawn, leaves) in
        [false, true].into_iter().flat_map(|one| leaves.map(|leaves| (one, leaves)))
    {
        let mut desk = Desk::that_asks();
        if was_withdrawn {
            desk.claims(1, none.clone());
            assert_eq!(desk.claims(1, mail.clone()), (ConsentStatus::Granted, Vec::new()));
            desk.opt_out(1, None).unwrap();
        }
        // The person is asked, does not answer, and gives the number up.
        desk.claims(1, none.clone());
        leaves(&mut desk, 1);
        let (status, refused) = desk.claims(1, mail.clone());
        assert_ne!(status, ConsentStatus::Granted, "withdrawn: {was_withdrawn}");
        assert!(!refused.is_empty());
        let answered = evidence(&[("mail", "the other link was followed")]);
        assert_eq!(desk.claims(1, answered), (ConsentStatus::Granted, Vec::new()));
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn what_was_sent_along_with_the_question_is_no_answer_to_it() {
    let mut desk = Desk::that_asks();
    for times in 1..=12 {
        assert_eq!(desk.claims(1, form()).0, ConsentStatus::Pending, "sent {times} times");
    }
    // Neither a part of it, nor what came with a question that somebody else put.
    let part = evidence(&[("page", "/join")]);
    assert_eq!(desk.claims(1, part).0, ConsentStatus::Pending);
    let noted = evidence(&[("clerk", "asked at the counter")]);
    assert_eq!(desk.claims_as(1, noted.clone(), true).0, ConsentStatus::Pending);
    assert_eq!(desk.claims(1, noted).0, ConsentStatus::Pending);
    assert_eq!(desk.claims(1, form()).0, ConsentStatus::Pending);
    // Another value of a member is news, and so is a member more.
    let mut answered = form();
    answered.insert("mail".into(), "the link was followed".into());
    assert_eq!(desk.claims(1, answered), (ConsentStatus::Granted, Vec::new()));
    assert_eq!(desk.claims(2, form()).0, ConsentStatus::Pending, "of another person");
    assert_eq!(desk.claims(2, evidence(&[("page", "/yes")])).0, ConsentStatus::Granted);
    // Of somebody who withdrew and came back.
    desk.opt_out(2, None).unwrap();
    assert_eq!(desk.claims(2, form()).0, ConsentStatus::Withdrawn);
    assert_eq!(desk.claims(2, form()).0, ConsentStatus::Withdrawn);
    assert_eq!(desk.claims(2, evidence(&[("page", "/yes")])).0, ConsentStatus::Granted);
    assert!(desk.replayed() == desk.state);
}

#[test]
fn what_was_sent_along_with_a_question_is_no_answer_after_a_merge_either() {
    for (from, into) in [(1, 2), (2, 1)] {
        let mut desk = Desk::that_asks();
        desk.claims(1, form());
        desk.claims(2, Evidence::new());
        let [from, into] = [from, into].map(|key| ContactRef::Key(ContactKey::from_bits(key)));
        let merge = Merge { from, into, reason: None, evidence: Evidence::new() };
        desk.run(Command::Merge(Box::new(merge))).unwrap();
        assert_eq!(desk.claims(1, form()).0, ConsentStatus::Pending);
        assert_eq!(desk.claims(1, evidence(&[("page", "/yes")])).0, ConsentStatus::Granted);
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_claim_makes_no_more_of_what_is_only_implied_than_a_question() {
    use crate::policy::ConsentBasis::ImpliedPurchase;
    let mut desk = Desk::new();
    let bought = OptIn { basis: ImpliedPurchase, ..opt_in_of(desk.person(1), "promotions") };
    desk.run(Command::OptIn(Box::new(bought))).unwrap();
    desk.wants_confirmation();
    let basis = |desk: &Desk| {
        let contacts = desk.state.contacts();
        let subject = contacts.find(ContactKey::from_bits(1)).unwrap();
        let mut acts = contacts.get(subject).unwrap().consents.acts();
        acts.next().map(|act| act.basis.is_express())
    };
    assert_eq!(desk.claims(1, form()).0, ConsentStatus::Granted, "by what they bought");
    assert_eq!(basis(&desk), Some(false));
    assert_eq!(desk.claims(1, form()).0, ConsentStatus::Granted);
    assert_eq!(basis(&desk), Some(false), "the form twice");
    desk.claims(1, evidence(&[("page", "/yes")]));
    assert_eq!(basis(&desk), Some(true));
    assert!(desk.replayed() == desk.state);
}

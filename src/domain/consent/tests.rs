//! Where a topic stands, whatever was said about it and in whatever order.

use proptest::prelude::*;

use super::*;

const PROMOTIONS: TopicIx = TopicIx(0);

fn their_number() -> KeyTag {
    KeyTag::of(crate::domain::key::ContactKey::from_bits(7))
}

fn consent(act: Act, at: i64, seq: u64) -> Consent {
    Consent {
        topic: PROMOTIONS,
        act,
        basis: ConsentBasis::Express,
        at: Timestamp::from_unix_ms(at),
        there_since: Timestamp::from_unix_ms(at),
        expires_at: Timestamp::NEVER,
        seq: Seq(seq),
        by: None,
        under: NameTags { number: Some(their_number()), user: None },
    }
}

fn implied(at: i64, seq: u64) -> Consent {
    Consent { basis: ConsentBasis::ImpliedPurchase, ..consent(Act::Agreed, at, seq) }
}

fn status(consents: &Consents, now: i64) -> ConsentStatus {
    consents.standing(PROMOTIONS, Timestamp::from_unix_ms(now)).status
}

#[test]
fn an_opt_in_that_arrives_late_does_not_beat_a_later_withdrawal() {
    let mut consents = Consents::default();
    consents.fold_act(consent(Act::TookBack, 20, 1));
    consents.fold_act(consent(Act::Agreed, 10, 2));
    assert_eq!(status(&consents, 30), ConsentStatus::Withdrawn);
    consents.fold_act(consent(Act::Agreed, 21, 3));
    assert_eq!(status(&consents, 30), ConsentStatus::Granted);
}

#[test]
fn being_asked_again_keeps_what_was_agreed() {
    let mut consents = Consents::default();
    consents.fold_act(consent(Act::Agreed, 10, 1));
    consents.fold_act(consent(Act::Asked, 20, 2));
    assert_eq!(status(&consents, 30), ConsentStatus::Granted);
}

#[test]
fn a_full_stop_covers_topics_never_asked_about_and_a_later_yes_lifts_only_its_topic() {
    let mut consents = Consents::default();
    consents.fold_full_stop(FullStop { at: Timestamp::from_unix_ms(10), seq: Seq(1) });
    assert!(consents.has_left());
    assert_eq!(status(&consents, 11), ConsentStatus::Withdrawn);
    consents.fold_act(consent(Act::Agreed, 12, 2));
    assert_eq!(status(&consents, 13), ConsentStatus::Granted);
    let other = consents.standing(TopicIx(1), Timestamp::from_unix_ms(13));
    assert_eq!(other.status, ConsentStatus::Withdrawn);
    assert!(!consents.has_left());
}

#[test]
fn being_asked_hides_neither_a_withdrawal_nor_an_agreement_that_arrives_late() {
    let mut consents = Consents::default();
    consents.fold_act(consent(Act::Asked, 20, 1));
    assert_eq!(status(&consents, 30), ConsentStatus::Pending);
    consents.fold_act(consent(Act::Agreed, 15, 2));
    assert_eq!(status(&consents, 30), ConsentStatus::Granted);
    consents.fold_act(consent(Act::TookBack, 16, 3));
    consents.fold_act(consent(Act::Asked, 29, 4));
    assert_eq!(status(&consents, 30), ConsentStatus::Withdrawn);
}

#[test]
fn an_agreement_that_ran_out_was_given_all_the_same_and_one_taken_back_was_not() {
    let mut consents = Consents::default();
    consents.fold_full_stop(FullStop { at: Timestamp::from_unix_ms(10), seq: Seq(1) });
    let ends = Consent { expires_at: Timestamp::from_unix_ms(50), ..consent(Act::Agreed, 20, 2) };
    consents.fold_act(ends);
    assert_eq!(status(&consents, 59), ConsentStatus::Expired);
    assert!(!consents.has_left());
    consents.fold_act(consent(Act::TookBack, 60, 3));
    assert!(consents.has_left());
}

#[test]
fn an_agreement_runs_out_at_its_moment_and_not_before() {
    let mut consents = Consents::default();
    let ends = Consent { expires_at: Timestamp::from_unix_ms(50), ..consent(Act::Agreed, 10, 1) };
    consents.fold_act(ends);
    assert_eq!(status(&consents, 49), ConsentStatus::Granted);
    assert_eq!(status(&consents, 50), ConsentStatus::Expired);
}

#[test]
fn what_is_implied_counts_only_while_the_person_said_nothing() {
    let mut consents = Consents::default();
    consents.fold_act(consent(Act::Asked, 5, 1));
    consents.fold_act(implied(10, 2));
    consents.fold_act(consent(Act::Asked, 11, 3));
    assert_eq!(status(&consents, 30), ConsentStatus::Granted);
    let standing = consents.standing(PROMOTIONS, Timestamp::from_unix_ms(30));
    assert_eq!(standing.basis, ConsentBasis::ImpliedPurchase);
    // Nobody who changed hands said that they agree.
    let since = Mark { at: Timestamp::from_unix_ms(7), seq: Seq(0) };
    assert!(!consents.has_agreed_under(their_number(), None, since));
    // A yes counts in its place, be it older, and a purchase after it changes nothing.
    consents.fold_act(consent(Act::Agreed, 8, 4));
    consents.fold_act(implied(20, 5));
    let standing = consents.standing(PROMOTIONS, Timestamp::from_unix_ms(30));
    assert_eq!((standing.basis, standing.seq), (ConsentBasis::Express, Some(Seq(4))));
    // Nor does one after a no, of the topic or of everything.
    consents.fold_act(consent(Act::TookBack, 21, 6));
    consents.fold_act(implied(25, 7));
    assert_eq!(status(&consents, 30), ConsentStatus::Withdrawn);
    let mut bought = Consents::default();
    bought.fold_act(implied(25, 1));
    bought.fold_full_stop(FullStop { at: Timestamp::from_unix_ms(10), seq: Seq(2) });
    assert_eq!(status(&bought, 30), ConsentStatus::Withdrawn);
}

proptest! {
    #[test]
    fn agreements_and_withdrawals_end_the_same_in_any_order(
        mut acts in prop::collection::vec((0_u8..5, 0_i64..6), 1..8),
        rotate in 0_usize..8,
    ) {
        let run = |acts: &[(u8, i64)]| {
            let mut consents = Consents::default();
            for (kind, at) in acts {
                match kind {
                    0 => consents.fold_act(consent(Act::Asked, *at, 0)),
                    1 => consents.fold_act(consent(Act::Agreed, *at, 0)),
                    2 => consents.fold_act(consent(Act::TookBack, *at, 0)),
                    3 => consents.fold_act(implied(*at, 0)),
                    _ => {
                        let at = Timestamp::from_unix_ms(*at);
                        consents.fold_full_stop(FullStop { at, seq: Seq(0) });
                    }
                }
            }
            (status(&consents, 100), consents.has_left())
        };
        let before = run(&acts);
        let middle = rotate % acts.len();
        acts.rotate_left(middle);
        prop_assert_eq!(run(&acts), before);
        acts.reverse();
        prop_assert_eq!(run(&acts), before);
    }
}

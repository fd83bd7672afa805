//! Given reports about a template and what was put of it, when they come in any order and some at
//! the same moment, then it stands the same.

use super::{
    Desk, at,
    business::sale,
    templates::{ONE, OTHER, PAUSED, each},
};
use crate::domain::{
    decide::tests::{sender_id, topic_id},
    hearing::TemplateFact,
    names::AccountId,
    reason::Reason,
    registry::{Category, Quality},
};

/// A whole second after everything that is put: WhatsApp dates by nothing finer.
const SECOND: i64 = 1_003_000;

const MARKETING: Category = Category::Marketing;
const UTILITY: Category = Category::Utility;

fn filed(category: Category) -> TemplateFact {
    TemplateFact::Category { template: sale(), category }
}

fn announced(category: Category, from: i64) -> TemplateFact {
    TemplateFact::CategoryImpending { template: sale(), category, from: at(from) }
}

fn quality(quality: Quality) -> TemplateFact {
    TemplateFact::Quality { template: sale(), quality }
}

fn status(status: &str, pause_ms: Option<i64>, category: Option<Category>) -> TemplateFact {
    TemplateFact::Status { template: sale(), status: status.into(), pause_ms, category }
}

impl Desk {
    /// A template about orders, some seconds after it was put.
    fn of_orders_before(second: i64) -> Self {
        let mut desk = Self::of_two_accounts();
        desk.put_as(|template| {
            (template.topic, template.category) = (topic_id("orders"), UTILITY);
        });
        assert!(desk.now < second - 1_000);
        desk.now = second + 5_000;
        desk
    }

    fn put_again_at(&mut self, ms: i64, status: &str) {
        self.now = ms - 1;
        self.put_as(|template| template.status = status.into());
    }

    /// What stands against a message by the first account.
    fn against_one(&self) -> Vec<Reason> {
        let [one, ..] = self.against();
        one
    }
}

/// Tells facts of the first account in both orders; each time it must stand the same.
fn in_both_orders(facts: &[(i64, TemplateFact); 2], stands: &[Reason], now: i64) {
    for order in [[0, 1], [1, 0]] {
        let mut desk = Desk::of_orders_before(SECOND);
        desk.now = now;
        for place in order {
            let (ms, fact) = facts[place].clone();
            desk.template_told(ms, ONE, fact);
        }
        for (ms, fact) in facts.clone() {
            let again = desk.template_told(ms, ONE, fact);
            assert!(again.is_empty(), "told again: {again:?}");
        }
        desk.now = now;
        assert_eq!(desk.against_one(), stands, "{order:?} {facts:?}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn of_two_reports_of_one_second_the_stricter_counts_in_any_order() {
    let paused = |pause_ms| status("PAUSED", pause_ms, None);
    let now = SECOND + 5_000;
    for (one, other, stands) in [
        (paused(None), status("REINSTATED", None, None), Reason::TemplatePaused),
        (paused(None), status("APPROVED", None, None), Reason::TemplatePaused),
        (paused(None), status("DISABLED", None, None), Reason::TemplateDisabled),
        (paused(None), paused(Some(1_000)), Reason::TemplatePaused),
        (paused(Some(60_000)), paused(Some(1_000)), Reason::TemplatePaused),
        (filed(MARKETING), filed(UTILITY), Reason::NeverAsked),
        (announced(MARKETING, now), announced(UTILITY, now), Reason::NeverAsked),
        (announced(MARKETING, now), announced(MARKETING, now + 60_000), Reason::NeverAsked),
    ] {
        in_both_orders(&[(SECOND, one), (SECOND, other)], &[stands], now + 1);
    }
    for order in [[Quality::Red, Quality::Green], [Quality::Green, Quality::Red]] {
        let mut desk = Desk::of_two_accounts();
        desk.now = SECOND + 5_000;
        for one in order {
            desk.template_told(SECOND, ONE, quality(one));
        }
        assert_eq!(desk.against_one(), [Reason::QualityBrake], "{order:?}");
        desk.template_told(SECOND + 1_000, ONE, quality(Quality::Green));
        assert!(desk.against_one().is_empty());
    }
}

#[test]
fn what_stops_in_the_second_of_a_put_counts_where_it_is_heard_after_it() {
    for (fact, stands) in [
        (status("REJECTED", None, None), Reason::TemplateNotApproved),
        (status("DISABLED", None, None), Reason::TemplateDisabled),
        (filed(MARKETING), Reason::NeverAsked),
    ] {
        let mut desk = Desk::of_orders_before(SECOND);
        desk.put_again_at(SECOND + 600, "REINSTATED");
        assert_eq!(desk.template_told(SECOND, ONE, fact.clone()).len(), 1);
        assert_eq!(desk.against_one(), [stands]);
        // Whoever puts it once more knows of that.
        desk.put_again_at(SECOND + 800, "APPROVED");
        assert!(desk.against_one().is_empty());
        assert!(desk.template_told(SECOND, ONE, fact.clone()).is_empty(), "a repeat");
        assert!(desk.against_one().is_empty());
        assert!(desk.replayed() == desk.state);
        // The second after it, the put is later.
        desk.put_again_at(SECOND + 1_000, "REINSTATED");
        assert!(desk.template_told(SECOND, OTHER, fact).is_empty());
        assert!(desk.against_one().is_empty());
    }
    // What can be sent again is not known to be later, and a time with a fraction is exact.
    let mut desk = Desk::of_orders_before(SECOND);
    desk.put_again_at(SECOND + 600, "PAUSED");
    assert!(desk.template_told(SECOND, ONE, status("APPROVED", None, None)).is_empty());
    assert!(desk.template_told(SECOND + 599, ONE, status("DISABLED", None, None)).is_empty());
    assert_eq!(desk.against_one(), [Reason::TemplatePaused]);
}

#[test]
fn a_status_brings_the_category_along() {
    let mut desk = Desk::of_orders_before(SECOND);
    let told = status("APPROVED", None, Some(MARKETING));
    assert_eq!(desk.template_told(SECOND, ONE, told.clone()).len(), 2);
    assert_eq!(desk.against(), each(Some(Reason::NeverAsked), None));
    assert!(desk.template_told(SECOND, ONE, told).is_empty(), "a repeat");
    in_both_orders(
        &[
            (SECOND, status("APPROVED", None, Some(MARKETING))),
            (SECOND + 1_000, status("APPROVED", None, Some(UTILITY))),
        ],
        &[],
        SECOND + 5_000,
    );
}

#[test]
fn how_it_is_received_outlasts_a_put_which_says_nothing_of_it() {
    for put_first in [true, false] {
        let mut desk = Desk::of_two_accounts();
        desk.now = SECOND + 5_000;
        if put_first {
            desk.put_as(|template| template.status = "REINSTATED".into());
        }
        desk.template_told(SECOND, ONE, quality(Quality::Red));
        if !put_first {
            desk.put_as(|template| template.status = "REINSTATED".into());
        }
        assert_eq!(desk.against(), each(Some(Reason::QualityBrake), None), "{put_first}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn what_is_announced_before_a_put_comes_whether_it_is_heard_before_or_after_it() {
    let from = SECOND + 60_000;
    for put_first in [true, false] {
        let mut desk = Desk::of_orders_before(SECOND);
        if put_first {
            desk.put_as(|template| template.status = "REINSTATED".into());
        }
        desk.template_told(SECOND, ONE, announced(MARKETING, from));
        if !put_first {
            desk.put_as(|template| template.status = "REINSTATED".into());
        }
        assert!(desk.against_one().is_empty());
        desk.now = from;
        assert_eq!(desk.against(), each(Some(Reason::NeverAsked), None), "{put_first}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn what_is_announced_and_never_comes_ends_with_a_later_word_or_put() {
    let from = SECOND + 60_000;
    let coming = || (SECOND, announced(MARKETING, from));
    let never_asked = &[Reason::NeverAsked][..];
    let now = from + 90_000;
    // Until its day it may still come.
    in_both_orders(&[coming(), (from - 1_000, filed(UTILITY))], never_asked, now);
    in_both_orders(&[coming(), (from, filed(UTILITY))], never_asked, now);
    for order in [[0, 1], [1, 0]] {
        let mut desk = Desk::of_orders_before(SECOND);
        desk.now = now;
        let facts = [coming(), (from + 1_000, filed(UTILITY))];
        for place in order {
            let (ms, fact) = facts[place].clone();
            desk.template_told(ms, ONE, fact);
        }
        assert!(desk.against_one().is_empty(), "{order:?}");
        assert!(desk.replayed() == desk.state);
    }
    for put_first in [true, false] {
        let mut desk = Desk::of_orders_before(SECOND);
        desk.now = now;
        if put_first {
            desk.put_as(|template| template.status = "REINSTATED".into());
            desk.template_told(SECOND, ONE, announced(MARKETING, from));
        } else {
            desk.template_told(SECOND, ONE, announced(MARKETING, from));
            assert_eq!(desk.against_one(), never_asked);
            // Repeating what is there says that it has not come.
            let entries = desk.entries.len();
            desk.put_as(|_| ());
            assert_eq!(desk.entries.len(), entries + 1);
            desk.put_as(|_| ());
            assert_eq!(desk.entries.len(), entries + 1, "there is nothing left to end");
        }
        assert!(desk.against_one().is_empty(), "{put_first}");
        assert!(desk.replayed() == desk.state);
    }
}

#[test]
fn a_guess_ends_with_a_word_of_whatsapps_that_is_later_and_with_none_of_the_same_second() {
    let guessed = |pause_ms| {
        let mut desk = Desk::of_two_accounts();
        desk.now = SECOND - 1;
        desk.failed_through(sender_id(), Some(ONE), pause_ms);
        assert_eq!(desk.against(), each(PAUSED, None));
        desk.now = SECOND + 5_000;
        desk
    };
    for pause_ms in [None, Some(3_600_000)] {
        let mut desk = guessed(pause_ms);
        desk.status_told(SECOND, ONE, "APPROVED");
        assert_eq!(desk.against(), each(PAUSED, None));
        desk.status_told(SECOND + 1_000, ONE, "REINSTATED");
        assert_eq!(desk.against(), each(None, None));
        assert!(desk.replayed() == desk.state);
        let mut desk = guessed(pause_ms);
        desk.put_as(|template| template.status = "APPROVED".into());
        assert_eq!(desk.against(), each(None, None));
    }
}

#[test]
fn an_answer_says_nothing_new_where_it_repeats_whatsapps_own_word() {
    let one = AccountId::parse(ONE).unwrap();
    let is_repeated = |desk: &Desk, status: &str, ms| {
        let report = desk.state.registry().reported().template(&sale()).unwrap();
        report.is_repeated(&one, status, at(ms))
    };
    let mut desk = Desk::of_two_accounts();
    desk.now = SECOND;
    assert!(is_repeated(&desk, "APPROVED", SECOND) && !is_repeated(&desk, "PAUSED", SECOND));
    // A flow that is blocked is nothing the status tells of.
    desk.failed_through(sender_id(), Some(ONE), None);
    assert!(is_repeated(&desk, "APPROVED", SECOND + 9) && !is_repeated(&desk, "PAUSED", SECOND));
    desk.now = SECOND + 5_000;
    desk.template_told(SECOND + 1_000, ONE, status("PAUSED", Some(2_000), None));
    assert!(is_repeated(&desk, "PAUSED", SECOND + 2_999), "it goes on");
    assert!(!is_repeated(&desk, "PAUSED", SECOND + 3_000), "it should be over");
    assert!(!is_repeated(&desk, "APPROVED", SECOND + 2_000));
    desk.status_told(SECOND + 4_000, ONE, "REINSTATED");
    assert!(is_repeated(&desk, "APPROVED", SECOND + 5_000));
}

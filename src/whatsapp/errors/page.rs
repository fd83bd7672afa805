//! The table as a page of the documentation.

use std::fmt::Write as _;

use crate::{
    domain::time::{DAY_MS, HOUR_MS, MINUTE_MS},
    whatsapp::errors::{Codes, Lasts, RULES, Rule, Subject, UNKNOWN_CODE},
};

const HEAD: &str = "# WhatsApp's errors, and what Izin makes of each\n\n\
    WhatsApp reports errors in the answer to a call, in a `failed` status, or beside the messages \
    of a webhook. Only the\n`code` counts; titles and texts change. This page is made from the \
    table in the code: `izin whatsapp-errors` prints it.\n\n\
    What is not about the person never counts against the person. None of these is a withdrawal \
    of consent.\n\n\
    `backoff` stops what is too fast until its span is over: the sender, the account with all its \
    senders, or the template.\nOf several errors of one message the one counts that only the person \
    or WhatsApp can take back. An error beside the\nmessages of a webhook has no time: it counts \
    once, and for an hour where the table names no span.\n\n\
    The spans of 131056, 131057, 132069 and 134101 are WhatsApp's, and so is the first of 131049. For the \
    others WhatsApp names\nnone, and the one here is a choice of Izin's: long enough not to make things \
    worse. After 131049 it asks for longer pauses\non repeats and does not say how much longer.\n";

const SECTIONS: [(&str, &[Subject]); 4] = [
    ("About the person", &[Subject::Contact, Subject::Pair]),
    (
        "About the sender, the account or the portfolio",
        &[Subject::Sender, Subject::Account, Subject::Portfolio],
    ),
    ("About the template or the request", &[Subject::Template, Subject::Request]),
    ("About nothing that was sent", &[Subject::None]),
];

/// Returns `docs/errors-whatsapp.md`, made from the table.
pub fn document() -> String {
    let mut text = String::from(HEAD);
    for (title, subjects) in SECTIONS {
        put(
            &mut text,
            format_args!(
                "\n## {title}\n\n| code | meaning | about | action | holds | lifted by | source |\n\
             |---|---|---|---|---|---|---|\n"
            ),
        );
        for rule in RULES.iter().filter(|rule| subjects.contains(&rule.subject)) {
            row(&mut text, rule);
        }
    }
    let Rule { meaning, subject, action, .. } = UNKNOWN_CODE;
    put(
        &mut text,
        format_args!(
            "\n## Any other code\n\n{meaning}: about `{}`, action `{}`. The message failed; that says \
         nothing about the person, the\nsender or the template, and Izin does not suggest to \
         repeat it. It counts when an unusual share of messages fails alike.\n",
            subject.name(),
            action.name(),
        ),
    );
    text
}

fn row(text: &mut String, rule: &Rule) {
    let Rule { codes: Codes { first, last }, meaning, subject, action, lasts, lifted_by, source } =
        rule;
    let code = if first == last { first.to_string() } else { format!("{first}–{last}") };
    put(
        text,
        format_args!(
            "| {code} | {meaning} | `{}` | `{}` | {} | {} | {source} |\n",
            subject.name(),
            action.name(),
            holds(*lasts),
            if lifted_by.is_empty() { "–" } else { lifted_by },
        ),
    );
}

fn holds(lasts: Lasts) -> String {
    match lasts {
        Lasts::Once => "this message".into(),
        Lasts::AtLeastMs(ms) => format!("at least {}", span(ms)),
        Lasts::DoublingMsOrLastingInUs { first, longest } => format!(
            "{}, twice as long for each day with one in the {} before, at most {}; for United States numbers \
             until lifted",
            span(first),
            span(longest),
            span(longest),
        ),
        Lasts::PowersOfFourS => "4^n seconds, n = 0, 1, 2, …".into(),
        Lasts::UntilLiftedAtMostMs(ms) => format!("until lifted, at most {}", span(ms)),
        Lasts::UntilLifted => "until lifted".into(),
        Lasts::Forever => "for good".into(),
    }
}

fn span(ms: i64) -> String {
    if ms % DAY_MS == 0 && ms > DAY_MS {
        format!("{} days", ms / DAY_MS)
    } else if ms % HOUR_MS == 0 {
        format!("{} h", ms / HOUR_MS)
    } else {
        format!("{} min", ms / MINUTE_MS)
    }
}

/// Writing to a `String` cannot fail.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spans::EXPERIMENT_MS;

    #[test]
    fn every_rule_is_on_the_page_once() {
        let page = document();
        for rule in RULES {
            let Codes { first, last } = rule.codes;
            let code = if first == last { first.to_string() } else { format!("{first}–{last}") };
            assert_eq!(page.matches(&format!("\n| {code} | ")).count(), 1, "{code}");
        }
    }

    #[test]
    fn the_page_says_for_how_long_a_group_that_gets_no_marketing_counts() {
        let row = document().lines().find(|line| line.starts_with("| 130472 ")).map(str::to_owned);
        let days = format!("| until lifted, at most {} days |", EXPERIMENT_MS / DAY_MS);
        assert!(row.as_ref().is_some_and(|row| row.contains(&days)), "{row:?}");
    }

    #[test]
    fn spans_are_in_days_hours_or_minutes() {
        assert_eq!(span(30 * DAY_MS), "30 days");
        assert_eq!(span(DAY_MS), "24 h");
        assert_eq!(span(HOUR_MS), "1 h");
        assert_eq!(span(10 * MINUTE_MS), "10 min");
    }
}

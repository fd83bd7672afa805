//! The rows: every error code of the Cloud API that is documented, and two of the On-Premises API.

use crate::{
    domain::{
        spans::{EXPERIMENT_MS, HELD_BACK_MAX_MS, HELD_BACK_MS},
        time::{DAY_MS, HOUR_MS, MINUTE_MS},
    },
    whatsapp::errors::{Action, Codes, Lasts, Rule, Subject},
};

const CODES: &str = "Meta, Error codes, copy of Sept 2026";
const NUMBERS: &str = "Meta, Business phone numbers, 27 Feb 2026";
const USER_IDS: &str = "Meta, Business-scoped user IDs, 29 Jun 2026";
const CHANGELOG: &str = "Meta, Changelog, 11 Aug 2026";
const CAPS: &str = "Meta, Error codes, copy of Sept 2026; Per-user limits, 26 Feb 2026";
const EXPERIMENTS: &str = "Meta, Error codes, copy of Sept 2026; Experiments, 13 Nov 2025";
const PACE: &str = "Meta, Error codes, copy of Sept 2026; About the platform, 5 Dec 2025";
const PAUSING: &str = "Meta, Error codes, copy of Sept 2026; Template pausing, 22 Oct 2025";
/// Not on the pages read, and reported by many who use test numbers.
const REPORTED: &str = "not documented on the pages read; widely reported";
const ON_PREMISES: &str = "Meta, On-Premises API errors, archived";

const fn codes(
    first: i64,
    last: i64,
    (subject, action): (Subject, Action),
    (lasts, lifted_by): (Lasts, &'static str),
    source: &'static str,
    meaning: &'static str,
) -> Rule {
    Rule { codes: Codes { first, last }, meaning, subject, action, lasts, lifted_by, source }
}

const fn code(
    code: i64,
    about: (Subject, Action),
    until: (Lasts, &'static str),
    source: &'static str,
    meaning: &'static str,
) -> Rule {
    codes(code, code, about, until, source, meaning)
}

/// Nothing lasts: the request is wrong, or a repeat may do.
const ONCE: (Lasts, &str) = (Lasts::Once, "");
const WRONG: (Subject, Action) = (Subject::Request, Action::CallerError);
const AGAIN: (Subject, Action) = (Subject::None, Action::Retry);
const HALTED: (Subject, Action) = (Subject::Account, Action::HaltAccount);
const SILENCED: (Subject, Action) = (Subject::Sender, Action::HaltSender);
const ANSWERING: (Subject, Action) = (Subject::Sender, Action::HaltTemplates);
const SLOWER: (Subject, Action) = (Subject::Account, Action::Backoff);
const MINUTE: (Lasts, &str) = (Lasts::AtLeastMs(MINUTE_MS), "time");
const HOUR: (Lasts, &str) = (Lasts::AtLeastMs(HOUR_MS), "time");
const TOKEN: (Lasts, &str) = (Lasts::UntilLifted, "a valid token");
const RIGHTS: (Lasts, &str) = (Lasts::UntilLifted, "the permission granted again");
const REGISTERED: (Lasts, &str) = (Lasts::UntilLifted, "registering the number");
const REINSTATED: (Lasts, &str) =
    (Lasts::UntilLifted, "a webhook or health status that says so; see health_status");

/// Every rule, in the order of codes, no code twice.
pub const RULES: &[Rule] = &[
    code(0, HALTED, TOKEN, CODES, "the app cannot be authenticated"),
    code(1, AGAIN, ONCE, CODES, "the API did not understand, or has trouble"),
    code(2, AGAIN, ONCE, CODES, "the API is down or too busy"),
    code(3, HALTED, RIGHTS, CODES, "the app may not do this"),
    code(4, SLOWER, HOUR, CODES, "the app made too many calls"),
    code(10, HALTED, RIGHTS, CODES, "a permission is missing or was taken back"),
    code(33, SILENCED, (Lasts::UntilLifted, "another number"), CODES, "the sender was deleted"),
    code(100, WRONG, ONCE, CODES, "a parameter is not supported or misspelt"),
    code(190, HALTED, TOKEN, CODES, "the token ran out"),
    codes(200, 299, HALTED, RIGHTS, CODES, "a permission is missing or was taken back"),
    code(368, HALTED, REINSTATED, CODES, "the account is restricted or disabled for a policy"),
    code(
        470,
        (Subject::Pair, Action::WindowClosed),
        (Lasts::UntilLifted, "a message from the person"),
        ON_PREMISES,
        "more than 24 hours passed since the person wrote (the On-Premises API's 131047)",
    ),
    code(
        471,
        ANSWERING,
        (Lasts::AtLeastMs(DAY_MS), "time and better quality"),
        ON_PREMISES,
        "too many messages of this number were blocked or reported (the On-Premises API's 131048)",
    ),
    code(80_007, SLOWER, HOUR, CODES, "the account made too many calls"),
    code(
        130_403,
        (Subject::Contact, Action::BlockedByBusiness),
        (Lasts::UntilLifted, "unblocking the person"),
        CODES,
        "the business has blocked this person",
    ),
    code(
        130_429,
        (Subject::Sender, Action::Backoff),
        MINUTE,
        CODES,
        "the number sends more messages a second than it may",
    ),
    code(
        130_472,
        (Subject::Contact, Action::Experiment),
        (
            Lasts::UntilLiftedAtMostMs(EXPERIMENT_MS),
            "time; before, an open service or free entry point window, for as long as it is open",
        ),
        EXPERIMENTS,
        "the person is in an experiment group that gets no marketing",
    ),
    code(
        130_497,
        (Subject::Contact, Action::CountryBlocked),
        (
            Lasts::UntilLifted,
            "a later message of any sender of the portfolio that arrives in the country",
        ),
        CODES,
        "the business may not write to people in this country; holds for every sender of its portfolio",
    ),
    code(131_000, AGAIN, ONCE, CODES, "something went wrong at WhatsApp"),
    code(131_005, HALTED, RIGHTS, CODES, "a permission is missing or was taken back"),
    code(131_008, WRONG, ONCE, CODES, "a parameter is missing"),
    code(131_009, WRONG, ONCE, CODES, "a parameter has a wrong value"),
    code(131_016, AGAIN, ONCE, CODES, "a service of WhatsApp is down"),
    code(
        131_021,
        (Subject::Pair, Action::RefuseForever),
        (Lasts::Forever, ""),
        CODES,
        "the sender wrote to itself",
    ),
    code(
        131_026,
        (Subject::Contact, Action::Unreachable),
        (Lasts::UntilLifted, "a message from the person, or one delivered to them"),
        CODES,
        "cannot be delivered: not on WhatsApp, terms not accepted, or too old an app",
    ),
    code(131_030, WRONG, ONCE, REPORTED, "a test number may only write to the people it lists"),
    code(131_031, HALTED, REINSTATED, CODES, "the account is locked"),
    code(
        131_037,
        SILENCED,
        (Lasts::UntilLifted, "an approved display name"),
        CODES,
        "the number's display name is not approved",
    ),
    code(
        131_042,
        HALTED,
        (Lasts::UntilLifted, "a working payment method"),
        CODES,
        "there is a problem with the payment method",
    ),
    code(131_045, SILENCED, REGISTERED, CODES, "the sender is not registered"),
    code(
        131_047,
        (Subject::Pair, Action::WindowClosed),
        (Lasts::UntilLifted, "a message from the person"),
        CODES,
        "more than 24 hours passed since the person wrote to this number",
    ),
    code(
        131_048,
        ANSWERING,
        (Lasts::AtLeastMs(DAY_MS), "time and better quality"),
        CODES,
        "too many messages of this number were blocked or reported",
    ),
    code(
        131_049,
        (Subject::Contact, Action::MarketingCooldown),
        (
            Lasts::DoublingMsOrLastingInUs { first: HELD_BACK_MS, longest: HELD_BACK_MAX_MS },
            "time; in the United States, the end of the pause",
        ),
        CAPS,
        "held back by WhatsApp: the person got enough marketing, or the country gets none",
    ),
    code(
        131_050,
        (Subject::Contact, Action::MarketingStopped),
        (Lasts::UntilLifted, "the person resuming marketing in WhatsApp (`user_preferences`)"),
        CODES,
        "the person stopped marketing from this business",
    ),
    code(131_051, WRONG, ONCE, CODES, "this kind of message is not supported"),
    code(131_052, WRONG, ONCE, CODES, "a file the person sent cannot be fetched"),
    code(131_053, WRONG, ONCE, CODES, "a file to be sent cannot be uploaded"),
    code(131_055, WRONG, ONCE, CODES, "this call does not take this message (Marketing Messages)"),
    code(
        131_056,
        (Subject::Pair, Action::PairBackoff),
        (Lasts::PowersOfFourS, "time"),
        PACE,
        "too many messages from this sender to this person in a short while",
    ),
    code(
        131_057,
        (Subject::Sender, Action::Backoff),
        MINUTE,
        CODES,
        "the number is being maintained, mostly to raise its throughput",
    ),
    code(131_059, WRONG, ONCE, CODES, "the request is not one the API takes"),
    code(
        131_062,
        (Subject::Contact, Action::NeedsPhone),
        (Lasts::Once, "sending to the person's number"),
        USER_IDS,
        "this kind of message cannot go to a user id; Izin itself refuses authentication templates to one",
    ),
    code(
        131_063,
        (Subject::Account, Action::HaltMarketing),
        (Lasts::UntilLifted, "the account's own setting"),
        CHANGELOG,
        "marketing through this API is switched off for the account",
    ),
    code(
        131_064,
        (Subject::Account, Action::HaltTemplates),
        (Lasts::AtLeastMs(DAY_MS), "time; WhatsApp lifts it by itself"),
        CHANGELOG,
        "templates are limited since some were filed under a wrong category",
    ),
    code(132_000, WRONG, ONCE, CODES, "the template has another number of parameters"),
    code(
        132_001,
        (Subject::Template, Action::TemplateUnknown),
        (Lasts::UntilLifted, "an approved template of this name and language"),
        CODES,
        "there is no such template in this language, or it is not approved",
    ),
    code(132_005, WRONG, ONCE, CODES, "the filled-in template is too long"),
    code(132_007, WRONG, ONCE, CODES, "the template's content breaks a policy of format"),
    code(132_012, WRONG, ONCE, CODES, "a parameter has another format than the template's"),
    code(
        132_015,
        (Subject::Template, Action::TemplatePaused),
        (Lasts::UntilLifted, "the end of the pause (`message_template_status_update`)"),
        PAUSING,
        "the template is paused, or the message was held to see how it is received, and dropped",
    ),
    code(
        132_016,
        (Subject::Template, Action::TemplateDisabled),
        (Lasts::Forever, ""),
        PAUSING,
        "the template is disabled after being paused too often",
    ),
    code(132_018, WRONG, ONCE, CODES, "the template's parameters are wrong"),
    code(
        132_068,
        (Subject::Template, Action::TemplatePaused),
        (Lasts::UntilLifted, "the flow being let go"),
        CODES,
        "the template's flow is blocked",
    ),
    code(
        132_069,
        (Subject::Template, Action::Backoff),
        HOUR,
        CODES,
        "the template's flow is throttled to ten messages an hour",
    ),
    code(133_004, AGAIN, ONCE, CODES, "the server is not available for a while"),
    code(133_010, SILENCED, REGISTERED, CODES, "the sender is not registered"),
    code(134_100, WRONG, ONCE, CODES, "only marketing goes this way (Marketing Messages)"),
    code(
        134_101,
        (Subject::Template, Action::Backoff),
        (Lasts::AtLeastMs(10 * MINUTE_MS), "time"),
        CODES,
        "the template is still being taken over (Marketing Messages)",
    ),
    code(134_102, WRONG, ONCE, CODES, "the template cannot go this way (Marketing Messages)"),
    code(135_000, WRONG, ONCE, CODES, "a parameter is wrong, WhatsApp does not say which"),
    code(
        137_000,
        (Subject::Contact, Action::Identity),
        (Lasts::UntilLifted, "registering the person again, outside WhatsApp"),
        NUMBERS,
        "the identity hash sent along is not the recipient's any more; nothing was delivered",
    ),
    codes(
        139_100,
        139_103,
        (Subject::None, Action::None),
        ONCE,
        CODES,
        "blocking or unblocking a person did not work",
    ),
    codes(
        147_001,
        147_005,
        (Subject::None, Action::None),
        ONCE,
        USER_IDS,
        "reserving or changing the business's username did not work",
    ),
];

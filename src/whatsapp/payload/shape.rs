//! What an update is about: by its field's name, and by its looks where the name is missing or
//! belongs to something else.
//!
//! Source: Meta, "Webhooks: overview" for the names; its example for
//! `message_template_quality_update` carries another field's name. Read November 2026.

use crate::whatsapp::payload::view::View;

/// Which reader an update is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Conversation,
    Calls,
    TemplateStatus,
    TemplateQuality,
    TemplateCategory,
    AccountUpdate,
    AccountAlert,
    AccountReview,
    Capability,
    NumberQuality,
    DisplayName,
    Username,
    Unknown,
}

/// Members that only updates about people have, at least one of them.
const CONVERSATION: [&str; 6] =
    ["messages", "statuses", "user_preferences", "user_id_update", "user_actions", "errors"];

/// Longest outline, in bytes.
const OUTLINE_BYTES_MAX: usize = 200;

/// Returns whether a value is about people.
pub(super) fn is_conversation(value: View<'_, '_>) -> bool {
    CONVERSATION.iter().any(|member| value.has(member))
}

/// Returns what a value is about.
///
/// A name this build does not read settles it, whatever the value looks like: `history` and
/// `smb_message_echoes` hold what look like messages and are none that arrived now. Among the names
/// it does read, members that only one kind has outweigh the name.
pub(super) fn subject(field: Option<&str>, value: View<'_, '_>) -> Subject {
    let named = field.map(by_name);
    // Statuses of calls stand where those of messages do.
    if let Some(sure @ (Subject::Unknown | Subject::Calls)) = named {
        return sure;
    }
    by_sure_sign(value).or(named).unwrap_or_else(|| by_likeness(value))
}

fn by_name(field: &str) -> Subject {
    match field {
        "messages" | "user_preferences" | "user_id_update" => Subject::Conversation,
        "calls" => Subject::Calls,
        "message_template_status_update" => Subject::TemplateStatus,
        "message_template_quality_update" => Subject::TemplateQuality,
        "template_category_update" => Subject::TemplateCategory,
        "account_update" => Subject::AccountUpdate,
        "account_alerts" => Subject::AccountAlert,
        "account_review_update" => Subject::AccountReview,
        "business_capability_update" => Subject::Capability,
        "phone_number_quality_update" => Subject::NumberQuality,
        "phone_number_name_update" => Subject::DisplayName,
        "business_username_updates" => Subject::Username,
        _ => Subject::Unknown,
    }
}

/// Members that only one kind has.
const SURE_SIGNS: [(&str, Subject); 14] = [
    ("calls", Subject::Calls),
    ("new_quality_score", Subject::TemplateQuality),
    ("correct_category", Subject::TemplateCategory),
    ("previous_category", Subject::TemplateCategory),
    ("category_update_timestamp", Subject::TemplateCategory),
    ("alert_info", Subject::AccountAlert),
    ("violation_info", Subject::AccountUpdate),
    ("restriction_info", Subject::AccountUpdate),
    ("ban_info", Subject::AccountUpdate),
    ("disconnection_info", Subject::AccountUpdate),
    ("requested_verified_name", Subject::DisplayName),
    ("max_daily_conversation_per_phone", Subject::Capability),
    ("max_phone_numbers_per_business", Subject::Capability),
    ("max_phone_numbers_per_waba", Subject::Capability),
];

fn by_sure_sign(value: View<'_, '_>) -> Option<Subject> {
    if is_conversation(value) {
        return Some(Subject::Conversation);
    }
    let sign = SURE_SIGNS.iter().find(|(member, _)| value.has(member));
    let is_template = value.has("message_template_id") || value.has("message_template_name");
    match sign {
        Some((_, subject)) => Some(*subject),
        None if is_template && value.has("event") => Some(Subject::TemplateStatus),
        None => None,
    }
}

fn by_likeness(value: View<'_, '_>) -> Subject {
    let has_number = value.has("display_phone_number");
    if value.has("decision") {
        if has_number { Subject::DisplayName } else { Subject::AccountReview }
    } else if value.has("event") {
        if has_number { Subject::NumberQuality } else { Subject::AccountUpdate }
    } else if has_number && (value.has("username") || value.has("status")) {
        Subject::Username
    } else if value.has("max_daily_conversations_per_business") {
        Subject::Capability
    } else {
        Subject::Unknown
    }
}

/// Returns a kind of thing and WhatsApp's word for it, if the word is one.
pub(super) fn labelled(what: &str, word: Option<&str>) -> Box<str> {
    let is_word = |word: &&str| {
        word.len() <= OUTLINE_BYTES_MAX
            && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    format!("{what} {}", word.filter(is_word).unwrap_or("?")).into()
}

/// Returns the names of the members, in order, cut short where they are many: enough to recognise
/// the kind, and nothing they hold.
pub(super) fn outline(value: View<'_, '_>) -> Box<str> {
    let mut names: Vec<&str> = value.node().members().iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.dedup();
    let mut outline = String::new();
    for name in names {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let name = if is_plain && !name.is_empty() { name } else { "?" };
        if outline.len() + name.len() + 1 > OUTLINE_BYTES_MAX {
            outline.push('…');
            break;
        }
        if !outline.is_empty() {
            outline.push(' ');
        }
        outline.push_str(name);
    }
    outline.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::payload::{
        defects::{Defects, Part},
        json::parse,
    };

    fn with<T>(json: &str, look: impl FnOnce(View<'_, '_>) -> T) -> T {
        let defects = Defects::default();
        let node = parse(json.as_bytes()).unwrap();
        look(View::of(&node, Part::Value, &defects).unwrap())
    }

    fn subject_of(field: &str, json: &str) -> Subject {
        with(json, |value| subject((!field.is_empty()).then_some(field), value))
    }

    #[test]
    fn members_that_only_one_kind_has_outweigh_a_name() {
        let quality = r#"{"new_quality_score":"RED","message_template_id":1}"#;
        for field in ["message_template_status_update", "", "messages"] {
            assert_eq!(subject_of(field, quality), Subject::TemplateQuality, "{field}");
        }
        let statuses = r#"{"statuses":[]}"#;
        assert_eq!(subject_of("account_update", statuses), Subject::Conversation);
        assert_eq!(subject_of("calls", statuses), Subject::Calls, "of calls, not of messages");
    }

    #[test]
    fn a_name_nobody_reads_is_left_alone_whatever_it_looks_like() {
        for field in ["history", "smb_message_echoes", "field_from_the_future"] {
            assert_eq!(subject_of(field, r#"{"messages":[{}]}"#), Subject::Unknown, "{field}");
        }
    }

    #[test]
    fn without_a_name_the_looks_decide() {
        for (json, expected) in [
            (r#"{"messages":[]}"#, Subject::Conversation),
            (r#"{"user_preferences":[]}"#, Subject::Conversation),
            (r#"{"event":"APPROVED","message_template_name":"a"}"#, Subject::TemplateStatus),
            (r#"{"correct_category":"MARKETING"}"#, Subject::TemplateCategory),
            (r#"{"event":"ACCOUNT_DELETED"}"#, Subject::AccountUpdate),
            (r#"{"ban_info":{}}"#, Subject::AccountUpdate),
            (r#"{"alert_info":{}}"#, Subject::AccountAlert),
            (r#"{"decision":"APPROVED"}"#, Subject::AccountReview),
            (r#"{"decision":"APPROVED","display_phone_number":"1"}"#, Subject::DisplayName),
            (r#"{"max_daily_conversations_per_business":1}"#, Subject::Capability),
            (r#"{"display_phone_number":"1","event":"ONBOARDING"}"#, Subject::NumberQuality),
            (r#"{"display_phone_number":"1","username":"a"}"#, Subject::Username),
            (r#"{"calls":[]}"#, Subject::Calls),
            (r#"{"something_new":1}"#, Subject::Unknown),
        ] {
            assert_eq!(subject_of("", json), expected, "{json}");
        }
    }

    #[test]
    fn an_outline_shows_names_of_members_and_nothing_else() {
        let shown = |json: &str| with(json, outline).into_string();
        assert_eq!(shown(r#"{"b":"secret","a":{"c":1},"b":2}"#), "a b");
        assert_eq!(shown(r#"{"12025550123":1}"#), "?");
        let many: Vec<_> = (0..99).map(|n| format!(r#""{}":1"#, "m".repeat(n + 1))).collect();
        assert!(shown(&format!("{{{}}}", many.join(","))).len() <= OUTLINE_BYTES_MAX + 3);
    }
}

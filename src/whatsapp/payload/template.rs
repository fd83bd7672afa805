//! Updates about templates.

use crate::{
    domain::{
        names,
        registry::{Category, Quality},
    },
    whatsapp::{
        facts::{
            Conclusion, PauseKind, TemplateCategory, TemplateEvent, TemplateKey, TemplateQuality,
            TemplateStatus,
        },
        payload::{
            account::day,
            envelope::unknown,
            sink::{Origin, Sink},
            view::View,
        },
    },
};

/// Returns which template; nothing if neither id nor name can be read.
fn template(value: View<'_, '_>) -> Option<TemplateKey> {
    let template = TemplateKey {
        id: value.unsigned("message_template_id"),
        name: value.parsed("message_template_name", |text| names::TemplateName::parse(text).ok()),
        language: value
            .parsed("message_template_language", |text| names::Language::parse(text).ok()),
    };
    (template.id.is_some() || template.name.is_some()).then_some(template)
}

/// Returns a category; nothing for one that is none any more.
pub(in crate::whatsapp) fn category_of(
    value: View<'_, '_>,
    member: &'static str,
) -> Option<Category> {
    value.parsed(member, |word| match word.to_ascii_uppercase().as_str() {
        "MARKETING" => Some(Category::Marketing),
        "UTILITY" => Some(Category::Utility),
        "AUTHENTICATION" => Some(Category::Authentication),
        _ => None,
    })
}

/// Returns a quality; one that is not rated, or in a word nobody knows, is unknown.
pub(in crate::whatsapp) fn quality_of(word: &str) -> Quality {
    match word.to_ascii_uppercase().as_str() {
        "GREEN" => Quality::Green,
        "YELLOW" => Quality::Yellow,
        "RED" => Quality::Red,
        _ => Quality::Unknown,
    }
}

fn add(conclusion: Option<Conclusion>, value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    match conclusion {
        Some(conclusion) => sink.add_of_value(origin, value.node(), conclusion),
        None => unknown(value, origin, sink),
    }
}

/// Reads `message_template_status_update`.
pub(super) fn status(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let conclusion = template(value).zip(value.word("event")).map(|(template, event)| {
        let (info, other) = (value.object("disable_info"), value.object("other_info"));
        Conclusion::TemplateStatus(TemplateStatus {
            template,
            event: TemplateEvent::of_word(event),
            category: category_of(value, "message_template_category"),
            reason: value.kept("reason").filter(|reason| !reason.eq_ignore_ascii_case("NONE")),
            pause: other.and_then(|other| other.word("title")).map(PauseKind::of_word),
            disabled_on: info.and_then(|info| day(info, "disable_date")),
        })
    });
    add(conclusion, value, origin, sink);
}

/// Reads `message_template_quality_update`.
pub(super) fn quality(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let conclusion = template(value).zip(value.word("new_quality_score")).map(|(template, new)| {
        let previous = value.word("previous_quality_score").map(quality_of);
        Conclusion::TemplateQuality(TemplateQuality { template, previous, new: quality_of(new) })
    });
    add(conclusion, value, origin, sink);
}

/// Reads `template_category_update`: the notice a day ahead, in which "new" is what still holds,
/// and the change itself.
pub(super) fn category(value: View<'_, '_>, origin: &Origin, sink: &mut Sink) {
    let is_notice = value.has("correct_category") || value.has("category_update_timestamp");
    let conclusion = template(value).map(|template| {
        let current = category_of(value, "new_category");
        Conclusion::TemplateCategory(if is_notice {
            let coming = category_of(value, "correct_category");
            let from = value.moment("category_update_timestamp");
            TemplateCategory::Impending { template, current, coming, from }
        } else {
            let previous = category_of(value, "previous_category");
            TemplateCategory::Done { template, previous, current }
        })
    });
    add(conclusion, value, origin, sink);
}

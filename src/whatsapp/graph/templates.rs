//! What the Graph API says of an account's templates, a page at a time.
//!
//! Source: Meta, "Template management" and the Graph API's "Paginated results"; read November 2026.

use crate::{
    domain::{
        names::{Language, TemplateName},
        registry::{Category, Quality, TemplateRef},
    },
    whatsapp::{
        graph::answer::{NotAnAnswer, objects, read},
        payload::{View, category_of, quality_of},
    },
};

/// A page of an account's templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatesRead {
    /// Those that can be told apart; others are passed over.
    pub templates: Vec<TemplateRead>,
    /// What asks for the page after this one, if there is one.
    pub next: Option<Box<str>>,
}

/// What the Graph API says of one template in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRead {
    /// Which.
    pub template: TemplateRef,
    /// WhatsApp's word, upper case. An open set.
    pub status: Option<Box<str>>,
    /// What it is filed under. Nothing for a category of the past.
    pub category: Option<Category>,
    /// How well it is received.
    pub quality: Option<Quality>,
}

impl TemplatesRead {
    /// Reads the answer to a question about an account's templates, whatever its HTTP status.
    ///
    /// # Errors
    ///
    /// [`NotAnAnswer::Refused`] if the answer holds an error, [`NotAnAnswer::WrongShape`] if it is
    /// no list.
    pub fn parse(body: &[u8]) -> Result<Self, NotAnAnswer> {
        read(body, |answer| {
            let templates = objects(answer, "data").filter_map(template_read).collect();
            answer.has("data").then(|| Self { templates, next: next(answer) })
        })
    }
}

fn template_read(template: View<'_, '_>) -> Option<TemplateRead> {
    let score = template.object("quality_score");
    Some(TemplateRead {
        template: TemplateRef {
            name: template.parsed("name", |text| TemplateName::parse(text).ok())?,
            language: template.parsed("language", |text| Language::parse(text).ok())?,
        },
        status: template.word("status").map(|word| word.to_ascii_uppercase().into()),
        category: category_of(template, "category"),
        quality: score.and_then(|score| score.word("score")).map(quality_of),
    })
}

/// The last page names what would come after it as well; only one that is not the last has an
/// address of the next. The address itself is not used: it may hold the token.
fn next(answer: View<'_, '_>) -> Option<Box<str>> {
    let paging = answer.object("paging").filter(|paging| paging.has("next"))?;
    paging.object("cursors")?.kept("after")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_read_with_what_asks_for_the_next() {
        let body = include_bytes!("../../../tests/data/graph/templates.json");
        let read = TemplatesRead::parse(body).unwrap();
        let shown = |read: &TemplateRead| {
            let TemplateRef { name, language } = &read.template;
            (format!("{name}/{language}"), read.status.clone(), read.category, read.quality)
        };
        assert_eq!(
            read.templates.iter().map(shown).collect::<Vec<_>>(),
            [
                (
                    "order_update/id".into(),
                    Some("PAUSED".into()),
                    Some(Category::Utility),
                    Some(Quality::Red)
                ),
                ("sale/en".into(), Some("APPROVED".into()), Some(Category::Marketing), None),
            ]
        );
        assert_eq!(read.next.as_deref(), Some("MjQZD"));
    }

    #[test]
    fn the_last_page_asks_for_no_other_and_oddities_cost_no_template() {
        let odd = br#"{"data":[7,{"name":"a b","language":"en"},{"name":"c"},{"name":"d",
            "language":"en","status":7,"category":"OTP","quality_score":"GREEN"}],
            "paging":{"cursors":{"after":"x"}}}"#;
        let read = TemplatesRead::parse(odd).unwrap();
        assert_eq!((read.templates.len(), read.next), (1, None));
        let [only] = read.templates.as_slice() else { panic!("one") };
        assert_eq!((&only.status, only.category, only.quality), (&None, None, None));
        assert!(TemplatesRead::parse(br#"{"data":[]}"#).is_ok());
        for body in [&b"{}"[..], b"[]", b"<html>", br#"{"id":"1"}"#] {
            assert_eq!(TemplatesRead::parse(body), Err(NotAnAnswer::WrongShape));
        }
        let refused = br#"{"error":{"code":190,"message":"x"}}"#;
        assert!(matches!(TemplatesRead::parse(refused), Err(NotAnAnswer::Refused(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(TemplatesRead::parse(&body).is_err());
        }
    }
}

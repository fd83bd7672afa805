//! What can be said to help about a text that names nobody: the number that was probably meant,
//! and the regions in which the text would be one.
//!
//! Takes none of it. Only for the one number of a single call, whose caller is a person or stands
//! for one; rows of batches, streams and lists are never explained.

use std::fmt::{Debug, Formatter};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{edge::Edge, problem::Problem},
    numbers::{self, Region, Suggestion},
};

/// A text that names nobody, kept until somebody explains it. Personal data: `Debug` is redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Unread {
    text: Box<str>,
    region: Option<Region>,
}

/// What was found out about it.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The number that was probably meant.
    pub suggestion: Option<SuggestionBody>,
    /// The regions in which the text would be a valid number; `None` where no region helps.
    pub valid_in: Option<Vec<Region>>,
}

/// A number that was probably meant, and what has to be assumed for it. Never taken silently.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SuggestionBody {
    /// The number to ask about, in E.164.
    #[schema(example = "+6281234567890")]
    e164: Box<str>,
    /// What is assumed: `renumbered`, `legacy_prefix`, `mobile_prefix_15`, `national_digits`,
    /// `idd_guess` or `missing_plus`.
    assumption: &'static str,
}

impl SuggestionBody {
    /// Renders a suggestion.
    pub fn of(suggestion: &Suggestion) -> Self {
        Self {
            e164: suggestion.e164().as_str().into(),
            assumption: suggestion.assumption().as_str(),
        }
    }
}

impl Debug for Unread {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unread").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Unread {
    /// Keeps a text and the region it was read in.
    pub fn new(text: &str, region: Option<Region>) -> Self {
        Self { text: text.into(), region }
    }

    /// Reads the text in every way that is worth a try.
    fn explain(&self) -> Explanation {
        let Self { text, region } = self;
        let suggestion = numbers::suggest(text, *region);
        let is_regionless = region.is_none() && numbers::needs_region(text);
        Explanation {
            suggestion: suggestion.as_ref().map(SuggestionBody::of),
            valid_in: is_regionless.then(|| numbers::valid_in(text)),
        }
    }

    /// Explains the text off the event loop. When too much else is under way, nothing is said.
    pub async fn explained(self, edge: &Edge) -> Explanation {
        match edge.blocking.run(move || self.explain()).await {
            Ok(explanation) => explanation,
            Err(error) => {
                tracing::debug!(%error, "a number was left unexplained");
                Explanation::default()
            }
        }
    }
}

/// Completes a problem about a text that names nobody; other problems stay as they are.
pub async fn complete(edge: &Edge, mut problem: Problem) -> Problem {
    let Some(unread) = problem.take_unread() else { return problem };
    let Explanation { suggestion, valid_in } = unread.explained(edge).await;
    if let Some(suggestion) = suggestion {
        problem = problem.with("suggestion", serde_json::to_value(suggestion).unwrap_or_default());
    }
    if let Some(regions) = valid_in {
        let codes: Vec<&str> = regions.iter().map(Region::as_str).collect();
        problem = problem.with("valid_in", codes);
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(text: &str, region: &str) -> Explanation {
        Unread::new(text, Region::parse(region).ok()).explain()
    }

    #[test]
    fn regions_are_tried_only_where_one_is_missing() {
        assert!(explain("0812 3456 7890", "").valid_in.is_some_and(|found| !found.is_empty()));
        assert!(explain("0812", "ID").valid_in.is_none());
        assert!(explain("+999 123 4567", "").valid_in.is_none());
    }

    #[test]
    fn a_suggestion_names_its_assumption() {
        let found = explain("12025550123", "").suggestion.unwrap();
        let shown = serde_json::to_value(found).unwrap();
        let meant = serde_json::json!({"e164": "+12025550123", "assumption": "missing_plus"});
        assert_eq!(shown, meant);
        assert!(explain("0812 3456 7890", "").suggestion.is_none(), "no country is guessed");
    }

    #[test]
    fn debug_never_shows_the_text() {
        let shown = format!("{:?}", Unread::new("0812 3456 7890", None));
        assert!(!shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
    }
}

//! Members of a problem that only some codes have, as the API document names them. Problems carry
//! them in a map, under these names.

use utoipa::ToSchema;

use crate::http::{explain::SuggestionBody, v1::lookups::BudgetBody, wire::Moment};

/// Members of a problem that only some codes have.
#[derive(Debug, ToSchema)]
#[schema(as = ProblemMembers)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Members {
    /// `number_invalid`, `number_ambiguous`: why the text is no number, as libphonenumber names it.
    error: Option<String>,
    /// `number_invalid`, `number_ambiguous`: the number that was probably meant. Ask the person.
    suggestion: Option<SuggestionBody>,
    /// `number_ambiguous`: regions in which the text would be a valid number, the most plausible
    /// first.
    valid_in: Option<Vec<String>>,
    /// `scope_missing`: the scope the key would need.
    scope: Option<String>,
    /// `body_too_large`: the most bytes the call takes.
    limit: Option<u64>,
    /// The line of NDJSON that is at fault, counted from 1.
    line: Option<u64>,
    /// What is spent: `lookups`, `network` or `key`.
    #[schema(rename = "violated-policies")]
    violated_policies: Option<Vec<String>>,
    /// `lookup_budget_spent`: how many look-ups it would have taken.
    wanted: Option<u64>,
    /// `lookup_budget_spent`: what is left.
    budget: Option<BudgetBody>,
    /// `lookup_budget_spent`: when there is room again.
    frees_at: Option<Moment>,
    /// `ticket_voided`: why it was taken back.
    cause: Option<String>,
    /// Whether it was recorded: `not_recorded`, or `unknown`.
    outcome: Option<String>,
}

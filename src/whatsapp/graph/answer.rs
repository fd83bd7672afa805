//! Any answer of the Graph API: an error, or an object.
//!
//! Source: Meta, "Error codes", and the Graph API's "Handling errors"; read November 2026.

use crate::{
    limits::PLATFORM_ANSWER_BYTES_MAX,
    whatsapp::{
        errors::{Rule, rule},
        facts::Fault,
        payload::{Defects, Part, View, fault, parse},
    },
};

/// An error of the Graph API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFault {
    /// Code and details.
    pub fault: Fault,
    /// The class of error, such as `OAuthException`. The same for nearly all.
    pub kind: Option<Box<str>>,
    /// A finer code, out of date.
    pub subcode: Option<i64>,
    /// Whether WhatsApp itself says that a repeat may do.
    pub is_transient: bool,
    /// What to name when asking Meta's support.
    pub trace: Option<Box<str>>,
}

impl GraphFault {
    /// Returns what the code means and asks for.
    pub fn rule(&self) -> &'static Rule {
        rule(self.fault.code)
    }
}

/// Why an answer says nothing about what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAnswer {
    /// WhatsApp answered with an error.
    #[error("WhatsApp answered with error {}", .0.fault.code)]
    Refused(Box<GraphFault>),
    /// The answer is not an object, or one of another shape.
    #[error("the answer is not of the shape WhatsApp's have")]
    WrongShape,
}

/// Reads an answer, whatever its HTTP status; `of` returns nothing for one of another shape.
pub(super) fn read<T>(
    body: &[u8],
    of: impl FnOnce(View<'_, '_>) -> Option<T>,
) -> Result<T, NotAnAnswer> {
    if body.len() > PLATFORM_ANSWER_BYTES_MAX {
        return Err(NotAnAnswer::WrongShape);
    }
    let Ok(node) = parse(body) else { return Err(NotAnAnswer::WrongShape) };
    let defects = Defects::default();
    let answer = View::of(&node, Part::Answer, &defects).ok_or(NotAnAnswer::WrongShape)?;
    if let Some(error) = answer.object("error") {
        let refused = graph_fault(error).ok_or(NotAnAnswer::WrongShape)?;
        return Err(NotAnAnswer::Refused(Box::new(refused)));
    }
    of(answer).ok_or(NotAnAnswer::WrongShape)
}

/// Returns the objects of a list; what is none is passed over.
pub(super) fn objects<'n, 't>(
    view: View<'n, 't>,
    member: &'static str,
) -> impl Iterator<Item = View<'n, 't>> {
    view.list(member).iter().filter_map(move |node| View::of(node, Part::Answer, view.defects()))
}

fn graph_fault(error: View<'_, '_>) -> Option<GraphFault> {
    Some(GraphFault {
        fault: fault(error)?,
        kind: error.kept("type"),
        subcode: error.integer("error_subcode"),
        is_transient: error.flag("is_transient").unwrap_or(false),
        trace: error.kept("fbtrace_id"),
    })
}

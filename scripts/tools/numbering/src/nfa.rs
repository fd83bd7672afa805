//! Patterns over digits as one machine that is in several states at once.
//!
//! Knows regular expressions, and nothing of numbers but that they are digits.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A state, by its place.
pub(crate) type State = usize;

/// A set of states, which is where the machine is.
pub(crate) type States = BTreeSet<State>;

/// What it means that the machine has come to a state.
pub(crate) type Mark = usize;

#[derive(Default)]
struct Node {
    /// States it is in as well.
    free: Vec<State>,
    /// Bits 0 to 9 for the digits, and where they lead.
    steps: Vec<(u16, State)>,
    marks: Vec<Mark>,
    /// A state it is in as well if it came here by a digit.
    after_a_digit: Option<State>,
}

const EVERY_DIGIT: u16 = (1 << 10) - 1;

/// The machine. It begins in state 0.
pub(crate) struct Nfa {
    nodes: Vec<Node>,
}

impl Nfa {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    /// Adds a pattern: the mark stands where digits match it from end to end.
    pub(crate) fn add_whole(&mut self, pattern: &str, mark: Mark) -> Result<()> {
        let end = self.add(pattern)?;
        self.nodes[end].marks.push(mark);
        Ok(())
    }

    /// Adds a pattern: the mark stands from where digits begin with a match of one digit or more.
    pub(crate) fn add_prefix(&mut self, pattern: &str, mark: Mark) -> Result<()> {
        let end = self.add(pattern)?;
        let from_here_on = self.node();
        self.nodes[from_here_on].marks.push(mark);
        self.nodes[from_here_on].steps.push((EVERY_DIGIT, from_here_on));
        self.nodes[end].after_a_digit = Some(from_here_on);
        Ok(())
    }

    /// Returns where the machine is before the first digit.
    pub(crate) fn start(&self) -> States {
        self.with_free(vec![0])
    }

    /// Returns where the machine is after one more digit.
    pub(crate) fn step(&self, from: &States, digit: u8) -> States {
        let reached = from
            .iter()
            .flat_map(|state| &self.nodes[*state].steps)
            .filter(|(digits, _)| digits & (1 << digit) != 0)
            .map(|(_, to)| *to);
        let mut reached = self.with_free(reached.collect());
        let after: Vec<_> =
            reached.iter().filter_map(|state| self.nodes[*state].after_a_digit).collect();
        reached.extend(after);
        reached
    }

    /// Returns what it means to be there.
    pub(crate) fn marks(&self, states: &States) -> BTreeSet<Mark> {
        states.iter().flat_map(|state| &self.nodes[*state].marks).copied().collect()
    }

    fn with_free(&self, mut open: Vec<State>) -> States {
        let mut reached = States::new();
        while let Some(state) = open.pop() {
            if reached.insert(state) {
                open.extend(&self.nodes[state].free);
            }
        }
        reached
    }

    fn add(&mut self, pattern: &str) -> Result<State> {
        let begin = self.node();
        self.nodes[0].free.push(begin);
        let parsed = regex_syntax::ParserBuilder::new().unicode(false).build().parse(pattern)?;
        self.expression(&parsed, begin)
    }

    fn node(&mut self) -> State {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// Adds what leads from a state through an expression; returns the state behind it.
    fn expression(&mut self, expression: &Hir, from: State) -> Result<State> {
        match expression.kind() {
            // An end inside a prefix: without it more is marked, which is the safe side.
            HirKind::Empty | HirKind::Look(regex_syntax::hir::Look::End) => Ok(from),
            HirKind::Literal(text) => {
                text.0.iter().try_fold(from, |from, byte| self.digits(*byte, *byte, from))
            }
            HirKind::Class(Class::Bytes(class)) => {
                let to = self.node();
                for range in class.ranges() {
                    let end = self.digits(range.start(), range.end(), from)?;
                    self.nodes[end].free.push(to);
                }
                Ok(to)
            }
            HirKind::Capture(group) => self.expression(&group.sub, from),
            HirKind::Concat(parts) => {
                parts.iter().try_fold(from, |from, part| self.expression(part, from))
            }
            HirKind::Alternation(parts) => {
                let to = self.node();
                for part in parts {
                    let branch = self.node();
                    self.nodes[from].free.push(branch);
                    let end = self.expression(part, branch)?;
                    self.nodes[end].free.push(to);
                }
                Ok(to)
            }
            HirKind::Repetition(repetition) => {
                let Some(max) = repetition.max else { bail!("a pattern without end") };
                let to = self.node();
                let mut from = from;
                for count in 0..max {
                    if count >= repetition.min {
                        self.nodes[from].free.push(to);
                    }
                    from = self.expression(&repetition.sub, from)?;
                }
                self.nodes[from].free.push(to);
                Ok(to)
            }
            HirKind::Look(_) | HirKind::Class(Class::Unicode(_)) => bail!("{expression}"),
        }
    }

    fn digits(&mut self, first: u8, last: u8, from: State) -> Result<State> {
        let digits = b'0'..=b'9';
        ensure!(digits.contains(&first) && digits.contains(&last), "a pattern of more than digits");
        let bits = (first..=last).fold(0, |bits, digit| bits | 1 << (digit - b'0'));
        let to = self.node();
        self.nodes[from].steps.push((bits, to));
        Ok(to)
    }
}

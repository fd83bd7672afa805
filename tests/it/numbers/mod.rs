//! Numbers held against Google's answers, its metadata and a second parser.

mod allocations;
mod automaton;
mod awkward;
mod corpus;
mod rows;
mod second_opinion;

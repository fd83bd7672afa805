//! Numbers held against Google's answers, its metadata and a second parser.

mod automaton;
mod awkward;
mod corpus;
mod rows;
mod second_opinion;

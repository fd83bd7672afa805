//! Every bound of the program, with its reason, related to each other where they depend.
//!
//! Imports nothing. A number that limits what a caller may do belongs here and nowhere else.

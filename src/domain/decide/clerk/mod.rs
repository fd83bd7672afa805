//! A careful clerk, who keeps every act on a list and reads the whole list before answering: what
//! the rules are held against.

mod tests;

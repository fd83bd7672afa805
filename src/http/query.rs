//! Query strings: every parameter known, given once, and `+` meaning plus in a number.

use std::borrow::Cow;

use actix_web::HttpRequest;

use crate::http::problem::{Problem, QUERY_INVALID};

/// The parameters of a query, each given at most once.
#[derive(Debug)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads the query of a request that may have these parameters.
    ///
    /// # Errors
    ///
    /// [`QUERY_INVALID`] for a parameter that is unknown, given twice or not UTF-8.
    pub fn read(req: &'a HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in req.query_string().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&&*name) {
                let known = match known {
                    [] => "this call takes none".to_owned(),
                    known => format!("known are {}", known.join(", ")),
                };
                return Err(refuse("?", format!("unknown parameter; {known}")));
            }
            if pairs.iter().any(|(taken, _)| *taken == name) {
                return Err(refuse(&name, "given twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Refuses parameters given without a value, where one left blank by mistake would ask for
    /// everything.
    ///
    /// # Errors
    ///
    /// [`QUERY_INVALID`].
    pub fn without_blanks(self) -> Result<Self, Problem> {
        match self.pairs.iter().find(|(_, value)| value.is_empty()) {
            Some((name, _)) => Err(refuse(name, "has no value; leave it out to ask for all")),
            None => Ok(self),
        }
    }

    /// Returns whether a parameter is given without a value.
    pub fn is_blank(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, value)| known == name && value.is_empty())
    }

    /// Returns a parameter; an empty one counts as not given.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// Returns a parameter parsed.
    ///
    /// # Errors
    ///
    /// [`QUERY_INVALID`] with what the parser says.
    pub fn parse<T, E: std::fmt::Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(name) else { return Ok(None) };
        parse(value).map(Some).map_err(|error| refuse(name, error.to_string()))
    }

    /// Returns a number between 1 and `max`, or `default`.
    ///
    /// # Errors
    ///
    /// [`QUERY_INVALID`].
    pub fn limit(&self, name: &str, default: usize, max: usize) -> Result<usize, Problem> {
        let limit = self.parse(name, str::parse::<usize>)?.unwrap_or(default);
        if (1..=max).contains(&limit) {
            Ok(limit)
        } else {
            Err(refuse(name, format!("between 1 and {max}")))
        }
    }
}

/// A problem with one parameter.
pub fn refuse(name: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
    let pointer = if name == "?" { "?".to_owned() } else { format!("?{name}") };
    Problem::at(QUERY_INVALID, pointer, detail)
}

/// Percent-decodes. A `+` stays a plus at the start, where a number has it, and is the blank that
/// forms write anywhere else.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' if !bytes.is_empty() => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let pair = digit(rest.next()).zip(digit(rest.next()));
                let value = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                bytes.push(value.ok_or_else(|| refuse("?", "broken percent-encoding"))?);
            }
            _ => bytes.push(byte),
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err(refuse("?", "not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn number(query: &str) -> Result<Option<String>, Problem> {
        let req = TestRequest::with_uri(&format!("/x?{query}")).to_http_request();
        let query = Query::read(&req, &["number", "region"])?;
        Ok(query.get("number").map(str::to_owned))
    }

    #[test]
    fn a_plus_is_a_plus_however_it_is_written() {
        for query in ["number=+1202", "number=%2B1202", "region=ID&number=+1202"] {
            assert_eq!(number(query).unwrap().as_deref(), Some("+1202"), "{query}");
        }
        assert_eq!(number("number=0812+345").unwrap().as_deref(), Some("0812 345"));
    }

    #[test]
    fn unknown_double_and_broken_parameters_are_refused() {
        for query in ["nummer=1", "number=1&number=2", "number=%zz", "number=%ff"] {
            assert!(number(query).is_err(), "{query}");
        }
    }
}

//! Pages of a list: `limit`, `cursor` and `next_cursor`.

use actix_web::HttpRequest;

use crate::{
    http::{
        problem::{CURSOR_INVALID, Problem},
        query::Query,
    },
    limits::{PAGE_DEFAULT, PAGE_MAX},
};

/// Which page of which list is wanted.
#[derive(Debug)]
pub struct Page {
    list: &'static str,
    /// The id the page before ended with.
    after: Option<String>,
    limit: usize,
}

impl Page {
    /// Reads the page from a query that has nothing else.
    ///
    /// # Errors
    ///
    /// [`crate::http::problem::QUERY_INVALID`], or [`CURSOR_INVALID`] for a cursor of another list.
    pub fn read(req: &HttpRequest, list: &'static str) -> Result<Self, Problem> {
        let query = Query::read(req, &["limit", "cursor"])?;
        let limit = query.limit("limit", PAGE_DEFAULT, PAGE_MAX)?;
        let after = query.get("cursor").map(|cursor| parse(cursor, list).ok_or_else(invalid));
        Ok(Self { list, after: after.transpose()?, limit })
    }

    /// Cuts the page out of the whole list, whose items only ever become more, and returns it with
    /// the cursor of the next one.
    ///
    /// # Errors
    ///
    /// [`CURSOR_INVALID`] for an id that is not in the list.
    pub fn cut<T>(
        &self,
        mut items: impl Iterator<Item = (String, T)>,
    ) -> Result<(Vec<T>, Option<String>), Problem> {
        if let Some(after) = &self.after
            && !items.any(|(id, _)| id == *after)
        {
            return Err(invalid());
        }
        let mut page = Vec::new();
        let mut last = String::new();
        for (id, item) in items.by_ref().take(self.limit) {
            page.push(item);
            last = id;
        }
        let next = items.next().map(|_| hex::encode(format!("{}:{last}", self.list)));
        Ok((page, next))
    }
}

fn parse(cursor: &str, list: &str) -> Option<String> {
    let text = String::from_utf8(hex::decode(cursor).ok()?).ok()?;
    Some(text.strip_prefix(list)?.strip_prefix(':')?.to_owned())
}

fn invalid() -> Problem {
    Problem::new(CURSOR_INVALID, "the cursor belongs to another list")
}

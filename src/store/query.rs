//! A list with conditions, an order and a page, built from fixed SQL and bound values.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

/// Of a list: how many match, and those asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub total: u64,
    pub items: Vec<T>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { total: 0, items: Vec::new() }
    }
}

/// By what a list is ordered, and which way. Unless said otherwise: by the first there is, the greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorted<T> {
    pub by: T,
    pub is_descending: bool,
}

impl<T: Default> Default for Sorted<T> {
    fn default() -> Self {
        Self { by: T::default(), is_descending: true }
    }
}

impl<T: Copy> Sorted<T> {
    /// `field`, or `-field` for the greatest first; none for a field that `of` does not know.
    pub fn parse(word: &str, of: impl Fn(&str) -> Option<T>) -> Option<Self> {
        let (field, is_descending) = match word.strip_prefix('-') {
            Some(field) => (field, true),
            None => (word, false),
        };
        Some(Self { by: of(field)?, is_descending })
    }

    /// What stands after `ORDER BY`; of two that are equal the newer one goes first.
    pub(super) fn sql(self, columns: impl Fn(T) -> &'static [&'static str], id: &str) -> String {
        let way = if self.is_descending { " DESC" } else { "" };
        let columns = columns(self.by).iter().map(|column| format!("{column}{way}, "));
        columns.chain([format!("{id} DESC")]).collect()
    }
}

/// Which part of a list. No query answers with more than [`MOST`] rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub limit: usize,
    pub offset: usize,
}

impl Default for Slice {
    fn default() -> Self {
        Self { limit: 100, offset: 0 }
    }
}

impl Slice {
    pub fn first(limit: usize) -> Self {
        Self { limit, offset: 0 }
    }
}

/// More rows than anybody reads; a page that wants them all asks again.
pub const MOST: usize = 10_000;

/// `WHERE` clauses joined by `AND`, with their values. The SQL is always ours; what came from outside is bound.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// `clause` contains one `?`.
    pub(super) fn with(&mut self, clause: &str, value: impl Into<Value>) {
        self.plain(clause);
        self.values.push(value.into());
    }

    /// `clause` contains `?` once or more, each of them this value.
    pub(super) fn with_same(&mut self, clause: &str, value: String) {
        self.plain(clause);
        let marks = clause.matches('?').count();
        self.values.extend(std::iter::repeat_n(Value::Text(value), marks));
    }

    /// `clause` contains as many `?` as there are values.
    pub(super) fn bound(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        self.plain(clause);
        self.values.extend(values);
    }

    pub(super) fn plain(&mut self, clause: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(clause);
    }

    /// Finds `text` anywhere in any of `columns`, whatever its case; `%` and `_` mean themselves.
    pub(super) fn contains(&mut self, columns: &[&str], text: &str) {
        let likes: Vec<String> =
            columns.iter().map(|column| format!("{column} LIKE ? ESCAPE '\\'")).collect();
        self.plain(&format!("({})", likes.join(" OR ")));
        self.values.extend(columns.iter().map(|_| Value::Text(holding(text))));
    }

    /// Any of `values`.
    pub(super) fn any_of(&mut self, column: &str, values: impl IntoIterator<Item = Value>) {
        let values: Vec<Value> = values.into_iter().collect();
        let marks = vec!["?"; values.len()].join(", ");
        self.plain(&format!("{column} IN ({marks})"));
        self.values.extend(values);
    }

    /// How many rows of `from` match.
    pub(super) fn count(&self, connection: &Connection, from: &str) -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {from}{}", self.sql);
        connection
            .prepare_cached(&sql)?
            .query_row(params_from_iter(&self.values), |row| row.get(0))
            .map(super::rows::unsigned)
    }

    /// The rows of `select` (a SELECT up to its FROM clause) in `order`.
    pub(super) fn rows<T>(
        &self,
        connection: &Connection,
        select: &str,
        order: &str,
        slice: Slice,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let sql = format!("{select}{} ORDER BY {order} LIMIT ? OFFSET ?", self.sql);
        let paging = [slice.limit.min(MOST), slice.offset]
            .map(|number| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
        connection
            .prepare_cached(&sql)?
            .query_map(params_from_iter(self.values.iter().chain(&paging)), read)?
            .collect()
    }
}

/// The pattern of what holds `text`, whose own `%` and `_` mean themselves behind `ESCAPE '\'`.
pub(super) fn holding(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

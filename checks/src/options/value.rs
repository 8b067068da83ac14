//! What a person wrote, before anybody knows what it means: a tree in which every node has a place.
//!
//! Neutral on purpose: configuration files and command lines both become this tree, and neither YAML nor clap is
//! known here.

/// An opaque place. Whoever made the tree maps it back: to file, line and column, or to an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark(pub u32);

#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub mark: Mark,
    pub node: Node,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Nothing after the key, or a word that cancels.
    Null,
    /// A scalar, in the characters written: `1.10` stays `1.10`, `no` stays `no`.
    Text(String),
    List(Vec<Value>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    /// Where the key stands.
    pub mark: Mark,
    pub value: Value,
}

impl Value {
    pub fn null(mark: Mark) -> Self {
        Self { mark, node: Node::Null }
    }

    pub fn text(text: impl Into<String>, mark: Mark) -> Self {
        Self { mark, node: Node::Text(text.into()) }
    }

    pub fn list(items: Vec<Self>, mark: Mark) -> Self {
        Self { mark, node: Node::List(items) }
    }

    pub fn map(entries: Vec<Entry>, mark: Mark) -> Self {
        Self { mark, node: Node::Map(entries) }
    }

    /// A map of one entry, for short forms.
    pub fn single(key: &str, value: Self) -> Self {
        let mark = value.mark;
        Self::map(vec![Entry { key: key.to_owned(), mark, value }], mark)
    }

    /// What stands here, as a message names it.
    pub fn what(&self) -> &'static str {
        match &self.node {
            Node::Null => "nothing",
            Node::Text(_) => "a single value",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.node {
            Node::Text(text) => Some(text),
            Node::Null | Node::List(_) | Node::Map(_) => None,
        }
    }
}

/// One thing that is wrong, or doubtful, in what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionProblem {
    pub mark: Mark,
    /// The check can run in spite of it.
    pub is_warning: bool,
    /// What stands there is a secret, and may not be shown.
    pub is_secret: bool,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

//! From the parser's events to the tree: anchors, aliases and merge keys expanded within a budget.

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span};

use super::{Entry, Key, Limits, Map, Node, Null, Text, Value, syntax};
use crate::config::place::{FileId, Place, Source};
use crate::config::problem::Problem;

/// Aliases may bring this many values, or ten times what the file wrote, whichever is more: a thousand
/// hosts may share a map, and ten lines cannot fill the memory.
const FREE_COPIES: usize = 100_000;
const COPIES_PER_NODE: usize = 10;

/// Beyond this many keys, repetitions are looked for by hash.
const FEW: usize = 16;

/// A mistake after which nothing of the file can be read.
type Fatal = Box<Problem>;

pub(super) fn build<'s>(
    source: &'s Source,
    file: FileId,
    limits: &Limits,
    problems: &mut Vec<Problem>,
) -> Option<Map<'s>> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        emit_anchor_events: true,
        disallow_directives: true,
        flow_nesting_limit: limits.depth,
        block_nesting_limit: limits.depth,
    };
    let mut builder = Builder::new(source, file, limits, problems);
    for event in Parser::new_from_str_with_options(&source.text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(error) => Err(Box::new(syntax::explain(&error, source, file))),
        };
        if let Err(problem) = step {
            builder.problems.push(*problem);
            return None;
        }
    }
    let root = builder.root.take();
    top(root, problems)
}

fn top<'s>(root: Option<Node<'s>>, problems: &mut Vec<Problem>) -> Option<Map<'s>> {
    match root.map(|node| (node.at, node.value)) {
        None | Some((_, Value::Null(_))) => Some(Map::default()),
        Some((_, Value::Map(map))) => Some(map),
        Some((_, Value::Broken)) => None,
        Some((at, Value::Text(_) | Value::List(_))) => {
            let problem = Problem::error(at, "a file holds keys such as `hosts:`, not a text or a list")
                .hint("for example\nhosts:\n  web1: 192.0.2.1");
            problems.push(problem);
            None
        }
    }
}

struct Builder<'s, 'p> {
    source: &'s Source,
    file: FileId,
    limits: &'p Limits,
    problems: &'p mut Vec<Problem>,
    /// The lists and maps around the current event, outermost first.
    open: Vec<Open<'s>>,
    root: Option<Node<'s>>,
    documents: usize,
    anchors: HashMap<usize, Anchor<'s>>,
    written: usize,
    copied: usize,
}

struct Open<'s> {
    at: Place,
    anchor: usize,
    is_tagged: bool,
    /// How many nodes there were before this one.
    before: usize,
    /// How many levels lie below it.
    height: usize,
    holds: Holds<'s>,
}

enum Holds<'s> {
    List(Vec<Node<'s>>),
    Map(OpenMap<'s>),
}

#[derive(Default)]
struct OpenMap<'s> {
    entries: Vec<Entry<'s>>,
    refused: Vec<Entry<'s>>,
    merged: Vec<Node<'s>>,
    key: Pending<'s>,
}

/// What the next node of a map is.
#[derive(Default)]
enum Pending<'s> {
    #[default]
    Key,
    Value(Key<'s>),
    Merge(Key<'s>),
    /// The value of a key that was refused.
    Lost(Key<'s>),
}

struct Anchor<'s> {
    node: Node<'s>,
    size: usize,
    height: usize,
}

impl<'s, 'p> Builder<'s, 'p> {
    fn new(source: &'s Source, file: FileId, limits: &'p Limits, problems: &'p mut Vec<Problem>) -> Self {
        Self {
            source,
            file,
            limits,
            problems,
            open: Vec::new(),
            root: None,
            documents: 0,
            anchors: HashMap::new(),
            written: 0,
            copied: 0,
        }
    }

    fn take(&mut self, event: Event<'s>, span: &Span) -> Result<(), Fatal> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count_written(span)?;
                let node = self.scalar(text, style, anchor, tag.is_some(), span);
                self.finish(node, anchor, 1, 0)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.start(Holds::List(Vec::new()), anchor, tag.is_some(), span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(Holds::Map(OpenMap::default()), anchor, tag.is_some(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                self.count_written(span)?;
                let at = self.place(span);
                self.problems.push(syntax::unknown_alias(&name, at, span, self.source));
                self.finish(Node { value: Value::Broken, at }, 0, 1, 0)
            }
            Event::DocumentStart(..) => self.document(span),
            // An anchor on nothing is a text that wanted quotes; its node is broken already.
            Event::Anchor(id, _) if self.anchors.get(&id).is_some_and(|anchor| anchor.is_broken_text()) => {
                self.problems.push(syntax::wants_quotes('&', self.place(span), span, self.source));
                Ok(())
            }
            // Starts, ends and metadata carry no value. (The parser's enum is open.)
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: &Span) -> Result<(), Fatal> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let problem = Problem::error(self.place(span), "a second document begins here; a file holds one")
            .hint("take the `---` away, or put what follows it into a file of its own");
        Err(Box::new(problem))
    }

    fn scalar(
        &mut self,
        text: Cow<'s, str>,
        style: ScalarStyle,
        anchor: usize,
        is_tagged: bool,
        span: &Span,
    ) -> Node<'s> {
        let at = self.place(span);
        if is_tagged {
            return self.tagged(span, true);
        }
        let is_quoted = style != ScalarStyle::Plain;
        let value = if !is_quoted && span.is_empty() {
            if anchor > 0 { Value::Broken } else { Value::Null(Null::Nothing) }
        } else if !is_quoted && matches!(&*text, "null" | "~") {
            Value::Null(Null::Word)
        } else {
            Value::Text(Text { text, is_quoted })
        };
        Node { value, at }
    }

    /// `!db9` is a tag on nothing to YAML, and a selector to whoever wrote it.
    fn tagged(&mut self, span: &Span, is_before_text: bool) -> Node<'s> {
        let at = span
            .tag_start()
            .map_or_else(|| self.place(span), |start| Place { len: 1, ..self.place(&Span::empty(start)) });
        let (at, problem) = syntax::tag(at, span, is_before_text, self.source);
        self.problems.push(problem);
        Node { value: Value::Broken, at }
    }

    fn start(&mut self, holds: Holds<'s>, anchor: usize, is_tagged: bool, span: &Span) -> Result<(), Fatal> {
        self.count_written(span)?;
        if is_tagged {
            self.tagged(span, false);
        }
        self.check_depth(1, span)?;
        let at = self.place(span);
        let before = self.written + self.copied - 1;
        self.open.push(Open { at, anchor, is_tagged, before, height: 0, holds });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fatal> {
        let Some(Open { at, anchor, is_tagged, before, height, holds }) = self.open.pop() else {
            return Ok(());
        };
        let value = match holds {
            Holds::List(items) => Value::List(items),
            Holds::Map(map) => Value::Map(self.close_map(map)),
        };
        let value = if is_tagged { Value::Broken } else { value };
        self.finish(Node { value, at }, anchor, self.written + self.copied - before, height + 1)
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(), Fatal> {
        let Some(Anchor { size, height, .. }) = self.anchors.get(&id) else {
            let problem = Problem::error(self.place(span), "an alias inside of what it stands for")
                .hint("a value cannot contain itself");
            return Err(Box::new(problem));
        };
        let (size, height) = (*size, *height);
        self.count_copies(size, span)?;
        self.check_depth(height, span)?;
        let node = self.anchors.get(&id).map(|anchor| anchor.node.clone());
        node.map_or(Ok(()), |node| self.finish(node, 0, size, height))
    }

    /// Puts a finished node where it belongs, and keeps it where an alias may ask for it.
    fn finish(&mut self, node: Node<'s>, anchor: usize, size: usize, height: usize) -> Result<(), Fatal> {
        if anchor > 0 {
            self.count_copies(size, &Span::default())?;
            self.anchors.insert(anchor, Anchor { node: node.clone(), size, height });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.height = open.height.max(height);
        match &mut open.holds {
            Holds::List(items) => items.push(node),
            Holds::Map(map) => {
                if let Some(problem) = map.take(node) {
                    self.problems.push(problem);
                }
            }
        }
        Ok(())
    }

    fn close_map(&mut self, map: OpenMap<'s>) -> Map<'s> {
        let OpenMap { mut entries, mut refused, merged, key: _ } = map;
        if has_repetition(&entries) {
            entries = self.refuse_repetitions(entries, &mut refused);
        }
        if !merged.is_empty() {
            merge(&mut entries, &mut refused, merged);
        }
        entries.shrink_to_fit();
        let refused = if refused.is_empty() { None } else { Some(Box::new(refused)) };
        Map { entries, refused }
    }

    fn refuse_repetitions(
        &mut self,
        entries: Vec<Entry<'s>>,
        refused: &mut Vec<Entry<'s>>,
    ) -> Vec<Entry<'s>> {
        let mut first: HashMap<Cow<'s, str>, Place> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(&at) = first.get(&entry.key.text) {
                let message = format!("`{}` stands here a second time", entry.key.text);
                self.problems.push(
                    Problem::error(entry.key.at, message)
                        .also(at, "the first one")
                        .hint("keep one of them, or give the second another name"),
                );
                refused.push(entry);
            } else {
                first.insert(entry.key.text.clone(), entry.key.at);
                kept.push(entry);
            }
        }
        kept
    }

    fn place(&self, span: &Span) -> Place {
        syntax::place(span, self.source, self.file)
    }

    fn count_written(&mut self, span: &Span) -> Result<(), Fatal> {
        self.written += 1;
        if self.written <= self.limits.nodes {
            return Ok(());
        }
        let message = format!("more than {} values in one file", self.limits.nodes);
        Err(Box::new(Problem::error(self.place(span), message).hint("split it into several files")))
    }

    fn count_copies(&mut self, more: usize, span: &Span) -> Result<(), Fatal> {
        let limit = FREE_COPIES.max(self.written.saturating_mul(COPIES_PER_NODE));
        self.copied = self.copied.saturating_add(more);
        if self.copied <= limit {
            return Ok(());
        }
        let message = format!("the aliases of this file stand for more than {limit} values");
        let problem = Problem::error(self.place(span), message)
            .hint("aliases of aliases grow fast; templates say the same once");
        Err(Box::new(problem))
    }

    fn check_depth(&self, more: usize, span: &Span) -> Result<(), Fatal> {
        if self.open.len() + more <= self.limits.depth {
            return Ok(());
        }
        let message = format!("more than {} lists and maps inside each other", self.limits.depth);
        Err(Box::new(Problem::error(self.place(span), message)))
    }
}

impl Anchor<'_> {
    fn is_broken_text(&self) -> bool {
        matches!(self.node.value, Value::Broken) && self.height == 0
    }
}

impl<'s> OpenMap<'s> {
    fn take(&mut self, node: Node<'s>) -> Option<Problem> {
        match std::mem::take(&mut self.key) {
            Pending::Key => {
                let (key, problem) = key(node);
                self.key = key;
                return problem;
            }
            Pending::Value(key) => {
                let node = if node.is_nothing() { Node { at: key.at, ..node } } else { node };
                self.entries.push(Entry { key, value: node });
            }
            Pending::Merge(key) => return self.take_merged(key, node),
            Pending::Lost(key) => self.refused.push(Entry { key, value: node }),
        }
        None
    }

    fn take_merged(&mut self, key: Key<'s>, node: Node<'s>) -> Option<Problem> {
        match node.value {
            Value::Map(_) => self.merged.push(node),
            Value::List(items) if items.iter().all(|item| item.map().is_some()) => self.merged.extend(items),
            value @ (Value::List(_) | Value::Text(_) | Value::Null(_)) => {
                let at = node.at;
                self.refused.push(Entry { key, value: Node { value, at } });
                return Some(
                    Problem::error(at, "`<<` wants a map, or a list of maps").hint("such as `<<: *base`"),
                );
            }
            value @ Value::Broken => self.refused.push(Entry { key, value: Node { value, at: node.at } }),
        }
        None
    }
}

/// A key from its node. YAML would allow any value here; the language wants text.
fn key(node: Node<'_>) -> (Pending<'_>, Option<Problem>) {
    let at = node.at;
    match node.value {
        Value::Text(Text { text, is_quoted: false }) if text == "<<" => {
            (Pending::Merge(Key { text, at }), None)
        }
        Value::Text(Text { text, .. }) => (Pending::Value(Key { text, at }), None),
        Value::Null(Null::Word) => (Pending::Value(Key { text: "null".into(), at }), None),
        Value::Broken => (Pending::Lost(Key { text: "".into(), at }), None),
        Value::Null(Null::Nothing) | Value::List(_) | Value::Map(_) => {
            let problem = Problem::error(at, "a key is a text")
                .hint("text with `[`, `]`, `{` or `}` in it may need quotes: \"web[1-4]\": …");
            (Pending::Lost(Key { text: "".into(), at }), Some(problem))
        }
    }
}

fn has_repetition(entries: &[Entry<'_>]) -> bool {
    if entries.len() > FEW {
        let mut seen: HashSet<&str, foldhash::fast::RandomState> =
            HashSet::with_capacity_and_hasher(entries.len(), foldhash::fast::RandomState::default());
        return !entries.iter().all(|entry| seen.insert(&entry.key.text));
    }
    entries
        .iter()
        .enumerate()
        .any(|(at, entry)| entries.iter().take(at).any(|earlier| earlier.key.text == entry.key.text))
}

/// What is said in the map itself wins, then the first of the merged maps.
fn merge<'s>(entries: &mut Vec<Entry<'s>>, refused: &mut Vec<Entry<'s>>, merged: Vec<Node<'s>>) {
    let mut names: HashSet<Cow<'s, str>> = entries.iter().map(|entry| entry.key.text.clone()).collect();
    for node in merged {
        let Value::Map(map) = node.value else { continue };
        refused.extend(map.refused.into_iter().flat_map(|more| *more));
        for entry in map.entries {
            if names.insert(entry.key.text.clone()) {
                entries.push(entry);
            }
        }
    }
}

//! Options of one kind said in several layers, made one; and one text for equal options.

use vigia_checks::options::{Entry, Node, Value};

use super::Marks;
use crate::config::decode::{Decoder, How};
use crate::config::problem::Problem;

/// Options of one kind from two layers: maps merge by key, `null` cancels, `key+` and `key-` change lists.
pub(super) fn merge(weak: Value, strong: Value, marks: &Marks<'_>, decoder: &mut Decoder) -> Value {
    let (Node::Map(mut entries), Node::Map(over)) = (weak.node, strong.node.clone()) else { return strong };
    for entry in over {
        let (name, how) = match entry.key.strip_suffix('+') {
            Some(name) => (name.to_owned(), How::Add),
            None => match entry.key.strip_suffix('-') {
                Some(name) => (name.to_owned(), How::Remove),
                None => (entry.key.clone(), How::Replace),
            },
        };
        let known = entries.iter().position(|known| known.key == name);
        let inherited = known.map(|index| entries.remove(index));
        let value = match (how, entry.value.node.clone()) {
            (How::Replace, Node::Null) => continue,
            (How::Replace | How::Cancel, _) => match inherited {
                Some(weak) => merge(weak.value, entry.value, marks, decoder),
                None => entry.value,
            },
            (How::Add | How::Remove, more) => {
                let list = inherited.map(|weak| as_list(weak.value)).unwrap_or_default();
                let more = as_list(Value { mark: entry.value.mark, node: more });
                let all = if how == How::Add {
                    list.into_iter().chain(more).collect()
                } else {
                    removed(list, &more, marks, decoder)
                };
                Value::list(all, entry.value.mark)
            }
        };
        entries.push(Entry { key: name, mark: entry.mark, value });
    }
    Value::map(entries, strong.mark)
}

fn removed(list: Vec<Value>, less: &[Value], marks: &Marks<'_>, decoder: &mut Decoder) -> Vec<Value> {
    let is_same = |one: &Value, two: &Value| one.as_text().is_some() && one.as_text() == two.as_text();
    for gone in less.iter().filter(|gone| !list.iter().any(|one| is_same(one, gone))) {
        let (at, via) = marks.place(gone.mark);
        let text = gone.as_text().unwrap_or("this");
        decoder.push(
            via.mark(Problem::error(at, format!("`{text}` is not inherited, so it cannot be removed"))),
        );
    }
    list.into_iter().filter(|one| !less.iter().any(|gone| is_same(one, gone))).collect()
}

fn as_list(value: Value) -> Vec<Value> {
    match value.node {
        Node::List(items) => items,
        Node::Null => Vec::new(),
        Node::Text(_) | Node::Map(_) => vec![value],
    }
}

/// The same text for the same options, whatever the order of their keys.
pub(super) fn canonical(value: &Value, text: &mut String) {
    match &value.node {
        Node::Null => text.push('~'),
        Node::Text(one) => {
            // The length, so that no text can look like the end of one and the begin of another.
            text.push_str(&one.len().to_string());
            text.push(':');
            text.push_str(one);
        }
        Node::List(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Node::Map(entries) => {
            let mut sorted: Vec<&Entry> = entries.iter().collect();
            sorted.sort_by(|one, two| one.key.cmp(&two.key));
            text.push('{');
            for entry in sorted {
                text.push_str(&entry.key);
                text.push(':');
                canonical(&entry.value, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

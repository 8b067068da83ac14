//! What can be written already and is not acted on yet: said once by `vigia validate` and on the page, so that
//! nobody waits for it.

use super::files::Document;
use super::tree::{Map, Node};

/// Keys that are read and checked, and do nothing; `*` is any name.
const LATER: &[(&[&str], &str)] = &[
    (&["pollers"], "`pollers` are not used yet: every check runs here"),
    (&["nagios"], "`nagios`: none of its files and sockets is served yet"),
    (&["tickets.trackers"], "`tickets.trackers` are not told of tickets yet"),
    (&["web.auth.oidc"], "`web.auth.oidc` is not used yet"),
];

/// One sentence for each of them that stands in these files.
pub fn not_yet(documents: &[Document<'_>]) -> Vec<&'static str> {
    let mut told = Vec::new();
    for (paths, sentence) in LATER {
        let is_said = |path: &&str| documents.iter().any(|document| says(&document.map, path));
        if paths.iter().any(is_said) {
            told.push(*sentence);
        }
    }
    told
}

fn says(map: &Map<'_>, path: &str) -> bool {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let holds = |node: &Node<'_>| {
        if rest.is_empty() { is_something(node) } else { node.map().is_some_and(|map| says(map, rest)) }
    };
    match first {
        "*" => map.iter().any(|entry| holds(&entry.value)),
        key => map.get(key).is_some_and(holds),
    }
}

/// Neither empty nor switched off.
fn is_something(node: &Node<'_>) -> bool {
    let is_off = node.text().is_some_and(|text| super::decode::switch(text) == Some(false));
    let is_empty = node.map().is_some_and(Map::is_empty) || node.is_nothing() || node.is_cancelled();
    !is_off && !is_empty
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::files::Author;
    use crate::config::place::{FileId, Source};
    use crate::config::tree;

    fn told(yaml: &str) -> usize {
        let source = Source::new("t.yaml", yaml);
        let map = tree::parse(&source, FileId(0), &tree::Limits::default(), &mut Vec::new()).unwrap();
        not_yet(&[Document { file: FileId(0), author: Author::Person, map }]).len()
    }

    #[test]
    fn what_is_written_and_not_acted_on_is_told_once() {
        assert_eq!(told("hosts: {a: 192.0.2.1}"), 0);
        assert_eq!(told("web: {tls: off, listen: off}\npollers:\ndiscovery: {}"), 0);
        assert_eq!(told("web: {auth: {oidc: {issuer: a}}}\npollers: {listen: x}"), 2);
        assert_eq!(told("nagios: {log_file: /l, status_file: /s}\npollers: {b: {}}"), 2);
    }
}

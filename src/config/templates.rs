//! Templates of messages: files beside the configuration, each named after what it words. Looked over here, so that a
//! mistake is known before somebody must be told.

use std::path::{Path, PathBuf};

use super::place::{FileId, Place, Source, Sources};
use super::problem::{self, Problem, Reported, did_you_mean};
use crate::os::files as disk;
use crate::telemetry::Chain;
use crate::wording;

/// Nobody writes a longer one.
const LIMIT: u64 = 64 * 1024;

/// What was found: templates that are good, by their names, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Templates {
    pub good: Vec<(String, String)>,
    pub problems: Vec<Reported>,
}

/// The files that count, whether they are there or not.
pub fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    wording::names().map(|name| folder.join(name))
}

/// Reads the folder; one that is not there holds none.
pub fn read(folder: &Path) -> Templates {
    let (mut sources, mut problems) = (Sources::default(), Vec::new());
    let mut good = Vec::new();
    if matches!(disk::kind(folder), Ok(None)) {
        return Templates::default();
    }
    let listed = match disk::list(folder) {
        Ok(listed) => listed,
        Err(error) => {
            let file = sources.add(Source::new(folder.to_string_lossy(), ""));
            problems.push(unreadable(file, &Chain(&error).to_string()));
            Vec::new()
        }
    };
    for (path, _) in listed {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // Editors leave theirs, and people notes.
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let shown = path.to_string_lossy().into_owned();
        if !wording::names().any(|known| known == name) {
            let file = sources.add(Source::new(shown, ""));
            problems.push(unknown_name(file, name));
            continue;
        }
        let text = disk::read(&path, LIMIT).map_err(|error| Chain(&error).to_string());
        let text =
            text.and_then(|bytes| String::from_utf8(bytes).map_err(|_odd| "it is not UTF-8".to_owned()));
        let wrong = match &text {
            Ok(text) => {
                let file = sources.add(Source::new(shown, text.clone()));
                mistakes(file, name, text)
            }
            Err(why) => vec![unreadable(sources.add(Source::new(shown, "")), why)],
        };
        match text {
            Ok(text) if wrong.is_empty() => good.push((name.to_owned(), text)),
            Ok(_) | Err(_) => problems.extend(wrong),
        }
    }
    good.sort();
    Templates { good, problems: problem::report(problems, &sources) }
}

const STANDS_IN: &str = "until it is right, the built-in template is used";

fn unreadable(file: FileId, why: &str) -> Problem {
    Problem::error(Place::whole(file), why.to_owned()).hint(STANDS_IN)
}

fn unknown_name(file: FileId, name: &str) -> Problem {
    let known: Vec<String> = wording::names().collect();
    let near = did_you_mean(name, known.iter().map(String::as_str));
    Problem::warning(Place::whole(file), format!("`{name}` is no template: no message is made of it"))
        .maybe_hint(near.or_else(|| Some(format!("the names are: {}", known.join(" ")))))
}

fn mistakes(file: FileId, name: &str, text: &str) -> Vec<Problem> {
    let found = wording::mistakes(name, text);
    let problem = |mistake: wording::Mistake| {
        let line = u32::try_from(mistake.line).unwrap_or(u32::MAX);
        let written = text.lines().nth(mistake.line.saturating_sub(1)).unwrap_or_default();
        let (column, len) = match &mistake.label {
            Some(label) => {
                (written.find(label.as_str()).map_or(0, |at| chars(written.get(..at))), label.len())
            }
            None => (0, 0),
        };
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = Place { file, line, column: narrow(column + 1), len: narrow(len) };
        let near = mistake.label.as_deref().and_then(|label| near(name, label));
        Problem::error(at, mistake.message).hint(match near {
            Some(near) => format!("{near}; {STANDS_IN}"),
            None => STANDS_IN.to_owned(),
        })
    };
    found.into_iter().map(problem).collect()
}

fn chars(text: Option<&str>) -> usize {
    text.map_or(0, |text| text.chars().count())
}

/// The label that was probably meant.
fn near(name: &str, label: &str) -> Option<String> {
    let kind = wording::Kind::ALL.iter().find(|kind| name.split('.').next() == Some(kind.word()))?;
    let labels = wording::labels(*kind);
    let mut known = Vec::new();
    for (key, value) in labels.as_object()? {
        known.push(key.clone());
        let inside = value.as_object().into_iter().flat_map(|map| map.keys());
        known.extend(inside.map(|inner| format!("{key}.{inner}")));
    }
    did_you_mean(label, known.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_does_not_exist_is_an_error_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| disk::write(&dir.path().join(name), text.as_bytes(), 0o644).unwrap();
        write("service.subject", "{{ kind }} {{ service.name }}");
        write("service.text", "a\n  {{ host.nam }}\n");
        write("servce.html", "x");
        write(".service.html.swp", "x");
        let read = read(dir.path());
        assert_eq!(read.good.len(), 1);
        let shown: Vec<_> = read
            .problems
            .iter()
            .map(|problem| {
                (
                    problem.line,
                    problem.column,
                    problem.message.as_str(),
                    problem.hint.as_deref().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    0,
                    0,
                    "`servce.html` is no template: no message is made of it",
                    "did you mean `service.html`?"
                ),
                (
                    2,
                    6,
                    "there is no label `host.nam`",
                    "did you mean `host.name`?; until it is right, the built-in template is used"
                ),
            ]
        );
    }

    #[test]
    fn no_folder_is_no_template() {
        assert!(read(Path::new("/no/such/folder")).problems.is_empty());
    }
}

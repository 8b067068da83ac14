//! A host's definition into a file of a person, whose comments and order stay as they are.

use std::path::Path;

use super::page::Block;
use super::shelf::{ShelfError, check};
use crate::os::files;

/// A file of configuration that people keep by hand.
const FILE_MAX: u64 = 64 << 20;

/// Adds the host: a new file, or, where `may_append`, the end of the `hosts` of one that is there.
///
/// # Errors
/// When the file is there and may not be added to, would not be valid any more, or cannot be written. It is then as it was.
pub fn add(to: &Path, name: &str, block: &Block, may_append: bool) -> Result<(), ShelfError> {
    let yaml = block.yaml(name);
    let text = match files::kind(to)? {
        None => format!("hosts:\n{yaml}"),
        Some(_) if !may_append => {
            let problem = "the file is there already; name it with --to to add to it".to_owned();
            return Err(ShelfError::Invalid { path: to.to_path_buf(), problem });
        }
        Some(_) => {
            let text = String::from_utf8_lossy(&files::read(to, FILE_MAX)?).into_owned();
            check(to, &text)?;
            appended(&text, &yaml).ok_or_else(|| {
                let problem = "its `hosts` are written in a form that nothing can be added to".to_owned();
                ShelfError::Invalid { path: to.to_path_buf(), problem }
            })?
        }
    };
    check(to, &text)?;
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        files::make_folder(folder, 0o755)?;
    }
    Ok(files::write(to, text.as_bytes(), 0o644)?)
}

/// The text with the host behind its last one. `None`: `hosts` is no block of lines.
fn appended(text: &str, host: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_top = |line: &&str| !line.starts_with([' ', '#', '\n', '\r']);
    let Some(begin) = lines.iter().position(|line| line.starts_with("hosts:")) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Some(format!("{text}{gap}hosts:\n{host}"));
    };
    let rest = lines.get(begin)?.strip_prefix("hosts:")?.trim();
    if !(rest.is_empty() || rest.starts_with('#')) {
        return None;
    }
    let inside = lines.get(begin + 1..)?;
    let end = inside.iter().position(is_top).map_or(lines.len(), |at| begin + 1 + at);
    let hosts = lines.get(begin + 1..end)?;
    let is_text = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let indent = hosts.iter().find(is_text).map_or(2, |line| line.len() - line.trim_start().len());
    // Comments and blank lines before the next section belong to it.
    let last = hosts.iter().rposition(|line| is_text(&line)).map_or(begin + 1, |at| begin + 2 + at);
    let mut whole: String = lines.get(..last)?.concat();
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    for line in host.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        whole.push_str(&format!("{}{line}\n", " ".repeat(indent)));
    }
    whole.push_str(&lines.get(last..)?.concat());
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "  web1:\n    address: 192.0.2.1\n";

    #[test]
    fn a_host_goes_behind_the_last_one_and_comments_stay() {
        let before = "# ours\nhosts:\n    gw: 192.0.2.254   # the way out\n\n# people\ncontacts: {ana: ana@example.test}\n";
        let after = "# ours\nhosts:\n    gw: 192.0.2.254   # the way out\n    web1:\n      address: 192.0.2.1\n\n\
                     # people\ncontacts: {ana: ana@example.test}\n";
        assert_eq!(appended(before, HOST).as_deref(), Some(after));
        assert_eq!(appended("", HOST).as_deref(), Some("hosts:\n  web1:\n    address: 192.0.2.1\n"));
        assert_eq!(
            appended("networks: {}", HOST).as_deref(),
            Some("networks: {}\nhosts:\n  web1:\n    address: 192.0.2.1\n")
        );
        assert_eq!(appended("hosts: {gw: 192.0.2.254}\n", HOST), None);
    }

    #[test]
    fn a_file_that_is_there_is_only_added_to_on_demand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conf.d").join("web1.yaml");
        add(&path, "web1", &Block::default(), false).unwrap();
        assert!(add(&path, "web1", &Block::default(), false).is_err());
        let twice = add(&path, "web1", &Block::default(), true).unwrap_err();
        assert!(twice.to_string().contains("would not be valid"), "{twice}");
        add(&path, "web2", &Block::default(), true).unwrap();
    }
}

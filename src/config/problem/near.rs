//! *Did you mean*: the nearest of the names that exist.

/// `did you mean web1?`, where something near enough exists.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, known).map(|name| format!("did you mean `{name}`?"))
}

/// The name with the fewest edits from what was written, if at most a third of it would have to change.
/// Of equally near ones, the first.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let from: Vec<char> = written.chars().flat_map(char::to_lowercase).take(LONGEST).collect();
    let mut most = (from.len() / 3).max(1) + 1;
    let mut best = None;
    for name in known {
        let to: Vec<char> = name.chars().flat_map(char::to_lowercase).take(LONGEST).collect();
        if from.len().abs_diff(to.len()) >= most {
            continue;
        }
        let edits = edits(&from, &to, most);
        // A name of which nothing is left is no slip.
        if edits < most && edits < from.len() {
            (most, best) = (edits, Some(name));
            if edits == 0 {
                break;
            }
        }
    }
    best
}

const LONGEST: usize = 64;

/// Insertions, deletions, replacements and swaps of neighbours; gives up at `enough`.
fn edits(from: &[char], to: &[char], enough: usize) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_from = None;
    for (row, &a) in from.iter().enumerate() {
        let mut current = Vec::with_capacity(to.len() + 1);
        current.push(row + 1);
        let mut previous_to = None;
        for (column, &b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut fewest = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if previous_from == Some(b) && previous_to == Some(a) && column > 0 {
                fewest = fewest.min(before_last[column - 1] + 1);
            }
            current.push(fewest);
            previous_to = Some(b);
        }
        if current.iter().all(|&edits| edits >= enough) {
            return enough;
        }
        previous_from = Some(a);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_through_one_slip() {
        let known = ["check_interval", "retry_interval", "contacts", "timeout"];
        for (written, meant) in [
            ("check_intervall", Some("check_interval")),
            ("contatcs", Some("contacts")),
            ("Contacts", Some("contacts")),
            ("tiemout", Some("timeout")),
            ("parents", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn short_names_may_differ_in_one_letter() {
        assert_eq!(nearest("x", ["p", "ab"]), None, "nothing of it is left");
        assert_eq!(nearest("pa", ["pb"]), Some("pb"));
        assert_eq!(nearest("wep", ["web", "db1"]), Some("web"));
        assert_eq!(nearest("x", ["web", "db1"]), None);
    }
}

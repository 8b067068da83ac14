//! Two texts, line by line: what went, what came, what stayed.

/// Beyond so many pairs of lines it is said as a whole: nobody reads such a comparison.
const MOST: usize = 4_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The fewest lines gone and new that lead from one to the other.
pub(crate) fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if old.len().saturating_mul(new.len()) > MOST {
        return old.into_iter().map(Line::Gone).chain(new.into_iter().map(Line::New)).collect();
    }
    let table = common(&old, &new);
    let at = |i: usize, j: usize| table.get(i * (new.len() + 1) + j).copied().unwrap_or(0);
    let (mut i, mut j, mut found) = (0, 0, Vec::with_capacity(old.len() + new.len()));
    loop {
        match (old.get(i), new.get(j)) {
            (Some(was), Some(is)) if was == is => {
                found.push(Line::Same(was));
                (i, j) = (i + 1, j + 1);
            }
            (Some(was), Some(_)) if at(i + 1, j) >= at(i, j + 1) => {
                found.push(Line::Gone(was));
                i += 1;
            }
            (Some(_), Some(is)) | (None, Some(is)) => {
                found.push(Line::New(is));
                j += 1;
            }
            (Some(was), None) => {
                found.push(Line::Gone(was));
                i += 1;
            }
            (None, None) => return found,
        }
    }
}

/// For each pair of places, how many lines the rests have in common, in their order.
fn common(old: &[&str], new: &[&str]) -> Vec<u32> {
    let width = new.len() + 1;
    let mut table = vec![0_u32; (old.len() + 1) * width];
    for (i, was) in old.iter().enumerate().rev() {
        for (j, is) in new.iter().enumerate().rev() {
            let of = |i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
            let best = if was == is { of(i + 1, j + 1) + 1 } else { of(i + 1, j).max(of(i, j + 1)) };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_gone_or_new() {
        use Line::{Gone, New, Same};
        let found = lines("a\nb\nc\nd", "a\nx\nc\nd\ne");
        assert_eq!(found, [Same("a"), Gone("b"), New("x"), Same("c"), Same("d"), New("e")]);
        assert_eq!(lines("", ""), []);
        assert_eq!(lines("", "a"), [New("a")]);
        assert_eq!(lines("a\nb", ""), [Gone("a"), Gone("b")]);
    }

    #[test]
    fn what_is_too_long_to_compare_is_said_as_a_whole() {
        let long = "x\n".repeat(3_000);
        let found = lines(&long, &long);
        assert_eq!((found.len(), found.first()), (6_000, Some(&Line::Gone("x"))));
    }
}

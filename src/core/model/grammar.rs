//! What is wrong with a small piece of text: names, ranges, selectors, timeperiods. Where it stands is for the
//! reader of the file or of the command line to add.

/// A text that its grammar does not allow, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    pub message: String,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

impl Malformed {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Longest name, in bytes of UTF-8.
pub const NAME_MAX: usize = 255;

/// What no name may hold, as in Nagios.
const NEVER: &[char] =
    &['`', '~', '!', '$', '%', '^', '&', '*', '|', '\'', '"', '<', '>', '?', ';', '[', ']'];

/// What only names of services may hold besides.
const IN_SERVICES: &[char] = &['/', ',', '(', ')', '='];

/// Is this a name for a host, a group, a contact or another kind that is not a service? (`config.md` 9)
///
/// # Errors
/// Says which rule the text breaks.
pub fn check_name(text: &str) -> Result<(), Malformed> {
    check_service_name(text)?;
    match text.chars().find(|c| IN_SERVICES.contains(c)) {
        Some(bad) => Err(Malformed::new(format!("a name may not hold `{bad}`"))
            .hint("only names of services may hold `/ , ( ) =`")),
        None => Ok(()),
    }
}

/// Is this a name for a service?
///
/// # Errors
/// Says which rule the text breaks.
pub fn check_service_name(text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed::new("a name may not be empty"));
    }
    if text.len() > NAME_MAX {
        return Err(Malformed::new(format!(
            "a name has at most {NAME_MAX} bytes, this one has {}",
            text.len()
        )));
    }
    if text.trim() != text {
        return Err(Malformed::new("a name may not begin or end with a blank"));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control()) {
        return Err(Malformed::new(format!(
            "a name may not hold the control character U+{:04X}",
            u32::from(bad)
        )));
    }
    match text.chars().find(|c| NEVER.contains(c)) {
        Some(bad) => Err(Malformed::new(format!("a name may not hold `{bad}`"))
            .hint("these are forbidden as in Nagios: ` ~ ! $ % ^ & * | ' \" < > ? ; [ ]")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_nagios_allows() {
        for good in ["web1", "Core Switch", "é", "a.b-c_d:1", &"x".repeat(255)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in
            ["", " a", "a ", "a\tb", "a/b", "a,b", "a=b", "(a)", "a*", "wh?t", "a[1]", "!a", &"x".repeat(256)]
        {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert_eq!(check_service_name("Disk /var (a=b, c)"), Ok(()));
        assert!(check_service_name("50%").is_err());
    }
}

//! What accounts are for, in growing order. What asks for which role stands where it is asked: in the table of
//! routes.

use std::fmt;

/// What an account is for. Each role has the rights of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Also acknowledges, schedules, comments, rechecks, works on tickets.
    Operator,
    /// Also writes documents, types, tags, templates of mail, assets, and accepts what discovery proposes.
    Editor,
    /// Also users, deletion, reload, backup.
    Admin,
}

impl Role {
    pub const ALL: &'static [Self] = &[Self::Viewer, Self::Operator, Self::Editor, Self::Admin];

    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.word().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.word()), Some(*role));
        }
        assert_eq!(Role::from_word("Admin"), Some(Role::Admin));
        assert_eq!(Role::from_word("root"), None);
    }
}

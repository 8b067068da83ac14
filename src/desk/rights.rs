//! Who may do what: pure, one table of roles.

use std::fmt;

use vigia_core::model::operation::Operation;

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

    pub fn has(self, right: Right) -> bool {
        self >= right.least_role()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a route or an act asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    Look,
    Operate,
    Edit,
    Administer,
}

impl Right {
    pub fn least_role(self) -> Role {
        match self {
            Self::Look => Role::Viewer,
            Self::Operate => Role::Operator,
            Self::Edit => Role::Editor,
            Self::Administer => Role::Admin,
        }
    }
}

/// The right that an order to the engine asks for.
pub fn needed(operation: &Operation) -> Right {
    match operation {
        Operation::Acknowledge { .. }
        | Operation::RemoveAcknowledgement { .. }
        | Operation::AddComment { .. }
        | Operation::DeleteComment { .. }
        | Operation::ScheduleDowntime { .. }
        | Operation::CancelDowntime { .. }
        | Operation::Recheck { .. }
        | Operation::SubmitResult { .. }
        | Operation::Switch { .. }
        | Operation::OpenTicket { .. }
        | Operation::NoteTicket { .. }
        | Operation::LinkAlarm { .. }
        | Operation::OwnAlarm { .. }
        | Operation::LabelAlarm { .. }
        | Operation::CloseAlarm { .. } => Right::Operate,
    }
}

pub fn may(role: Role, operation: &Operation) -> bool {
    role.has(needed(operation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigia_core::model::id::CommentId;

    #[test]
    fn each_role_has_the_rights_of_those_before_it() {
        let rights = [Right::Look, Right::Operate, Right::Edit, Right::Administer];
        for (at, role) in Role::ALL.iter().enumerate() {
            assert_eq!(rights.iter().filter(|right| role.has(**right)).count(), at + 1, "{role}");
        }
    }

    #[test]
    fn a_viewer_orders_nothing_and_an_operator_does() {
        let operation = Operation::DeleteComment { id: CommentId(1) };
        assert!(!may(Role::Viewer, &operation));
        assert!(may(Role::Operator, &operation));
    }

    #[test]
    fn a_role_reads_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.word()), Some(*role));
        }
        assert_eq!(Role::from_word("Admin"), Some(Role::Admin));
        assert_eq!(Role::from_word("root"), None);
    }
}

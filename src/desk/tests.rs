//! Accounts and sessions over a real store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use vigia_core::engine::world::World;
use vigia_core::model::time::Timestamp;

use super::{Desk, DeskError, LoginRefused, NewUser, Origin, Password, Policy, Role, Token, Who};
use crate::os::clock::Clock;
use crate::store::audit::AuditFilter;
use crate::store::{RunningWriter, Store};

struct House {
    desk: Desk,
    clock: Clock,
    writer: RunningWriter,
}

fn open(folder: &Path, now: i64) -> House {
    let clock = Clock::starting_at(Timestamp::from_second(now));
    let opened = Store::open(&folder.join("vigia.db"), clock.clone()).unwrap();
    let writer = opened.writer.start(Arc::new(World::default()), tokio::sync::mpsc::channel(1).0);
    House { desk: Desk::new(opened.store, Policy::default(), folder), clock, writer }
}

fn root() -> Who {
    Who {
        name: "root".to_owned(),
        role: Role::Admin,
        contact: None,
        sight: None,
        peer: Some("socket".to_owned()),
    }
}

impl House {
    async fn add(&self, name: &str, role: Role, password: &str) {
        let password = Some(Password::new(password));
        let new = NewUser { name: name.to_owned(), role, password, contact: None, sight: None };
        self.desk.add_user(&root(), new).await.unwrap();
    }

    async fn login(&self, name: &str, password: &str) -> Result<(Token, Who), LoginRefused> {
        self.desk.login(name, Password::new(password), Origin::default()).await
    }

    async fn knows(&self, token: &Token) -> bool {
        self.desk.session(token, &Origin::default()).await.unwrap().is_some()
    }

    /// The clock goes on by so much.
    fn wait(&self, span: Duration) {
        self.clock.set(self.clock.now().after(span));
    }

    async fn actions(&self) -> Vec<String> {
        let page = self.desk.audit(AuditFilter::default()).await.unwrap();
        page.items.iter().rev().map(|line| format!("{} {}", line.act.author, line.act.action)).collect()
    }
}

const GOOD: &str = "three quiet tigers";

#[tokio::test]
async fn a_user_logs_in_is_known_and_logs_out() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("Ana", Role::Operator, GOOD).await;
    // Names are the same in any case of letters, and are shown as they were given.
    let (token, who) = house.login("ana", GOOD).await.unwrap();
    assert_eq!((who.name.as_str(), who.role), ("Ana", Role::Operator));
    assert!(house.knows(&token).await);
    assert!(!house.knows(&Token::new()).await);
    house.desk.logout(&token).await.unwrap();
    assert!(!house.knows(&token).await);
    assert_eq!(house.actions().await, ["root add-user", "Ana login"]);
}

#[tokio::test]
async fn a_session_survives_a_restart_and_its_token_is_not_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    let (token, _) = house.login("ana", GOOD).await.unwrap();
    house.writer.stop().await;
    let bytes = std::fs::read(folder.path().join("vigia.db")).unwrap();
    for secret in [token.reveal(), GOOD] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    assert!(open(folder.path(), 1_700_000_060).knows(&token).await);
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_a_name_whether_it_exists_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    for name in ["ana", "nobody"] {
        for _ in 0..5 {
            assert!(matches!(house.login(name, "wrong").await, Err(LoginRefused::Wrong)), "{name}");
        }
        assert!(matches!(house.login(name, GOOD).await, Err(LoginRefused::Locked { .. })), "{name}");
    }
    house.wait(Duration::from_secs(301));
    house.login("ana", GOOD).await.unwrap();
    assert!(matches!(house.login("nobody", GOOD).await, Err(LoginRefused::Wrong)));
}

#[tokio::test]
async fn a_right_password_begins_the_count_anew() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    for _ in 0..3 {
        for _ in 0..4 {
            house.login("ana", "wrong").await.unwrap_err();
        }
        house.login("ana", GOOD).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_in_any_case_after_a_week() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    let (idle, _) = house.login("ana", GOOD).await.unwrap();
    let (busy, _) = house.login("ana", GOOD).await.unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for _ in 0..15 {
        house.wait(hours(11));
        assert!(house.knows(&busy).await);
    }
    assert!(!house.knows(&idle).await);
    house.wait(hours(11));
    assert!(!house.knows(&busy).await);
}

#[tokio::test]
async fn a_new_password_or_a_disabled_account_ends_every_session_and_token() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    let (session, _) = house.login("ana", GOOD).await.unwrap();
    let program = house.desk.add_token(&root(), "ana", "grafana", None).await.unwrap();
    house.desk.set_password(&root(), "ana", Password::new("four loud lions")).await.unwrap();
    assert!(!house.knows(&session).await);
    assert!(house.knows(&program).await);
    house.login("ana", GOOD).await.unwrap_err();
    let (session, _) = house.login("ana", "four loud lions").await.unwrap();
    house.desk.set_disabled(&root(), "ana", true).await.unwrap();
    assert!(!house.knows(&session).await && !house.knows(&program).await);
    house.login("ana", "four loud lions").await.unwrap_err();
    house.desk.set_disabled(&root(), "ana", false).await.unwrap();
    house.login("ana", "four loud lions").await.unwrap();
}

#[tokio::test]
async fn a_change_of_role_is_seen_by_sessions_that_exist_and_audited_with_both_values() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Admin, GOOD).await;
    let (token, _) = house.login("ana", GOOD).await.unwrap();
    house.desk.set_role(&root(), "ana", Role::Viewer).await.unwrap();
    let who = house.desk.session(&token, &Origin::default()).await.unwrap().unwrap();
    assert_eq!(who.role, Role::Viewer);
    let filter = AuditFilter { action: Some("set-role".to_owned()), ..AuditFilter::default() };
    let page = house.desk.audit(filter).await.unwrap();
    assert_eq!(page.items[0].act.detail, serde_json::json!({"old": "admin", "new": "viewer"}));
}

#[tokio::test]
async fn tokens_of_programs_expire_and_are_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("bot", Role::Operator, GOOD).await;
    let until = house.clock.now().after(Duration::from_secs(60));
    let short = house.desk.add_token(&root(), "bot", "short", Some(until)).await.unwrap();
    let long = house.desk.add_token(&root(), "bot", "long", None).await.unwrap();
    assert!(house.knows(&short).await && house.knows(&long).await);
    house.wait(Duration::from_secs(61));
    assert!(!house.knows(&short).await);
    house.desk.revoke_token(&root(), "bot", "long").await.unwrap();
    assert!(!house.knows(&long).await);
    assert!(house.desk.revoke_token(&root(), "bot", "long").await.is_err());
    let unknown = house.desk.add_token(&root(), "nobody", "x", None).await;
    assert!(matches!(unknown, Err(DeskError::Unknown(_))));
}

#[tokio::test]
async fn a_name_is_given_once_and_refusals_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    house.add("ana", Role::Viewer, GOOD).await;
    let again = |name: &str, password: &str| {
        let password = Some(Password::new(password));
        NewUser { name: name.to_owned(), role: Role::Admin, password, contact: None, sight: None }
    };
    let refused = house.desk.add_user(&root(), again("ANA", GOOD)).await;
    assert!(matches!(refused, Err(DeskError::Exists(_))));
    let refused = house.desk.add_user(&root(), again("bob", "short")).await;
    assert!(matches!(refused, Err(DeskError::Invalid(_))));
    let refused = house.desk.set_password(&root(), "bob", Password::new(GOOD)).await;
    assert!(matches!(refused, Err(DeskError::Unknown(_))));
    let users = house.desk.users().await.unwrap();
    assert_eq!((users.len(), users[0].role), (1, Role::Viewer));
    assert_eq!(house.actions().await, ["root add-user"]);
}

#[tokio::test]
async fn a_user_without_a_password_cannot_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let house = open(folder.path(), 1_700_000_000);
    let new =
        NewUser { name: "sso".to_owned(), role: Role::Viewer, password: None, contact: None, sight: None };
    assert!(!house.desk.add_user(&root(), new).await.unwrap().has_password);
    for password in ["", GOOD] {
        assert!(matches!(house.login("sso", password).await, Err(LoginRefused::Wrong)));
    }
}

//! Records of events: what goes in as an event comes out of queries, and of a restart.

use vigia_core::model::alarm::{Alarm, AlarmStatus};
use vigia_core::model::anomaly::AnomalyKind;
use vigia_core::model::comment::{Comment, CommentKind};
use vigia_core::model::downtime::{Downtime, DowntimeKind};
use vigia_core::model::event::{DowntimeEnd, TicketDraft};
use vigia_core::model::id::{AlarmId, CommentId, DowntimeId, ProblemId, SuppressionId, TicketId};
use vigia_core::model::operation::{Fields, TicketEdit, TicketNote};
use vigia_core::model::suppression::{Matched, Suppression, SuppressionEnd};
use vigia_core::model::ticket::{TicketClass, TicketHead, TicketStatus};

use super::*;
use crate::store::alarms::{self, AlarmFilter};
use crate::store::audit::{self, AuditFilter};
use crate::store::downtimes::{self, DowntimeFilter};
use crate::store::log::{self, LogFilter, LogKind};
use crate::store::suppressions::{self, End, Kept, SuppressionFilter};
use crate::store::tickets::{self, StatusFilter, TicketFilter, types};
use crate::store::{Retention, Slice};

fn http() -> ObjectKey {
    ObjectKey::service("web01", "HTTP")
}

fn an_alarm(id: u64, status: AlarmStatus) -> Alarm {
    Alarm {
        id: AlarmId(id),
        subject: http(),
        problem: ProblemId(id),
        status,
        state: AnyState::Service(State::Critical),
        severity: 7,
        asset_value: 2,
        first: at(10),
        last: at(20),
        count: 3,
        output: "HTTP CRITICAL".into(),
        closed: None,
        ticket: None,
        root: Some(ObjectKey::host("router")),
        owner: Some("ana".into()),
        labels: vec!["night \"shift\"".into()],
    }
}

fn a_head(id: u64, status: TicketStatus) -> TicketHead {
    TicketHead {
        id: TicketId(id),
        class: TicketClass::Availability,
        subject: Some(http()),
        problem: Some(ProblemId(4)),
        rule: Some("default".into()),
        status,
        opened: at(10),
        updated: at(10),
        closed: None,
        recovered: None,
        last_note: Some(at(10)),
        version: 1,
    }
}

fn a_draft() -> TicketDraft {
    TicketDraft {
        r#type: "Availability".into(),
        title: "web01/HTTP is CRITICAL".into(),
        text: "since 100% of tries fail".into(),
        priority: 7,
        in_charge: Some("ana".into()),
        submitter: "vigia".into(),
        tags: vec!["shop".into(), "eu".into()],
        fields: Fields::new(),
        alarm: Some(AlarmId(1)),
    }
}

async fn running(folder: &Path, events: Vec<Event>) -> Running {
    let world = world(&[("web01", &["HTTP"])]);
    let running = start(folder, world.clone());
    running.publish(events, &world).await.unwrap();
    running
}

#[tokio::test]
async fn alarms_comments_and_downtimes_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let comment = Comment {
        id: CommentId(3),
        subject: http(),
        author: "ana".into(),
        text: "<b>looking</b>\n'".into(),
        at: at(5),
        kind: CommentKind::User,
    };
    let downtime = Downtime {
        id: DowntimeId(9),
        subject: ObjectKey::host("web01"),
        author: "ana".into(),
        comment: "move".into(),
        entered: at(1),
        start: at(2),
        end: at(3000),
        kind: DowntimeKind::Flexible(Duration::from_secs(600)),
        triggered_by: Some(DowntimeId(8)),
        started: None,
    };
    let over = Downtime { id: DowntimeId(10), kind: DowntimeKind::Fixed, ..downtime.clone() };
    let host = || ObjectKey::host("web01");
    let events = vec![
        event(5, What::CommentAdded(comment.clone())),
        event(5, What::CommentAdded(Comment { id: CommentId(4), ..comment.clone() })),
        event(6, What::CommentDeleted { id: CommentId(4), subject: http() }),
        event(6, What::DowntimeScheduled(downtime.clone())),
        event(6, What::DowntimeScheduled(over)),
        event(7, What::DowntimeStarted { id: DowntimeId(9), subject: host() }),
        event(7, What::DowntimeEnded { id: DowntimeId(10), subject: host(), how: DowntimeEnd::Cancelled }),
        event(10, What::AlarmOpened(an_alarm(1, AlarmStatus::Open))),
        event(10, What::AlarmOpened(an_alarm(2, AlarmStatus::Open))),
        event(30, What::AlarmClosed(Alarm { closed: Some(at(30)), ..an_alarm(2, AlarmStatus::Closed) })),
    ];
    let running = running(folder.path(), events).await;
    let list = running.store.read(|db| downtimes::list(db, &DowntimeFilter::default())).await.unwrap();
    assert_eq!((list.total, list.items[0].ended), (2, Some((at(7), DowntimeEnd::Cancelled))));
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.comments, [comment]);
    assert_eq!(restored.downtimes, [Downtime { started: Some(at(7)), ..downtime }]);
    assert_eq!(restored.alarms, [an_alarm(1, AlarmStatus::Open)]);
    let next = restored.next;
    assert_eq!((next.alarm, next.comment, next.downtime), (3, 4, 11));
}

#[tokio::test]
async fn an_alarm_that_a_person_closed_is_given_back_while_its_problem_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&[("web01", &["HTTP"])]);
    let running = start(folder.path(), world.clone());
    let mut status = checked(State::Critical, "bad", 1);
    status.problem = Some(ProblemId(2));
    *world.services.get_mut(0) = status;
    let closed = |id| Alarm { closed: Some(at(30)), ..an_alarm(id, AlarmStatus::Closed) };
    let events = vec![event(30, What::AlarmClosed(closed(1))), event(30, What::AlarmClosed(closed(2)))];
    running.publish(events, &world).await.unwrap();
    running.writer.stop().await;
    assert_eq!(restore(folder.path()).alarms, [closed(2)]);
}

#[tokio::test]
async fn a_ticket_keeps_its_history_and_its_life_time_ends_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let note = TicketNote {
        text: "restarted it".into(),
        action: Some("systemctl restart nginx".into()),
        status: Some(TicketStatus::Closed),
        resolution: Some("Fixed".into()),
        priority: Some(3),
        in_charge: Some("ops".into()),
        ..TicketNote::default()
    };
    let closed = TicketHead {
        status: TicketStatus::Closed,
        updated: at(70),
        closed: Some(at(70)),
        ..a_head(1, TicketStatus::Open)
    };
    let late = TicketHead { updated: at(500), ..closed.clone() };
    let afterwards = TicketNote { text: "customer says thanks".into(), ..TicketNote::default() };
    let author = || Arc::from("ana");
    let events = vec![
        event(10, What::TicketOpened { head: a_head(1, TicketStatus::Open), draft: a_draft() }),
        event(70, What::TicketNoted { head: closed, note: note.clone(), author: author() }),
        event(500, What::TicketNoted { head: late.clone(), note: afterwards, author: author() }),
    ];
    let running = running(folder.path(), events).await;
    let found = running.store.read(|db| tickets::ticket(db, TicketId(1))).await.unwrap().unwrap();
    let ticket = &found.ticket;
    assert_eq!(ticket.head, late);
    assert_eq!(ticket.life_time(at(9999)), Duration::from_secs(60));
    assert_eq!((ticket.priority, ticket.in_charge.as_deref()), (3, Some("ops")));
    assert_eq!((ticket.resolution.as_deref(), ticket.tags.len()), (Some("Fixed"), 2));
    assert_eq!(found.notes.len(), 2);
    assert_eq!(found.notes[0].note, note);
    let changes = found.notes[0].changes.iter();
    let changes: Vec<_> =
        changes.map(|one| [one.field.as_str(), one.before.as_str(), one.after.as_str()]).collect();
    assert_eq!(
        changes,
        [
            ["status", "Open", "Closed"],
            ["resolution", "", "Fixed"],
            ["priority", "7", "3"],
            ["in charge", "ana", "ops"]
        ]
    );
    assert_eq!(found.subscribers, [Arc::from("ana"), Arc::from("ops")], "but not the daemon itself");
    let reopened = TicketHead { closed: None, ..a_head(1, TicketStatus::Open) };
    let again = TicketNote { text: "back".into(), ..TicketNote::default() };
    let what = What::TicketReopened { head: reopened.clone(), note: again, author: author() };
    running.publish(vec![event(600, what)], &world(&[("web01", &["HTTP"])])).await.unwrap();
    let found = running.store.read(|db| tickets::ticket(db, TicketId(1))).await.unwrap().unwrap();
    assert_eq!((found.ticket.reopened, found.ticket.resolution), (1, None));
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!((restored.tickets, restored.next.ticket), (vec![reopened], 2));
}

#[tokio::test]
async fn an_edit_keeps_what_was_and_the_search_finds_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let draft = TicketDraft {
        fields: Fields::from([("kind".into(), "os".into()), ("host".into(), "192.0.2.77".into())]),
        ..a_draft()
    };
    let head = TicketHead { class: TicketClass::Anomaly, ..a_head(1, TicketStatus::Open) };
    let edit = TicketEdit {
        title: Some("the \"switch\" 100%".into()),
        r#type: Some("Net Performance".into()),
        in_charge: Some(None),
        tags: Some(vec!["eu".into(), "eu".into()]),
        ..TicketEdit::default()
    };
    let said = TicketNote { text: "Katze im Rack".into(), ..TicketNote::default() };
    let edited = TicketHead { version: 2, ..head.clone() };
    let events = vec![
        event(10, What::TicketOpened { head: head.clone(), draft }),
        event(20, What::TicketNoted { head, note: said, author: "ana".into() }),
        event(30, What::TicketEdited { head: edited, edit, author: "ben".into() }),
    ];
    let running = running(folder.path(), events).await;
    let found = running.store.read(|db| tickets::ticket(db, TicketId(1))).await.unwrap().unwrap();
    assert_eq!(
        (&*found.ticket.r#type, found.ticket.tags.len(), found.ticket.head.version),
        ("Net Performance", 1, 2)
    );
    let last = found.notes.last().unwrap();
    let fields: Vec<&str> = last.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!((&*last.author, fields), ("ben", vec!["title", "type", "in charge", "tags"]));
    assert_eq!(last.changes[0].before, "web01/HTTP is CRITICAL");
    for (text, is_found) in [
        ("\"SWITCH\" 100%", true),
        ("100% of tries", true),
        ("is CRITICAL", false),
        ("192.0.2.77", true),
        ("katze IM", true),
        ("web01/ht", true),
        ("AND", false),
        ("%%%", false),
        ("ano01", true),
        ("th", true),
    ] {
        let filter = TicketFilter { text: Some(text.to_owned()), ..TicketFilter::default() };
        let page = running.store.read(move |db| tickets::list(db, &filter)).await.unwrap();
        assert_eq!(page.total == 1, is_found, "{text}");
    }
    running.writer.stop().await;
}

#[tokio::test]
async fn a_deleted_ticket_is_found_no_more_and_its_number_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let head = a_head(1, TicketStatus::Open);
    let said = TicketNote { text: "Katze im Rack".into(), ..TicketNote::default() };
    let ticket = Some(head.reference());
    let events = vec![
        event(10, What::TicketOpened { head: head.clone(), draft: a_draft() }),
        event(10, What::AlarmOpened(Alarm { ticket, ..an_alarm(1, AlarmStatus::Open) })),
        event(20, What::TicketNoted { head: head.clone(), note: said, author: "ana".into() }),
    ];
    let running = running(folder.path(), events).await;
    let of_alarm =
        async || running.store.read(|db| alarms::alarm(db, AlarmId(1))).await.unwrap().unwrap().ticket;
    assert_eq!(of_alarm().await, ticket);
    let deleted = vec![event(30, What::TicketDeleted { head, author: "root".into() })];
    running.publish(deleted, &world(&[("web01", &["HTTP"])])).await.unwrap();
    assert_eq!(of_alarm().await, None);
    let gone = running.store.read(|db| tickets::ticket(db, TicketId(1))).await.unwrap();
    assert_eq!(gone, None);
    let pieces = running.store.read(|db| {
        db.query_row(
            "SELECT count(*) FROM ticket_text WHERE ticket_text MATCH '\"Katze\" OR \"tries\"'",
            [],
            |row| row.get::<_, i64>(0),
        )
    });
    assert_eq!(pieces.await.unwrap(), 0);
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!((restored.tickets.len(), restored.open_tickets, restored.next.ticket), (0, 0, 2));
}

#[tokio::test]
async fn the_engine_gets_back_what_it_may_decide_on_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let closed = |id| TicketHead { closed: Some(at(70)), ..a_head(id, TicketStatus::Closed) };
    let by_hand =
        |id| TicketHead { subject: None, problem: None, rule: None, ..a_head(id, TicketStatus::Open) };
    let heads = [closed(1), a_head(2, TicketStatus::Waiting), closed(3), closed(4), by_hand(5)];
    let opened = |head: &TicketHead| event(10, What::TicketOpened { head: head.clone(), draft: a_draft() });
    let running = running(folder.path(), heads.iter().map(opened).collect()).await;
    running.writer.stop().await;
    let restored = restore(folder.path());
    let ids: Vec<u64> = restored.tickets.iter().map(|head| head.id.0).collect();
    assert_eq!((ids, restored.open_tickets), (vec![2, 4], 2));
}

#[tokio::test]
async fn a_type_that_goes_leaves_its_tickets_to_generic() {
    let folder = tempfile::tempdir().unwrap();
    let draft = TicketDraft { r#type: "Night shift".into(), ..a_draft() };
    let opened = What::TicketOpened { head: a_head(1, TicketStatus::Open), draft };
    let running = running(folder.path(), vec![event(10, opened)]).await;
    let changed = running.store.write(|db| {
        let renamed = types::change(db, "night SHIFT", "Nights", "what wakes people")?;
        let of = |db: &_| tickets::ticket(db, TicketId(1)).map(|found| found.unwrap().ticket.r#type);
        let with = of(db)?;
        let refusals = [
            types::change(db, "Nights", "generic", "")?,
            types::change(db, "Generic", "Other", "")?,
            types::add(db, "vulnerability", "")?,
            types::delete(db, "Generic")?.map(|_moved| ()),
            types::delete(db, "Never")?.map(|_moved| ()),
        ];
        Ok((renamed, with, refusals, types::delete(db, "Nights")?, of(db)?, types::all(db)?))
    });
    let (renamed, with, refusals, deleted, after, all) = changed.await.unwrap();
    assert_eq!((renamed, &*with, deleted, &*after), (Ok(()), "Nights", Ok(1), "Generic"));
    assert!(refusals.iter().all(Result::is_err), "{refusals:?}");
    // The nine of OSSIM and Availability.
    assert_eq!((all.len(), all[0].name.as_str(), all[0].tickets), (10, "Generic", 1));
    running.writer.stop().await;
}

#[tokio::test]
async fn lists_filter_sort_and_page_and_wild_cards_mean_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    for id in 1..=5 {
        let severity = u8::try_from(id).unwrap();
        events.push(event(10, What::AlarmOpened(Alarm { severity, ..an_alarm(id, AlarmStatus::Open) })));
        let head = a_head(id, TicketStatus::Studying);
        events.push(event(10, What::TicketOpened { head, draft: a_draft() }));
    }
    let running = running(folder.path(), events).await;
    let filter = AlarmFilter {
        open: Some(true),
        host: Some("web01".to_owned()),
        sorted: crate::store::Sorted { by: alarms::AlarmSort::Severity, is_descending: true },
        slice: Slice { limit: 2, offset: 1 },
        ..AlarmFilter::default()
    };
    let page = running.store.read(move |db| alarms::list(db, &filter)).await.unwrap();
    let severities: Vec<u8> = page.items.iter().map(|alarm| alarm.severity).collect();
    assert_eq!((page.total, severities), (5, vec![4, 3]));
    for (text, found) in [("100% of", 5), ("100_ of", 0), ("1%f", 0), ("WEB01", 5), ("' OR 1=1 --", 0)] {
        let filter = TicketFilter {
            status: StatusFilter::NotClosed,
            text: Some(text.to_owned()),
            ..TicketFilter::default()
        };
        let page = running.store.read(move |db| tickets::list(db, &filter)).await.unwrap();
        assert_eq!(page.total, found, "{text}");
    }
}

#[tokio::test]
async fn history_and_ribbon_tell_how_an_object_stood() {
    let folder = tempfile::tempdir().unwrap();
    let events = vec![
        alert(100, State::Ok, State::Critical, "down"),
        alert(160, State::Critical, State::Ok, "up"),
        alert(400, State::Ok, State::Warning, "slow"),
    ];
    let running = running(folder.path(), events).await;
    let filter =
        LogFilter { subject: Some(http()), kinds: vec![LogKind::State], limit: 2, ..LogFilter::default() };
    let lines = running.store.read(move |db| log::list(db, &filter)).await.unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["slow", "up"]);
    let change = lines[0].change.unwrap();
    assert_eq!((change.state, change.attempt), (AnyState::Service(State::Warning), 4));

    let ribbon = |from, to| {
        let key = http();
        running.store.read(move |db| log::ribbon(db, &key, at(from), at(to), 100))
    };
    let words = |segments: &[log::Segment]| -> Vec<String> {
        let word = |segment: &log::Segment| segment.state.map_or("?", AnyState::word);
        segments
            .iter()
            .map(|s| {
                format!(
                    "{}..{} {}",
                    s.from.as_second() - at(0).as_second(),
                    s.to.as_second() - at(0).as_second(),
                    word(s)
                )
            })
            .collect()
    };
    let segments = ribbon(0, 500).await.unwrap();
    assert_eq!(words(&segments), ["0..100 ?", "100..160 CRITICAL", "160..400 OK", "400..500 WARNING"]);
    let since = at(40).as_micros();
    running.store.write(move |db| db.execute("UPDATE object SET created = ?1", [since])).await.unwrap();
    let segments = ribbon(0, 170).await.unwrap();
    assert_eq!(
        words(&segments),
        ["0..40 ?", "40..100 OK", "100..160 CRITICAL", "160..170 OK"],
        "watched since 40"
    );
    let segments = ribbon(120, 130).await.unwrap();
    assert_eq!(words(&segments), ["120..130 CRITICAL"]);
}

#[tokio::test]
async fn an_order_is_audited_with_the_events_it_caused() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(folder.path(), vec![]).await;
    let filter = AuditFilter { author: Some("ana".to_owned()), ..AuditFilter::default() };
    let page = running.store.read(move |db| audit::list(db, &filter)).await.unwrap();
    assert_eq!((page.total, page.items[0].act.action.as_str()), (1, "comment"));
    assert_eq!(page.items[0].act.detail["text"], "seen");
}

#[tokio::test]
async fn what_is_older_than_its_retention_goes() {
    let folder = tempfile::tempdir().unwrap();
    let connection = running(folder.path(), vec![alert(-100, State::Ok, State::Critical, "old")]).await;
    let day = Duration::from_secs(24 * 3600);
    let retention =
        Retention { states: Duration::from_secs(50), events: day, alarms: day, audit: day, scans: day };
    connection.store.set_retention(retention);
    connection.writer.stop().await;
    // A look is taken at once after a start.
    let again = start(folder.path(), world(&[("web01", &["HTTP"])]));
    again.store.set_retention(retention);
    let fresh = alert(-10, State::Critical, State::Ok, "new");
    again.publish(vec![fresh], &world(&[("web01", &["HTTP"])])).await.unwrap();
    again.writer.stop().await;
    let last = start(folder.path(), world(&[("web01", &["HTTP"])]));
    let filter = LogFilter { limit: 10, ..LogFilter::default() };
    let lines = last.store.read(move |db| log::list(db, &filter)).await.unwrap();
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["new"]);
}

#[tokio::test]
async fn a_suppression_is_back_after_a_restart_and_one_that_has_ended_is_still_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&[("web01", &["HTTP"])]);
    let one = |id: u64, matched| Suppression {
        id: SuppressionId(id),
        subject: ObjectKey::service("web01", "HTTP"),
        matched,
        reason: "100 % is \"normal\" here".into(),
        author: "ana".into(),
        since: at(10),
        expires: Some(at(9_000)),
        ticket: None,
        alarm: Some(AlarmId(4)),
        rule: Some("tickets".into()),
        held: 0,
        last: None,
    };
    let first = one(1, Matched::Problem { up_to: Some(AnyState::Service(State::Warning)) });
    let anomaly = Matched::Anomaly { kind: AnomalyKind::ServiceNew, about: "22/tcp".into() };
    let second = Suppression { subject: ObjectKey::host("web01"), ..one(2, anomaly) };
    let third = one(3, Matched::Problem { up_to: None });
    let held = Suppression { held: 2, last: Some(at(40)), ..first.clone() };
    let how = SuppressionEnd::Revoked;
    let events = vec![
        event(10, What::SuppressionMade(first)),
        event(11, What::SuppressionMade(second.clone())),
        event(12, What::SuppressionMade(third.clone())),
        event(40, What::SuppressionHeld(held.clone())),
        event(50, What::SuppressionEnded { suppression: third.clone(), how, author: Some("ben".into()) }),
    ];
    let running = start(folder.path(), world.clone());
    running.publish(events, &world).await.unwrap();
    let list = |in_force| {
        let filter = SuppressionFilter { in_force, ..SuppressionFilter::default() };
        running.store.read(move |connection| suppressions::list(connection, &filter))
    };
    let ended = list(Some(false)).await.unwrap().items;
    let end = End { at: at(50), how, by: Some("ben".into()) };
    assert_eq!(ended, [Kept { suppression: third, end: Some(end) }]);
    assert_eq!(list(None).await.unwrap().total, 3);
    running.writer.stop().await;
    let restored = restore(folder.path());
    assert_eq!(restored.suppressions, [held, second]);
    assert_eq!(restored.next.suppression, 4);
}

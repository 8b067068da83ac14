//! Stories of tickets: how long the world holds them, and two people who act on one.

use super::fixture::Story;
use super::stories::web;
use crate::engine::Input;
use crate::model::id::TicketId;
use crate::model::operation::{Operation, Refusal, TicketEdit, TicketNote};
use crate::model::ticket::{TicketHead, TicketStatus};

fn closing() -> Box<TicketNote> {
    let (status, resolution) = (Some(TicketStatus::Closed), Some("fixed".into()));
    Box::new(TicketNote { status, resolution, ..TicketNote::default() })
}

#[test]
fn a_closed_ticket_stays_while_its_problem_stands_or_may_return_and_no_longer() {
    let held = |story: &Story| story.engine.world().records.tickets.len();
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.wait_until(400);
    assert_eq!((held(&story), story.engine.world().records.open_tickets), (1, 1));
    story.orders(500, Operation::NoteTicket { id: TicketId(1), version: Some(1), note: closing() }).unwrap();
    assert_eq!(story.engine.world().records.open_tickets, 0);
    // Days later the problem still stands: no second ticket for it.
    story.wait_until(500_000);
    assert_eq!(held(&story), 1);
    story.sees(500_001, "web/http", 2).sees(500_010, "web/http", 0);
    story.wait_until(500_020);
    assert_eq!(held(&story), 0, "closed for longer than a day, and the problem is gone");
    // What comes now is another problem.
    story.sees(500_100, "web/http", 2);
    story.wait_until(500_500);
    assert!(story.told().contains("AVA02 opened"));
}

#[test]
fn what_the_world_no_longer_holds_is_recalled_by_whoever_acts_on_it() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.wait_until(400);
    let old = story.engine.world().records.tickets[&TicketId(1)].clone();
    story.sees(500, "web/http", 0);
    story.wait_until(200_000);
    assert!(story.engine.world().records.tickets.is_empty());
    let edit = |version, title: &str| {
        let edit = Box::new(TicketEdit { title: Some(title.into()), ..TicketEdit::default() });
        Operation::EditTicket { id: TicketId(1), version, edit }
    };
    let unknown = Refusal::UnknownRecord { what: "ticket", id: 1 };
    assert_eq!(story.orders(200_001, edit(None, "x")), Err(unknown));
    let closed = TicketHead { status: TicketStatus::Closed, closed: Some(story.now), ..(*old).clone() };
    story.step(Input::Recall(closed.clone())).unwrap();
    story.orders(200_002, edit(Some(1), "the switch")).unwrap();
    // Another person looked at it before that, and so did their door.
    story.step(Input::Recall(closed)).unwrap();
    let refused = story.orders(200_003, edit(Some(1), "the cable")).unwrap_err();
    assert_eq!(refused, Refusal::Changed { reference: old.reference(), seen: 1, now: 2 });
    let late = TicketNote { text: "thanks".into(), ..TicketNote::default() };
    let late = Operation::NoteTicket { id: TicketId(1), version: Some(1), note: Box::new(late) };
    story.orders(200_004, late).unwrap();
    story.wait_until(200_000 + 90_000);
    assert!(story.engine.world().records.tickets.is_empty());
}

#[test]
fn a_deleted_ticket_leaves_its_number_behind_and_its_problem_must_be_over() {
    let mut story = Story::new(web());
    story.sees(0, "web", 0).sees(0, "web/http", 2);
    story.wait_until(400);
    let delete = || Operation::DeleteTicket { id: TicketId(1) };
    let refused = story.orders(401, delete()).unwrap_err();
    assert!(refused.to_string().starts_with("the problem of AVA01 stands"), "{refused}");
    story.sees(402, "web/http", 0);
    story.orders(403, delete()).unwrap();
    let records = &story.engine.world().records;
    assert_eq!((records.tickets.len(), records.open_tickets), (0, 0));
    assert_eq!((records.alarms.len(), records.next.ticket), (0, 2));
}

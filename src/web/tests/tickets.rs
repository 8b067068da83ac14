//! Tickets as pages and API take them: what was typed is never lost, what somebody else did is never overwritten.

use super::*;

async fn said(response: Response) -> (StatusCode, String) {
    (response.status(), text(response).await)
}

#[tokio::test]
async fn the_second_of_two_people_sees_what_the_first_changed_and_keeps_what_was_typed() {
    let site = site();
    let form = "ticket=AVA01&version=3&title=the+%3Cb%3Eswitch&text=x&type=Generic&priority=9&in_charge=ivo&tags=rack7";
    let (status, page) = said(site.form("/act/edit-ticket", form, Some(as_user("ivo"))).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(page.contains("AVA01 was changed since it was looked at"), "{page}");
    assert!(page.contains("value=\"the &#60;b&#62;switch\"") && page.contains("value=\"rack7\""), "{page}");
    assert!(page.contains("name=\"version\" value=\"4\""), "the next try is for what is shown now");
    assert!(site.backend.operations().is_empty());

    let again = form.replace("version=3", "version=4");
    let response = site.form("/act/edit-ticket", &again, Some(as_user("ivo"))).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let note = json!({"text": "on it", "priority": 9, "version": 2});
    let (status, body) = site.post("/api/v1/tickets/AVA01/note", note, admin()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
}

#[tokio::test]
async fn a_slip_is_said_on_the_page_of_its_ticket() {
    let site = site();
    for (act, form, reason) in [
        (
            "note-ticket",
            "ticket=AVA01&text=over+to+you&in_charge=nobody-knows",
            "no user, contact or contact group",
        ),
        ("note-ticket", "ticket=AVA01&text=over+to+you&status=Lost", "one of Open, Assigned"),
        ("edit-ticket", "ticket=AVA01&title=over+to+you&type=Nonsense", "one of Generic, Availability"),
        ("edit-ticket", "ticket=AVA01&title=over+to+you&priority=11", "a number from 1 to 10"),
        ("close-ticket", "ticket=AVA01&text=over+to+you&resolution=whatever", "one of Fixed, False positive"),
    ] {
        let (status, page) = said(site.form(&format!("/act/{act}"), form, Some(as_user("ivo"))).await).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(page.contains(reason) && page.contains("over to you"), "{form}: {page}");
    }
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn a_new_ticket_has_the_fields_of_its_class() {
    let site = site();
    let (_, page) = site.get("/act/ticket?class=Anomaly").await;
    for field in ["field-kind", "field-previous", "field-new", "field-port"] {
        assert!(page.contains(&format!("name=\"{field}\"")), "{field}");
    }
    let form =
        "class=Anomaly&title=Host+db01+changed+its+OS&priority=5&field-kind=os&field-new=Windows&field-port=";
    let response = site.form("/act/ticket", form, Some(as_user("ivo"))).await;
    assert_eq!(response.headers()[header::LOCATION], "/tickets/ANO03");
    let orders = site.backend.orders.lock().unwrap().clone();
    let Operation::OpenTicket { ticket } = &orders[0].operation else { panic!("{orders:?}") };
    let fields: Vec<(&str, &str)> = ticket.fields.iter().map(|(key, text)| (&**key, &**text)).collect();
    assert_eq!((fields, &*ticket.r#type), (vec![("kind", "os"), ("new", "Windows")], "Anomalies"));

    let wrong = json!({"title": "x", "class": "Anomaly", "fields": {"source_ips": "192.0.2.1"}});
    let (status, body) = site.post("/api/v1/tickets", wrong, admin()).await;
    let said = body["error"].as_str().unwrap();
    assert!(
        status == StatusCode::BAD_REQUEST && said.contains("`source_ips` is no field of Anomaly"),
        "{said}"
    );
    let long = json!({"title": "x".repeat(513)});
    assert_eq!(site.post("/api/v1/tickets", long, admin()).await.0, StatusCode::BAD_REQUEST);
    let endless = json!({"title": "x", "text": "y".repeat(70_000)});
    assert_eq!(site.post("/api/v1/tickets", endless, admin()).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_ticked_is_done_together() {
    let site = site();
    let response = site
        .form(
            "/act/tickets",
            "ticket=AVA01&ticket=AVA02&ticket=x&do=close&resolution=Fixed",
            Some(as_user("ivo")),
        )
        .await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let orders = site.backend.orders.lock().unwrap().clone();
    assert_eq!(orders.len(), 2, "{orders:?}");
    let response = site.form("/act/tickets", "ticket=AVA01&do=tag&tag=rack7", Some(as_user("ivo"))).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let orders = site.backend.orders.lock().unwrap().clone();
    let Operation::EditTicket { version, edit, .. } = &orders[2].operation else { panic!("{orders:?}") };
    // The tags that it has stay, and nobody else's change is lost in between.
    assert_eq!((*version, edit.tags.as_ref().map(Vec::len)), (Some(4), Some(2)));
    for form in ["do=close&resolution=Fixed", "ticket=AVA01&do=transfer&in_charge=", "ticket=AVA01&do=what"] {
        let response = site.form("/act/tickets", form, Some(as_user("ivo"))).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{form}");
    }
}

#[tokio::test]
async fn filters_of_tickets_are_understood_or_refused() {
    let site = site();
    for good in
        ["", "status==open", "status=waiting", "in_charge=me", "priority=high&class=ava", "limit=5&offset=5"]
    {
        assert_eq!(site.get(&format!("/api/v1/tickets?{good}")).await.0, StatusCode::OK, "{good}");
    }
    for bad in ["statu=open", "status=lost", "priority=urgent", "class=Nonsense", "sort=colour"] {
        let (status, body) = site.get(&format!("/api/v1/tickets?{bad}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}: {body}");
    }
    let (_, page) = site.get("/tickets?status=all&tag=power&q=%3Cscript%3E").await;
    assert!(
        page.contains("href=\"?status=all&#38;q=%3Cscript%3E\"")
            || page.contains("?status=all&amp;q=%3Cscript%3E"),
        "a filter can be taken away: {page}"
    );
}

#[tokio::test]
async fn people_subscribe_themselves_and_others_who_exist() {
    let site = site();
    let subscribe = async |name: &str| {
        site.form("/act/subscribe-ticket", &format!("ticket=AVA01&name={name}"), Some(as_user("ivo")))
            .await
            .status()
    };
    assert_eq!(subscribe("").await, StatusCode::SEE_OTHER);
    assert_eq!(subscribe("ANA").await, StatusCode::SEE_OTHER);
    assert_eq!(subscribe("nobody-knows").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(*site.backend.heard.lock().unwrap(), ["1 +ivo", "1 +ana"]);
}

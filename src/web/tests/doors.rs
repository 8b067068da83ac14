//! Who may look, who may act, and what every answer carries.

use super::*;

#[tokio::test]
async fn strangers_do_not_look_and_onlookers_do_not_act() {
    let site = site();
    let look = async |peer: Peer, forwarded: bool| {
        let mut request = ask(Method::GET, "/services");
        if forwarded {
            request = request.header("x-forwarded-for", "192.0.2.1");
        }
        site.send(request.body(Body::empty()).unwrap(), peer).await.status()
    };
    assert_eq!(look(local(), false).await, StatusCode::OK);
    assert_eq!(look(local(), true).await, StatusCode::SEE_OTHER, "a proxy's visitors log in");
    assert_eq!(look(remote(), false).await, StatusCode::SEE_OTHER);
    assert_eq!(look(admin(), false).await, StatusCode::OK);

    let act = json!({"host": "192.0.2.194", "service": "MYSQL", "comment": "on it"});
    assert_eq!(site.post("/api/v1/acknowledge", act.clone(), local()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(site.post("/api/v1/acknowledge", act, admin()).await.0, StatusCode::OK);
    let request = ask(Method::POST, "/api/v1/reload").header(header::COOKIE, as_user("ivo"));
    let response = site.send(request.body(Body::empty()).unwrap(), local()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN, "an operator does not reload");
    assert!(text(response).await.contains("admin"));
    let orders = site.backend.orders.lock().unwrap().clone();
    assert_eq!(orders.len(), 1);
    assert_eq!(&*orders[0].author, "root", "the audit names the user of the socket");
}

#[tokio::test]
async fn every_route_that_changes_something_needs_a_role() {
    let site = site();
    for route in crate::web::routes::ROUTES {
        let path = route.path.replace(['{', '}'], "");
        let response = site.send(ask(Method::POST, &path).body(Body::empty()).unwrap(), local()).await;
        let is_open = matches!(route.path, "/login" | "/logout" | "/theme" | "/api/v1/login");
        let takes_post = response.status() != StatusCode::BAD_REQUEST || is_open;
        if takes_post && !is_open {
            assert!(
                matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::SEE_OTHER),
                "{path}: {}",
                response.status()
            );
        }
        assert!(route.needs.is_some() || !route.path.starts_with("/api/v1/") || is_open, "{path} is open");
    }
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn a_form_sent_without_login_comes_back_as_it_was_filled_in() {
    let site = site();
    let form = "object=192.0.2.194%2FMYSQL&comment=on+it+%26+more&back=%2Fproblems";
    let response = site.form("/act/acknowledge", form, None).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let to = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert!(to.starts_with("/login?next="), "{to}");
    let (_, login) = site.get(&to).await;
    let next = login
        .split("name=\"next\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&");
    let wrong = site.form("/login", "name=ivo&password=wrong&next=%2F", None).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let body = format!("name=ivo&password=correct+horse&next={}", crate::web::query::escape(&next));
    let response = site.form("/login", &body, None).await;
    assert_eq!(response.headers()[header::LOCATION].to_str().unwrap(), next);
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("vigia=token-of-ivo;")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let (_, page) = site.get(&next).await;
    assert!(
        page.contains("on it &#38; more") && page.contains("192.0.2.194/MYSQL"),
        "what was typed is still there"
    );
}

#[tokio::test]
async fn a_post_from_another_site_is_refused() {
    let site = site();
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
        let request = ask(Method::POST, "/act/recheck")
            .header(name, value)
            .header(header::COOKIE, as_user("ivo"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = site.send(request.body(Body::from("object=db01")).unwrap(), local()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert!(site.backend.operations().is_empty());
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let site = site();
    for path in ["/", "/api/v1/hosts", "/no/such/page", "/metrics", "/healthz"] {
        let response = site.send(ask(Method::GET, path).body(Body::empty()).unwrap(), local()).await;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
    }
    let strange = Request::builder().uri("/").header(header::HOST, "evil.test").body(Body::empty()).unwrap();
    assert_eq!(site.send(strange, local()).await.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn assets_are_ours_hashed_and_kept() {
    let site = site();
    let (_, body) = site.get("/").await;
    let addresses = body.match_indices("/static/").map(|(at, _)| body[at..].split('"').next().unwrap());
    let mut count = 0;
    for address in addresses {
        let response = site.send(ask(Method::GET, address).body(Body::empty()).unwrap(), local()).await;
        assert_eq!(response.status(), StatusCode::OK, "{address}");
        assert!(response.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        count += 1;
    }
    assert!(count >= 3);
    assert_eq!(site.get("/static/x/..%2F..%2FCargo.toml").await.0, StatusCode::NOT_FOUND);
}

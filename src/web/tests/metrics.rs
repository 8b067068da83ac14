//! `/metrics`, read as strictly as Prometheus reads it.

use super::*;

/// A name, its labels, its value.
type Series = (String, Vec<(String, String)>, f64);

/// Reads the exposition format strictly: what `promtool` and Prometheus refuse, this refuses.
fn parse_metrics(text: &str) -> Vec<Series> {
    let mut kinds = std::collections::BTreeMap::new();
    let mut closed = std::collections::BTreeSet::new();
    let mut current = String::new();
    let mut series = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && closed.insert(name.to_owned()), "{name} comes twice");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert!(
                ["gauge", "counter", "histogram"].contains(&kind)
                    && (kind != "counter" || name.ends_with("_total")),
                "{line}"
            );
            kinds.insert(name.to_owned(), kind.to_owned());
        } else {
            let end = line.find(['{', ' ']).unwrap();
            let (name, rest) = line.split_at(end);
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_part =
                kinds.get(&current).is_some_and(|kind| kind == "histogram") && base == Some(&*current);
            assert!(name == current || is_part, "{line}");
            let mut labels = Vec::new();
            let mut chars = rest.chars().peekable();
            if chars.next_if_eq(&'{').is_some() {
                loop {
                    let label: String = std::iter::from_fn(|| chars.next_if(|c| *c != '=')).collect();
                    assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
                    assert_eq!((chars.next(), chars.next()), (Some('='), Some('"')), "{line}");
                    let mut value = String::new();
                    loop {
                        match chars.next().unwrap_or_else(|| panic!("unended: {line}")) {
                            '"' => break,
                            '\\' => value.push(match chars.next() {
                                Some('n') => '\n',
                                Some(c @ ('\\' | '"')) => c,
                                other => panic!("escape {other:?} in {line}"),
                            }),
                            c => value.push(c),
                        }
                    }
                    labels.push((label, value));
                    match chars.next() {
                        Some(',') => {}
                        Some('}') => break,
                        other => panic!("{other:?} in {line}"),
                    }
                }
            }
            let value: String = chars.collect();
            let value: f64 = value
                .strip_prefix(' ')
                .unwrap_or_else(|| panic!("{line}"))
                .replace("+Inf", "inf")
                .parse()
                .unwrap();
            assert!(seen.insert((name.to_owned(), labels.clone())), "twice: {line}");
            series.push((name.to_owned(), labels, value));
        }
    }
    series
}

#[tokio::test]
async fn metrics_are_exact_whatever_the_names() {
    let mut world = fixture::Builder::new();
    let harm = "we\"ird\\name\nx{}=,";
    let output = "OK |'a\"b\\c'=1s 'a\"b\\c'=2s load=0.5;1;2 bad=x rta=0.1ms u=U";
    world.host(
        harm,
        "192.0.2.1",
        Some(vigia_core::model::state::HostState::Up),
        vec![fixture::said("s\"1\\", vigia_core::model::state::State::Ok, 1, 5, output)],
    );
    world.host(
        "\u{feff}ünï",
        "192.0.2.2",
        None,
        vec![fixture::said("waiting", vigia_core::model::state::State::Ok, 1, 0, "")],
    );
    let site = site_of(Fixture::new(world.world()));
    let (_, body) = site.get("/metrics").await;
    let series = parse_metrics(&body);
    let of = |name: &str| series.iter().filter(|(found, ..)| found == name).cloned().collect::<Vec<_>>();
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        of("vigia_host_state"),
        [("vigia_host_state".to_owned(), vec![label("host", harm)], 0.0)],
        "pending has no state"
    );
    assert_eq!(of("vigia_service_state")[0].1, [label("host", harm), label("service", "s\"1\\")]);
    let perfdata = of("vigia_service_perfdata");
    assert_eq!(perfdata.len(), 3, "a label that comes twice counts once: {perfdata:?}");
    assert_eq!(perfdata[0].1[2..], [label("label", "a\"b\\c"), label("unit", "s")]);
    assert_eq!(of("vigia_build_info").len(), 1);
}

#[tokio::test]
async fn metrics_of_a_large_site_come_in_pieces() {
    use futures_util::StreamExt;
    let site = site_of(Fixture::new(fixture::large(300)));
    let response = site.send(ask(Method::GET, "/metrics").body(Body::empty()).unwrap(), local()).await;
    let pieces: Vec<_> = response.into_body().into_data_stream().map(Result::unwrap).collect().await;
    assert!(pieces.len() > 20 && pieces.iter().all(|piece| piece.len() < 300_000));
    let series = parse_metrics(std::str::from_utf8(&pieces.concat()).unwrap());
    assert_eq!(series.iter().filter(|(name, ..)| name == "vigia_service_state").count(), 3000);
}

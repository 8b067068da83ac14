//! `snmp` against agents of ours.

use super::*;
use crate::ber;
use crate::tests::{assert_harmless, check};
use crate::trial::{look, look_briefly, map, refusals, text};

/// An agent that answers each question with these bindings, in a response with that error.
async fn agent(error: i64, bindings: Vec<(Vec<u8>, Vec<u8>)>, noise: &'static [u8]) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut bytes = [0; 2000];
        while let Ok((count, from)) = socket.recv_from(&mut bytes).await {
            let mut message = ber::Ber(ber::Ber(&bytes[..count]).expect(ber::SEQUENCE).unwrap());
            message.next().unwrap();
            message.next().unwrap();
            let number = ber::Ber(message.next().unwrap().1).expect_integer(ber::INTEGER).unwrap();
            let all: Vec<Vec<u8>> = bindings
                .iter()
                .map(|(oid, value)| ber::joined(ber::SEQUENCE, &[ber::element(ber::OID, oid), value.clone()]))
                .collect();
            for number in [number ^ 1, number] {
                let response = [
                    ber::integer(ber::INTEGER, number),
                    ber::integer(ber::INTEGER, error),
                    ber::integer(ber::INTEGER, error.min(1)),
                    ber::joined(ber::SEQUENCE, &all),
                ];
                let parts =
                    [ber::integer(ber::INTEGER, 1), ber::element(4, b"public"), ber::joined(0xa2, &response)];
                socket.send_to(noise, from).await.unwrap();
                socket.send_to(&ber::joined(ber::SEQUENCE, &parts), from).await.unwrap();
            }
        }
    });
    port
}

/// 1.3.1 and 1.3.2.
const ONE: &[u8] = &[0x2b, 1];
const TWO: &[u8] = &[0x2b, 2];

#[tokio::test]
async fn each_value_is_held_against_its_range() {
    for (ranges, code, expected) in [
        ("-w 10,30 -c 20,40", 0, "SNMP OK - ports 7 errors 23 e |ports=7;10;20 errors=23c;30;40"),
        ("-w ,20", 1, "SNMP WARNING - ports 7 errors *23* e |ports=7 errors=23c;20"),
        ("-c 8:", 2, "SNMP CRITICAL - ports *7* errors 23 e |ports=7;;8: errors=23c"),
    ] {
        let counter = ber::element(0x41, &[23]);
        let values = vec![(ONE.to_vec(), ber::integer(2, 7)), (TWO.to_vec(), counter)];
        let port = agent(0, values, b"\x30\x84").await;
        let line = format!("-H 127.0.0.1 -p {port} -o .1.3.1,1.3.2 -l ports,errors -u ,e {ranges}");
        let (got, said) = check("snmp", &line).await;
        assert_eq!((got, said.replace(" |", "|").as_str()), (code, expected.replace(" |", "|").as_str()));
    }
}

#[tokio::test]
async fn texts_are_compared_and_matched() {
    for (flags, code) in [
        ("-s 'agent 7'", 0),
        ("-s agent", 2),
        ("-r ^ag.*7$", 0),
        ("-R ^AG", 0),
        ("-r ^AG", 2),
        ("-s other --invert-search", 0),
        ("-c 5", 3),
    ] {
        let port = agent(0, vec![(ONE.to_vec(), ber::element(4, b"agent 7"))], b"x").await;
        let (got, said) = check("snmp", &format!("-H 127.0.0.1 -p {port} -o 1.3.1 {flags}")).await;
        assert!(got == code && said.contains("\"agent 7\""), "{flags}: {got} {said}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_unknown() {
    let missing = |tag: u8| vec![(ONE.to_vec(), ber::element(tag, &[]))];
    for (error, values, state, expected) in [
        (2, missing(5), State::Unknown, "noSuchName: there is no such variable: 1.3.1"),
        (0, missing(0x80), State::Unknown, "No Such Object available on this agent at this OID: 1.3.1"),
        (0, vec![], State::Critical, "the answer lacks values"),
        (0, vec![(TWO.to_vec(), ber::integer(2, 1))], State::Critical, "1.3.2 was not asked for"),
    ] {
        let port = agent(error, values, b"x").await;
        let oid = map(&[("a", text("1.3.1"))]);
        let outcome = look(&KIND, &[("port", text(port)), ("oid", oid)]).await;
        assert_eq!(&*outcome.output.text, format!("SNMP {} - {expected}", state.word()));
        assert_eq!(outcome.state, state);
    }
}

#[tokio::test]
async fn silence_and_garbage_are_no_answer() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let broken = agent(0, vec![(vec![0x80], ber::integer(2, 1))], b"\xff\x1b").await;
    for port in [silent.local_addr().unwrap().port(), broken] {
        let outcome = look_briefly(&KIND, &[("port", text(port)), ("oid", text("1.3.1"))]).await;
        assert_eq!(outcome.state, State::Critical);
        assert!(
            outcome.output.text.contains("no agent, or it does not know this community"),
            "{}",
            outcome.output.text
        );
        assert_harmless(&outcome.output.text);
    }
}

#[test]
fn what_is_not_spoken_is_refused_clearly() {
    let refused = |name, value| refusals(&KIND, &[("oid", text("1.3.1")), (name, text(value))]).join("; ");
    assert!(refused("version", "3").contains("version 3 is not spoken"));
    assert!(refused("rate", "on").contains("no `rate`"));
    assert!(refused("warn", "1,2").contains("more ranges"));
    assert!(refusals(&KIND, &[("oid", text("sysUpTime.0"))])[0].contains("in numbers"));
}

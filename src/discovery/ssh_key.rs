//! The host key of an SSH server: the beginning of a key exchange (RFC 4253, 8; RFC 8731), up to the answer that names
//! the key. The exchange is not finished: a key without its proof is good enough to recognise a machine by, and for
//! nothing else.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::key;

const OUR_LINE: &[u8] = concat!("SSH-2.0-vigia_", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes();

const KEX_INIT: u8 = 20;
const ASK: u8 = 30;
const ANSWER: u8 = 31;

/// In order of preference, so that the same server always shows the same key.
const HOST_KEYS: &str = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,\
    rsa-sha2-256,ssh-rsa";
const EXCHANGES: &[&str] = &[
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group14-sha1",
];

/// More than any packet of a key exchange.
const PACKET_MAX: usize = 35_000;
const LINES_MAX: usize = 50;
const LINE_MAX: usize = 1_024;

/// The key as `SHA256:…`; `None` when the server does not show it, whatever the reason. Ends by the caller's deadline.
pub(super) async fn of(server: SocketAddr) -> Option<String> {
    let stream = TcpStream::connect(server).await.ok()?;
    let mut stream = BufReader::new(stream);
    stream.write_all(OUR_LINE).await.ok()?;
    skip_to_identification(&mut stream).await?;
    let ours = kex_init()?;
    stream.write_all(&packet(&ours)).await.ok()?;
    let theirs = wait_for(&mut stream, KEX_INIT).await?;
    let ask = ask(&exchanges(&theirs)?)?;
    stream.write_all(&packet(&ask)).await.ok()?;
    let answer = wait_for(&mut stream, ANSWER).await?;
    let blob = string(answer.get(1..)?)?;
    (blob.len() > 16).then(|| key::fingerprint(blob))
}

async fn skip_to_identification(stream: &mut BufReader<TcpStream>) -> Option<()> {
    for _ in 0..LINES_MAX {
        let mut line = Vec::new();
        loop {
            let byte = stream.read_u8().await.ok()?;
            if byte == b'\n' {
                break;
            }
            line.push(byte);
            if line.len() > LINE_MAX {
                return None;
            }
        }
        if line.starts_with(b"SSH-") {
            return Some(());
        }
    }
    None
}

fn kex_init() -> Option<Vec<u8>> {
    let mut payload = vec![KEX_INIT];
    let mut cookie = [0; 16];
    getrandom::fill(&mut cookie).ok()?;
    payload.extend(cookie);
    let exchanges = EXCHANGES.join(",");
    let ciphers = "aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com,aes128-gcm@openssh.com";
    let macs = "hmac-sha2-256,hmac-sha2-512,hmac-sha1";
    for list in [&exchanges, HOST_KEYS, ciphers, ciphers, macs, macs, "none", "none", "", ""] {
        payload.extend(u32::try_from(list.len()).ok()?.to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    Some(payload)
}

/// The payload as a packet: its length, and padding to a multiple of eight.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8;
    let padding = if padding < 4 { padding + 8 } else { padding };
    let length = u32::try_from(payload.len() + 1 + padding).unwrap_or(u32::MAX);
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or(u8::MAX));
    packet.extend(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// The payload of the next packet of this kind; others may come before it.
async fn wait_for(stream: &mut BufReader<TcpStream>, kind: u8) -> Option<Vec<u8>> {
    for _ in 0..8 {
        let length = usize::try_from(stream.read_u32().await.ok()?).ok()?;
        if !(6..=PACKET_MAX).contains(&length) {
            return None;
        }
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.ok()?;
        let padding = usize::from(*packet.first()?);
        let payload = packet.get(1..length.checked_sub(padding)?)?;
        if payload.first() == Some(&kind) {
            return Some(payload.to_vec());
        }
    }
    None
}

/// The server's list of key exchanges.
fn exchanges(kex_init: &[u8]) -> Option<String> {
    let list = string(kex_init.get(17..)?)?;
    Some(String::from_utf8_lossy(list).into_owned())
}

/// A string of the protocol: its length and its bytes.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Our half of the exchange both sides prefer. Any number will do, since we never use the secret.
fn ask(theirs: &str) -> Option<Vec<u8>> {
    let common = EXCHANGES.iter().find(|ours| theirs.split(',').any(|one| one == **ours))?;
    let size = if common.starts_with("curve25519") { 32 } else { 256 };
    let mut number = vec![0; size];
    getrandom::fill(&mut number).ok()?;
    if let Some(first) = number.first_mut().filter(|_| size > 32) {
        // A positive number below the group's prime.
        *first = *first & 0x3f | 0x01;
    }
    let mut payload = vec![ASK];
    payload.extend(u32::try_from(size).ok()?.to_be_bytes());
    payload.extend(number);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn packets_are_padded_to_eight_with_at_least_four() {
        for length in 1..40 {
            let packet = packet(&vec![1; length]);
            assert_eq!(packet.len() % 8, 0, "{length}");
            assert!(packet[4] >= 4 && packet.len() == length + 5 + usize::from(packet[4]));
        }
    }

    #[test]
    fn old_servers_get_a_number_of_the_old_group() {
        assert_eq!(ask("curve25519-sha256,x").map(|ask| ask.len()), Some(37));
        let old = ask("diffie-hellman-group1-sha1,diffie-hellman-group14-sha1").unwrap();
        assert_eq!((old.len(), old[5] & 0xc0), (261, 0));
        assert_eq!(ask("sntrup761x25519-sha512"), None);
    }

    #[tokio::test]
    async fn a_server_that_talks_nonsense_has_no_key() {
        for said in
            [&b"SSH-2.0-x\r\n\xff\xff\xff\xff"[..], b"", b"no ssh\n", b"SSH-2.0-x\r\n\0\0\0\x08\xff1234567"]
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(said).await.unwrap();
            };
            let (key, ()) = tokio::join!(of(address), serve);
            assert_eq!(key, None);
        }
    }
}

//! The ways to log in: none, MD5, SCRAM-SHA-256 (RFC 7677), and the password as it is where TLS protects it. With
//! SCRAM the server has to prove that it knows the password too. Passwords are taken as written, without SASLprep.

use openssl::hash::{MessageDigest, hash};
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use super::wire::{self, Complaint, Said};
use crate::kind::Call;
use crate::net::{Connection, Failure, Trouble};

/// Of a refusal that is ours: the class of wrong credentials.
const DENIED: &str = "28000";

/// Answers what the server asks until it is content; the inner error is its refusal.
pub(super) async fn log_in(
    call: &Call<'_>,
    connection: &mut Connection,
    user: &str,
    password: Option<&str>,
) -> Result<Result<(), Complaint>, Failure> {
    let mut is_in = false;
    let mut scram: Option<Scram> = None;
    loop {
        let (method, data) = match wire::hear(connection).await? {
            Said::Authentication { method, data } => (method, data),
            Said::Error(said) => return Ok(Err(said)),
            Said::Ready if is_in => return Ok(Ok(())),
            Said::Other(_) if is_in => continue,
            // A notice may come at any time.
            Said::Other(b'N') => continue,
            Said::Ready | Said::Row(_) | Said::Copy | Said::Other(_) => {
                return Err(Failure::new(Trouble::Garbage, "not answered as by PostgreSQL"));
            }
        };
        call.note(|| format!("server: wants login of kind {method}"));
        if method == 0 {
            if scram.as_ref().is_some_and(|scram| !scram.is_proven) {
                let text = "the server did not prove that it knows the password";
                return Err(Failure::new(Trouble::Garbage, text));
            }
            is_in = true;
            continue;
        }
        let Some(password) = password.filter(|password| !password.is_empty()) else {
            return Ok(Err(Complaint::new(DENIED, format!("a password is wanted for user \"{user}\""))));
        };
        match method {
            3 if connection.is_tls() => {
                wire::send(connection, b'p', &[password.as_bytes(), &[0]].concat()).await?;
            }
            3 => {
                let text =
                    "the server wants the password in plain text, which is only sent through TLS (`tls: on`)";
                return Ok(Err(Complaint::new("", text)));
            }
            5 => {
                let answer = md5(user, password, &data).map_err(|error| ours(&error))?;
                wire::send(connection, b'p', &[answer.as_bytes(), &[0]].concat()).await?;
            }
            10 => {
                let is_offered = data.split(|byte| *byte == 0).any(|name| name == b"SCRAM-SHA-256");
                if !is_offered {
                    return Ok(Err(Complaint::new("", "the server offers no SCRAM-SHA-256")));
                }
                let begun = Scram::begin().map_err(|error| ours(&error))?;
                let first = begun.first();
                let length = u32::try_from(first.len()).unwrap_or_default().to_be_bytes();
                let message = [&b"SCRAM-SHA-256\0"[..], &length, first.as_bytes()].concat();
                wire::send(connection, b'p', &message).await?;
                scram = Some(begun);
            }
            11 => {
                let begun = scram.take().ok_or_else(|| broken("an answer without a question"))?;
                let (begun, last) = begun.prove(password.to_owned(), &data).await?;
                wire::send(connection, b'p', last.as_bytes()).await?;
                scram = Some(begun);
            }
            12 => scram.as_mut().ok_or_else(|| broken("an answer without a question"))?.check(&data)?,
            other => {
                let text = format!("the server wants a login of kind {other}, which is not spoken here");
                return Ok(Err(Complaint::new("", text)));
            }
        }
    }
}

fn ours(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Trouble::Local, format!("the login cannot be computed: {error}"))
}

fn broken(what: &str) -> Failure {
    Failure::new(Trouble::Garbage, format!("SCRAM: {what}"))
}

fn md5(user: &str, password: &str, salt: &[u8]) -> Result<String, openssl::error::ErrorStack> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let inner = hash(MessageDigest::md5(), format!("{password}{user}").as_bytes())?;
    let outer = hash(MessageDigest::md5(), &[hex(&inner).as_bytes(), salt].concat())?;
    Ok(format!("md5{}", hex(&outer)))
}

/// One login by SCRAM, from its first message to the server's proof.
struct Scram {
    nonce: String,
    /// What the server has to sign with; known once the password was used.
    expected: Vec<u8>,
    is_proven: bool,
}

impl Scram {
    /// No channel binding; the user was named before.
    const HEADER: &str = "n,,";

    fn begin() -> Result<Self, getrandom::Error> {
        let mut random = [0; 18];
        getrandom::fill(&mut random)?;
        Ok(Self { nonce: openssl::base64::encode_block(&random), expected: Vec::new(), is_proven: false })
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    fn first(&self) -> String {
        format!("{}{}", Self::HEADER, self.bare())
    }

    /// From the server's first message, our last.
    async fn prove(mut self, password: String, data: &[u8]) -> Result<(Self, String), Failure> {
        // Half a second of computing at most: a server could ask for hours.
        const ROUNDS_MAX: usize = 1_000_000;
        let first = std::str::from_utf8(data).map_err(|_bad| broken("no text"))?;
        let field = |name: &str| first.split(',').find_map(|field| field.strip_prefix(name));
        let nonce = field("r=").ok_or_else(|| broken("no nonce"))?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(broken("a nonce that is not from our question"));
        }
        let salt = field("s=").and_then(|salt| openssl::base64::decode_block(salt).ok());
        let salt = salt.ok_or_else(|| broken("no salt"))?;
        let rounds = field("i=").and_then(|rounds| rounds.parse::<usize>().ok());
        let rounds = rounds
            .filter(|rounds| (1..=ROUNDS_MAX).contains(rounds))
            .ok_or_else(|| broken("no usable number of rounds"))?;
        let without_proof = format!("c={},r={nonce}", openssl::base64::encode_block(Self::HEADER.as_bytes()));
        let signed = format!("{},{first},{without_proof}", self.bare());
        let computed = tokio::task::spawn_blocking(move || proofs(&password, &salt, rounds, &signed)).await;
        let (proof, expected) = computed.map_err(|error| ours(&error))?.map_err(|error| ours(&error))?;
        self.expected = expected;
        Ok((self, format!("{without_proof},p={}", openssl::base64::encode_block(&proof))))
    }

    fn check(&mut self, data: &[u8]) -> Result<(), Failure> {
        let proof =
            data.strip_prefix(b"v=").map(|rest| rest.split(|byte| *byte == b',').next().unwrap_or_default());
        let proof = proof.and_then(|text| std::str::from_utf8(text).ok());
        let proof = proof.and_then(|text| openssl::base64::decode_block(text).ok()).unwrap_or_default();
        let is_right = !self.expected.is_empty()
            && proof.len() == self.expected.len()
            && openssl::memcmp::eq(&proof, &self.expected);
        if !is_right {
            return Err(broken("the server does not know the password itself"));
        }
        self.is_proven = true;
        Ok(())
    }
}

/// Ours, and the one that the server has to send.
fn proofs(
    password: &str,
    salt: &[u8],
    rounds: usize,
    signed: &str,
) -> Result<(Vec<u8>, Vec<u8>), openssl::error::ErrorStack> {
    let sha256 = MessageDigest::sha256();
    let hmac = |key: &[u8], text: &[u8]| {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(sha256, &key)?;
        signer.update(text)?;
        signer.sign_to_vec()
    };
    let mut salted = [0; 32];
    pbkdf2_hmac(password.as_bytes(), salt, rounds, sha256, &mut salted)?;
    let client_key = hmac(&salted, b"Client Key")?;
    let stored_key = hash(sha256, &client_key)?;
    let signature = hmac(&stored_key, signed.as_bytes())?;
    let proof = client_key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
    let server_key = hmac(&salted, b"Server Key")?;
    Ok((proof, hmac(&server_key, signed.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proofs_are_those_of_rfc_7677() {
        let salt = openssl::base64::decode_block("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let signed = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let (ours, theirs) = proofs("pencil", &salt, 4096, signed).unwrap();
        assert_eq!(openssl::base64::encode_block(&ours), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(openssl::base64::encode_block(&theirs), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn md5_is_as_the_server_computes_it() {
        // `printf geheimmd5u | md5sum`, and that with the salt again.
        assert_eq!(md5("md5u", "geheim", b"1234").unwrap(), "md5e6634136d560955305a4755d8dbe2eba");
    }

    #[tokio::test]
    async fn a_server_that_asks_for_hours_or_cheats_is_refused() {
        for (first, why) in [
            ("r=NONCEx,s=AAAA,i=4000000000", "no usable number of rounds"),
            ("r=NONCEx,s=AAAA,i=0", "no usable number of rounds"),
            ("r=NONCE,s=AAAA,i=1", "not from our question"),
            ("r=other,s=AAAA,i=1", "not from our question"),
            ("r=NONCEx,i=1", "no salt"),
            ("s=AAAA,i=1", "no nonce"),
        ] {
            let begun = Scram::begin().unwrap();
            let first = first.replace("NONCE", &begun.nonce);
            let failure = begun.prove("x".to_owned(), first.as_bytes()).await.err().unwrap();
            assert!(failure.text.contains(why), "{}", failure.text);
        }
        let mut begun = Scram::begin().unwrap();
        assert!(begun.check(b"v=").is_err(), "nothing was asked for yet");
    }
}

//! PostgreSQL's protocol, version 3 ("Frontend/Backend Protocol" of its manual): a message is a letter, a length and a body.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::GuardTarget;
use crate::error::{GuardError, ProtocolViolation};
use crate::frames::{AnswerBudget, Watch, columns_within};
use crate::limits::{MAX_ITERATIONS, MAX_NAMES, MAX_SETTINGS};
use crate::pump::pump;
use crate::tls::Connector;

/// "SSLRequest": its length, and a version that is none.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// The letter and the length.
const HEADER: usize = 5;
/// Octets of a request for authentication that are looked at: a nonce, a salt and a number.
const MAX_AUTHENTICATION: u64 = 4 * 1024;

/// Negotiates TLS, then carries messages until one side ends.
pub(crate) async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut UnixStream,
    mut server: S,
    target: &GuardTarget,
    tls: Option<Connector>,
    secure: bool,
) -> Result<(), GuardError> {
    let watch = Messages::new(secure);
    let Some(tls) = tls else {
        return pump(client, &mut server, watch).await;
    };
    server.write_all(&SSL_REQUEST).await?;
    server.flush().await?;
    match server.read_u8().await? {
        b'S' => {
            let mut server = tls.shake_hands(server, target).await?;
            pump(client, &mut server, watch).await
        }
        b'N' if tls.is_optional => pump(client, &mut server, watch).await,
        b'N' => Err(GuardError::Tls("the server does not support TLS".to_owned())),
        _ => Err(ProtocolViolation::Malformed("what answers no request for TLS").into()),
    }
}

/// What is decided about these octets.
pub(crate) fn examine(secure: bool, chunks: &[&[u8]]) -> Result<(), ProtocolViolation> {
    let mut messages = Messages::new(secure);
    chunks.iter().try_for_each(|chunk| messages.sent(chunk))
}

/// Messages of a server.
struct Messages {
    secure: bool,
    answer: AnswerBudget,
    settings: u64,
    at: Phase,
}

enum Phase {
    Header(Vec<u8>),
    Body { kind: u8, left: u64, begin: Vec<u8> },
}

impl Messages {
    fn new(secure: bool) -> Self {
        Self {
            secure,
            answer: AnswerBudget::default(),
            settings: 0,
            at: Phase::Header(Vec::new()),
        }
    }

    /// By the header alone: before anybody makes room for the body.
    fn begin(&mut self, kind: u8, announced: u64) -> Result<u64, ProtocolViolation> {
        // The length counts itself.
        let octets = announced.checked_sub(4).ok_or(ProtocolViolation::Malformed(
            "a message that is shorter than its length",
        ))?;
        self.answer.announce(octets)?;
        match kind {
            // The library keeps the one, and logs the other.
            b'S' | b'N' => {
                self.settings = self.settings.saturating_add(octets);
                if self.settings > MAX_SETTINGS {
                    return Err(ProtocolViolation::Settings);
                }
            }
            b'T' if octets > MAX_NAMES => return Err(ProtocolViolation::Names),
            b'R' if octets > MAX_AUTHENTICATION => return Err(ProtocolViolation::Announced(octets)),
            _ => {}
        }
        Ok(octets)
    }

    /// By the body, as far as it is looked at.
    fn end(&mut self, kind: u8, begin: &[u8]) -> Result<(), ProtocolViolation> {
        match kind {
            b'T' => columns_within(columns(begin)),
            b'D' => self.answer.row(columns(begin)),
            b'R' => authentication(begin, self.secure),
            _ => Ok(()),
        }
    }
}

/// How much of the body is looked at.
fn looked_at(kind: u8) -> usize {
    match kind {
        b'T' | b'D' => 2,
        b'R' => usize::try_from(MAX_AUTHENTICATION).unwrap_or(usize::MAX),
        _ => 0,
    }
}

fn columns(begin: &[u8]) -> u64 {
    match begin {
        [high, low, ..] => u64::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    }
}

/// A password goes out in clear, or as a hash by which anybody can log in once he has seen it, only where nobody
/// else reads and the server is the one that is meant.
fn authentication(body: &[u8], secure: bool) -> Result<(), ProtocolViolation> {
    let [a, b, c, d, rest @ ..] = body else {
        return Err(ProtocolViolation::Malformed(
            "a request for authentication without a number",
        ));
    };
    match u32::from_be_bytes([*a, *b, *c, *d]) {
        3 if !secure => Err(ProtocolViolation::PasswordInClear("its text")),
        5 if !secure => Err(ProtocolViolation::PasswordInClear("MD5")),
        // "AuthenticationMD5Password": the salt.
        5 if rest.len() != 4 => Err(ProtocolViolation::Malformed("a salt of another length")),
        // "AuthenticationSASLContinue", of SCRAM (RFC 5802 §7): "r=…,s=…,i=4096".
        11 => {
            let text = String::from_utf8_lossy(rest);
            let count = text.split(',').find_map(|part| part.strip_prefix("i="));
            match count.and_then(|count| count.parse::<u64>().ok()) {
                Some(count) if count > MAX_ITERATIONS => Err(ProtocolViolation::Iterations(count)),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

impl Watch for Messages {
    fn sent(&mut self, mut octets: &[u8]) -> Result<(), ProtocolViolation> {
        loop {
            match &mut self.at {
                Phase::Header(header) => {
                    let part = octets.len().min(HEADER - header.len());
                    let (now, rest) = octets.split_at(part);
                    header.extend_from_slice(now);
                    octets = rest;
                    let &[kind, a, b, c, d] = header.as_slice() else {
                        return Ok(());
                    };
                    let left = self.begin(kind, u32::from_be_bytes([a, b, c, d]).into())?;
                    let begin = Vec::new();
                    self.at = Phase::Body { kind, left, begin };
                }
                Phase::Body { kind, left, begin } => {
                    let part = usize::try_from(*left).map_or(octets.len(), |left| left.min(octets.len()));
                    let (now, rest) = octets.split_at(part);
                    let wanted = looked_at(*kind).saturating_sub(begin.len());
                    begin.extend_from_slice(now.get(..wanted).unwrap_or(now));
                    *left = left.saturating_sub(u64::try_from(part).unwrap_or(u64::MAX));
                    octets = rest;
                    if *left > 0 {
                        return Ok(());
                    }
                    let (kind, begin) = (*kind, std::mem::take(begin));
                    self.at = Phase::Header(Vec::new());
                    self.end(kind, &begin)?;
                }
            }
        }
    }

    fn asked(&mut self, _: &[u8]) {
        self.answer = AnswerBudget::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_ANSWER_OCTETS, MAX_COLUMNS};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    /// The same in one piece and octet by octet.
    fn sent(secure: bool, octets: &[u8]) -> Result<(), ProtocolViolation> {
        let whole = Messages::new(secure).sent(octets);
        let mut messages = Messages::new(secure);
        assert_eq!(whole, octets.chunks(1).try_for_each(|octet| messages.sent(octet)));
        whole
    }

    #[test]
    fn a_length_is_refused_before_its_message_comes() {
        let header = |length: u32| [&b"D"[..], &length.to_be_bytes()].concat();
        let most = u32::try_from(MAX_ANSWER_OCTETS).unwrap() + 4;
        assert_eq!(sent(true, &header(most)), Ok(()));
        assert_eq!(
            sent(true, &header(most + 1)),
            Err(ProtocolViolation::Announced(MAX_ANSWER_OCTETS + 1))
        );
        assert_eq!(
            sent(true, &header(u32::MAX)),
            Err(ProtocolViolation::Announced(u64::from(u32::MAX) - 4))
        );
        assert_eq!(
            sent(true, &header(3)),
            Err(ProtocolViolation::Malformed(
                "a message that is shorter than its length"
            ))
        );
    }

    #[test]
    fn many_small_messages_are_one_answer_until_the_next_statement() {
        let half = vec![0; usize::try_from(MAX_ANSWER_OCTETS / 2).unwrap()];
        let row = message(b'D', &half);
        let mut messages = Messages::new(true);
        assert_eq!(messages.sent(&row), Ok(()));
        assert_eq!(messages.sent(&row), Ok(()));
        messages.asked(b"");
        assert_eq!(messages.sent(&row), Ok(()));
        assert_eq!(messages.sent(&row), Ok(()));
        assert_eq!(
            messages.sent(&message(b'C', b"x")),
            Err(ProtocolViolation::Octets)
        );
    }

    #[test]
    fn columns_and_settings_have_a_limit() {
        let most = u16::try_from(MAX_COLUMNS).unwrap();
        for kind in [b'T', b'D'] {
            assert_eq!(sent(true, &message(kind, &most.to_be_bytes())), Ok(()));
            assert_eq!(
                sent(true, &message(kind, &(most + 1).to_be_bytes())),
                Err(ProtocolViolation::Columns(MAX_COLUMNS + 1))
            );
        }
        let names = |octets: usize| message(b'T', &vec![0; octets]);
        let most = usize::try_from(MAX_NAMES).unwrap();
        assert_eq!(sent(true, &names(most)), Ok(()));
        assert_eq!(sent(true, &names(most + 1)), Err(ProtocolViolation::Names));
        let most = usize::try_from(MAX_SETTINGS).unwrap();
        for kind in [b'S', b'N'] {
            assert_eq!(sent(true, &message(kind, &vec![b'x'; most])), Ok(()));
            assert_eq!(
                sent(true, &message(kind, &vec![b'x'; most + 1])),
                Err(ProtocolViolation::Settings)
            );
        }
    }

    #[test]
    fn a_password_is_hashed_where_others_may_read() {
        let request = |code: u32, rest: &[u8]| message(b'R', &[&code.to_be_bytes()[..], rest].concat());
        for (code, rest, in_clear) in [
            (3, &b""[..], Some("its text")),
            (5, &b"salt"[..], Some("MD5")),
            (10, &b"SCRAM-SHA-256\0\0"[..], None),
            (0, &b""[..], None),
        ] {
            let expected = in_clear.map_or(Ok(()), |how| Err(ProtocolViolation::PasswordInClear(how)));
            assert_eq!(sent(false, &request(code, rest)), expected);
            assert_eq!(sent(true, &request(code, rest)), Ok(()));
        }
        let rounds = |count: u64| request(11, format!("r=a,s=b,i={count}").as_bytes());
        assert_eq!(sent(false, &rounds(MAX_ITERATIONS)), Ok(()));
        let more = MAX_ITERATIONS + 1;
        assert_eq!(
            sent(false, &rounds(more)),
            Err(ProtocolViolation::Iterations(more))
        );
    }
}

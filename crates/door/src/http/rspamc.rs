//! The protocol of rspamd before it spoke HTTP, as Exim's `spamd_address = ... variant=rspamd` still
//! speaks it: one request for each connection, and an answer in lines.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Site;
use super::patience::Patience;
use super::problem::Problem;
use super::rspamd::{Envelope, Result as Verdict};
use crate::answer::Answer;
use crate::caller::Door;
use crate::drive::{Drive, DriveError};
use crate::findings::Judged;
use crate::readsocket;
use crate::words::threshold;
use milter::{Peer, Service};

/// Octets of a request before its message: ten thousand recipients.
pub(super) const MAX_HEAD_OCTETS: usize = 512 * 1024;

/// Octets of an answer, but for the words around the line at its end; Exim has room for some 32,000, and no word
/// for more.
const MAX_REPORT_OCTETS: usize = 24 * 1024;

/// Octets of a message that are read at once.
const CHUNK: usize = 64 * 1024;

/// A request without its message.
#[derive(Debug)]
pub(super) struct Head {
    command: Command,
    envelope: Envelope,
    /// Octets of the message; nothing when it ends with the connection.
    length: Option<u64>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    /// `CHECK` and `SYMBOLS`: judge it.
    Check,
    /// `PING`.
    Ping,
}

/// Why a request cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// No command of those that are known.
    #[error("the first line is no command of CHECK, SYMBOLS and PING")]
    Command,
    /// A line that is no field.
    #[error("line {0} is no header field")]
    Field(usize),
    /// Content-Length is no number.
    #[error("Content-Length is no number")]
    Length,
}

impl Head {
    /// Reads the lines before the empty one.
    pub(super) fn read(octets: &[u8], peer: Peer) -> std::result::Result<Self, HeadError> {
        let mut lines = octets.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end);
        let first = lines.next().unwrap_or_default();
        let command = match first.split(|b| *b == b' ').next().unwrap_or_default() {
            b"CHECK" | b"SYMBOLS" => Command::Check,
            b"PING" => Command::Ping,
            _ => return Err(HeadError::Command),
        };
        let (mut envelope, mut length) = (Envelope::new(peer), None);
        for (index, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let colon = line
                .iter()
                .position(|b| *b == b':')
                .ok_or(HeadError::Field(index + 2))?;
            let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
            let name = std::str::from_utf8(name).map_err(|_| HeadError::Field(index + 2))?;
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(number(value).ok_or(HeadError::Length)?);
            } else {
                envelope.take(name, value);
            }
        }
        Ok(Self {
            command,
            envelope,
            length,
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    // `parse` alone would take "+1".
    let are_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// Serves one request, and then there is nothing more to say.
pub(super) async fn serve<V, IO>(
    mut stream: IO,
    peer: Peer,
    site: &Site<V>,
    patience: &Patience,
) -> io::Result<()>
where
    V: Service<Session: Judged>,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let text = match answer(&mut stream, peer, site, patience).await {
        Ok(text) | Err(Refusal::Told(text)) => text,
        Err(Refusal::Gone(error)) => return Err(error),
    };
    patience.answer();
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Why there is no verdict.
enum Refusal {
    /// The client is told.
    Told(String),
    /// There is nobody to be told.
    Gone(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

async fn answer<V, IO>(
    stream: &mut IO,
    peer: Peer,
    site: &Site<V>,
    patience: &Patience,
) -> std::result::Result<String, Refusal>
where
    V: Service<Session: Judged>,
    IO: AsyncRead + Unpin,
{
    let (head, rest) = read_head(stream).await?;
    // The numbers are those of sysexits.h, as in all protocols of this kind.
    let head = Head::read(&head, peer).map_err(|error| refused(76, "EX_PROTOCOL", &error.to_string()))?;
    if head.command == Command::Ping {
        return Ok("RSPAMD/1.3 0 PONG\r\n\r\n".to_owned());
    }
    let unwelcome = |problem: Problem| refused(77, "EX_NOPERM", &problem.to_string());
    site.guard
        .check_token(head.envelope.password.as_deref())
        .map_err(unwelcome)?;
    patience.message();
    let caller = head.envelope.into_caller();
    let mut drive = Drive::begin(&site.service, Door::Rspamd, &caller, super::MARKING, site.limits).await;
    push_all(stream, &mut drive, &rest, head.length).await?;
    patience.judging();
    Ok(in_lines(&drive.finish().await))
}

/// All up to the empty line, and what came after it already.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
) -> std::result::Result<(Vec<u8>, Vec<u8>), Refusal> {
    let mut read = Vec::new();
    let mut looked_at = 0;
    loop {
        if let Some(end) = end_of_head(&read, looked_at) {
            let rest = read.split_off(end.min(read.len()));
            return Ok((read, rest));
        }
        if read.len() > MAX_HEAD_OCTETS {
            let why = format!("the request has more than {MAX_HEAD_OCTETS} octets before its message");
            return Err(refused(76, "EX_PROTOCOL", &why));
        }
        // The empty line may have begun with what is here.
        looked_at = read.len().saturating_sub(3);
        if stream.read_buf(&mut read).await? == 0 {
            return Err(Refusal::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// Where the message begins: after the first empty line from there on.
fn end_of_head(octets: &[u8], from: usize) -> Option<usize> {
    let rest = octets.get(from..)?;
    let of = |end: &[u8]| {
        rest.windows(end.len())
            .position(|part| part == end)
            .map(|at| at + end.len())
    };
    let end = [of(b"\n\r\n"), of(b"\n\n")].into_iter().flatten().min()?;
    Some(from + end)
}

/// Hands the message on, and what is too much of it to nobody: a client that is still sending does not read.
async fn push_all<S: Judged>(
    stream: &mut (impl AsyncRead + Unpin),
    drive: &mut Drive<S>,
    first: &[u8],
    length: Option<u64>,
) -> std::result::Result<(), Refusal> {
    let mut left = length.unwrap_or(u64::MAX);
    let all = usize::try_from(left).unwrap_or(usize::MAX);
    let first = first.get(..all).unwrap_or(first);
    let mut pushed = drive.push(first).await;
    left = left.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX));
    let mut chunk = Vec::with_capacity(CHUNK);
    while left > 0 {
        chunk.clear();
        let room = left.min(u64::try_from(CHUNK).unwrap_or(u64::MAX));
        let count = (&mut *stream).take(room).read_buf(&mut chunk).await?;
        if count == 0 && length.is_some() {
            // Half a message is not judged.
            return Err(Refusal::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        if count == 0 {
            break;
        }
        if pushed.is_ok() {
            pushed = drive.push(&chunk).await;
        }
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    pushed.map_err(|error| Refusal::Told(come_again(&error)))
}

/// The answer to a message that is larger than any that is judged. Its sender made it so: if Exim took us for down,
/// and let it in, that would be a way past the policy.
fn come_again(error: &DriveError) -> String {
    let line = readsocket::failed(&error.to_string());
    format!(
        "RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / {:.2} / 0.0\r\nAction: soft reject\r\nMessage: \
         {error}\r\nlandmarc: {line}\r\n\r\n",
        threshold::REJECT
    )
}

fn refused(code: u8, name: &str, why: &str) -> Refusal {
    Refusal::Told(format!("RSPAMD/1.3 {code} {name}\r\nError: {why}\r\n\r\n"))
}

/// The answer as Exim reads it: all after the third line is `$spam_report`.
fn in_lines(answer: &Answer) -> String {
    let verdict = Verdict::of(answer);
    let is_spam = if verdict.score >= threshold::REJECT {
        "True"
    } else {
        "False"
    };
    let mut text = format!(
        "RSPAMD/1.3 0 EX_OK\r\nMetric: default; {is_spam}; {:.2} / {:.2} / 0.0\r\nAction: {}\r\n",
        verdict.score,
        threshold::REJECT,
        verdict.action
    );
    for symbol in &verdict.symbols {
        // Writing to a string does not fail; here and below.
        let _ = write!(text, "Symbol: {}({:.2})\r\n", symbol.name, symbol.score);
    }
    if let Some(message) = &verdict.message {
        let _ = write!(text, "Message: {message}\r\n");
    }
    // The line of the socket for Exim, so that the same statements work with `$spam_report`. Without it they would
    // take us for down, and a sender has a hand in how long our field is: a result for each signature. So what is
    // done always comes through; what is left of the line is as long as names of domains are.
    let room = MAX_REPORT_OCTETS.saturating_sub(text.len());
    let mut line = readsocket::line(answer, b"");
    if line.len() > room {
        line = readsocket::line(&answer.without_added_fields(), b"");
    }
    let _ = write!(text, "landmarc: {line}\r\n\r\n");
    text
}

#[cfg(test)]
mod tests;

//! The protocol of rspamd before it spoke HTTP, as Exim's `spamd_address = ... variant=rspamd` still
//! speaks it: one request for each connection, and an answer in lines.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::problem::Problem;
use super::rspamd::{Envelope, RspamdVerdict};
use super::{CheckApiService, Progress};
use crate::answer::MessageAnswer;
use crate::caller::Interface;
use crate::drive::{Drive, DriveError};
use crate::findings::Judged;
use crate::lines::read_line;
use crate::readsocket;
use crate::words::threshold;
use landmarc_milter::Service;
use landmarc_net::Peer;

/// Octets of a request before its message, without its recipients, who are the sender's to choose: of those there may
/// come any number, and so many are kept as [`Recipients`](crate::recipients::Recipients) has room for.
pub(super) const MAX_HEAD_OCTETS: usize = 512 * 1024;

/// Octets of one line of it. Exim reads commands of 16 KiB.
const MAX_LINE_OCTETS: usize = 64 * 1024;

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
    /// Octets of the lines that are kept.
    octets: usize,
    /// Whether some were left out, so that nothing may be concluded from the others.
    is_cut: bool,
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
    /// Begins with the first line.
    fn begin(first: &[u8], peer: Peer) -> Result<Self, HeadError> {
        let command = match first.split(|b| *b == b' ').next().unwrap_or_default() {
            b"CHECK" | b"SYMBOLS" => Command::Check,
            b"PING" => Command::Ping,
            _ => return Err(HeadError::Command),
        };
        Ok(Self {
            command,
            envelope: Envelope::new(peer),
            length: None,
            octets: first.len(),
            is_cut: false,
        })
    }

    /// Takes a further line, of this number; past the limit, only what says how long the message is.
    fn take(&mut self, number: usize, line: &[u8]) -> Result<(), HeadError> {
        let fault = HeadError::Field(number);
        let colon = line.iter().position(|b| *b == b':').ok_or(fault)?;
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let name = std::str::from_utf8(name).map_err(|_| fault)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case("content-length") {
            self.length = Some(self::number(value).ok_or(HeadError::Length)?);
            return Ok(());
        }
        if !name.eq_ignore_ascii_case("rcpt") {
            self.octets = self.octets.saturating_add(line.len());
            self.is_cut |= self.octets > MAX_HEAD_OCTETS;
        }
        if !self.is_cut {
            self.envelope.take(name, value);
        }
        Ok(())
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
    site: &CheckApiService<V>,
    progress: &Progress,
) -> io::Result<()>
where
    V: Service<Session: Judged>,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let text = match answer(&mut stream, peer, site, progress).await {
        Ok(text) | Err(Refusal::Answered(text)) => text,
        Err(Refusal::Disconnected(error)) => return Err(error),
    };
    progress.deadline.answer();
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Why there is no verdict.
enum Refusal {
    /// The client is told.
    Answered(String),
    /// There is nobody to be told.
    Disconnected(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Disconnected(error)
    }
}

async fn answer<V, IO>(
    stream: &mut IO,
    peer: Peer,
    site: &CheckApiService<V>,
    progress: &Progress,
) -> Result<String, Refusal>
where
    V: Service<Session: Judged>,
    IO: AsyncRead + Unpin,
{
    let mut stream = BufReader::with_capacity(CHUNK, stream);
    let head = read_head(&mut stream, peer).await?;
    if head.command == Command::Ping {
        return Ok("RSPAMD/1.3 0 PONG\r\n\r\n".to_owned());
    }
    let unwelcome = |problem: Problem| refused(77, "EX_NOPERM", &problem.to_string());
    site.guard
        .check_token(head.envelope.password.as_deref())
        .map_err(unwelcome)?;
    progress.message();
    let length = head.length;
    let mut judging = match head.is_cut {
        true => Err(TooMuch::Head),
        false => {
            let caller = head.envelope.into_caller();
            Ok(Drive::begin(
                &site.service,
                Interface::Rspamd,
                &caller,
                super::MARKING,
                site.limits,
            )
            .await)
        }
    };
    push_all(&mut stream, &mut judging, length).await?;
    match judging {
        Ok(drive) => {
            progress.judging();
            Ok(in_lines(&drive.finish().await))
        }
        Err(too_much) => Ok(come_again(&too_much)),
    }
}

/// All up to the empty line.
async fn read_head(stream: &mut (impl AsyncBufRead + Unpin), peer: Peer) -> Result<Head, Refusal> {
    let mut head: Option<Head> = None;
    let mut line = Vec::new();
    for number in 1.. {
        let Some(is_whole) = read_line(stream, &mut line, MAX_LINE_OCTETS).await? else {
            break;
        };
        let text = line.trim_ascii_end();
        // The numbers are those of sysexits.h, as in all protocols of this kind.
        let illegible = |error: HeadError| refused(76, "EX_PROTOCOL", &error.to_string());
        match head.as_mut() {
            None => head = Some(Head::begin(text, peer).map_err(illegible)?),
            Some(_) if matches!(line.as_slice(), b"" | b"\r") => {
                return head.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            Some(_) if text.is_empty() => {}
            Some(head) => {
                head.is_cut |= !is_whole;
                head.take(number, text).map_err(illegible)?;
            }
        }
    }
    Err(Refusal::Disconnected(io::ErrorKind::UnexpectedEof.into()))
}

/// Why a request is taken and not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TooMuch {
    /// More of an envelope than is kept.
    #[error("more than {MAX_HEAD_OCTETS} octets before the message, or {MAX_LINE_OCTETS} in one line there")]
    Head,
    /// More of a message.
    #[error(transparent)]
    Message(#[from] DriveError),
}

/// Hands the message on, and what is too much of it to nobody: a client that is still sending does not read.
async fn push_all<S: Judged>(
    stream: &mut (impl AsyncBufRead + Unpin),
    judging: &mut Result<Drive<S>, TooMuch>,
    length: Option<u64>,
) -> Result<(), Refusal> {
    let mut left = length.unwrap_or(u64::MAX);
    while left > 0 {
        let available = stream.fill_buf().await?;
        if available.is_empty() && length.is_some() {
            // Half a message is not judged.
            return Err(Refusal::Disconnected(io::ErrorKind::UnexpectedEof.into()));
        }
        if available.is_empty() {
            break;
        }
        let room = usize::try_from(left).unwrap_or(usize::MAX);
        let chunk = available.get(..room).unwrap_or(available);
        let count = chunk.len();
        if let Ok(drive) = judging
            && let Err(error) = drive.push(chunk).await
        {
            *judging = Err(error.into());
        }
        stream.consume(count);
        left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// The answer to a message, or an envelope, that is larger than any that is judged. Its sender made it so: if Exim took
/// us for down, and let it in, that would be a way past the policy.
fn come_again(error: &TooMuch) -> String {
    let line = readsocket::failed(&error.to_string());
    format!(
        "RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / {:.2} / 0.0\r\nAction: soft reject\r\nMessage: \
         {error}\r\nlandmarc: {line}\r\n\r\n",
        threshold::REJECT
    )
}

fn refused(code: u8, name: &str, why: &str) -> Refusal {
    Refusal::Answered(format!("RSPAMD/1.3 {code} {name}\r\nError: {why}\r\n\r\n"))
}

/// The answer as Exim reads it: all after the third line is `$spam_report`.
fn in_lines(answer: &MessageAnswer) -> String {
    let verdict = RspamdVerdict::of(answer);
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

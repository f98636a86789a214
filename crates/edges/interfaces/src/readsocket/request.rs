//! What Exim's `${readsocket}` sends, read as it comes.
//!
//! Lines that end in LF, a key and a value each, foreign text in base64: whatever a sender writes, it is
//! never more than the value of its line. The head is kept, it has a limit; the body is passed on in pieces. Of the
//! recipients, who are the sender's to choose, any number may come, and so many are kept as there is room for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_mail::text::visible_octets;
use landmarc_milter::{PeerAddress, ip_address};
use landmarc_net::Peer;

use crate::caller::Caller;
use crate::recipients::Recipients;

/// The first line of a request.
const GREETING: &[u8] = b"landmarc exim 1";
/// Octets of all lines before the body, but for that of the recipients. Exim gives out no more than 64 KiB of a header
/// section, which base64 makes 87 KiB; no other value of a sender is longer than a command, 16 KiB.
pub const HEAD_LIMIT: usize = 512 * 1024;
/// Octets of a body that is sent along: what `message_body_visible` can sensibly be set to.
pub const BODY_LIMIT: u64 = 100 * 1024 * 1024;
/// Octets of what is quoted of a request that cannot be read.
const QUOTED_OCTETS: usize = 60;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It speaks another protocol, or a later version of this one.
    #[error("the first line is {0}, not \"landmarc exim 1\"")]
    Greeting(String),
    /// A line that is no key with its value.
    #[error("line {line}: {key} is not followed by {expected}: {found}")]
    Value {
        /// Counted from 1.
        line: usize,
        /// What it is about.
        key: String,
        /// In words.
        expected: &'static str,
        /// Cut short and escaped.
        found: String,
    },
    /// More than [`HEAD_LIMIT`] octets before the body.
    #[error("more than {HEAD_LIMIT} octets before the body")]
    HeadTooLong,
    /// More than [`BODY_LIMIT`] octets of body.
    #[error("more than {BODY_LIMIT} octets of body")]
    BodyTooLong,
    /// The connection ended, or fell silent, before the line `end`.
    #[error("it ends before its line \"end\"")]
    Cut,
}

impl RequestError {
    /// What the operator can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Greeting(_) | Self::Value { .. } => {
                "use the file landmarc-acl.conf of this version of landmarc"
            }
            Self::HeadTooLong => "let the request have the lines of landmarc-macros.conf, and no others",
            Self::BodyTooLong => "let landmarc read Exim's spool instead (exim.spool_directory)",
            Self::Cut => "see Exim's log: it gave up, or ran into its time limit",
        }
    }
}

/// Exim's name for a message: `1pDJ4z-0007Kd-2B`, or `1pDJ4z-00000007KdN-2B4c` from Exim 4.97 on.
///
/// It becomes a part of a path, so nothing else may be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageId(String);

impl MessageId {
    /// Letters and digits in three groups of 6, 6 and 2, or of 6, 11 and 4.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        let has_form = matches!(*lengths, [6, 6, 2] | [6, 11, 4]);
        let is_clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (has_form && is_clean).then(|| Self(text.to_owned()))
    }

    /// As Exim writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder it is in where the spool is split: its sixth character.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.get(5..6).unwrap_or_default()
    }
}

/// All of a request but the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EximRequest {
    /// Exim's name for the message.
    pub id: Option<MessageId>,
    /// The queue it is in; mostly none, which is the common one.
    pub queue: Option<String>,
    /// `$message_body_size`: octets of the body, each line end counted as one.
    pub body_size: Option<u64>,
    /// `$message_headers_raw`: at most [`HEADER_LIMIT`](super::HEADER_LIMIT) octets, line ends LF.
    pub header: Vec<u8>,
    /// Whether a body follows.
    pub has_body: bool,
    client: String,
    port: u16,
    /// What is known of the envelope, but for client and recipients.
    caller: Caller,
    rcpt_to: Recipients,
}

impl EximRequest {
    /// The envelope.
    #[must_use]
    pub fn caller(&self, peer: Peer) -> Caller {
        let client = match ip_address(self.client.as_bytes()) {
            Some(address) => PeerAddress::Ip(address, self.port),
            // `exim -bs`: a program of this host hands it in.
            None if self.client.is_empty() => PeerAddress::Unix("exim".into()),
            None => PeerAddress::Unknown,
        };
        Caller {
            peer,
            client,
            rcpt_to: self.rcpt_to.clone().into_paths(),
            queue_id: self.id.as_ref().map(|id| id.as_str().to_owned()),
            ..self.caller.clone()
        }
    }

    fn take(&mut self, line: usize, key: &[u8], value: &[u8]) -> Result<(), RequestError> {
        let fault = |expected| RequestError::Value {
            line,
            key: quoted(key),
            expected,
            found: quoted(value),
        };
        let octets = || BASE64.decode(value).map_err(|_| fault("base64"));
        let text = || octets().map(|octets| String::from_utf8_lossy(&octets).into_owned());
        let known = || text().map(|text| Some(text).filter(|text| !text.is_empty()));
        let caller = &mut self.caller;
        match key {
            b"id" => self.id = Some(id(value).ok_or_else(|| fault("the id of a message"))?),
            b"queue" => self.queue = queue(&text()?).map_err(|()| fault("the name of a queue"))?,
            b"body_size" => self.body_size = Some(number(value).ok_or_else(|| fault("a number"))?),
            b"port" if value.is_empty() => {}
            b"port" => self.port = number(value).ok_or_else(|| fault("a port"))?,
            b"host" => caller.mta_name = known()?,
            b"client" => self.client = text()?,
            b"name" => {
                caller.client_name = known()?;
                // `$sender_host_name` is set only when one of its addresses is that of the client.
                caller.client_name_is_verified = caller.client_name.is_some();
            }
            b"login" => caller.authenticated = known()?,
            b"helo" => caller.helo = octets()?,
            b"mail_from" => caller.mail_from = octets()?,
            b"header" => self.header = octets()?,
            // A later version of the ACL file may tell more than we ask for.
            _ => {}
        }
        Ok(())
    }
}

fn id(value: &[u8]) -> Option<MessageId> {
    MessageId::parse(std::str::from_utf8(value).ok()?)
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The name of a queue becomes a part of a path.
fn queue(name: &str) -> Result<Option<String>, ()> {
    let is_clean = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    match (is_clean, name.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Ok(Some(name.to_owned())),
        (false, _) => Err(()),
    }
}

/// What comes next of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestPart {
    /// All but the body.
    Head(Box<EximRequest>),
    /// A piece of the body, line ends LF.
    Body(Vec<u8>),
    /// It is whole.
    End,
}

/// A request on its way in.
#[derive(Debug, Default)]
pub struct RequestReader {
    state: State,
    request: Box<EximRequest>,
    /// The line under way; of body and recipients, characters that are not decoded yet.
    line: Vec<u8>,
    lines: usize,
    octets: usize,
    body_octets: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Greeting,
    Head,
    Recipients,
    Body,
    AfterBody,
    /// The last line has been read, and its end is yet to be told.
    Whole,
    Ended,
}

/// Characters of base64 that are decoded at once: groups of four.
const GROUP: usize = 4;
/// How a body begins. Its line may be longer than all that is kept.
const BODY: &[u8] = b"body ";
/// How the recipients begin, as long as they like.
const RECIPIENTS: &[u8] = b"rcpt_to ";

impl RequestReader {
    /// The next part that is complete with these octets, which are taken off the front; nothing once they
    /// are used up. After the end, nothing more is read.
    ///
    /// # Errors
    /// What is wrong with it; there is no going on then.
    pub fn next(&mut self, octets: &mut &[u8]) -> Result<Option<RequestPart>, RequestError> {
        loop {
            match self.state {
                State::Ended => return Ok(None),
                State::Whole => {
                    self.state = State::Ended;
                    return Ok(Some(RequestPart::End));
                }
                State::Body => return self.body(octets),
                State::Recipients => {
                    if !self.recipients(octets)? {
                        return Ok(None);
                    }
                }
                State::Greeting | State::Head | State::AfterBody => {
                    if !self.fill_line(octets)? {
                        return Ok(None);
                    }
                    if let Some(part) = self.take_line()? {
                        return Ok(Some(part));
                    }
                }
            }
        }
    }

    /// Whether all of the request is here: what may still come is none of it.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole | State::Ended)
    }

    /// Takes octets until a line is complete, or is seen to be one that is not kept whole. Whether it is one to be read.
    fn fill_line(&mut self, octets: &mut &[u8]) -> Result<bool, RequestError> {
        while let Some((&octet, rest)) = octets.split_first() {
            *octets = rest;
            self.octets += 1;
            if self.octets > HEAD_LIMIT {
                return Err(RequestError::HeadTooLong);
            }
            if octet == b'\n' {
                return Ok(true);
            }
            self.line.push(octet);
            if self.begins_stream() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn begins_stream(&self) -> bool {
        self.state == State::Head && (self.line == BODY || self.line == RECIPIENTS)
    }

    fn take_line(&mut self) -> Result<Option<RequestPart>, RequestError> {
        self.lines += 1;
        if self.begins_stream() {
            let line = std::mem::take(&mut self.line);
            return Ok(self.enter_stream(&line));
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match (self.state, line) {
            (State::Greeting, GREETING) => self.state = State::Head,
            (State::Greeting, other) => return Err(RequestError::Greeting(quoted(other))),
            (State::Head, b"end") => {
                self.state = State::Whole;
                return Ok(Some(self.head()));
            }
            (State::AfterBody, b"end") => self.state = State::Whole,
            (State::AfterBody, _) => {}
            (_, line) => {
                let split = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
                let (key, value) = line.split_at_checked(split).unwrap_or((line, &[]));
                self.request.take(self.lines, key, value.trim_ascii())?;
            }
        }
        Ok(None)
    }

    fn head(&mut self) -> RequestPart {
        RequestPart::Head(std::mem::take(&mut self.request))
    }

    fn enter_stream(&mut self, key: &[u8]) -> Option<RequestPart> {
        if key == RECIPIENTS {
            self.state = State::Recipients;
            return None;
        }
        self.state = State::Body;
        self.request.has_body = true;
        Some(self.head())
    }

    /// Whether the recipients have ended.
    fn recipients(&mut self, octets: &mut &[u8]) -> Result<bool, RequestError> {
        let (list, has_ended) = self.decode(b"rcpt_to", octets)?;
        self.request.rcpt_to.take(&list);
        if has_ended {
            self.request.rcpt_to.end_list();
            self.state = State::Head;
        }
        Ok(has_ended)
    }

    fn body(&mut self, octets: &mut &[u8]) -> Result<Option<RequestPart>, RequestError> {
        let (decoded, has_ended) = self.decode(b"body", octets)?;
        if has_ended {
            self.state = State::AfterBody;
            self.octets = 0;
        }
        self.body_octets = self
            .body_octets
            .saturating_add(u64::try_from(decoded.len()).unwrap_or(u64::MAX));
        if self.body_octets > BODY_LIMIT {
            return Err(RequestError::BodyTooLong);
        }
        if decoded.is_empty() {
            // Of a body that is empty, or a piece too small to be decoded, there is nothing to tell.
            return if has_ended { self.next(octets) } else { Ok(None) };
        }
        Ok(Some(RequestPart::Body(decoded)))
    }

    /// More of a value that is not kept whole, and whether its line ends with it.
    fn decode(&mut self, key: &[u8], octets: &mut &[u8]) -> Result<(Vec<u8>, bool), RequestError> {
        let end = octets.iter().position(|b| *b == b'\n');
        let (part, rest) = octets
            .split_at_checked(end.unwrap_or(octets.len()))
            .unwrap_or((octets, &[]));
        *octets = rest.strip_prefix(b"\n").unwrap_or(rest);
        self.line.extend_from_slice(part);
        let whole = match end {
            Some(_) => self.line.len(),
            None => self.line.len() / GROUP * GROUP,
        };
        let rest = self.line.split_off(whole);
        let line = std::mem::replace(&mut self.line, rest);
        let decoded = BASE64.decode(line.trim_ascii_end());
        let decoded = decoded.map_err(|_| RequestError::Value {
            line: self.lines,
            key: quoted(key),
            expected: "base64",
            found: quoted(&line),
        })?;
        Ok((decoded, end.is_some()))
    }
}

/// Foreign octets in quotes, for a log line.
fn quoted(octets: &[u8]) -> String {
    format!("\"{}\"", visible_octets(octets, QUOTED_OCTETS))
}

#[cfg(test)]
mod tests;

//! The line socket for Exim: one request a connection, sent by `${readsocket}` from the ACL of DATA, and one line
//! for an answer.
//!
//! Exim has no milter protocol. What it can do is expand strings, so a request ([`request`]) is a text that its
//! ACL puts together, and the answer ([`line()`]) one that its ACL takes apart; `contrib/exim/` has both. The header
//! section comes with the request, for Exim alone knows it at that moment. The body does not: expanded strings hold
//! little of it. It is read where Exim has put it, in its spool ([`spool`]); where that cannot be, from the request,
//! if the ACL sends all of it along.
//!
//! Without the body no signature can be verified, and a verdict would be a guess. So then there is none, and the log
//! says why. What a sender can bring about is `temperror`: such a message is to come again, or else it would be a way
//! past the policy. What is wrong with this host, such as a spool that we may not read, is `down`, as if we were not
//! there: it holds for all mail, and the site has chosen what becomes of that (decision D6).
//!
//! Exim takes us for away, too, when an answer comes while it is still sending: its write fails, and it reads nothing. So
//! whatever is wrong with a request, all of it is read before it is answered.

mod line;
pub mod request;
pub mod spool;

use std::io::{self, BufRead, Read};
use std::time::Duration;

use landmarc_milter::Service;
use landmarc_net::{ConnectionSlot, Peer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use crate::answer::MessageAnswer;
use crate::caller::Interface;
use crate::drive::{Drive, DriveError, DriveLimits, Powers};
use crate::findings::Judged;
pub use line::{KEPT_LIMIT, VALUE_LIMIT, down, failed, line};
use request::{EximRequest, MessageId, RequestError, RequestPart, RequestReader};
use spool::{CHUNK_OCTETS, EximSpool, SpoolError, Spooled};

/// Octets that Exim gives out of a header section, by whatever variable; what is longer is cut without a word.
pub const HEADER_LIMIT: usize = 64 * 1024;
/// How long a client may be silent before its request begins.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take to come in from there. Exim has it whole before it connects.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the answer may take to go out: a line that fits into any buffer of the system.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// The request cannot be read.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The message cannot be read from the spool, and the request does not bring it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The header section is longer than Exim gives out.
    #[error("Exim gives out only the first {HEADER_LIMIT} octets of the header section")]
    HeaderCut,
    /// The body that came with the request is not that of the message.
    #[error(
        "the body that came with the request has {found} octets where Exim counts {expected}, or blanks for line ends"
    )]
    BodyCut {
        /// What came.
        found: u64,
        /// What Exim says it has.
        expected: u64,
    },
    /// The message is larger than any that is judged.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The connection, or a file of the spool, broke.
    #[error("cannot be read to its end")]
    Io(#[from] io::Error),
}

impl NoVerdict {
    /// Whether it is for the operator to correct, and no sender can bring it about.
    #[must_use]
    pub const fn is_of_this_host(&self) -> bool {
        match self {
            Self::Spool(error) => error.is_of_this_host(),
            Self::Io(_) => true,
            Self::Request(_) | Self::HeaderCut | Self::BodyCut { .. } | Self::Drive(_) => false,
        }
    }

    fn line(&self) -> String {
        match self.is_of_this_host() {
            true => down(&self.to_string()),
            false => failed(&self.to_string()),
        }
    }

    /// What the operator can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Request(error) => error.remedy(),
            Self::Spool(error) => error.remedy(),
            Self::HeaderCut => {
                "let landmarc read the spool, and use an Exim with content scanning (Debian: exim4-daemon-heavy)"
            }
            Self::BodyCut { .. } => {
                "set message_body_visible and message_body_newlines in Exim, or let landmarc read the spool"
            }
            Self::Drive(_) => "lower message_size_limit in Exim",
            Self::Io(_) => "see the cause",
        }
    }
}

/// Answers Exim.
#[derive(Clone, Debug)]
pub struct EximService<S> {
    service: S,
    spool: EximSpool,
    limits: DriveLimits,
}

impl<S> EximService<S>
where
    S: Service,
    S::Session: Judged,
{
    /// Messages are judged by `service`, their bodies read from `spool`.
    pub const fn new(service: S, spool: EximSpool, limits: DriveLimits) -> Self {
        Self {
            service,
            spool,
            limits,
        }
    }

    /// Serves one connection to its end. A client that says nothing is let go after [`SILENCE_TIMEOUT`], and
    /// when `stopped` says so; a request that is whole is answered all the same. Until its head is whole, `slot` may
    /// go to another client.
    pub async fn serve(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: Peer,
        stopped: watch::Receiver<bool>,
        slot: &ConnectionSlot,
    ) {
        let mut asking = Asking::new(&mut stream, stopped);
        let line = match self.answer(&mut asking, peer, slot).await {
            Ok(line) => line,
            // A look whether somebody is there.
            Err(NoVerdict::Request(RequestError::Cut)) if asking.is_empty => return,
            Err(error) => {
                asking.drain().await;
                warn_of(&error, asking.id.as_ref());
                error.line()
            }
        };
        let written = timeout(ANSWER_TIMEOUT, async {
            stream.write_all(line.as_bytes()).await?;
            stream.write_all(b"\n").await?;
            stream.shutdown().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            tracing::warn!("Exim did not wait for the answer: see the time limit of its readsocket");
        }
    }

    async fn answer<R: AsyncRead + Unpin>(
        &self,
        asking: &mut Asking<'_, R>,
        peer: Peer,
        slot: &ConnectionSlot,
    ) -> Result<String, NoVerdict> {
        let request = asking.head().await?;
        slot.begin_message();
        let source = match self.find(&request).await {
            // What came with the request is no more whole than its header section.
            Err(NoVerdict::Spool(_)) if request.has_body && is_cut(&request) => {
                return Err(NoVerdict::HeaderCut);
            }
            Err(NoVerdict::Spool(_)) if request.has_body => Source::Request,
            found => found?,
        };
        let caller = request.caller(peer);
        let powers = Powers {
            // By what the ACL says.
            hold: true,
            add_recipients: false,
        };
        let mut drive = Drive::begin(&self.service, Interface::Exim, &caller, powers, self.limits).await;
        match source {
            Source::Whole(spooled) => {
                asking.read_to_end().await?;
                pour(&mut drive, spooled).await?;
            }
            Source::Body(spooled) => {
                asking.read_to_end().await?;
                push_header(&mut drive, &request).await?;
                pour(&mut drive, spooled).await?;
            }
            Source::Request => {
                push_header(&mut drive, &request).await?;
                asking.pour(&mut drive, request.body_size).await?;
            }
        }
        let answer: MessageAnswer = drive.finish().await;
        Ok(line(&answer, &request.header))
    }

    /// Where the message is to be had.
    async fn find(&self, request: &EximRequest) -> Result<Source, NoVerdict> {
        let (spool, request) = (self.spool.clone(), request.clone());
        let found = spawn_blocking(move || match is_cut(&request) {
            true => match spool.scanned(&request)? {
                Some(mut spooled) => {
                    skip_own_trace(&mut spooled, request.id.as_ref())?;
                    Ok(Source::Whole(spooled))
                }
                None => Err(NoVerdict::HeaderCut),
            },
            false => Ok(Source::Body(spool.body(&request)?)),
        });
        found.await.map_err(io::Error::other)?
    }
}

/// Whether there may be more of the header section than Exim gives out.
fn is_cut(request: &EximRequest) -> bool {
    request.header.len() >= HEADER_LIMIT
}

/// Where a message comes from.
enum Source {
    /// Header section and body from the spool.
    Whole(Spooled),
    /// The header section from the request, the body from the spool.
    Body(Spooled),
    /// Both from the request.
    Request,
}

/// The header section of a request, which is whole, and the line that ends it.
async fn push_header<S: Judged>(drive: &mut Drive<S>, request: &EximRequest) -> Result<(), DriveError> {
    let own = own_trace(&request.header, request.id.as_ref());
    drive.push(request.header.get(own..).unwrap_or_default()).await?;
    drive.push(b"\n").await
}

/// Octets of the Received field that Exim itself has put on top. A milter is not shown the field of its own mail
/// server, and it is no trace of where a message comes from.
fn own_trace(header: &[u8], id: Option<&MessageId>) -> usize {
    let ends = header
        .windows(2)
        .position(|pair| pair.starts_with(b"\n") && !matches!(pair, [_, b' ' | b'\t']));
    let end = ends.map_or(header.len(), |end| end + 1);
    let field = header.get(..end).unwrap_or_default();
    let is_trace = field
        .get(..9)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"));
    let Some(id) = id.filter(|_| is_trace) else {
        return 0;
    };
    // Exim writes `id` and the name it has for the message; nobody knew that before.
    let words = field.split(u8::is_ascii_whitespace);
    let mut words = words.map(|word| word.trim_ascii_end().strip_suffix(b";").unwrap_or(word));
    if words.any(|word| word == id.as_str().as_bytes()) {
        end
    } else {
        0
    }
}

fn skip_own_trace(spooled: &mut Spooled, id: Option<&MessageId>) -> io::Result<()> {
    let own = own_trace(spooled.reader.fill_buf()?, id);
    spooled.reader.consume(own);
    Ok(())
}

/// Drives what is left of a file. As long as it was when it was opened, and no longer.
async fn pour<S: Judged>(drive: &mut Drive<S>, spooled: Spooled) -> Result<(), NoVerdict> {
    let mut limited = spooled.reader.take(spooled.octets);
    loop {
        let (rest, chunk) = spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK_OCTETS];
            let read = limited.read(&mut chunk)?;
            chunk.truncate(read);
            io::Result::Ok((limited, chunk))
        })
        .await
        .map_err(io::Error::other)??;
        limited = rest;
        if chunk.is_empty() {
            return Ok(());
        }
        drive.push(&chunk).await?;
    }
}

/// A request on its way in.
struct Asking<'s, R> {
    stream: &'s mut R,
    reading: RequestReader,
    /// What was read and is not used up.
    octets: Vec<u8>,
    deadline: Instant,
    stopped: watch::Receiver<bool>,
    is_empty: bool,
    id: Option<MessageId>,
}

impl<'s, R: AsyncRead + Unpin> Asking<'s, R> {
    fn new(stream: &'s mut R, stopped: watch::Receiver<bool>) -> Self {
        Self {
            stream,
            reading: RequestReader::default(),
            octets: Vec::new(),
            deadline: Instant::now() + SILENCE_TIMEOUT,
            stopped,
            is_empty: true,
            id: None,
        }
    }

    async fn next(&mut self) -> Result<RequestPart, NoVerdict> {
        loop {
            let mut rest = self.octets.as_slice();
            let part = self.reading.next(&mut rest)?;
            let used = self.octets.len() - rest.len();
            self.octets.drain(..used);
            if let Some(part) = part {
                return Ok(part);
            }
            self.octets.resize(CHUNK_OCTETS, 0);
            let read = self.read().await?;
            self.octets.truncate(read);
            if self.is_empty {
                self.is_empty = false;
                self.deadline = Instant::now() + REQUEST_TIMEOUT;
            }
        }
    }

    /// Reads what is there, at least one octet.
    async fn read(&mut self) -> Result<usize, NoVerdict> {
        let read = tokio::select! {
            biased;
            read = timeout_at(self.deadline, self.stream.read(&mut self.octets)) => read,
            // A sender that is gone is told, too.
            _ = self.stopped.wait_for(|stopped| *stopped) => return Err(RequestError::Cut.into()),
        };
        match read {
            Ok(Ok(0)) | Err(_) => Err(RequestError::Cut.into()),
            Ok(read) => Ok(read?),
        }
    }

    async fn head(&mut self) -> Result<Box<EximRequest>, NoVerdict> {
        match self.next().await? {
            RequestPart::Head(request) => {
                self.id.clone_from(&request.id);
                Ok(request)
            }
            // The head comes first.
            RequestPart::Body(_) | RequestPart::End => Err(RequestError::Cut.into()),
        }
    }

    async fn read_to_end(&mut self) -> Result<(), NoVerdict> {
        while self.next().await? != RequestPart::End {}
        Ok(())
    }

    /// Reads what is left of a request that cannot be answered, and throws it away: to its end, where Exim closes its
    /// half of the connection, or for as long as it may take.
    async fn drain(&mut self) {
        while !self.reading.is_whole() {
            self.octets.resize(CHUNK_OCTETS, 0);
            if self.read().await.is_err() {
                return;
            }
        }
    }

    /// Drives the body that comes with the request.
    async fn pour<S: Judged>(
        &mut self,
        drive: &mut Drive<S>,
        expected: Option<u64>,
    ) -> Result<(), NoVerdict> {
        let (mut found, mut last) = (0_u64, None);
        while let RequestPart::Body(octets) = self.next().await? {
            found = found.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
            last = octets.last().copied().or(last);
            drive.push(&octets).await?;
        }
        let expected = expected.unwrap_or_default();
        // Every line of what Exim keeps has its end; without `message_body_newlines` it is a blank.
        let is_whole = found == expected && last.is_none_or(|octet| octet == b'\n');
        match is_whole {
            true => Ok(()),
            false => Err(NoVerdict::BodyCut { found, expected }),
        }
    }
}

fn warn_of(error: &NoVerdict, id: Option<&MessageId>) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(
        queue_id = id.map(MessageId::as_str),
        %error,
        cause,
        remedy = error.remedy(),
        "Exim asked about a message, and there is no verdict"
    );
}

#[cfg(test)]
mod tests;

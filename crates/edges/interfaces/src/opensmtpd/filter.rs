//! The filter itself: reads what smtpd says, keeps each message until it is judged, and hands it back.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use landmarc_mail::text::printable;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

use super::edits::{Removal, lines_of};
use super::held::{BufferedMessage, unstuffed};
use super::line::{Event, FilterLine, FilterRequest, Number, ReturnAddress, registration};
use super::session::{Complete, Obstacle, Ruled, RulingSlot, Session};
use crate::answer::{Added, Removed, SmtpRefusal};
use crate::caller::Caller;
use crate::lines::read_line;

/// Sessions that are followed at once; smtpd itself runs out of descriptors long before. The messages of
/// further ones are treated as those that cannot be judged.
pub const MAX_SESSIONS: usize = 10_000;

/// Octets of a line from smtpd, which takes lines of 64 KiB at most from its clients. What a longer one is of
/// cannot be judged.
pub const MAX_LINE_OCTETS: usize = 256 * 1024;

/// Octets of a reply; what is longer is cut (RFC 5321 §4.5.3.1.5: 512 with the line end).
const MAX_REPLY_OCTETS: usize = 500;

/// Messages that are being judged at once. Further ones wait.
const MAX_JUDGED: usize = 128;

/// Pieces of output that wait for smtpd to read them.
const OUTPUT_PIECES: usize = 64;

/// How much is said to smtpd at once.
const OUTPUT_OCTETS: usize = 64 * 1024;

/// The mark of OpenSMTPD's own `junk`, which its `maildir junk` goes by.
const JUNK: &str = "X-Spam: yes";

/// Where messages are judged.
pub trait Judge: Send + Sync + 'static {
    /// Judges one message, and says what is to be done.
    ///
    /// # Errors
    /// Why it could not be judged.
    fn judge(
        &self,
        caller: &Caller,
        message: &mut BufferedMessage,
    ) -> impl Future<Output = Result<Ruling, NoRuling>> + Send;
}

/// Why a message could not be judged, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRuling {
    /// Nobody judges at the moment: what becomes of its mail is for the site to say ([`Unjudged`]).
    #[error("{0}")]
    Away(String),
    /// It is too large, or too much is to be said about it. Its sender made it so, and what is taken unjudged must not
    /// be the sender's choice: it is put off.
    #[error("{0}")]
    TooLarge(String),
}

/// What is to be done with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Why it is refused, if it is; the rest then means nothing.
    pub refusal: Option<SmtpRefusal>,
    /// Fields to be removed.
    pub removed: Vec<Removed>,
    /// Fields to go above all others, topmost first.
    pub added: Vec<Added>,
    /// Whether it is to be marked as junk.
    pub is_junk: bool,
}

/// What becomes of messages that cannot be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unjudged {
    /// They are taken as they are, and nothing is claimed about them.
    Accept,
    /// They are put off until later.
    #[default]
    TempFail,
}

/// What the filter goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSmtpdOptions {
    /// What becomes of a message that cannot be judged.
    pub unjudged: Unjudged,
    /// Octets of a message; a larger one cannot be judged.
    pub message_octets: u64,
    /// Where messages of more than 64 KiB are kept until they are judged.
    pub folder: PathBuf,
}

/// Serves smtpd until it closes `input`.
///
/// A line that is not understood is logged and passed over: smtpd ends itself when a filter ends.
///
/// # Errors
/// When smtpd cannot be read or written any more.
pub async fn run(
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
    judge: Arc<impl Judge>,
    terms: OpenSmtpdOptions,
) -> io::Result<()> {
    let (speak, spoken) = mpsc::channel(OUTPUT_PIECES);
    let filter = Filter {
        sessions: HashMap::new(),
        judge,
        terms: Arc::new(terms),
        places: Arc::new(Semaphore::new(MAX_JUDGED)),
        speak,
    };
    // When smtpd stops reading there is no use in listening to it, and the other way round.
    tokio::select! {
        heard = filter.hear_all(input) => heard,
        said = say(spoken, output) => said,
    }
}

async fn say(mut spoken: mpsc::Receiver<Vec<u8>>, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
    while let Some(piece) = spoken.recv().await {
        output.write_all(&piece).await?;
        if spoken.is_empty() {
            output.flush().await?;
        }
    }
    Ok(())
}

struct Filter<J> {
    sessions: HashMap<Number, Session>,
    judge: Arc<J>,
    terms: Arc<OpenSmtpdOptions>,
    places: Arc<Semaphore>,
    speak: mpsc::Sender<Vec<u8>>,
}

impl<J: Judge> Filter<J> {
    async fn hear_all(mut self, mut input: impl AsyncBufRead + Unpin) -> io::Result<()> {
        let mut line = Vec::new();
        while let Some(is_whole) = read_line(&mut input, &mut line, MAX_LINE_OCTETS).await? {
            match FilterLine::parse(&line) {
                Ok(heard) => self.hear(heard, is_whole).await,
                Err(error) => tracing::warn!("{error}"),
            }
        }
        Ok(())
    }

    async fn hear(&mut self, line: FilterLine<'_>, is_whole: bool) {
        match line {
            FilterLine::Config => {}
            FilterLine::Ready => self.say(registration()).await,
            FilterLine::Report { session, event } => self.report(session, &event),
            FilterLine::Filter {
                session,
                request,
                address,
            } => match request {
                FilterRequest::DataLine(b".") => self.end_of_message(session, address).await,
                FilterRequest::DataLine(text) => self.data_line(session, text, is_whole, address).await,
                FilterRequest::Commit => self.commit(session, address).await,
                FilterRequest::Other => self.say(address.proceed()).await,
            },
        }
    }

    fn report(&mut self, number: Number, event: &Event<'_>) {
        match event {
            Event::Disconnect => {
                self.sessions.remove(&number);
            }
            Event::Connect { .. } if self.sessions.len() < MAX_SESSIONS => {
                let mut session = Session::default();
                session.hear(event);
                self.sessions.insert(number, session);
            }
            Event::Connect { .. } => tracing::warn!("more than {MAX_SESSIONS} sessions: one is not followed"),
            _ => {
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.hear(event);
                }
            }
        }
    }

    async fn data_line(&mut self, number: Number, text: &[u8], is_whole: bool, address: ReturnAddress) {
        match self.sessions.get_mut(&number) {
            Some(session) if is_whole => session.hold(text, self.terms.message_octets, &self.terms.folder),
            Some(session) => session.hinder(Obstacle::LongLine),
            // Of a session that is not followed: back as it came.
            None => {
                let back = [address.of_line().as_bytes(), text, b"\n"].concat();
                self.say(back).await;
            }
        }
    }

    /// Has the message judged, in a task of its own. The last line goes back when it is known what to say to
    /// the question after it.
    async fn end_of_message(&mut self, number: Number, address: ReturnAddress) {
        let Some(session) = self.sessions.get_mut(&number) else {
            self.say(address.of_line() + ".\n").await;
            return;
        };
        let (complete, place) = session.complete();
        let (judge, terms) = (Arc::clone(&self.judge), Arc::clone(&self.terms));
        let (places, speak) = (Arc::clone(&self.places), self.speak.clone());
        let task = tokio::spawn(async move {
            // It is never closed.
            let _place = places.acquire().await;
            let edited = ruled(&*judge, complete, &terms, &place).await;
            ReplyWriter { speak, address }.message(edited, &place).await;
        });
        session.is_judged_by(task.abort_handle());
    }

    async fn commit(&mut self, number: Number, address: ReturnAddress) {
        let ruled = self.sessions.get_mut(&number).and_then(Session::take_ruling);
        let ruled = ruled.unwrap_or_else(|| self.terms.unjudged.ruled());
        let answer = match ruled {
            Ruled::Take => address.proceed(),
            Ruled::Refuse(reply) => address.reject(&one_line(&reply)),
        };
        self.say(answer).await;
    }

    async fn say(&self, text: impl Into<Vec<u8>>) {
        // Nobody listens any more only when all of this ends.
        let _ = self.speak.send(text.into()).await;
    }
}

impl Unjudged {
    fn ruled(self) -> Ruled {
        match self {
            Self::Accept => Ruled::Take,
            Self::TempFail => Ruled::Refuse(SmtpRefusal {
                code: 451,
                enhanced: "4.7.1".to_owned(),
                text: "the message could not be judged, try again later".to_owned(),
            }),
        }
    }
}

/// A message on its way back, with what is to be done to its header.
struct Edited {
    held: BufferedMessage,
    ruling: Ruling,
}

/// Has the message judged and notes what was ruled. What is to go back; nothing of a message that is refused.
async fn ruled(
    judge: &impl Judge,
    complete: Complete,
    terms: &OpenSmtpdOptions,
    place: &RulingSlot,
) -> Option<Edited> {
    let Complete {
        caller,
        mut held,
        obstacle,
    } = complete;
    let judged = match obstacle {
        // Of such a message there is nothing that could go back.
        Some(obstacle) => {
            let queue_id = caller.queue_id.as_deref().unwrap_or("unknown");
            tracing::warn!(queue_id, "{obstacle}");
            place.set(Unjudged::TempFail.ruled());
            return None;
        }
        None => judge.judge(&caller, &mut held).await,
    };
    let (ruled, ruling) = match judged {
        Ok(Ruling {
            refusal: Some(reply), ..
        }) => (Ruled::Refuse(reply), None),
        Ok(ruling) => (Ruled::Take, Some(ruling)),
        Err(error) => {
            let queue_id = caller.queue_id.as_deref().unwrap_or("unknown");
            tracing::error!(queue_id, "not judged: {error}");
            let ruled = match error {
                NoRuling::Away(_) => terms.unjudged.ruled(),
                NoRuling::TooLarge(_) => Unjudged::TempFail.ruled(),
            };
            let is_taken = ruled == Ruled::Take;
            (ruled, is_taken.then(Ruling::default))
        }
    };
    place.set(ruled);
    Some(Edited {
        held,
        ruling: ruling?,
    })
}

/// The way back to smtpd.
struct ReplyWriter {
    speak: mpsc::Sender<Vec<u8>>,
    address: ReturnAddress,
}

impl ReplyWriter {
    /// What there is of it, and the last line, after which smtpd asks what was ruled.
    async fn message(&self, edited: Option<Edited>, place: &RulingSlot) {
        if let Some(edited) = edited
            && let Err(error) = self.edited(edited).await
        {
            tracing::error!("a message that was kept cannot be read back: {error}");
            // What smtpd has by now is a part of it.
            place.set(Unjudged::TempFail.ruled());
        }
        self.say((self.address.of_line() + ".\n").into_bytes()).await;
    }

    async fn edited(&self, edited: Edited) -> io::Result<()> {
        let Edited { mut held, ruling } = edited;
        let prefix = self.address.of_line();
        let mut text = String::new();
        let mark = ruling.is_junk.then(|| JUNK.to_owned());
        for line in ruling.added.iter().flat_map(lines_of).chain(mark) {
            text += &format!("{prefix}{line}\n");
        }
        let mut output = text.into_bytes();
        let mut removal = Removal::of(ruling.removed);
        let mut lines = held.lines()?;
        while let Some(piece) = lines.next_piece()? {
            for line in piece.split_inclusive(|b| *b == b'\n') {
                if removal.keeps(unstuffed(line.strip_suffix(b"\n").unwrap_or(line))) {
                    output.extend_from_slice(prefix.as_bytes());
                    output.extend_from_slice(line);
                }
                if output.len() >= OUTPUT_OCTETS {
                    self.say(std::mem::take(&mut output)).await;
                }
            }
        }
        self.say(output).await;
        Ok(())
    }

    async fn say(&self, piece: Vec<u8>) {
        // Nobody listens any more only when all of this ends.
        let _ = self.speak.send(piece).await;
    }
}

/// A reply as smtpd takes it: one line of printable ASCII, not too long.
fn one_line(reply: &SmtpRefusal) -> String {
    printable(&reply.in_one_line(), MAX_REPLY_OCTETS).into_owned()
}

#[cfg(test)]
mod tests;

//! What smtpd has told of one SMTP session, and the message that is coming in.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use super::held::BufferedMessage;
use super::line::Event;
use crate::answer::SmtpRefusal;
use crate::caller::Caller;

/// Recipients of one message that are told on. smtpd itself takes no more than a thousand, unless it is told to.
pub const MAX_RECIPIENTS: usize = 1_000;

/// Octets of a name or address that are kept; SMTP allows for much less (RFC 5321 §4.5.3.1).
pub const MAX_WORD_OCTETS: usize = 4 * 1024;

/// One session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whose client, HELO name, user and mail server are those of the session.
    caller: Caller,
    held: BufferedMessage,
    /// Why the message cannot be judged, although it has not been tried.
    obstacle: Option<Obstacle>,
    ruled: Option<RulingSlot>,
    /// The task that has the message judged.
    judging: Option<Judging>,
}

/// What is to be said when smtpd asks whether to take the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruled {
    Take,
    Refuse(SmtpRefusal),
}

/// Where is written what was ruled about one message.
#[derive(Clone, Debug, Default)]
pub(super) struct RulingSlot(Arc<Mutex<Option<Ruled>>>);

impl RulingSlot {
    /// In place of what stood there.
    pub(super) fn set(&self, ruled: Ruled) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ruled);
    }

    fn take(&self) -> Option<Ruled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Why a message is not handed on to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Obstacle {
    #[error("a line of the message is too long")]
    LongLine,
    #[error("the message is larger than {0} octets")]
    Large(u64),
    #[error("the message has more than {MAX_RECIPIENTS} recipients")]
    Recipients,
    #[error("the message cannot be kept: there is no room in the folder for temporary files")]
    NoRoom,
}

/// A task that ends with its session: of a client that is gone nothing needs to be judged.
#[derive(Debug)]
struct Judging(AbortHandle);

impl Drop for Judging {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A message that is complete.
pub(super) struct Complete {
    pub(super) caller: Caller,
    pub(super) held: BufferedMessage,
    pub(super) obstacle: Option<Obstacle>,
}

impl Session {
    /// Takes in what has happened.
    pub(super) fn hear(&mut self, event: &Event<'_>) {
        let caller = &mut self.caller;
        match *event {
            Event::Connect {
                name,
                is_verified,
                ref client,
            } => {
                caller.client = client.clone();
                caller.client_name = name.map(text);
                caller.client_name_is_verified = is_verified;
            }
            Event::Greeting(name) => caller.mta_name = Some(text(name)),
            Event::Identify(name) => caller.helo = word(name),
            Event::Authenticated(user) => caller.authenticated = Some(text(user)),
            Event::Begin(id) => {
                self.forget_message();
                self.caller.queue_id = Some(text(id));
            }
            Event::Mail(path) => caller.mail_from = word(path),
            Event::Rcpt(path) if caller.rcpt_to.len() < MAX_RECIPIENTS => caller.rcpt_to.push(word(path)),
            Event::Rcpt(_) => self.hinder(Obstacle::Recipients),
            Event::Reset => self.forget_message(),
            Event::Disconnect | Event::Nothing => {}
        }
    }

    /// One line of the message, its dot stuffed.
    pub(super) fn hold(&mut self, line: &[u8], limit: u64, folder: &Path) {
        if self.obstacle.is_some() {
            return;
        }
        if let Err(error) = self.held.push(line, folder) {
            self.no_room(&error, folder);
        } else if self.held.message_octets() > limit {
            self.hinder(Obstacle::Large(limit));
        }
    }

    /// The message will not be judged, for this reason; what is there of it is let go.
    pub(super) fn hinder(&mut self, obstacle: Obstacle) {
        self.obstacle.get_or_insert(obstacle);
        self.held = BufferedMessage::default();
    }

    fn no_room(&mut self, error: &io::Error, folder: &Path) {
        tracing::error!(folder = %folder.display(), %error, "a message cannot be kept until it is judged");
        self.hinder(Obstacle::NoRoom);
    }

    /// The message is complete: it is handed out, with the place for what is ruled about it.
    pub(super) fn complete(&mut self) -> (Complete, RulingSlot) {
        let complete = Complete {
            caller: self.caller.clone(),
            held: std::mem::take(&mut self.held),
            obstacle: self.obstacle.take(),
        };
        let place = RulingSlot::default();
        self.ruled = Some(place.clone());
        (complete, place)
    }

    /// Who is at it.
    pub(super) fn is_judged_by(&mut self, task: AbortHandle) {
        self.judging = Some(Judging(task));
    }

    /// What was ruled about the message; nothing where there was none, or it was lost.
    pub(super) fn take_ruling(&mut self) -> Option<Ruled> {
        self.ruled.take()?.take()
    }

    fn forget_message(&mut self) {
        self.caller.queue_id = None;
        self.caller.mail_from.clear();
        self.caller.rcpt_to.clear();
        self.held = BufferedMessage::default();
        self.obstacle = None;
        self.ruled = None;
        self.judging = None;
    }
}

fn word(octets: &[u8]) -> Vec<u8> {
    octets.get(..MAX_WORD_OCTETS).unwrap_or(octets).to_vec()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(&word(octets)).into_owned()
}

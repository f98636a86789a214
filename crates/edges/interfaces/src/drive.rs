//! One message, driven through a session as a mail server would drive it.

use landmarc_milter::codec::Offer;
use landmarc_milter::{Actions, Arguments, Capabilities, Macros, Protocol, Service};
use landmarc_net::{guarded, guarded_call};

use crate::answer::MessageAnswer;
use crate::caller::{Caller, Interface};
use crate::findings::Judged;
use crate::incoming::{Incoming, Piece};

/// How much of a message is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveLimits {
    /// Octets of the message, as it comes.
    pub message_octets: u64,
    /// Octets of one header field. Longer ones are thrown away as they come in, and the session is told.
    pub field_octets: usize,
}

impl Default for DriveLimits {
    /// 100 MiB; of one field 256 KiB, which is what is kept of it.
    fn default() -> Self {
        Self {
            message_octets: 100 * 1024 * 1024,
            field_octets: 256 * 1024,
        }
    }
}

/// What the mail server can do with a message when it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Powers {
    /// Put it aside. Where it cannot, messages to be put aside are marked in their header.
    pub hold: bool,
    /// Add a recipient.
    pub add_recipients: bool,
}

impl Powers {
    fn capabilities(self) -> Option<Capabilities> {
        let mut actions = Actions::ADD_HEADERS.union(Actions::CHANGE_HEADERS);
        if self.hold {
            actions = actions.union(Actions::QUARANTINE);
        }
        if self.add_recipients {
            actions = actions.union(Actions::ADD_RECIPIENTS);
        }
        let offer = Offer {
            version: *landmarc_milter::codec::VERSIONS.end(),
            actions,
            protocol: Protocol::from_bits(0),
        };
        // Of that version nobody can be too old.
        Capabilities::agree(&offer, actions).ok()
    }
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    /// It does not end.
    #[error("the message has more than {limit} octets")]
    TooLarge {
        /// How many it may have.
        limit: u64,
    },
}

/// A message under way. To drop it is to abort it: nothing of it is written down.
///
/// ```
/// # async fn example(service: &impl landmarc_milter::Service<Session: landmarc_interfaces::Judged>) {
/// use landmarc_interfaces::{Caller, Interface, Drive, DriveLimits, Powers};
///
/// let caller = Caller { mail_from: b"a@example.com".to_vec(), ..Caller::default() };
/// let powers = Powers { hold: true, add_recipients: false };
/// let mut drive = Drive::begin(service, Interface::Http, &caller, powers, DriveLimits::default()).await;
/// drive.push(b"From: a@example.com\n\nHel").await.unwrap();
/// drive.push(b"lo\n").await.unwrap();
/// let answer = drive.finish().await;
/// # let _ = answer.outcome();
/// # }
/// ```
pub struct Drive<S> {
    /// Nothing once it has panicked: from then on the answer is a tempfail (decision D6).
    session: Option<S>,
    macros: Macros,
    incoming: Incoming,
    limits: DriveLimits,
    octets: u64,
}

/// Calls the session, if there is one; a panic ends it.
macro_rules! notify {
    ($this:ident, $session:ident => $call:expr) => {
        if let Some($session) = &mut $this.session
            && let Err(panicked) = guarded(|| $call).await
        {
            $this.lose_session(panicked.words());
        }
    };
}

impl<S: Judged> Drive<S> {
    /// A message begins: the client connects and names the envelope. SPF is on its way from here on, if
    /// there is a recipient.
    pub async fn begin(
        service: &impl Service<Session = S>,
        interface: Interface,
        caller: &Caller,
        powers: Powers,
        limits: DriveLimits,
    ) -> Self {
        let mut drive = Self {
            session: None,
            macros: caller.macros(),
            incoming: Incoming::new(limits.field_octets),
            limits,
            octets: 0,
        };
        let connected = guarded_call(|| {
            let mut session = service.connect(&caller.peer);
            session.comes_by(interface);
            if caller.stays_out_of_reports {
                session.stay_out_of_reports();
            }
            if let Some(capabilities) = powers.capabilities() {
                session.negotiated(&capabilities);
            }
            session
        });
        match connected {
            Ok(session) => drive.session = Some(session),
            Err(panicked) => drive.lose_session(panicked.words()),
        }
        drive.say_envelope(caller).await;
        drive
    }

    async fn say_envelope(&mut self, caller: &Caller) {
        notify!(self, session => session.connected(caller.connect_info(), &self.macros));
        notify!(self, session => session.helo(&caller.helo, &self.macros));
        notify!(self, session => session.mail(&caller.mail_from, Arguments::default(), &self.macros));
        for path in &caller.rcpt_to {
            notify!(self, session => session.rcpt(path, &self.macros));
        }
    }

    /// More of the message: any octets of it, with LF or CRLF. Waits while there is no memory for its
    /// header section.
    ///
    /// # Errors
    /// When the message is too large. It is over then: drop the drive.
    pub async fn push(&mut self, mut octets: &[u8]) -> Result<(), DriveError> {
        let more = u64::try_from(octets.len()).unwrap_or(u64::MAX);
        self.octets = self.octets.saturating_add(more);
        let limit = self.limits.message_octets;
        if self.octets > limit {
            return Err(DriveError::TooLarge { limit });
        }
        while let Some(piece) = self.incoming.next(&mut octets) {
            self.say(piece).await;
        }
        Ok(())
    }

    /// The message is whole. Waits for the judgement, and for its record as decision D13 has it.
    pub async fn finish(mut self) -> MessageAnswer {
        while let Some(piece) = self.incoming.finish() {
            self.say(piece).await;
        }
        let Self { session, macros, .. } = &mut self;
        let Some(session) = session else {
            return MessageAnswer::tempfail();
        };
        // In a box: what a verdict takes is large.
        let judged = Box::pin(guarded(|| session.end_of_message(macros))).await;
        match judged {
            Ok(response) => MessageAnswer {
                response,
                findings: self.session.as_mut().and_then(Judged::take_findings),
            },
            Err(panicked) => {
                self.lose_session(panicked.words());
                MessageAnswer::tempfail()
            }
        }
    }

    async fn say(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Field { name, value } => notify!(self, session => session.header(&name, &value)),
            Piece::LongField { name, size } => {
                let size = u32::try_from(size).unwrap_or(u32::MAX);
                notify!(self, session => session.header_too_long(&name, size));
            }
            Piece::NotAField => {
                let session = self.session.as_mut();
                let noted = guarded_call(|| session.map(Judged::ends_at_no_field));
                if let Err(panicked) = noted {
                    self.lose_session(panicked.words());
                }
            }
            Piece::EndOfHeaders => notify!(self, session => session.end_of_headers(&self.macros)),
            Piece::Body(octets) => {
                if self.wants_body() {
                    notify!(self, session => session.body(&octets));
                }
            }
        }
    }

    fn wants_body(&mut self) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        match guarded_call(|| session.wants_body()) {
            Ok(wanted) => wanted,
            Err(panicked) => {
                self.lose_session(panicked.words());
                false
            }
        }
    }

    fn lose_session(&mut self, panic: &str) {
        tracing::error!(
            panic,
            "a bug: a session behind an interface panicked, its message is deferred"
        );
        let session = self.session.take();
        // What it left behind may panic once more when it is taken down.
        if guarded_call(|| drop(session)).is_err() {
            tracing::error!("the session panicked again while it was dropped");
        }
    }
}

#[cfg(test)]
mod tests;

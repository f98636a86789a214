//! One conversation with an MTA, from the negotiation to its end.
//!
//! [`serve`] needs no socket: it runs over anything that can be read and written.

mod order;
mod wire;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use landmarc_net::{ConnectionSlot, Panicked, Peer, guarded, guarded_call};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::codec::{
    Capabilities, Code, Command, CommandError, Frame, FrameError, NegotiationError, Protocol, reply,
};
use crate::handler::{Arguments, Response, Service, Session, Verdict};
use crate::macros::Macros;
use crate::notices::Notices;
use crate::options::ServerOptions;
use crate::statistics::SessionCounters;
pub use order::{OrderError, Stage, Step};
use wire::{Received, Wire};

/// Bounds of the progress interval: a timer of none would be a bug, and an MTA that
/// hears nothing for an hour has given up.
const SHORTEST_PROGRESS: Duration = Duration::from_millis(1);
const LONGEST_PROGRESS: Duration = Duration::from_secs(3_600);

/// Serves one MTA on `io`, for as long as it stays.
///
/// # Errors
/// When the conversation ends where it should not have. The MTA then does with the
/// message what it is told to do without a filter (Postfix: `milter_default_action`).
pub async fn serve<S, IO>(io: IO, service: &S, peer: Peer, context: &Context) -> Result<End, SessionError>
where
    S: Service,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut conversation = Conversation {
        wire: Wire::new(io, &context.options, context.shutdown.clone()),
        service,
        peer,
        context,
        capabilities: None,
        macros: Macros::new(Arc::clone(&context.notices)),
        stage: Stage::New,
        session: None,
    };
    conversation.begin_session();
    let end = conversation.run().await;
    conversation.drop_message();
    end
}

/// What the conversations of one server have in common.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) counters: Arc<SessionCounters>,
    /// Of one conversation; the others have theirs.
    pub(crate) slot: ConnectionSlot,
    /// Says when to come to an end: between messages at once, else after the one that is under way.
    pub(crate) shutdown: watch::Receiver<bool>,
}

impl Context {
    /// A context of these options.
    #[must_use]
    pub fn new(options: ServerOptions) -> Self {
        Self {
            options: Arc::new(options),
            notices: Arc::default(),
            counters: Arc::default(),
            slot: ConnectionSlot::default(),
            shutdown: watch::channel(false).1,
        }
    }
}

impl SessionError {
    /// Whether it was the MTA's words that ended the conversation, rather than what happened to it.
    #[must_use]
    pub fn is_protocol_error(&self) -> bool {
        match self {
            Self::Frame(_) | Self::Command(_) | Self::Order(_) | Self::Negotiation(_) => true,
            Self::Stalled(_) | Self::CutOff | Self::Gone | Self::Read(_) | Self::Write(_) => false,
        }
    }
}

/// How a conversation ended that ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The MTA said so.
    Quit,
    /// The MTA closed the connection between messages.
    Closed,
    /// The MTA was silent for the idle timeout.
    Silence,
    /// We are shutting down.
    Shutdown,
}

/// Why a conversation ended early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The stream is not of this protocol.
    #[error("the MTA sent {0}")]
    Frame(#[from] FrameError),
    /// A packet makes no sense.
    #[error("the MTA sent {0}")]
    Command(#[from] CommandError),
    /// A packet has no business where it came.
    #[error("the MTA sent {0}")]
    Order(#[from] OrderError),
    /// Nothing could be settled on.
    #[error("{0}")]
    Negotiation(#[from] NegotiationError),
    /// The MTA stopped in the middle of something.
    #[error("the MTA stalled for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// The MTA closed the connection in the middle of a packet.
    #[error("the MTA closed the connection within a packet")]
    CutOff,
    /// The MTA closed the connection in the middle of a message.
    #[error("the MTA closed the connection within a message")]
    Gone,
    /// The system could not read.
    #[error("cannot read from the MTA")]
    Read(#[source] io::Error),
    /// The system could not write.
    #[error("cannot write to the MTA")]
    Write(#[source] io::Error),
}

struct Conversation<'a, S: Service, IO> {
    wire: Wire<IO>,
    service: &'a S,
    peer: Peer,
    context: &'a Context,
    capabilities: Option<Capabilities>,
    macros: Macros,
    stage: Stage,
    /// `None` once it has panicked: from then on all is answered with *tempfail*,
    /// which is kinder to the mail than to close the connection under it.
    session: Option<S::Session>,
}

/// Calls the session, if there is one; a panic ends it.
macro_rules! notify {
    ($this:ident, $session:ident => $call:expr) => {
        if let Some($session) = &mut $this.session
            && let Err(panicked) = guarded(|| $call).await
        {
            $this.lose_session(&panicked);
        }
    };
}

impl<S, IO> Conversation<'_, S, IO>
where
    S: Service,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    async fn run(&mut self) -> Result<End, SessionError> {
        loop {
            match self.wire.receive(self.stage).await? {
                Received::Frame(Frame::Packet(Code::Quit, _)) => return Ok(End::Quit),
                Received::Frame(frame) => self.take(frame).await?,
                Received::Closed if self.stage.is_within_message() => return Err(SessionError::Gone),
                Received::Closed => return Ok(End::Closed),
                Received::Silence => return Ok(End::Silence),
                Received::Shutdown => return Ok(End::Shutdown),
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<(), SessionError> {
        let code = match &frame {
            Frame::Packet(code, _) => *code,
            Frame::Body { .. } => Code::Body,
            Frame::LongHeader { .. } => Code::Header,
        };
        let step = self.stage.step(code)?;
        if step.to.is_within_message() {
            self.context.slot.begin_message();
        }
        match frame {
            Frame::Packet(code, content) => {
                let command = Command::read(code, content)?;
                if step.drops_message {
                    self.drop_message();
                    // Those of this command have come already.
                    self.macros.end_message(Some(code));
                }
                self.stage = step.to;
                self.obey(command).await?;
            }
            Frame::Body { part, ends } => {
                self.body(&part).await;
                if !ends {
                    return Ok(());
                }
            }
            Frame::LongHeader { name, size } => {
                self.stage = step.to;
                notify!(self, session => session.header_too_long(&name, size));
            }
        }
        self.answer(code).await?;
        if !self.stage.is_within_message() {
            self.context.slot.end_message();
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), SessionError> {
        match command {
            Command::Negotiate(offer) => {
                let capabilities = Capabilities::agree(&offer, self.context.options.actions)?;
                self.settle(capabilities).await?;
            }
            Command::Macros { stage, pairs } => {
                let surplus = stage.map_or(0, |stage| self.macros.set(stage, &pairs));
                if surplus > 0
                    && let Some(packets) = self.context.notices.surplus_macros.count()
                {
                    tracing::warn!(
                        peer = %self.peer, ?stage, surplus, packets,
                        "macros past the limit are left out"
                    );
                }
            }
            Command::Connect(info) => notify!(self, session => session.connected(info, &self.macros)),
            Command::Helo(name) => notify!(self, session => session.helo(&name, &self.macros)),
            Command::Mail { path, arguments } => {
                notify!(self, session => session.mail(&path, Arguments::new(&arguments), &self.macros));
            }
            Command::Rcpt(path) => notify!(self, session => session.rcpt(&path, &self.macros)),
            Command::Header { name, value } => self.header(&name, value).await,
            Command::EndOfHeaders => notify!(self, session => session.end_of_headers(&self.macros)),
            Command::EndOfMessage(rest) => {
                if !rest.is_empty() {
                    self.body(&rest).await;
                }
                self.end_of_message().await?;
            }
            Command::QuitNewConnection => {
                self.macros.end_connection();
                self.begin_session();
            }
            Command::Data | Command::Abort | Command::Unknown | Command::Quit => {}
        }
        Ok(())
    }

    /// Answers a step at which the MTA waits. Negotiation and end of message have their
    /// own answers.
    async fn answer(&mut self, code: Code) -> Result<(), SessionError> {
        let awaited = self.capabilities.is_some_and(|agreed| agreed.awaits_reply(code));
        if !awaited || matches!(code, Code::Negotiate | Code::EndOfMessage) {
            return Ok(());
        }
        let octets = if self.session.is_none() {
            reply::TEMPFAIL
        } else if code == Code::Body && self.agreed(Protocol::SKIP) && !self.wants_body() {
            reply::SKIP
        } else {
            reply::CONTINUE
        };
        self.wire.say(octets).await
    }

    async fn settle(&mut self, capabilities: Capabilities) -> Result<(), SessionError> {
        self.capabilities = Some(capabilities);
        let refused = capabilities.refused();
        if !refused.is_empty() && self.context.notices.refused_actions.first_time() {
            tracing::warn!(
                peer = %self.peer, %refused,
                "the MTA does not allow actions we need; such edits will be left out"
            );
        }
        tracing::debug!(
            peer = %self.peer, version = capabilities.version(), actions = %capabilities.actions(),
            protocol = %capabilities.protocol(), "settled"
        );
        self.greet_session();
        let mut out = Vec::new();
        capabilities.write_answer(&self.context.options.macros, &mut out);
        self.wire.say(&out).await
    }

    async fn header(&mut self, name: &[u8], value: Bytes) {
        let value = if self.agreed(Protocol::HEADER_LEADING_SPACE) {
            value
        } else {
            // The MTA took off one blank, if there was one. Nearly always there was.
            [b" ", &value[..]].concat().into()
        };
        notify!(self, session => session.header(name, &value));
    }

    async fn body(&mut self, part: &[u8]) {
        if self.wants_body() {
            notify!(self, session => session.body(part));
        }
    }

    async fn end_of_message(&mut self) -> Result<(), SessionError> {
        let response = self.judged().await?;
        let mut out = Vec::new();
        if let Some(capabilities) = &self.capabilities {
            for (edit, reason) in reply::write_response(&response, capabilities, &mut out) {
                // A value may be long and is no business of the log.
                tracing::warn!(peer = %self.peer, edit = edit.kind(), %reason, "an edit was left out");
            }
        }
        self.macros.end_message(None);
        self.wire.say(&out).await
    }

    /// The session's response, however long it takes to find it.
    async fn judged(&mut self) -> Result<Response, SessionError> {
        let Self {
            wire,
            session,
            macros,
            context,
            ..
        } = self;
        let Some(session) = session else {
            return Ok(tempfail());
        };
        let outcome = {
            // In a box: what a verdict takes is large, and a connection at rest would keep room for it.
            let mut work = Box::pin(guarded(|| session.end_of_message(macros)));
            let period = context
                .options
                .progress_interval
                .clamp(SHORTEST_PROGRESS, LONGEST_PROGRESS);
            let mut progress = interval_at(Instant::now() + period, period);
            progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut silent = true;
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut work => break Ok(outcome),
                    stirred = wire.stirs(), if silent => match stirred {
                        Ok(()) => silent = false,
                        Err(error) => break Err(error),
                    },
                    _ = progress.tick() => if let Err(error) = wire.say(reply::PROGRESS).await {
                        break Err(error);
                    },
                }
            }
        };
        match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(panicked)) => {
                self.lose_session(&panicked);
                Ok(tempfail())
            }
            Err(error) => {
                self.notify_abort();
                Err(error)
            }
        }
    }

    fn agreed(&self, manner: Protocol) -> bool {
        self.capabilities
            .is_some_and(|agreed| agreed.protocol().contains(manner))
    }

    fn wants_body(&mut self) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        match guarded_call(|| session.wants_body()) {
            Ok(wanted) => wanted,
            Err(panicked) => {
                self.lose_session(&panicked);
                false
            }
        }
    }

    /// A new SMTP connection, and so a new session.
    fn begin_session(&mut self) {
        match guarded_call(|| self.service.connect(&self.peer)) {
            Ok(session) => self.session = Some(session),
            Err(panicked) => self.lose_session(&panicked),
        }
        self.greet_session();
    }

    fn greet_session(&mut self) {
        if let (Some(session), Some(capabilities)) = (&mut self.session, &self.capabilities)
            && let Err(panicked) = guarded_call(|| session.negotiated(capabilities))
        {
            self.lose_session(&panicked);
        }
    }

    /// A message that was under way is over before its end.
    fn drop_message(&mut self) {
        if self.stage.is_within_message() {
            self.stage = Stage::Idle;
            self.notify_abort();
        }
    }

    fn notify_abort(&mut self) {
        if let Some(session) = &mut self.session
            && let Err(panicked) = guarded_call(|| session.abort())
        {
            self.lose_session(&panicked);
        }
    }

    fn lose_session(&mut self, panicked: &Panicked) {
        self.context.counters.count(|ended| ended.panics += 1);
        tracing::error!(
            peer = %self.peer, stage = ?self.stage, panic = panicked.words(),
            "a bug: the session panicked, its mail is refused for now"
        );
        let session = self.session.take();
        // What it left behind may panic once more when it is taken down.
        if guarded_call(|| drop(session)).is_err() {
            tracing::error!(peer = %self.peer, "the session panicked again while it was dropped");
        }
    }
}

fn tempfail() -> Response {
    Response {
        edits: Vec::new(),
        verdict: Verdict::TempFail,
    }
}

//! What is driven: one [`Service`] for the whole server, one [`Session`] for each
//! SMTP connection that an MTA tells us of.

use std::future::{Future, ready};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use landmarc_net::Peer;

use crate::codec::Capabilities;
use crate::macros::Macros;

/// Makes sessions.
pub trait Service: Send + Sync + 'static {
    /// What it makes.
    type Session: Session;

    /// A new SMTP connection, of the MTA at `peer`. Nothing is known of the client yet.
    fn connect(&self, peer: &Peer) -> Self::Session;
}

impl<S: Service> Service for Arc<S> {
    type Session = S::Session;

    fn connect(&self, peer: &Peer) -> Self::Session {
        S::connect(self, peer)
    }
}

/// One SMTP connection, and its messages one after the other.
///
/// The order is that of SMTP: `negotiated`, `connected`, `helo` (again after
/// STARTTLS), and for each message `mail`, `rcpt`s, header fields, `end_of_headers`,
/// `body` chunks, then either `end_of_message` or `abort`. All octets are as the MTA
/// sends them. A method that takes its time holds up this one connection only; a
/// method that panics makes the connection answer *tempfail* until the MTA ends it.
///
/// Implementations may write the methods as `async fn`.
pub trait Session: Send {
    /// What the MTA lets us do. When it refuses an action that the server asked for,
    /// [`Capabilities::refused`] names it: edits that need it are left out, and the
    /// session may rather observe than promise.
    fn negotiated(&mut self, capabilities: &Capabilities) {
        let _ = capabilities;
    }

    /// The SMTP client connected.
    fn connected(&mut self, info: ConnectInfo, macros: &Macros) -> impl Future<Output = ()> + Send {
        let _ = (info, macros);
        ready(())
    }

    /// The argument of HELO or EHLO.
    fn helo(&mut self, name: &[u8], macros: &Macros) -> impl Future<Output = ()> + Send {
        let _ = (name, macros);
        ready(())
    }

    /// A message begins: the reverse-path, usually in angle brackets, and the ESMTP
    /// parameters after it.
    fn mail(
        &mut self,
        path: &[u8],
        arguments: Arguments<'_>,
        macros: &Macros,
    ) -> impl Future<Output = ()> + Send {
        let _ = (path, arguments, macros);
        ready(())
    }

    /// A recipient that the MTA is about to accept; it may yet refuse it itself.
    fn rcpt(&mut self, path: &[u8], macros: &Macros) -> impl Future<Output = ()> + Send {
        let _ = (path, macros);
        ready(())
    }

    /// One header field. `value` begins with the blank after the colon (one is put
    /// there when the MTA cannot say) and is folded with LF, or CRLF, as the MTA does.
    fn header(&mut self, name: &[u8], value: &[u8]) -> impl Future<Output = ()> + Send {
        let _ = (name, value);
        ready(())
    }

    /// A header field of more octets than [`header_limit`], which has been thrown away
    /// as it came in. `name` is cut at [`LONG_NAME_LIMIT`] octets, `size` counts name,
    /// value and the two NULs between and after them.
    ///
    /// [`header_limit`]: crate::ServerOptions::header_limit
    /// [`LONG_NAME_LIMIT`]: crate::codec::LONG_NAME_LIMIT
    fn header_too_long(&mut self, name: &[u8], size: u32) -> impl Future<Output = ()> + Send {
        let _ = (name, size);
        ready(())
    }

    /// All header fields have been told; the body follows.
    fn end_of_headers(&mut self, macros: &Macros) -> impl Future<Output = ()> + Send {
        let _ = macros;
        ready(())
    }

    /// Whether more of this message's body is of use. When not, `body` is not called
    /// again for it, and an MTA that allows so is told to send no more.
    fn wants_body(&self) -> bool {
        true
    }

    /// A piece of the body, of any size, with CRLF line ends.
    fn body(&mut self, chunk: &[u8]) -> impl Future<Output = ()> + Send {
        let _ = chunk;
        ready(())
    }

    /// The message is whole, and the MTA waits. It is kept from giving up by progress
    /// packets for as long as this takes; should it go away all the same, the future
    /// is dropped and `abort` is called.
    fn end_of_message(&mut self, macros: &Macros) -> impl Future<Output = Response> + Send {
        let _ = macros;
        ready(Response::default())
    }

    /// The message is dropped before its end, by the MTA or because the MTA is gone.
    /// The connection may go on with another message.
    fn abort(&mut self) {}
}

/// What the MTA knows of its SMTP client at the moment it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectInfo {
    /// The verified host name; without one, what the MTA puts in its place, such as
    /// `unknown` or `[192.0.2.1]`.
    pub hostname: Bytes,
    /// Where the client connected from.
    pub address: PeerAddress,
}

/// Where an SMTP client connected from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeerAddress {
    /// Address and port; the port is 0 when the MTA does not say. An IPv4-mapped IPv6
    /// address is left as one.
    Ip(IpAddr, u16),
    /// A program on the MTA's machine, over a UNIX socket.
    Unix(PathBuf),
    /// The MTA does not know: no claim that the client is a local one.
    #[default]
    Unknown,
}

/// The ESMTP parameters of a MAIL command, one after the other, such as `SIZE=1000`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// From texts that each end in NUL, as they come on the wire.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let nul = self.0.iter().position(|b| *b == 0)?;
        let (argument, rest) = self.0.split_at_checked(nul)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(argument)
    }
}

/// What is to become of a message.
///
/// The edits count the fields of the message as it came in, whatever else is
/// edited; they are sent in the order that makes this true with every MTA. Where the
/// verdict is not to let the message through, no edits are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Changes to the message.
    pub edits: Vec<Edit>,
    /// Whether it goes on.
    pub verdict: Verdict,
}

/// One change to a message.
///
/// Values are what stands after the colon and its blank. Folds may be LF or CRLF; a
/// line end that is none, NUL included, becomes a blank, so that no value can
/// smuggle in a field of its own. An edit that cannot be made (a name that is none,
/// longer than 65,535 octets, an action the MTA refused) is left out and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A new field before the one that is at `index`, counted from 0, once all fields
    /// to be deleted are gone. Of several at index 0, the last one ends up topmost.
    InsertHeader {
        /// Fields that stay above it.
        index: u32,
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A new field below all others.
    AddHeader {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A new value for a field.
    ChangeHeader {
        /// Its name; compared without case.
        name: String,
        /// Which one of those of this name, counted from 1 at the top.
        nth: u32,
        /// What it shall be. Of an empty value MTAs make a deletion, and so do we.
        value: String,
    },
    /// One field less.
    DeleteHeader {
        /// Its name; compared without case.
        name: String,
        /// Which one of those of this name, counted from 1 at the top.
        nth: u32,
    },
    /// The message is put aside in the MTA's queue, for this reason.
    Quarantine(String),
    /// One recipient more, such as `<user@example.com>`.
    AddRcpt(String),
    /// The same with ESMTP parameters. Only where the MTA allows
    /// [`ADD_RECIPIENTS_WITH_PARAMETERS`](crate::Actions::ADD_RECIPIENTS_WITH_PARAMETERS); it is no plain
    /// [`AddRcpt`](Self::AddRcpt) elsewhere, for what the parameters forbid must not happen.
    AddRcptWithParameters {
        /// Such as `<user@example.com>`.
        path: String,
        /// Such as `NOTIFY=NEVER`, separated by blanks (RFC 5321 §4.1.2).
        parameters: String,
    },
}

impl Edit {
    /// What kind of edit it is, for logs: without the text, which may be long.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InsertHeader { .. } => "insert header",
            Self::AddHeader { .. } => "add header",
            Self::ChangeHeader { .. } => "change header",
            Self::DeleteHeader { .. } => "delete header",
            Self::Quarantine(_) => "quarantine",
            Self::AddRcpt(_) | Self::AddRcptWithParameters { .. } => "add recipient",
        }
    }
}

/// Whether a message goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    #[default]
    Accept,
    /// It does, as far as this filter is concerned. At the end of a message the same
    /// as [`Accept`](Self::Accept).
    Continue,
    /// It is refused for good, in the MTA's words.
    Reject,
    /// It is refused for now, in the MTA's words.
    TempFail,
    /// It is accepted and thrown away.
    Discard,
    /// It is refused in these words.
    Reply {
        /// The reply code, 400 to 599. With any other the message is refused for now:
        /// a mistake of ours is never a reject.
        code: u16,
        /// The enhanced status code, such as `5.7.1` (RFC 3463). When it contradicts
        /// `code` or is malformed, `4.0.0` or `5.0.0` stands in; when empty, none.
        enhanced: String,
        /// What is said to the client. May have several lines; long ones are folded at
        /// the 512 octets of RFC 5321 §4.5.3.1.5, characters outside printable ASCII
        /// become `?`, lines past the thirty-second are dropped.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_one_by_one() {
        let arguments = Arguments::new(b"SIZE=10\0BODY=8BITMIME\0");
        assert_eq!(arguments.collect::<Vec<_>>(), [&b"SIZE=10"[..], b"BODY=8BITMIME"]);
        assert_eq!(Arguments::default().next(), None);
    }
}

//! What both sides settle on before anything else.

use super::flags::{Actions, Protocol};
use super::packet::{Code, packet};

/// The oldest version of the protocol that we speak, and the newest.
pub const VERSIONS: std::ops::RangeInclusive<u32> = 2..=6;

/// Every step may go by without an answer: answers cost more than all the rest of
/// this protocol, and our verdict comes at the end.
const WISHED_PROTOCOL: Protocol = Protocol::NO_UNKNOWN
    .union(Protocol::NO_DATA)
    .union(Protocol::SKIP)
    .union(Protocol::HEADER_LEADING_SPACE)
    .union(Protocol::NO_REPLY_CONNECT)
    .union(Protocol::NO_REPLY_HELO)
    .union(Protocol::NO_REPLY_MAIL)
    .union(Protocol::NO_REPLY_RCPT)
    .union(Protocol::NO_REPLY_DATA)
    .union(Protocol::NO_REPLY_UNKNOWN)
    .union(Protocol::NO_REPLY_HEADER)
    .union(Protocol::NO_REPLY_END_OF_HEADERS)
    .union(Protocol::NO_REPLY_BODY);

/// What an MTA offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The newest version it speaks.
    pub version: u32,
    /// What it lets a filter do.
    pub actions: Actions,
    /// The manners it knows.
    pub protocol: Protocol,
}

/// What was settled on: never more than the MTA offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    version: u32,
    actions: Actions,
    protocol: Protocol,
    refused: Actions,
}

/// Why nothing can be settled on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// An MTA of another age.
    #[error(
        "the MTA speaks version {0} of the milter protocol, we speak {first} to {last}",
        first = VERSIONS.start(),
        last = VERSIONS.end()
    )]
    Version(u32),
}

/// The points of a conversation that have a list of macros (`SMFIM_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum MacroStage {
    /// Ahead of CONNECT.
    Connect = 0,
    /// Ahead of HELO.
    Helo = 1,
    /// Ahead of MAIL.
    Mail = 2,
    /// Ahead of RCPT.
    Rcpt = 3,
    /// Ahead of DATA.
    Data = 4,
    /// Ahead of the end of the message.
    EndOfMessage = 5,
    /// Ahead of the end of headers.
    EndOfHeaders = 6,
}

impl Capabilities {
    /// Settles on what is both offered and wished for. An action that is needed and
    /// not offered does not end the conversation: a filter that can only watch is of
    /// more use than one whose absence holds up mail. Where recipients may be added, this may
    /// be done with parameters too, if the MTA knows how.
    ///
    /// # Errors
    /// When the MTA is older than version 2.
    pub fn agree(offer: &Offer, needed: Actions) -> Result<Self, NegotiationError> {
        if offer.version < *VERSIONS.start() {
            return Err(NegotiationError::Version(offer.version));
        }
        Ok(Self {
            version: offer.version.min(*VERSIONS.end()),
            actions: offer.actions.intersection(needed.union(helpful(needed))),
            protocol: offer.protocol.intersection(WISHED_PROTOCOL),
            refused: needed.without(offer.actions),
        })
    }

    /// The version spoken.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What we may do.
    #[must_use]
    pub const fn actions(&self) -> Actions {
        self.actions
    }

    /// The manners agreed on.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What we need and may not do.
    #[must_use]
    pub const fn refused(&self) -> Actions {
        self.refused
    }

    /// Whether we may do all of this.
    #[must_use]
    pub const fn allows(&self, actions: Actions) -> bool {
        self.actions.contains(actions)
    }

    /// Whether the MTA waits for an answer to a packet of this kind. To answer where it
    /// does not wait is worse than silence: the answer would be taken for that to the
    /// next question, and a refusal would turn into an acceptance.
    #[must_use]
    pub const fn awaits_reply(&self, code: Code) -> bool {
        let silent = match code {
            Code::Connect => Protocol::NO_REPLY_CONNECT,
            Code::Helo => Protocol::NO_REPLY_HELO,
            Code::Mail => Protocol::NO_REPLY_MAIL,
            Code::Rcpt => Protocol::NO_REPLY_RCPT,
            Code::Data => Protocol::NO_REPLY_DATA,
            Code::Header => Protocol::NO_REPLY_HEADER,
            Code::EndOfHeaders => Protocol::NO_REPLY_END_OF_HEADERS,
            Code::Body => Protocol::NO_REPLY_BODY,
            Code::Unknown => Protocol::NO_REPLY_UNKNOWN,
            Code::Negotiate | Code::EndOfMessage => return true,
            Code::Macros | Code::Abort | Code::Quit | Code::QuitNewConnection => return false,
        };
        !self.protocol.contains(silent)
    }

    /// Writes our side of the negotiation. The lists of macros go with it where the
    /// MTA takes them.
    pub fn write_answer(&self, macros: &[(MacroStage, &str)], out: &mut Vec<u8>) {
        let mut content = Vec::new();
        for word in [self.version, self.actions.bits(), self.protocol.bits()] {
            content.extend_from_slice(&word.to_be_bytes());
        }
        if self.allows(Actions::SET_MACRO_LIST) {
            for (stage, names) in macros {
                content.extend_from_slice(&(*stage as u32).to_be_bytes());
                content.extend(names.bytes().filter(|b| *b != 0));
                content.push(0);
            }
        }
        packet(b'O', &[&content], out);
    }
}

/// What makes a filter that needs these actions better, and that it can do without.
fn helpful(needed: Actions) -> Actions {
    if needed.contains(Actions::ADD_RECIPIENTS) {
        Actions::SET_MACRO_LIST.union(Actions::ADD_RECIPIENTS_WITH_PARAMETERS)
    } else {
        Actions::SET_MACRO_LIST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: Actions = Actions::ADD_HEADERS.union(Actions::QUARANTINE);

    fn offer(version: u32, actions: Actions, protocol: Protocol) -> Offer {
        Offer {
            version,
            actions,
            protocol,
        }
    }

    #[test]
    fn m01_only_what_is_offered_is_taken() {
        let all = offer(6, Actions::KNOWN, Protocol::KNOWN);
        let capabilities = Capabilities::agree(&all, NEEDED).unwrap();
        assert_eq!(capabilities.actions(), NEEDED.union(Actions::SET_MACRO_LIST));
        assert_eq!(capabilities.protocol(), WISHED_PROTOCOL);
        assert!(capabilities.refused().is_empty());
        // No step that we listen to is left out.
        for left_out in [Protocol::NO_CONNECT, Protocol::NO_HEADERS, Protocol::NO_BODY] {
            assert!(!capabilities.protocol().contains(left_out));
        }
    }

    #[test]
    fn m02_a_refused_action_is_named_and_the_session_goes_on() {
        let meagre = offer(6, Actions::ADD_HEADERS, Protocol::default());
        let capabilities = Capabilities::agree(&meagre, NEEDED).unwrap();
        assert_eq!(capabilities.refused(), Actions::QUARANTINE);
        assert!(capabilities.allows(Actions::ADD_HEADERS));
        assert!(!capabilities.allows(Actions::QUARANTINE));
    }

    #[test]
    fn versions_two_to_six_are_spoken() {
        for (offered, spoken) in [
            (2, Some(2)),
            (6, Some(6)),
            (7, Some(6)),
            (u32::MAX, Some(6)),
            (1, None),
            (0, None),
        ] {
            let all = offer(offered, Actions::KNOWN, Protocol::KNOWN);
            let version = Capabilities::agree(&all, NEEDED)
                .ok()
                .map(|agreed| agreed.version());
            assert_eq!(version, spoken, "{offered}");
        }
        insta::assert_snapshot!(
            NegotiationError::Version(1).to_string(),
            @"the MTA speaks version 1 of the milter protocol, we speak 2 to 6"
        );
    }

    #[test]
    fn macro_lists_are_sent_only_to_those_who_take_them() {
        let lists = [(MacroStage::Mail, "i {auth_authen}")];
        let written = |actions| {
            let mut out = Vec::new();
            Capabilities::agree(&offer(6, actions, Protocol::default()), NEEDED)
                .unwrap()
                .write_answer(&lists, &mut out);
            out
        };
        assert_eq!(
            written(Actions::SET_MACRO_LIST),
            b"\0\0\0\x21O\0\0\0\x06\0\0\x01\0\0\0\0\0\0\0\0\x02i {auth_authen}\0"
        );
        assert_eq!(
            written(Actions::ADD_HEADERS),
            b"\0\0\0\x0dO\0\0\0\x06\0\0\0\x01\0\0\0\0"
        );
    }
}

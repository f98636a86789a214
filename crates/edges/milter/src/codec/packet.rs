//! The kinds of packets, and how one is written.

/// Octets of a packet of ours: what MTAs read into a fixed buffer.
pub const PACKET_LIMIT: usize = 65_535;

/// The kinds of packets an MTA sends (`SMFIC_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// What the MTA offers.
    Negotiate,
    /// Macros for the command named in it.
    Macros,
    /// An SMTP client connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// A header field.
    Header,
    /// The end of the header section.
    EndOfHeaders,
    /// A chunk of the body.
    Body,
    /// The end of the message.
    EndOfMessage,
    /// The message is dropped.
    Abort,
    /// The conversation is over.
    Quit,
    /// This SMTP connection is over, another follows.
    QuitNewConnection,
    /// An SMTP command the MTA does not know.
    Unknown,
}

impl Code {
    /// The code of an octet on the wire.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            b'O' => Self::Negotiate,
            b'D' => Self::Macros,
            b'C' => Self::Connect,
            b'H' => Self::Helo,
            b'M' => Self::Mail,
            b'R' => Self::Rcpt,
            b'T' => Self::Data,
            b'L' => Self::Header,
            b'N' => Self::EndOfHeaders,
            b'B' => Self::Body,
            b'E' => Self::EndOfMessage,
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::QuitNewConnection,
            b'U' => Self::Unknown,
            _ => return None,
        })
    }
}

/// Appends one packet. Its size fits the length word: everything that we write has
/// been measured against [`PACKET_LIMIT`], or is a constant of the program.
pub(super) fn packet(code: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let size = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(size).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(code);
    for part in parts {
        out.extend_from_slice(part);
    }
}

//! What an MTA says.

use bytes::Bytes;

use super::negotiation::Offer;
use super::packet::Code;
use crate::address::ip_address;
use crate::handler::{ConnectInfo, PeerAddress};

/// One packet of an MTA, taken apart. Body chunks come as frames, not as commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What the MTA offers.
    Negotiate(Offer),
    /// Macros ahead of the command `stage`; `None` when that is no command we know.
    Macros {
        /// The command they go with.
        stage: Option<Code>,
        /// `name NUL value NUL`, repeated.
        pairs: Bytes,
    },
    /// An SMTP client connected.
    Connect(ConnectInfo),
    /// The argument of HELO or EHLO.
    Helo(Bytes),
    /// MAIL: the path, and the parameters, each of which ends in NUL.
    Mail {
        /// The reverse-path as sent.
        path: Bytes,
        /// The parameters.
        arguments: Bytes,
    },
    /// RCPT: the path; its parameters are of no use to us.
    Rcpt(Bytes),
    /// DATA.
    Data,
    /// A header field.
    Header {
        /// Its name.
        name: Bytes,
        /// Its value; may hold anything, NUL included.
        value: Bytes,
    },
    /// The end of the header section.
    EndOfHeaders,
    /// The end of the message, with what is left of the body.
    EndOfMessage(Bytes),
    /// The message is dropped.
    Abort,
    /// The conversation is over.
    Quit,
    /// This SMTP connection is over, another follows.
    QuitNewConnection,
    /// An SMTP command the MTA does not know.
    Unknown,
}

/// Why a packet makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// It ends in the middle of something.
    #[error("a {0:?} packet that is cut off")]
    Truncated(Code),
    /// A client address that is none.
    #[error("a client address \"{}\" that is no IP address", .0.escape_ascii())]
    Address(Bytes),
    /// An address family nobody knows.
    #[error("a client of the unknown address family \"{}\"", .0.escape_ascii())]
    Family(u8),
}

impl Command {
    /// Reads the content of a packet.
    ///
    /// # Errors
    /// When it is cut off, or says what cannot be.
    pub fn read(code: Code, content: Bytes) -> Result<Self, CommandError> {
        let mut reader = Reader { code, rest: content };
        Ok(match code {
            Code::Negotiate => Self::Negotiate(Offer {
                version: reader.number()?,
                actions: super::Actions::from_bits(reader.number()?),
                protocol: super::Protocol::from_bits(reader.number()?),
            }),
            Code::Macros => Self::Macros {
                stage: Code::from_octet(reader.octet()?),
                pairs: reader.rest,
            },
            Code::Connect => Self::Connect(reader.connect_info()?),
            Code::Helo => Self::Helo(reader.text()?),
            Code::Mail => Self::Mail {
                path: reader.text()?,
                arguments: reader.texts()?,
            },
            Code::Rcpt => {
                let path = reader.text()?;
                reader.texts()?;
                Self::Rcpt(path)
            }
            Code::Data => Self::Data,
            Code::Header => Self::Header {
                name: reader.text()?,
                value: reader.last_text()?,
            },
            Code::EndOfHeaders => Self::EndOfHeaders,
            Code::Body | Code::EndOfMessage => Self::EndOfMessage(reader.rest),
            Code::Abort => Self::Abort,
            Code::Quit => Self::Quit,
            Code::QuitNewConnection => Self::QuitNewConnection,
            Code::Unknown => Self::Unknown,
        })
    }
}

/// Takes a packet apart from its front.
struct Reader {
    code: Code,
    rest: Bytes,
}

impl Reader {
    fn octet(&mut self) -> Result<u8, CommandError> {
        self.chunk::<1>().map(|[octet]| octet)
    }

    fn number(&mut self) -> Result<u32, CommandError> {
        self.chunk().map(u32::from_be_bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], CommandError> {
        let chunk = *self
            .rest
            .first_chunk()
            .ok_or(CommandError::Truncated(self.code))?;
        bytes::Buf::advance(&mut self.rest, N);
        Ok(chunk)
    }

    /// Octets up to a NUL, which must be there.
    fn text(&mut self) -> Result<Bytes, CommandError> {
        let nul = self.rest.iter().position(|b| *b == 0);
        let nul = nul.ok_or(CommandError::Truncated(self.code))?;
        let text = self.rest.split_to(nul);
        bytes::Buf::advance(&mut self.rest, 1);
        Ok(text)
    }

    /// Any number of texts, still with their NULs.
    fn texts(&mut self) -> Result<Bytes, CommandError> {
        let texts = std::mem::take(&mut self.rest);
        match texts.last() {
            None | Some(0) => Ok(texts),
            Some(_) => Err(CommandError::Truncated(self.code)),
        }
    }

    /// Octets up to the NUL that ends the packet. One that stands earlier is part of
    /// the text: it is for the judge of the message to see it.
    fn last_text(&mut self) -> Result<Bytes, CommandError> {
        let mut text = self.texts()?;
        let last = text
            .len()
            .checked_sub(1)
            .ok_or(CommandError::Truncated(self.code))?;
        text.truncate(last);
        Ok(text)
    }

    fn connect_info(&mut self) -> Result<ConnectInfo, CommandError> {
        let hostname = self.text()?;
        let address = match self.octet()? {
            // Some MTAs let a port and an address follow that mean nothing.
            b'U' => PeerAddress::Unknown,
            b'L' => {
                let _port: [u8; 2] = self.chunk()?;
                PeerAddress::Unix(path(&self.text()?))
            }
            b'4' | b'6' => {
                let port = u16::from_be_bytes(self.chunk()?);
                let text = self.text()?;
                let address = ip_address(&text).ok_or(CommandError::Address(text))?;
                PeerAddress::Ip(address, port)
            }
            family => return Err(CommandError::Family(family)),
        };
        Ok(ConnectInfo { hostname, address })
    }
}

fn path(octets: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(octets).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: u8, content: &'static [u8]) -> Result<Command, CommandError> {
        Command::read(Code::from_octet(code).unwrap(), Bytes::from_static(content))
    }

    fn address(content: &'static [u8]) -> PeerAddress {
        match read(b'C', content) {
            Ok(Command::Connect(info)) => info.address,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn m06_a_client_without_address_is_unknown_not_local() {
        assert_eq!(address(b"mx\0U"), PeerAddress::Unknown);
        assert_eq!(address(b"mx\0U\0\0unknown\0"), PeerAddress::Unknown);
        assert_eq!(
            address(b"localhost\0L\0\0/run/x\0"),
            PeerAddress::Unix("/run/x".into())
        );
    }

    #[test]
    fn an_ipv6_address_is_read_with_and_without_prefix() {
        let expected = PeerAddress::Ip("2001:db8::1".parse().unwrap(), 25);
        assert_eq!(address(b"mx\x006\0\x192001:db8::1\0"), expected);
        assert_eq!(address(b"mx\x006\0\x19IPv6:2001:db8::1\0"), expected);
        assert_eq!(
            address(b"mx\x004\x01\x00192.0.2.1\0"),
            PeerAddress::Ip("192.0.2.1".parse().unwrap(), 256)
        );
    }

    #[test]
    fn a_value_keeps_its_nuls_but_the_last() {
        assert_eq!(
            read(b'L', b"Subject\0 a\0b\0"),
            Ok(Command::Header {
                name: Bytes::from_static(b"Subject"),
                value: Bytes::from_static(b" a\0b"),
            })
        );
        assert!(matches!(read(b'L', b"X\0\0"), Ok(Command::Header { value, .. }) if value.is_empty()));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        for (code, content) in [
            (b'O', &b"\0\0\0\x06\0\0\0\x01\0\0\0"[..]),
            (b'D', b""),
            (b'C', b"mx"),
            (b'C', b"mx\0"),
            (b'C', b"mx\x004\0"),
            (b'C', b"mx\x004\0\x19192.0.2.1"),
            (b'C', b"mx\0L\0\0/run"),
            (b'H', b"mx"),
            (b'M', b"<a@b>"),
            (b'M', b"<a@b>\0SIZE=1"),
            (b'R', b""),
            (b'R', b"<a@b>\0X"),
            (b'L', b"Subject"),
            (b'L', b"Subject\0"),
            (b'L', b"Subject\0value"),
        ] {
            let content = Bytes::copy_from_slice(content);
            let code = Code::from_octet(code).unwrap();
            assert_eq!(
                Command::read(code, content.clone()),
                Err(CommandError::Truncated(code)),
                "{code:?} {content:?}"
            );
        }
    }

    #[test]
    fn an_address_that_is_none_is_quoted() {
        let error = read(b'C', b"mx\x004\0\x19192.0.2.x\0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a client address \"192.0.2.x\" that is no IP address"
        );
        let error = read(b'C', b"mx\0X").unwrap_err();
        insta::assert_snapshot!(error.to_string(), @r#"a client of the unknown address family "X""#);
    }
}

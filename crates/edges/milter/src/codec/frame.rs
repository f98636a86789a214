//! A stream of octets, cut into packets.

use bytes::{Buf, Bytes, BytesMut};

use super::packet::Code;

/// The longest packet that is believed to be one. What claims to be longer is another
/// protocol, or an attack; header fields and body up to here are read in small pieces.
pub const HARD_LIMIT: u32 = 16 * 1024 * 1024;

/// Octets kept of the name of a header field that is too long.
pub const LONG_NAME_LIMIT: usize = 256;

/// Length and code of a packet.
const HEAD: usize = 5;

/// Cuts packets out of what has been received so far.
#[derive(Clone, Debug)]
pub struct Decoder {
    packet_limit: u32,
    header_limit: u32,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Between two packets.
    Head,
    /// Within a piece of body, of which so much is to come.
    Body { left: usize },
    /// Within a header field that is too long.
    LongHeader { name: Bytes, size: u32, left: usize },
}

/// What was cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole packet: what it is, and its content.
    Packet(Code, Bytes),
    /// A part of a body chunk. Bodies are handed on as they come in, so that no chunk,
    /// whatever its size, is ever held as a whole.
    Body {
        /// The octets.
        part: Bytes,
        /// Whether the chunk ends with this part.
        ends: bool,
    },
    /// A header field over the limit, read to its end and thrown away.
    LongHeader {
        /// Its name, cut at [`LONG_NAME_LIMIT`] octets.
        name: Bytes,
        /// Octets of the packet's content.
        size: u32,
    },
}

/// Why a stream cannot be cut any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A packet without even a code.
    #[error("a packet of length 0")]
    Empty,
    /// Over the limit for its kind.
    #[error("a {code:?} packet of {length} octets, where {limit} are allowed")]
    TooLong {
        /// What kind it is.
        code: Code,
        /// What it claims.
        length: u32,
        /// What is allowed.
        limit: u32,
    },
    /// Not of this protocol.
    #[error("an unknown command \"{}\"", .0.escape_ascii())]
    UnknownCode(u8),
}

impl Decoder {
    /// A decoder with these limits: octets of a packet's content in general, and of a
    /// header field.
    #[must_use]
    pub fn new(packet_limit: u32, header_limit: u32) -> Self {
        Self {
            packet_limit: packet_limit.min(HARD_LIMIT),
            header_limit: header_limit.min(HARD_LIMIT),
            state: State::Head,
        }
    }

    /// Takes the next frame off the front of `buffer`; `None` when more octets are
    /// needed first.
    ///
    /// # Errors
    /// When the stream is none of this protocol. There is no way on from there.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match &mut self.state {
            State::Head => self.begin(buffer),
            State::Body { left } => {
                if buffer.is_empty() {
                    return Ok(None);
                }
                let part = buffer.split_to(buffer.len().min(*left)).freeze();
                *left -= part.len();
                let ends = *left == 0;
                if ends {
                    self.state = State::Head;
                }
                Ok(Some(Frame::Body { part, ends }))
            }
            State::LongHeader { name, size, left } => {
                let thrown_away = buffer.len().min(*left);
                buffer.advance(thrown_away);
                *left -= thrown_away;
                if *left > 0 {
                    return Ok(None);
                }
                let (name, size) = (std::mem::take(name), *size);
                self.state = State::Head;
                Ok(Some(Frame::LongHeader { name, size }))
            }
        }
    }

    /// Whether a packet has begun that has not ended, given what is left in `buffer`.
    #[must_use]
    pub fn is_within_packet(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty() || !matches!(self.state, State::Head)
    }

    fn begin(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some((length, rest)) = buffer.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        let size = length.checked_sub(1).ok_or(FrameError::Empty)?;
        let Some(code) = rest.first() else {
            return Ok(None);
        };
        let code = Code::from_octet(*code).ok_or(FrameError::UnknownCode(*code))?;
        let limit = match code {
            Code::Header | Code::Body => HARD_LIMIT,
            _ => self.packet_limit,
        };
        // `usize` has 32 bits or more wherever this runs.
        let content = size as usize;
        if size > limit {
            let length = size;
            return Err(FrameError::TooLong { code, length, limit });
        }
        match code {
            Code::Body if size > 0 => {
                buffer.advance(HEAD);
                self.state = State::Body { left: content };
                self.next(buffer)
            }
            Code::Body => {
                buffer.advance(HEAD);
                let part = Bytes::new();
                Ok(Some(Frame::Body { part, ends: true }))
            }
            Code::Header if size > self.header_limit => self.begin_long_header(buffer, size),
            _ if buffer.len() < HEAD + content => Ok(None),
            _ => {
                buffer.advance(HEAD);
                Ok(Some(Frame::Packet(code, buffer.split_to(content).freeze())))
            }
        }
    }

    /// Waits for the name, then throws away the rest as it comes.
    fn begin_long_header(&mut self, buffer: &mut BytesMut, size: u32) -> Result<Option<Frame>, FrameError> {
        let start = buffer.get(HEAD..).unwrap_or_default();
        let start = start.get(..LONG_NAME_LIMIT.min(size as usize)).unwrap_or(start);
        let name = match start.iter().position(|b| *b == 0) {
            Some(nul) => start.get(..nul).unwrap_or_default(),
            None if start.len() == LONG_NAME_LIMIT.min(size as usize) => start,
            None => return Ok(None),
        };
        let name = Bytes::copy_from_slice(name);
        buffer.advance(HEAD);
        self.state = State::LongHeader {
            name,
            size,
            left: size as usize,
        };
        self.next(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 1).unwrap();
        [&length.to_be_bytes()[..], &[code], content].concat()
    }

    /// All frames of a stream that arrives in pieces of `step` octets.
    fn cut(stream: &[u8], step: usize, decoder: &mut Decoder) -> Result<Vec<Frame>, FrameError> {
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for piece in stream.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = decoder.next(&mut buffer)? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn packets_are_whole_however_they_arrive() {
        let stream = [
            packet(b'H', b"mx.example\0"),
            packet(b'N', b""),
            packet(b'Q', b""),
        ]
        .concat();
        for step in 1..=stream.len() {
            assert_eq!(
                cut(&stream, step, &mut Decoder::new(100, 100)).unwrap(),
                [
                    Frame::Packet(Code::Helo, Bytes::from_static(b"mx.example\0")),
                    Frame::Packet(Code::EndOfHeaders, Bytes::new()),
                    Frame::Packet(Code::Quit, Bytes::new()),
                ],
                "step {step}"
            );
        }
    }

    #[test]
    fn a_body_chunk_is_handed_on_as_it_comes() {
        let stream = packet(b'B', b"0123456789");
        let frames = cut(&stream, 7, &mut Decoder::new(1, 1)).unwrap();
        let parts: Vec<(&[u8], bool)> = frames
            .iter()
            .map(|frame| match frame {
                Frame::Body { part, ends } => (&part[..], *ends),
                other => unreachable!("{other:?}"),
            })
            .collect();
        assert_eq!(parts, [(&b"01"[..], false), (b"2345678", false), (b"9", true)]);
        let empty = cut(&packet(b'B', b""), 9, &mut Decoder::new(1, 1)).unwrap();
        assert!(matches!(&empty[..], [Frame::Body { part, ends: true }] if part.is_empty()));
    }

    #[test]
    fn a_header_field_past_the_limit_is_named_and_thrown_away() {
        let limit = 40;
        let at = packet(b'L', &[b"X-Long\0".to_vec(), vec![b'a'; 32], vec![0]].concat());
        let past = packet(b'L', &[b"X-Long\0".to_vec(), vec![b'a'; 33], vec![0]].concat());
        for step in [1, 3, 5, 6, 12, 60] {
            let mut decoder = Decoder::new(100, limit);
            let stream = [at.clone(), past.clone(), packet(b'N', b"")].concat();
            let frames = cut(&stream, step, &mut decoder).unwrap();
            assert!(matches!(frames[0], Frame::Packet(Code::Header, _)), "step {step}");
            let name = Bytes::from_static(b"X-Long");
            assert_eq!(frames[1], Frame::LongHeader { name, size: 41 }, "step {step}");
            assert!(
                matches!(frames[2], Frame::Packet(Code::EndOfHeaders, _)),
                "step {step}"
            );
        }
    }

    #[test]
    fn the_name_of_a_long_field_is_cut_at_its_limit() {
        for (length, kept) in [
            (LONG_NAME_LIMIT, LONG_NAME_LIMIT),
            (LONG_NAME_LIMIT + 1, LONG_NAME_LIMIT),
        ] {
            let content = [vec![b'n'; length], vec![0], vec![b'v'; 300], vec![0]].concat();
            let mut decoder = Decoder::new(100, 10);
            let frames = cut(&packet(b'L', &content), 1, &mut decoder).unwrap();
            assert!(
                matches!(&frames[..], [Frame::LongHeader { name, .. }] if name.len() == kept),
                "{length}"
            );
        }
    }

    #[test]
    fn the_packet_limit_holds_at_the_limit_and_one_past_it() {
        let mut decoder = Decoder::new(10, 10);
        assert!(cut(&packet(b'M', b"123456789\0"), 99, &mut decoder).is_ok());
        assert_eq!(
            cut(&packet(b'M', b"1234567890\0"), 99, &mut decoder),
            Err(FrameError::TooLong {
                code: Code::Mail,
                length: 11,
                limit: 10
            })
        );
    }

    #[test]
    fn the_hard_limit_holds_for_bodies_at_the_limit_and_one_past_it() {
        let head = |size: u32| [&(size + 1).to_be_bytes()[..], b"Bx"].concat();
        let mut decoder = Decoder::new(10, 10);
        assert!(cut(&head(HARD_LIMIT), 99, &mut decoder).is_ok());
        let mut decoder = Decoder::new(10, 10);
        assert!(matches!(
            cut(&head(HARD_LIMIT + 1), 99, &mut decoder),
            Err(FrameError::TooLong { .. })
        ));
    }

    #[test]
    fn what_is_no_packet_is_refused_at_once() {
        let mut decoder = Decoder::new(10, 10);
        assert_eq!(cut(&[0, 0, 0, 0], 4, &mut decoder), Err(FrameError::Empty));
        let error = cut(b"GET / HTTP/1.1\r\n\r\n", 99, &mut decoder).unwrap_err();
        assert_eq!(error.to_string(), "an unknown command \"/\"");
    }

    #[test]
    fn it_knows_whether_a_packet_has_begun() {
        let mut decoder = Decoder::new(10, 10);
        let mut buffer = BytesMut::new();
        assert!(!decoder.is_within_packet(&buffer));
        buffer.extend_from_slice(&[0, 0]);
        assert!(decoder.is_within_packet(&buffer));
        buffer.clear();
        buffer.extend_from_slice(&[0, 0, 0, 9, b'B']);
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        assert!(buffer.is_empty() && decoder.is_within_packet(&buffer));
    }
}

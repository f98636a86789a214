//! The text of a message as it goes over the wire: dots at line starts doubled, a lone dot
//! at the end (RFC 5321 §4.5.2).

/// A message on its way, piece by piece: never more of it in memory twice than one piece.
pub(super) struct DotStuffed<'a> {
    pieces: std::slice::Iter<'a, &'a [u8]>,
    rest: &'a [u8],
    at_line_start: bool,
}

impl<'a> DotStuffed<'a> {
    /// The message that these make up; it ends with CRLF.
    pub(super) fn new(message: &'a [&'a [u8]]) -> Self {
        Self {
            pieces: message.iter(),
            rest: &[],
            at_line_start: true,
        }
    }

    /// Puts what comes next into `room`, to about `octets`; false when that was the end,
    /// with the final dot in it.
    pub(super) fn fill(&mut self, room: &mut Vec<u8>, octets: usize) -> bool {
        room.clear();
        while room.len() < octets {
            if self.rest.is_empty() {
                match self.pieces.next() {
                    Some(piece) => self.rest = piece,
                    None => {
                        room.extend_from_slice(b".\r\n");
                        return false;
                    }
                }
                continue;
            }
            self.fill_from_line(room, octets - room.len());
        }
        true
    }

    /// Takes what is there of one line, to `octets` of it.
    fn fill_from_line(&mut self, room: &mut Vec<u8>, octets: usize) {
        if self.at_line_start && self.rest.starts_with(b".") {
            room.push(b'.');
        }
        let end = self.rest.iter().take(octets).position(|&b| b == b'\n');
        let len = end.map_or(self.rest.len().min(octets), |at| at + 1);
        let (line, rest) = self.rest.split_at(len);
        room.extend_from_slice(line);
        self.rest = rest;
        self.at_line_start = end.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(message: &[&[u8]], octets: usize) -> Vec<u8> {
        let mut text = DotStuffed::new(message);
        let (mut all, mut room) = (Vec::new(), Vec::new());
        loop {
            let more = text.fill(&mut room, octets);
            // A doubled dot and the final one may go past what was asked for.
            assert!(room.len() <= octets + 3, "{}", room.len());
            all.extend_from_slice(&room);
            if !more {
                return all;
            }
        }
    }

    #[test]
    fn dots_at_line_starts_are_doubled_wherever_the_message_is_cut() {
        let message = b".A: b\r\n\r\n.\r\n..\r\na.b.\r\n.c\r\n";
        let expected = b"..A: b\r\n\r\n..\r\n...\r\na.b.\r\n..c\r\n.\r\n";
        for at in 0..=message.len() {
            let (first, second) = message.split_at(at);
            for octets in [1, 2, 3, 7, 1_000] {
                assert_eq!(
                    stuffed(&[first, b"", second], octets).escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "cut at {at}, {octets} octets at a time"
                );
            }
        }
    }

    #[test]
    fn no_message_is_its_dot() {
        assert_eq!(stuffed(&[], 10), b".\r\n");
    }
}

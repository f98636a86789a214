//! Packets of the milter protocol as an MTA writes them, by octets: its own encoder, so that a
//! mistake in the codec of the service is not made twice.

use super::letter::Letter;

/// What Postfix offers: version 6, all actions, all ways to save answers.
const OFFER: [u32; 3] = [6, 0x1ff, 0x1f_ffff];
/// Octets of a body chunk, as Postfix sends them.
pub(super) const CHUNK: usize = 65_535;

/// Packets one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Packets(pub(super) Vec<u8>);

impl Packets {
    /// A whole message as that of a new SMTP connection, from the negotiation to its end.
    pub(super) fn whole(letter: &Letter) -> Self {
        let mut packets = Self::default();
        packets.offer();
        packets.envelope(letter);
        for (name, value) in &letter.fields {
            packets.header(name, value);
        }
        packets.end_of_headers();
        for chunk in letter.body.chunks(CHUNK) {
            packets.add(b'B', &[chunk]);
        }
        packets.end_of_message(letter);
        packets
    }

    pub(super) fn offer(&mut self) {
        self.add(b'O', &[&OFFER.map(u32::to_be_bytes).concat()]);
    }

    /// CONNECT, HELO, MAIL and RCPT.
    pub(super) fn envelope(&mut self, letter: &Letter) {
        self.greeting(letter);
        self.add(b'M', &[letter.mail_from.as_bytes(), b"\0"]);
        self.add(b'R', &[b"<b@here.example>\0"]);
    }

    /// CONNECT and HELO.
    pub(super) fn greeting(&mut self, letter: &Letter) {
        let client = letter.client.to_string();
        let family: &[u8] = if letter.client.is_ipv4() { b"4" } else { b"6" };
        let helo = letter.helo.as_bytes();
        self.add(b'D', &[b"Cj\0mx.here.example\0"]);
        self.add(
            b'C',
            &[helo, b"\0", family, &[0x9c, 0x40], client.as_bytes(), b"\0"],
        );
        self.add(b'H', &[helo, b"\0"]);
    }

    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        self.add(b'L', &[name, b"\0", value, b"\0"]);
    }

    pub(super) fn end_of_headers(&mut self) {
        self.add(b'N', &[]);
    }

    pub(super) fn end_of_message(&mut self, letter: &Letter) {
        self.add(b'D', &[b"Ei\0", letter.queue_id.as_bytes(), b"\0"]);
        self.add(b'E', &[]);
    }

    pub(super) fn add(&mut self, code: u8, parts: &[&[u8]]) {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length).expect("no test writes 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.push(code);
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
    }
}

//! The protocol of MariaDB and MySQL, version 10 ("Client/Server Protocol" of their manuals): a packet is a length of three octets, a
//! number and a payload; one of the largest length goes on in the next.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::error::{GuardError, ProtocolViolation};
use crate::frames::{AnswerBudget, Watch};
use crate::limits::MAX_PREPARED;
use crate::pump::pump;
use crate::tls::Connector;
use crate::{GuardTarget, ServerSocket};

/// Octets of a packet of the login: names, a nonce, the words of an error.
const MAX_LOGIN: usize = 64 * 1024;
/// Packets of a login, in one direction: a method or two.
const MAX_LOGIN_PACKETS: usize = 16;
/// A packet of this length goes on in the next one.
const LONGEST: u64 = 0xff_ff_ff;

/// The command that has a statement prepared.
const COM_STMT_PREPARE: u8 = 0x16;
/// Capabilities, by their bits.
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const DEPRECATE_EOF: u32 = 1 << 24;
/// Capabilities, a length, a character set and filler: what asks for TLS (`SSLRequest`), and begins the login.
const SSL_REQUEST: usize = 32;

/// Sees to the login, with TLS, then carries packets until one side ends.
pub(crate) async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut UnixStream,
    mut server: S,
    target: &GuardTarget,
    tls: Option<Connector>,
    secure: bool,
) -> Result<(), GuardError> {
    let mut packet = read(&mut server).await?;
    if packet.payload.first() == Some(&0xff) {
        return packet.write(client).await;
    }
    let greeting = Greeting::read(&packet.payload)?;
    acceptable(greeting.plugin.as_deref())?;
    let tls = match tls {
        Some(tls) if greeting.capabilities & SSL == 0 && tls.is_optional => None,
        Some(_) if greeting.capabilities & SSL == 0 => {
            return Err(GuardError::Tls("the server does not support TLS".to_owned()));
        }
        tls => tls,
    };
    // The library is to leave TLS to us.
    greeting.hide_tls(&mut packet.payload);
    packet.number = u8::from(tls.is_some());
    packet.write(client).await?;
    let mut login = read(client).await?;
    let (password, deprecates_eof) = (
        target.password.as_deref(),
        greeting.capabilities & DEPRECATE_EOF != 0,
    );
    let login_of = Login {
        password: password.filter(|_| secure && is_hidden(target, tls.is_some())),
        deprecates_eof,
    };
    let Some(tls) = tls else {
        return login_of.carry(client, server, login).await;
    };
    // The number in the greeting made room for this packet, which a library that does TLS itself sends before.
    login.set_capability(SSL);
    let request = Packet {
        number: 1,
        payload: login.payload.get(..SSL_REQUEST).unwrap_or_default().to_vec(),
    };
    request.write(&mut server).await?;
    let server = tls.shake_hands(server, target).await?;
    login_of.carry(client, server, login).await
}

/// Whether nobody on the way reads: by TLS, or since there is no way.
fn is_hidden(target: &GuardTarget, by_tls: bool) -> bool {
    by_tls || matches!(target.place, ServerSocket::Unix(_))
}

/// A packet of the login.
struct Packet {
    number: u8,
    payload: Vec<u8>,
}

impl Packet {
    async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), GuardError> {
        let length = u32::try_from(self.payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        let header = [length[0], length[1], length[2], self.number];
        to.write_all(&[&header[..], &self.payload].concat()).await?;
        Ok(to.flush().await?)
    }

    fn set_capability(&mut self, bit: u32) {
        for (octet, bits) in self.payload.iter_mut().zip(bit.to_le_bytes()) {
            *octet |= bits;
        }
    }
}

/// A packet of the login: from the server it is not larger than a login is.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Packet, GuardError> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let [a, b, c, number] = header;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX);
    if length > MAX_LOGIN {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        return Err(ProtocolViolation::Announced(length).into());
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok(Packet { number, payload })
}

/// What a server says first.
struct Greeting {
    capabilities: u32,
    /// Where the lower half of them stands.
    lower: usize,
    plugin: Option<String>,
}

impl Greeting {
    /// Whole: the library reads it without looking whether it is.
    fn read(payload: &[u8]) -> Result<Self, ProtocolViolation> {
        let short = ProtocolViolation::Malformed("a greeting that is cut off");
        let version = payload
            .iter()
            .position(|octet| *octet == 0)
            .filter(|_| payload.first() == Some(&10))
            .ok_or(ProtocolViolation::Malformed("no greeting of MariaDB"))?;
        // The number of the thread, eight octets of the nonce, a filler.
        let lower = version + 1 + 4 + 8 + 1;
        let fixed = payload.get(lower..lower + 18).ok_or(short)?;
        let &[a, b, _, _, _, c, d, nonce, ..] = fixed else {
            return Err(short);
        };
        let capabilities = u32::from_le_bytes([a, b, c, d]);
        let mut rest = payload.get(lower + 18..).unwrap_or_default();
        if capabilities & SECURE_CONNECTION != 0 {
            let nonce = match capabilities & PLUGIN_AUTH {
                0 => 0,
                _ => usize::from(nonce),
            };
            rest = rest.get(nonce.saturating_sub(9).max(12) + 1..).ok_or(short)?;
        }
        let plugin = match capabilities & PLUGIN_AUTH {
            0 => None,
            _ => Some(named(rest).ok_or(short)?),
        };
        Ok(Self {
            capabilities,
            lower,
            plugin,
        })
    }

    fn hide_tls(&self, payload: &mut [u8]) {
        let [_, bits, ..] = SSL.to_le_bytes();
        if let Some(octet) = payload.get_mut(self.lower + 1) {
            *octet &= !bits;
        }
    }
}

/// A name that ends with a NUL.
fn named(octets: &[u8]) -> Option<String> {
    let end = octets.iter().position(|octet| *octet == 0)?;
    Some(String::from_utf8_lossy(octets.get(..end)?).into_owned())
}

/// The library sends the password as it is when the greeting asks for that; whether TLS is on or not, no server of ours does.
fn acceptable(plugin: Option<&str>) -> Result<(), ProtocolViolation> {
    match plugin {
        Some("mysql_clear_password") => Err(ProtocolViolation::PasswordInClear("mysql_clear_password")),
        _ => Ok(()),
    }
}

/// From the name of the user to the answer that he may.
struct Login<'t> {
    /// The password, where it may go over the connection as it is.
    password: Option<&'t str>,
    deprecates_eof: bool,
}

impl Login<'_> {
    async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        client: &mut UnixStream,
        mut server: S,
        login: Packet,
    ) -> Result<(), GuardError> {
        login.write(&mut server).await?;
        for _ in 0..MAX_LOGIN_PACKETS {
            let packet = read(&mut server).await?;
            match (packet.payload.as_slice(), self.password) {
                ([0 | 0xff, ..], _) => {
                    packet.write(client).await?;
                    let packets = Packets::new(self.deprecates_eof);
                    return pump(client, &mut server, packets).await;
                }
                ([0xfe, rest @ ..], _) => {
                    acceptable(named(rest).as_deref())?;
                    packet.write(client).await?;
                    read(client).await?.write(&mut server).await?;
                }
                // `caching_sha2_password`: the server has not seen the user of late and wants the password itself. The library
                // would send it within TLS only, and knows of none.
                ([1, 4], Some(password)) => {
                    let answer = Packet {
                        number: packet.number.wrapping_add(1),
                        payload: [password.as_bytes(), &[0]].concat(),
                    };
                    answer.write(&mut server).await?;
                }
                ([1, 4], None) => {
                    return Err(ProtocolViolation::PasswordInClear("caching_sha2_password").into());
                }
                ([1, _, ..], _) => packet.write(client).await?,
                _ => return Err(ProtocolViolation::Malformed("what belongs to no login").into()),
            }
        }
        Err(ProtocolViolation::Malformed("a login without end").into())
    }
}

/// Packets of a server after the login.
struct Packets {
    deprecates_eof: bool,
    answer: AnswerBudget,
    at: Phase,
    /// The last packet goes on in the next.
    goes_on: bool,
    rows: Rows,
    /// The answer is about a statement that is prepared.
    prepares: bool,
    /// Something came since the last command.
    has_answered: bool,
}

enum Phase {
    Header(Vec<u8>),
    Payload { begin: bool, left: u64 },
}

/// What the next packet is.
enum Rows {
    /// The first of a result: OK, an error, or the number of columns.
    Result,
    /// A column or a row, until so many ends have come.
    Of { columns: u64, ends: u8 },
}

/// What is decided about these octets: the first chunk is the payload of a greeting.
pub(crate) fn examine(chunks: &[&[u8]]) -> Result<(), ProtocolViolation> {
    let Some((greeting, answers)) = chunks.split_first() else {
        return Ok(());
    };
    let greeting = Greeting::read(greeting)?;
    acceptable(greeting.plugin.as_deref())?;
    let mut packets = Packets::new(greeting.capabilities & DEPRECATE_EOF != 0);
    answers.iter().try_for_each(|chunk| packets.sent(chunk))
}

impl Packets {
    fn new(deprecates_eof: bool) -> Self {
        Self {
            deprecates_eof,
            answer: AnswerBudget::default(),
            at: Phase::Header(Vec::new()),
            goes_on: false,
            rows: Rows::Result,
            prepares: false,
            has_answered: true,
        }
    }

    fn begin(&mut self, length: u64) -> Result<(), ProtocolViolation> {
        self.answer.announce(length)?;
        if self.prepares && self.answer.octets() > MAX_PREPARED {
            return Err(ProtocolViolation::Prepared);
        }
        // The library reads the first octet of each packet.
        if length == 0 && !self.goes_on {
            return Err(ProtocolViolation::Malformed("a packet without a payload"));
        }
        self.at = match length {
            0 => Phase::Header(Vec::new()),
            left => Phase::Payload {
                begin: !self.goes_on,
                left,
            },
        };
        self.goes_on = length == LONGEST;
        Ok(())
    }

    /// By the first octet of a payload. A number of columns is at most 250 in one octet; the larger ones, in more octets,
    /// begin with one that ends rows, too: it is no beginning of a result.
    fn payload(&mut self, first: u8) -> Result<(), ProtocolViolation> {
        match (&mut self.rows, first) {
            (_, 0xff) => self.rows = Rows::Result,
            (Rows::Result, 0) => {}
            (Rows::Result, 0xfb..) => {
                return Err(ProtocolViolation::Malformed("a row of more than 250 columns"));
            }
            (Rows::Result, columns) => {
                let ends = if self.deprecates_eof { 1 } else { 2 };
                let columns = columns.into();
                self.rows = Rows::Of { columns, ends };
            }
            (Rows::Of { ends, .. }, 0xfe) => {
                *ends -= 1;
                if *ends == 0 {
                    self.rows = Rows::Result;
                }
            }
            (Rows::Of { columns, .. }, _) => self.answer.row(*columns)?,
        }
        Ok(())
    }
}

impl Watch for Packets {
    fn sent(&mut self, mut octets: &[u8]) -> Result<(), ProtocolViolation> {
        self.has_answered = true;
        while let Some(first) = octets.first() {
            match &mut self.at {
                Phase::Header(header) => {
                    header.push(*first);
                    octets = octets.get(1..).unwrap_or_default();
                    if let &[a, b, c, _] = header.as_slice() {
                        self.begin(u32::from_le_bytes([a, b, c, 0]).into())?;
                    }
                }
                Phase::Payload { begin, left } => {
                    let is_first = std::mem::take(begin);
                    let part = usize::try_from(*left).map_or(octets.len(), |left| left.min(octets.len()));
                    *left = left.saturating_sub(u64::try_from(part).unwrap_or(u64::MAX));
                    if *left == 0 {
                        self.at = Phase::Header(Vec::new());
                    }
                    if is_first {
                        self.payload(*first)?;
                    }
                    octets = octets.get(part..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    fn asked(&mut self, octets: &[u8]) {
        self.answer = AnswerBudget::default();
        self.rows = Rows::Result;
        // The library sends each command for itself. What comes before an answer is the rest of a long one.
        if std::mem::take(&mut self.has_answered) {
            self.prepares = octets.get(4) == Some(&COM_STMT_PREPARE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_ANSWER_OCTETS;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        [&length[..3], &[0], payload].concat()
    }

    /// The same in one piece and octet by octet.
    fn sent(octets: &[u8]) -> Result<(), ProtocolViolation> {
        let whole = Packets::new(true).sent(octets);
        let mut packets = Packets::new(true);
        assert_eq!(whole, octets.chunks(1).try_for_each(|octet| packets.sent(octet)));
        whole
    }

    #[test]
    fn a_packet_that_goes_on_for_ever_has_an_end() {
        let longest = usize::try_from(LONGEST).unwrap();
        let part = packet(&[vec![1], vec![0; longest - 1]].concat());
        let mut packets = Packets::new(true);
        for _ in 0..MAX_ANSWER_OCTETS / LONGEST {
            assert_eq!(packets.sent(&part), Ok(()));
        }
        assert_eq!(packets.sent(&part), Err(ProtocolViolation::Octets));
        packets.asked(b"");
        // What was under way goes on in a packet without a first octet.
        assert!(packets.goes_on);
    }

    #[test]
    fn the_description_of_a_statement_has_an_end() {
        let half = usize::try_from(MAX_PREPARED / 2).unwrap();
        let part = packet(&[&b"\x03"[..], &vec![0; half - 1]].concat());
        let mut packets = Packets::new(true);
        packets.asked(b"\x09\0\0\0\x16SELECT 1");
        assert_eq!(packets.sent(&part), Ok(()));
        assert_eq!(packets.sent(&part), Ok(()));
        assert_eq!(packets.sent(&part), Err(ProtocolViolation::Prepared));
        let mut packets = Packets::new(true);
        packets.asked(b"\x09\0\0\0\x03SELECT 1");
        for _ in 0..3 {
            assert_eq!(packets.sent(&part), Ok(()));
        }
    }

    #[test]
    fn a_row_has_at_most_250_columns() {
        let refused = Err(ProtocolViolation::Malformed("a row of more than 250 columns"));
        assert_eq!(sent(&packet(&[250])), Ok(()));
        for count in [
            &[0xfb][..],
            &[0xfc, 0xff, 0xff],
            &[0xfe, 255, 255, 255, 255, 255, 255, 255, 127],
        ] {
            assert_eq!(sent(&packet(count)), refused);
        }
        // A second result after an end of rows, and after one without rows.
        let many = packet(&[0xfe, 255, 255, 255, 255, 0, 0, 0, 0]);
        let second = [
            packet(&[1]),
            packet(b"\x03def"),
            packet(b"\xfe\0\0\x0a\0"),
            many.clone(),
        ]
        .concat();
        assert_eq!(sent(&second), refused);
        assert_eq!(sent(&[packet(b"\0\0\0\x0a\0"), many].concat()), refused);
    }

    #[test]
    fn rows_and_their_ends_go_by() {
        let column = packet(b"\x03def");
        let row = packet(&[0, 0, 1]);
        let end = packet(b"\xfe\0\0\x02\0");
        let new = [packet(&[1]), column.clone(), row.clone(), end.clone()].concat();
        assert_eq!(sent(&new), Ok(()));
        let old = [packet(&[1]), column, end.clone(), row, end].concat();
        assert_eq!(Packets::new(false).sent(&old), Ok(()));
        assert_eq!(
            sent(&packet(b"")),
            Err(ProtocolViolation::Malformed("a packet without a payload"))
        );
    }

    #[test]
    fn a_greeting_is_read_whole_or_refused() {
        let text = b"\x0a11.4.2-MariaDB\0\x01\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";
        let greeting = Greeting::read(text).unwrap();
        assert_eq!(greeting.plugin.as_deref(), Some("mysql_native_password"));
        assert!(greeting.capabilities & SSL == 0 && greeting.capabilities & PLUGIN_AUTH != 0);
        for length in 0..text.len() {
            assert!(Greeting::read(&text[..length]).is_err(), "{length}");
        }
        let mut with_tls = text.to_vec();
        with_tls[greeting.lower + 1] |= 0x08;
        let greeting = Greeting::read(&with_tls).unwrap();
        assert!(greeting.capabilities & SSL != 0);
        greeting.hide_tls(&mut with_tls);
        assert_eq!(with_tls, text);
    }

    #[test]
    fn the_password_as_it_is_goes_to_no_server() {
        let clear = Some("mysql_clear_password");
        assert_eq!(
            acceptable(clear),
            Err(ProtocolViolation::PasswordInClear("mysql_clear_password"))
        );
        assert_eq!(acceptable(Some("mysql_native_password")), Ok(()));
    }
}

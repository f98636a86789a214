//! A scripted MTA: the other side of the milter protocol, for tests of filters.
//!
//! It talks as Postfix does (or, by another [`Offer`], as older MTAs do), waits for an
//! answer exactly where the agreed flags have it wait, and does with the edits what an
//! MTA would do. Its encoder is its own: a mistake in the filter's codec must not be
//! made twice, or no test would see it.

mod edits;
mod wire;

use std::io;

pub use edits::{Edit, Fields, Numbering, apply};
pub use wire::{Packet, Wire, packet};

/// What an MTA offers in the negotiation: bits as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The newest protocol version it speaks.
    pub version: u32,
    /// `SMFIF_*`
    pub actions: u32,
    /// `SMFIP_*`
    pub protocol: u32,
}

impl Offer {
    /// Postfix 2.6 and later with `milter_protocol = 6`.
    pub const POSTFIX: Self = Self {
        version: 6,
        actions: 0x1ff,
        protocol: 0x1f_ffff,
    };
    /// Sendmail 8.12: every step is answered, blanks are eaten, no quarantine.
    pub const SENDMAIL_8_12: Self = Self {
        version: 2,
        actions: 0x1f,
        protocol: 0x7f,
    };
}

/// What the filter settled on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The version to be spoken.
    pub version: u32,
    /// `SMFIF_*`
    pub actions: u32,
    /// `SMFIP_*`
    pub protocol: u32,
    /// The macros it wants, by stage.
    pub macros: Vec<(u32, String)>,
}

/// Blanks are kept (`SMFIP_HDR_LEADSPC`).
pub const LEADING_SPACE: u32 = 0x10_0000;
/// The filter may give lists of macros (`SMFIF_SETSYMLIST`).
pub const SET_MACRO_LIST: u32 = 0x100;

/// Steps of the protocol: the packet's code, the flag that says it is not answered,
/// and the stage of its macros.
const STEPS: &[(u8, u32, Option<u32>)] = &[
    (b'C', 0x1000, Some(0)),
    (b'H', 0x2000, Some(1)),
    (b'M', 0x4000, Some(2)),
    (b'R', 0x8000, Some(3)),
    (b'T', 0x1_0000, Some(4)),
    (b'L', 0x80, None),
    (b'N', 0x4_0000, Some(6)),
    (b'B', 0x8_0000, None),
    (b'E', 0, Some(5)),
    (b'U', 0x2_0000, None),
];

/// The macros Postfix 3.7 sends by stage when the filter has no wishes.
const DEFAULT_MACROS: &[&str] = &[
    "j {daemon_name} {daemon_addr} v _",
    "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    "i",
    "i",
    "i",
];

/// A message, and how it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The client's address; none is a client of unknown family.
    pub client: Option<std::net::IpAddr>,
    /// The client's name.
    pub client_name: String,
    /// The argument of EHLO.
    pub helo: String,
    /// The reverse-path, with its brackets.
    pub mail_from: String,
    /// The forward-paths, with their brackets.
    pub rcpt_to: Vec<String>,
    /// Name and value of each field; the value with the blank after the colon.
    pub fields: Fields,
    /// The body, with CRLF line ends.
    pub body: Vec<u8>,
    /// Macros by name; sent at the stages that list them.
    pub macros: Vec<(String, String)>,
}

impl Mail {
    /// A plain message: from `192.0.2.1`, with a few fields and a line of body.
    #[must_use]
    pub fn plain() -> Self {
        let text = "From: author@example.com\r\nTo: reader@example.net\r\nSubject: a test\r\n\r\nHello\r\n";
        Self {
            client: Some(std::net::IpAddr::from([192, 0, 2, 1])),
            client_name: "mx.example.com".to_owned(),
            helo: "mx.example.com".to_owned(),
            mail_from: "<author@example.com>".to_owned(),
            rcpt_to: vec!["<reader@example.net>".to_owned()],
            macros: [
                ("i", "4Fb1"),
                ("j", "mail.example.net"),
                ("{client_addr}", "192.0.2.1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            fields: Vec::new(),
            body: Vec::new(),
        }
        .with_text(text.as_bytes())
    }

    /// The same with another content: a whole message, as it travels. Folds reach the
    /// filter as LF, as Postfix sends them; lines that are no field are left out.
    #[must_use]
    pub fn with_text(mut self, text: &[u8]) -> Self {
        let text = text.to_vec();
        let end = text.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = match end {
            Some(end) => (text.get(..end), text.get(end + 4..)),
            None => (Some(&text[..]), None),
        };
        self.body = body.unwrap_or_default().to_vec();
        self.fields = edits::split_fields(head.unwrap_or_default());
        self
    }

    fn macros(&self, list: &str) -> Vec<u8> {
        let bare = |name: &str| name.trim_matches(['{', '}']).to_owned();
        let mut content = Vec::new();
        for name in list.split_whitespace() {
            let known = self.macros.iter().find(|(known, _)| bare(known) == bare(name));
            if let Some((_, value)) = known {
                content.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
            }
        }
        content
    }
}

/// What a filter said of a message at its end, or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass, whatever else would be said of it.
    Accept,
    /// It may pass.
    Continue,
    /// Refused.
    Reject,
    /// Refused for now.
    TempFail,
    /// To be thrown away.
    Discard,
    /// Refused in these words; as on the wire, with `%` doubled.
    Reply(String),
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The last word.
    pub verdict: Verdict,
    /// The step at which it fell: `E` is the end of the message.
    pub step: u8,
    /// What is to be changed.
    pub edits: Vec<Edit>,
    /// Progress packets before it.
    pub progress: usize,
    /// Whether the filter would hear no more of the body.
    pub skipped: bool,
}

/// An MTA with one connection to the filter.
#[derive(Debug)]
pub struct Mta {
    /// The connection, for what is not scripted.
    pub wire: Wire,
    /// What was settled on.
    pub agreed: Agreed,
    /// Octets of a body chunk.
    pub chunk: usize,
    greeted: bool,
}

impl Mta {
    /// Connects to `inet:port@host`, `inet6:port@host` or `unix:/path`, and offers what
    /// Postfix does.
    ///
    /// # Errors
    /// When the connection fails, or the filter asks for what was not offered.
    pub fn connect(address: &str) -> io::Result<Self> {
        Self::connect_with(address, Offer::POSTFIX)
    }

    /// As [`connect`](Self::connect), with another offer.
    ///
    /// # Errors
    /// As there.
    pub fn connect_with(address: &str, offer: Offer) -> io::Result<Self> {
        let mut wire = Wire::open(address)?;
        let words = [offer.version, offer.actions, offer.protocol];
        wire.send(b'O', &words.map(u32::to_be_bytes).concat())?;
        let answer = wire.receive()?;
        let agreed = read_agreed(&answer)?;
        if agreed.version > offer.version
            || agreed.actions & !offer.actions != 0
            || agreed.protocol & !offer.protocol != 0
        {
            return Err(wire::unexpected(&answer));
        }
        Ok(Self {
            wire,
            agreed,
            chunk: 65_535,
            greeted: false,
        })
    }

    /// Delivers a message; the first one is preceded by CONNECT and HELO.
    ///
    /// # Errors
    /// When the filter goes away, or says what it must not.
    pub fn deliver(&mut self, mail: &Mail) -> io::Result<Outcome> {
        let greeting = if self.greeted { None } else { self.greet(mail)? };
        let early = match greeting {
            Some(outcome) => Some(outcome),
            None => self.tell_up_to_body(mail)?,
        };
        match early {
            Some(outcome) => Ok(outcome),
            None => self.finish(mail),
        }
    }

    /// CONNECT and HELO; an outcome when the filter refuses already.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    pub fn greet(&mut self, mail: &Mail) -> io::Result<Option<Outcome>> {
        self.greeted = true;
        let mut connect = format!("{}\0", mail.client_name).into_bytes();
        match mail.client {
            None => connect.push(b'U'),
            Some(address) => {
                connect.push(if address.is_ipv4() { b'4' } else { b'6' });
                connect.extend_from_slice(&[0x9c, 0x40]);
                connect.extend_from_slice(format!("{address}\0").as_bytes());
            }
        }
        let helo = format!("{}\0", mail.helo);
        self.steps(mail, &[(b'C', connect), (b'H', helo.into_bytes())])
    }

    /// The envelope and the header section.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    pub fn tell_up_to_body(&mut self, mail: &Mail) -> io::Result<Option<Outcome>> {
        let size = format!("{}\0SIZE={}\0", mail.mail_from, mail.body.len());
        let mut steps = vec![(b'M', size.into_bytes())];
        for path in &mail.rcpt_to {
            steps.push((b'R', format!("{path}\0").into_bytes()));
        }
        if self.agreed.protocol & 0x200 == 0 && self.agreed.version >= 4 {
            steps.push((b'T', Vec::new()));
        }
        for (name, value) in &mail.fields {
            let value = match value.strip_prefix(b" ") {
                Some(rest) if self.agreed.protocol & LEADING_SPACE == 0 => rest,
                _ => value,
            };
            steps.push((b'L', [name, &b"\0"[..], value, b"\0"].concat()));
        }
        steps.push((b'N', Vec::new()));
        self.steps(mail, &steps)
    }

    /// The body, its end, and what the filter says to it all.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    pub fn finish(&mut self, mail: &Mail) -> io::Result<Outcome> {
        let mut skipped = false;
        for chunk in mail.body.chunks(self.chunk.max(1)) {
            match self.step(mail, b'B', chunk)? {
                None => {}
                Some(Packet { code: b's', .. }) => {
                    skipped = true;
                    break;
                }
                Some(answer) => return early(b'B', &answer),
            }
        }
        self.send_macros(mail, b'E')?;
        self.wire.send(b'E', b"")?;
        let (mut edits, mut progress) = (Vec::new(), 0);
        loop {
            let answer = self.wire.receive()?;
            if answer.code == b'p' {
                progress += 1;
            } else if let Some(edit) = Edit::read(&answer) {
                edits.push(edit);
            } else {
                return Ok(Outcome {
                    verdict: read_verdict(&answer)?,
                    step: b'E',
                    edits,
                    progress,
                    skipped,
                });
            }
        }
    }

    /// Drops the message that is under way.
    ///
    /// # Errors
    /// When the filter is gone.
    pub fn abort(&mut self) -> io::Result<()> {
        self.wire.send(b'A', b"")
    }

    /// Ends the conversation. Whatever the filter said since the last answer was waited
    /// for, it said unasked.
    ///
    /// # Errors
    /// When it said something.
    pub fn quit(mut self) -> io::Result<()> {
        self.wire.send(b'Q', b"")?;
        match self.wire.receive() {
            Ok(answer) => Err(wire::unexpected(&answer)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn steps(&mut self, mail: &Mail, steps: &[(u8, Vec<u8>)]) -> io::Result<Option<Outcome>> {
        for (code, content) in steps {
            if let Some(answer) = self.step(mail, *code, content)? {
                return early(*code, &answer).map(Some);
            }
        }
        Ok(None)
    }

    /// One step with its macros; the answer when it is another than *continue*.
    fn step(&mut self, mail: &Mail, code: u8, content: &[u8]) -> io::Result<Option<Packet>> {
        self.send_macros(mail, code)?;
        self.wire.send(code, content)?;
        let silent = STEPS
            .iter()
            .any(|(step, flag, _)| *step == code && self.agreed.protocol & flag != 0);
        if silent {
            return Ok(None);
        }
        let answer = self.wire.receive()?;
        Ok((answer.code != b'c').then_some(answer))
    }

    fn send_macros(&mut self, mail: &Mail, code: u8) -> io::Result<()> {
        let stage = STEPS
            .iter()
            .find(|(step, _, _)| *step == code)
            .and_then(|(_, _, stage)| *stage);
        let Some(stage) = stage else { return Ok(()) };
        let wished = self.agreed.macros.iter().find(|(wished, _)| *wished == stage);
        let list = match wished {
            Some((_, list)) => list.as_str(),
            None => usize::try_from(stage)
                .ok()
                .and_then(|stage| DEFAULT_MACROS.get(stage))
                .unwrap_or(&""),
        };
        let content = [&[code][..], &mail.macros(list)].concat();
        self.wire.send(b'D', &content)
    }
}

/// What a filter says before the end of a message is its last word on it.
fn early(step: u8, answer: &Packet) -> io::Result<Outcome> {
    Ok(Outcome {
        verdict: read_verdict(answer)?,
        step,
        edits: Vec::new(),
        progress: 0,
        skipped: false,
    })
}

fn read_verdict(answer: &Packet) -> io::Result<Verdict> {
    Ok(match (answer.code, &answer.content[..]) {
        (b'a', []) => Verdict::Accept,
        (b'c', []) => Verdict::Continue,
        (b'r', []) => Verdict::Reject,
        (b't', []) => Verdict::TempFail,
        (b'd', []) => Verdict::Discard,
        (b'y', [text @ .., 0]) => Verdict::Reply(String::from_utf8_lossy(text).into_owned()),
        _ => return Err(wire::unexpected(answer)),
    })
}

fn read_agreed(answer: &Packet) -> io::Result<Agreed> {
    let mut reader = wire::Reader(&answer.content);
    let words = (reader.number(), reader.number(), reader.number());
    let (b'O', (Some(version), Some(actions), Some(protocol))) = (answer.code, words) else {
        return Err(wire::unexpected(answer));
    };
    let mut macros = Vec::new();
    while let (Some(stage), Some(list)) = (reader.number(), reader.text()) {
        macros.push((stage, String::from_utf8_lossy(list).into_owned()));
    }
    if !macros.is_empty() && actions & SET_MACRO_LIST == 0 || !reader.0.is_empty() {
        return Err(wire::unexpected(answer));
    }
    Ok(Agreed {
        version,
        actions,
        protocol,
        macros,
    })
}

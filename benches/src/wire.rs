//! The MTA's side of the milter protocol, made to be fast: a message is a few writes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::corpus::Message;

/// What Postfix offers: version 6, all actions, all ways to save answers.
const OFFER: [u32; 3] = [6, 0x1ff, 0x1f_ffff];

/// Blanks after the colon are kept.
const LEADING_SPACE: u32 = 0x10_0000;

/// Octets of a body chunk, as Postfix sends them.
const CHUNK: usize = 65_535;

/// Octets of a write of Postfix: the buffer of its streams.
pub(crate) const POSTFIX_WRITE: usize = 4096;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection to a filter.
pub(crate) struct Mta {
    stream: Stream,
    pub(crate) protocol: u32,
    out: Vec<u8>,
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// Octets of a write at most.
    write_size: usize,
    greeted: bool,
}

/// What a filter said at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The packet that decides: `a`, `c`, `r`, `t`, `d` or `y`.
    pub(crate) code: u8,
    pub(crate) reply: Vec<u8>,
    pub(crate) held: bool,
    /// Fields added or inserted: name and value.
    pub(crate) added: Vec<(Vec<u8>, Vec<u8>)>,
    /// Fields deleted: which of those of the name, from one, and the name.
    pub(crate) deleted: Vec<(usize, Vec<u8>)>,
}

impl Mta {
    /// Connects to `unix:PATH` or `inet:PORT@HOST`, and negotiates.
    pub(crate) fn connect(address: &str, write_size: usize) -> io::Result<Self> {
        let mut mta = Self::open(address, write_size)?;
        let words = OFFER.map(u32::to_be_bytes).concat();
        mta.packet(b'O', &[&words]);
        mta.flush()?;
        let (code, content) = mta.receive()?;
        let word = content.get(8..12).and_then(|octets| octets.try_into().ok());
        match (code, word) {
            (b'O', Some(word)) => mta.protocol = u32::from_be_bytes(word),
            _ => return Err(io::Error::other("the filter does not negotiate")),
        }
        Ok(mta)
    }

    /// Connects and says nothing.
    pub(crate) fn open(address: &str, write_size: usize) -> io::Result<Self> {
        let stream = match address.split_once(':') {
            Some(("unix", path)) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Unix(stream)
            }
            Some(("inet", rest)) => {
                let (port, host) = rest.split_once('@').unwrap_or((rest, "127.0.0.1"));
                let port: u16 = port.parse().map_err(io::Error::other)?;
                let stream = TcpStream::connect((host, port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Tcp(stream)
            }
            _ => return Err(io::Error::other(format!("{address:?} is no socket"))),
        };
        Ok(Self {
            stream,
            protocol: 0,
            out: Vec::with_capacity(128 * 1024),
            input: vec![0; 16 * 1024],
            start: 0,
            end: 0,
            write_size,
            greeted: false,
        })
    }

    /// Delivers a message as one of a new SMTP connection over this one.
    pub(crate) fn deliver(&mut self, message: &Message) -> io::Result<Answer> {
        if let Some(early) = self.tell_up_to_body(message)? {
            return Ok(early);
        }
        for chunk in message.body.chunks(CHUNK) {
            if let Some(early) = self.body(chunk)? {
                if early.code == b's' {
                    break;
                }
                return Ok(early);
            }
        }
        self.finish(message)
    }

    /// CONNECT, HELO, the envelope and the header section.
    pub(crate) fn tell_up_to_body(&mut self, message: &Message) -> io::Result<Option<Answer>> {
        if let Some(early) = self.envelope(message)? {
            return Ok(Some(early));
        }
        for (name, value) in &message.fields {
            if let Some(early) = self.header(name.as_bytes(), value)? {
                return Ok(Some(early));
            }
        }
        self.end_of_headers(message)
    }

    /// CONNECT, HELO, MAIL, RCPT, DATA.
    pub(crate) fn envelope(&mut self, message: &Message) -> io::Result<Option<Answer>> {
        if self.greeted {
            self.packet(b'K', &[]);
        }
        self.greeted = true;
        let client = message.client.to_string();
        let family = if message.client.is_ipv4() { b'4' } else { b'6' };
        self.macros(
            b'C',
            &[
                ("j", "mx.receiver.example"),
                ("{daemon_name}", "mx.receiver.example"),
                ("v", "Postfix 3.7.11"),
                ("{client_addr}", &client),
                ("{client_name}", &message.helo),
            ],
        );
        let connect: [&[u8]; 5] = [
            message.helo.as_bytes(),
            &[0, family, 0x9c, 0x40],
            client.as_bytes(),
            b"\0",
            b"",
        ];
        if let Some(early) = self.step(b'C', 0x1000, &connect)? {
            return Ok(Some(early));
        }
        self.macros(b'H', &[]);
        if let Some(early) = self.step(b'H', 0x2000, &[message.helo.as_bytes(), b"\0"])? {
            return Ok(Some(early));
        }
        self.macros(
            b'M',
            &[("{mail_addr}", message.mail_from.trim_matches(['<', '>']))],
        );
        let size = format!("SIZE={}\0", message.body.len());
        let path = [message.mail_from.as_bytes(), b"\0", size.as_bytes()];
        if let Some(early) = self.step(b'M', 0x4000, &path)? {
            return Ok(Some(early));
        }
        self.macros(
            b'R',
            &[
                ("i", &message.queue_id),
                ("{rcpt_addr}", "reader@receiver.example"),
            ],
        );
        if let Some(early) = self.step(b'R', 0x8000, &[message.rcpt_to.as_bytes(), b"\0"])? {
            return Ok(Some(early));
        }
        self.macros(b'T', &[("i", &message.queue_id)]);
        // Without SMFIP_NODATA.
        if self.protocol & 0x200 == 0
            && let Some(early) = self.step(b'T', 0x1_0000, &[])?
        {
            return Ok(Some(early));
        }
        // Here Postfix hands the connection from smtpd to cleanup, and so empties its buffer.
        self.flush()?;
        Ok(None)
    }

    pub(crate) fn header(&mut self, name: &[u8], value: &[u8]) -> io::Result<Option<Answer>> {
        let value = match value.strip_prefix(b" ") {
            Some(rest) if self.protocol & LEADING_SPACE == 0 => rest,
            _ => value,
        };
        self.step(b'L', 0x80, &[name, b"\0", value, b"\0"])
    }

    pub(crate) fn end_of_headers(&mut self, message: &Message) -> io::Result<Option<Answer>> {
        self.macros(b'N', &[("i", &message.queue_id)]);
        self.step(b'N', 0x4_0000, &[])
    }

    pub(crate) fn body(&mut self, chunk: &[u8]) -> io::Result<Option<Answer>> {
        self.step(b'B', 0x8_0000, &[chunk])
    }

    /// The end of the message, and the answer.
    pub(crate) fn finish(&mut self, message: &Message) -> io::Result<Answer> {
        self.macros(b'E', &[("i", &message.queue_id)]);
        self.packet(b'E', &[]);
        self.flush()?;
        let mut answer = Answer::default();
        loop {
            let (code, content) = self.receive()?;
            let mut texts = content
                .get(4..)
                .unwrap_or_default()
                .split(|&b| b == 0)
                .map(<[u8]>::to_vec);
            match code {
                b'i' => answer.added.extend(texts.next().zip(texts.next())),
                b'h' => {
                    let mut texts = content.split(|&b| b == 0).map(<[u8]>::to_vec);
                    answer.added.extend(texts.next().zip(texts.next()));
                }
                b'm' => {
                    let (name, value) = (texts.next(), texts.next());
                    if value.is_none_or(|value| value.is_empty()) {
                        let index = content.first_chunk::<4>().copied().unwrap_or_default();
                        let index = u32::from_be_bytes(index) as usize;
                        answer.deleted.extend(name.map(|name| (index, name)));
                    }
                }
                b'q' => answer.held = true,
                b'p' | b'+' | b'-' | b'b' | b'e' => {}
                code => {
                    answer.code = code;
                    answer.reply = content.to_vec();
                    return Ok(answer);
                }
            }
        }
    }

    /// Ends the conversation.
    pub(crate) fn quit(mut self) {
        self.packet(b'Q', &[]);
        // Nobody waits for anything any more.
        let _ = self.flush();
    }

    fn macros(&mut self, step: u8, macros: &[(&str, &str)]) {
        let mut content = vec![step];
        for (name, value) in macros {
            content.extend_from_slice(name.as_bytes());
            content.push(0);
            content.extend_from_slice(value.as_bytes());
            content.push(0);
        }
        self.packet(b'D', &[&content]);
    }

    fn step(&mut self, code: u8, silent: u32, parts: &[&[u8]]) -> io::Result<Option<Answer>> {
        self.packet(code, parts);
        if self.protocol & silent != 0 {
            if self.out.len() >= self.write_size {
                self.write_out()?;
            }
            return Ok(None);
        }
        self.flush()?;
        let (code, content) = self.receive()?;
        Ok((code != b'c').then(|| Answer {
            code,
            reply: content.to_vec(),
            ..Answer::default()
        }))
    }

    /// Appends a packet to what is to be written.
    pub(crate) fn packet(&mut self, code: u8, parts: &[&[u8]]) {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        self.out.extend_from_slice(&(length as u32).to_be_bytes());
        self.out.push(code);
        for part in parts {
            self.out.extend_from_slice(part);
        }
    }

    /// Writes what fills whole buffers.
    fn write_out(&mut self) -> io::Result<()> {
        let whole = self.out.len() / self.write_size * self.write_size;
        for piece in self.out[..whole].chunks(self.write_size) {
            write_all(&mut self.stream, piece)?;
        }
        self.out.drain(..whole);
        Ok(())
    }

    /// Writes all.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        for piece in self.out.chunks(self.write_size) {
            write_all(&mut self.stream, piece)?;
        }
        self.out.clear();
        Ok(())
    }

    /// Writes all but the last octets, which nobody will ever send.
    pub(crate) fn flush_all_but(&mut self, octets: usize) -> io::Result<()> {
        self.out.truncate(self.out.len().saturating_sub(octets));
        self.flush()
    }

    /// The next packet.
    pub(crate) fn receive(&mut self) -> io::Result<(u8, &[u8])> {
        while self.end - self.start < 4 || self.end - self.start < 4 + self.length() {
            if self.start > 0 {
                self.input.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.end == self.input.len() {
                self.input.resize(self.input.len() * 2, 0);
            }
            let room = &mut self.input[self.end..];
            let count = match &mut self.stream {
                Stream::Unix(stream) => stream.read(room)?,
                Stream::Tcp(stream) => stream.read(room)?,
            };
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.end += count;
        }
        let (from, length) = (self.start + 4, self.length());
        self.start = from + length;
        let packet = &self.input[from..from + length];
        packet
            .split_first()
            .map(|(code, content)| (*code, content))
            .ok_or_else(|| io::Error::other("an empty packet"))
    }

    fn length(&self) -> usize {
        let octets = self.input[self.start..self.end].first_chunk::<4>();
        octets.map_or(0, |octets| u32::from_be_bytes(*octets) as usize)
    }
}

fn write_all(stream: &mut Stream, octets: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Unix(stream) => stream.write_all(octets),
        Stream::Tcp(stream) => stream.write_all(octets),
    }
}

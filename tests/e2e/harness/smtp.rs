//! An SMTP client that shows every reply.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::PATIENCE;

/// A reply of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of each line, without the digits and what parts them from the text.
    pub lines: Vec<String>,
}

impl Reply {
    /// Whether it is a 2yz or 3yz reply.
    pub fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// All text, lines parted by a blank.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// The queue id of `2.0.0 Ok: queued as 4Fb1`.
    pub fn queue_id(&self) -> Option<&str> {
        let (_, id) = self.lines.last()?.split_once("queued as ")?;
        Some(id.trim())
    }
}

/// Who sends a message and who is to have it, with the parameters of MAIL FROM.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Without angle brackets; empty for the null reverse-path.
    pub mail_from: &'a str,
    /// Such as `BODY=8BITMIME SMTPUTF8`; mostly empty.
    pub parameters: &'a str,
    /// Without angle brackets.
    pub rcpt_to: &'a [&'a str],
}

/// The replies to one message, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// To MAIL FROM.
    pub mail_from: Reply,
    /// To each RCPT TO.
    pub rcpt_to: Vec<Reply>,
    /// To DATA.
    pub data: Option<Reply>,
    /// To the end of the message.
    pub end: Option<Reply>,
}

impl Outcome {
    /// The reply that decided: the last one.
    pub fn last(&self) -> &Reply {
        let last = self.end.as_ref().or(self.data.as_ref()).or(self.rcpt_to.last());
        last.unwrap_or(&self.mail_from)
    }

    /// The queue id, when the message was taken.
    pub fn queue_id(&self) -> Option<&str> {
        self.end.as_ref().filter(|reply| reply.is_positive())?.queue_id()
    }
}

/// One connection.
pub struct Smtp {
    /// The greeting, or after XCLIENT the new one.
    pub greeting: Reply,
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects and reads the greeting.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?)
    }

    /// The same from this address of ours; every address of 127.0.0.0/8 is.
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((source, 0).into())?;
            socket.connect(address).await?.into_std()
        })?;
        stream.set_nonblocking(false)?;
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut smtp = Self {
            greeting: Reply::default(),
            stream: BufReader::new(stream),
        };
        smtp.greeting = smtp.read_reply()?;
        Ok(smtp)
    }

    /// Sends a line and reads the reply.
    pub fn command(&mut self, line: &str) -> io::Result<Reply> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        self.read_reply()
    }

    /// Sends a part of a message, after DATA, and waits for nothing. Its lines have CRLF and
    /// their dots stuffed; the command `.` ends the message.
    pub fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(part)
    }

    /// Greets, with HELO.
    pub fn helo(&mut self, name: &str) -> io::Result<Reply> {
        self.command(&format!("HELO {name}"))
    }

    /// Greets, with EHLO.
    pub fn ehlo(&mut self, name: &str) -> io::Result<Reply> {
        self.command(&format!("EHLO {name}"))
    }

    /// Presents another client: its address, the host name Postfix is to have found for
    /// it (`None` for none) and its HELO name. Greets again afterwards, with EHLO.
    pub fn as_client(&mut self, address: IpAddr, host_name: Option<&str>, helo: &str) -> io::Result<Reply> {
        let address = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("IPV6:{address}"),
        };
        let host_name = host_name.unwrap_or("[UNAVAILABLE]");
        self.greeting = self.command(&format!("XCLIENT ADDR={address} NAME={host_name}"))?;
        if self.greeting.code == 220 {
            self.ehlo(helo)
        } else {
            Ok(self.greeting.clone())
        }
    }

    /// Signs in, with AUTH PLAIN.
    pub fn auth_plain(&mut self, user: &str, password: &str) -> io::Result<Reply> {
        let response = BASE64.encode(format!("\0{user}\0{password}"));
        self.command(&format!("AUTH PLAIN {response}"))
    }

    /// Gives up the message, and keeps the session.
    pub fn reset(&mut self) -> io::Result<Reply> {
        self.command("RSET")
    }

    /// Ends the session.
    pub fn quit(&mut self) -> io::Result<Reply> {
        self.command("QUIT")
    }

    /// Sends one message of any size, and goes as far as the server lets it. The message
    /// has CRLF line ends; dots are stuffed here.
    pub fn send(&mut self, envelope: &Envelope<'_>, message: &[u8]) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        let line = format!("MAIL FROM:<{}> {}", envelope.mail_from, envelope.parameters);
        outcome.mail_from = self.command(line.trim_end())?;
        if !outcome.mail_from.is_positive() {
            return Ok(outcome);
        }
        for recipient in envelope.rcpt_to {
            outcome
                .rcpt_to
                .push(self.command(&format!("RCPT TO:<{recipient}>"))?);
        }
        if !outcome.rcpt_to.iter().any(Reply::is_positive) {
            return Ok(outcome);
        }
        let data = self.command("DATA")?;
        let goes_on = data.code == 354;
        outcome.data = Some(data);
        if goes_on {
            outcome.end = Some(self.send_content(message)?);
        }
        Ok(outcome)
    }

    fn send_content(&mut self, message: &[u8]) -> io::Result<Reply> {
        let mut writer = BufWriter::new(self.stream.get_mut());
        for line in message.split_inclusive(|&octet| octet == b'\n') {
            // RFC 5321 §4.5.2: a line that starts with a dot is given another.
            if line.starts_with(b".") {
                writer.write_all(b".")?;
            }
            writer.write_all(line)?;
        }
        let ending: &[u8] = if message.ends_with(b"\r\n") {
            b".\r\n"
        } else {
            b"\r\n.\r\n"
        };
        writer.write_all(ending)?;
        writer.flush()?;
        drop(writer);
        self.read_reply()
    }

    /// Reads the reply to a command that was written.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let mut reply = Reply::default();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line)? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("after {reply:?}"),
                ));
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let unreadable =
                || io::Error::new(io::ErrorKind::InvalidData, format!("no SMTP reply: {line:?}"));
            let (code, text) = line.split_at_checked(3).ok_or_else(unreadable)?;
            reply.code = code.parse().map_err(|_| unreadable())?;
            reply.lines.push(text.get(1..).unwrap_or_default().to_owned());
            if !text.starts_with('-') {
                return Ok(reply);
            }
        }
    }
}

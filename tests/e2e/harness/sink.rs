//! The next hop: an SMTP server that takes everything and keeps it.
//!
//! What it keeps is what Postfix sent: header fields in the order of delivery, no
//! mailbox format in between.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::PATIENCE;

/// One message that was delivered.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The argument of MAIL FROM with its parameters: `<a@example.com> SIZE=...`.
    pub mail_from: String,
    /// The paths of RCPT TO.
    pub rcpt_to: Vec<String>,
    /// What stood beside each of them (RFC 3461 §4).
    pub rcpt_parameters: Vec<String>,
    /// Header and body, CRLF line ends, dots unstuffed.
    pub message: Vec<u8>,
}

impl Delivered {
    /// The header section with its final CRLF.
    pub fn header(&self) -> &[u8] {
        let end = self.message.windows(4).position(|octets| octets == b"\r\n\r\n");
        &self.message[..end.map_or(self.message.len(), |at| at + 2)]
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.message.get(self.header().len() + 2..).unwrap_or_default()
    }

    /// Every header field, topmost first: name and value, folds (as CRLF) kept.
    pub fn fields(&self) -> Vec<(String, String)> {
        let header = String::from_utf8_lossy(self.header());
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in header.split_terminator("\r\n") {
            match (line.starts_with([' ', '\t']), fields.last_mut()) {
                (true, Some((_, value))) => {
                    value.push_str("\r\n");
                    value.push_str(line);
                }
                _ => {
                    let (name, value) = line.split_once(':').unwrap_or((line, ""));
                    fields.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        fields
    }

    /// The values of the fields of one name, topmost first.
    pub fn values(&self, name: &str) -> Vec<String> {
        let named = self
            .fields()
            .into_iter()
            .filter(|(its_name, _)| its_name.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value).collect()
    }

    fn has_queue_id(&self, queue_id: &str) -> bool {
        let sign = format!(" id {queue_id}");
        self.values("Received").iter().any(|value| value.contains(&sign))
    }
}

/// The server; it ends with the test process.
pub struct Sink {
    address: SocketAddr,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    messages: Mutex<Vec<Delivered>>,
    arrived: Condvar,
}

impl Kept {
    fn messages(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// Starts it on a port of loopback that was free.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Kept::default());
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&shared);
                // A connection that breaks is Postfix's to report: it is the client.
                thread::spawn(move || serve(&stream, &kept));
            }
        });
        Ok(Self { address, kept })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All messages so far, in the order of arrival.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.kept.messages().clone()
    }

    /// Waits for the message that Postfix queued under this id.
    pub fn wait_for(&self, queue_id: &str) -> Option<Delivered> {
        let find =
            |messages: &Vec<Delivered>| messages.iter().find(|one| one.has_queue_id(queue_id)).cloned();
        let (messages, _) = self
            .kept
            .arrived
            .wait_timeout_while(self.kept.messages(), PATIENCE, |messages| {
                find(messages).is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        find(&messages)
    }
}

/// One connection, to its end.
fn serve(stream: &TcpStream, kept: &Kept) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut current = Delivered::default();
    say(stream, "220 sink.landmarc.test ESMTP")?;
    while let Some(line) = read_line(&mut reader)? {
        let line = String::from_utf8_lossy(&line).into_owned();
        let command = line.to_ascii_uppercase();
        if command.starts_with("EHLO") {
            say(
                stream,
                "250-sink.landmarc.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE 0",
            )?;
        } else if command.starts_with("MAIL FROM:") {
            current = Delivered {
                mail_from: argument(&line),
                ..Delivered::default()
            };
            say(stream, "250 2.1.0 fine")?;
        } else if command.starts_with("RCPT TO:") {
            let argument = argument(&line);
            let (path, parameters) = argument.split_once(' ').unwrap_or((&argument, ""));
            current.rcpt_to.push(path.to_owned());
            current.rcpt_parameters.push(parameters.to_owned());
            say(stream, "250 2.1.5 fine")?;
        } else if command == "DATA" {
            say(stream, "354 go on")?;
            current.message = read_message(&mut reader)?;
            kept.messages().push(std::mem::take(&mut current));
            kept.arrived.notify_all();
            say(stream, "250 2.0.0 kept")?;
        } else if command == "QUIT" {
            return say(stream, "221 2.0.0 bye");
        } else {
            say(stream, "250 2.0.0 fine")?;
        }
    }
    Ok(())
}

fn say(mut stream: &TcpStream, reply: &str) -> io::Result<()> {
    stream.write_all(format!("{reply}\r\n").as_bytes())
}

fn argument(line: &str) -> String {
    line.split_once(':')
        .map_or("", |(_, argument)| argument)
        .trim()
        .to_owned()
}

fn read_message(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    while let Some(line) = read_line(reader)? {
        if line == b"." {
            return Ok(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        message.extend_from_slice(b"\r\n");
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// A line without its CRLF; none at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let without_lf = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = without_lf.strip_suffix(b"\r").unwrap_or(without_lf);
    Ok(Some(text.to_vec()))
}

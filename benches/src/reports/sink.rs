//! A mail host that takes every mail at once and keeps it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Takes mails until the process ends.
pub(super) struct Sink {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Sink {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sink = Self {
            address: listener.local_addr()?,
            mails: Arc::default(),
        };
        let mails = Arc::clone(&sink.mails);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mails = Arc::clone(&mails);
                // A client that is gone has said all that it wanted.
                thread::spawn(move || serve(stream, &mails));
            }
        });
        Ok(sink)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The mails so far, which are then forgotten.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.mails.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(stream: TcpStream, mails: &Mutex<Vec<Vec<u8>>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    writer.write_all(b"220 sink\r\n")?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let verb: Vec<u8> = line.iter().take(4).map(u8::to_ascii_uppercase).collect();
        match &verb[..] {
            b"EHLO" => writer.write_all(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")?,
            b"DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                let mail = text(&mut reader)?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                writer.write_all(b"250 2.0.0 taken\r\n")?;
            }
            b"QUIT" => return writer.write_all(b"221 bye\r\n"),
            _ => writer.write_all(b"250 2.0.0 ok\r\n")?,
        }
    }
}

fn text(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    loop {
        let begin = mail.len();
        if reader.read_until(b'\n', &mut mail)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &mail[begin..] {
            b".\r\n" => {
                mail.truncate(begin);
                return Ok(mail);
            }
            [b'.', ..] => {
                mail.remove(begin);
            }
            _ => {}
        }
    }
}

//! The other end of Postfix's `smtpd_sasl_type = dovecot`: it knows one account.
//!
//! Speaks the part of the Dovecot authentication protocol, version 1, that Postfix
//! uses: the handshake, AUTH with an initial response, OK and FAIL. Lines end in LF,
//! fields are parted by TAB.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The account that may sign in.
pub const USER: &str = "alice@landmarc.test";
/// Its password.
pub const PASSWORD: &str = "correct horse";

/// The handshake of a server: what it speaks, which mechanisms it has, who it is.
const HANDSHAKE: &str = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n";

/// The server; it ends with the test process.
pub(super) struct SaslServer {
    address: SocketAddr,
}

impl SaslServer {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(&stream));
            }
        });
        Ok(Self { address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(HANDSHAKE.as_bytes())?;
    for line in BufReader::new(stream).lines() {
        if let Some(answer) = answer(&line?) {
            stream.write_all(answer.as_bytes())?;
        }
    }
    Ok(())
}

/// The answer to one line; none to the handshake of the client.
fn answer(line: &str) -> Option<String> {
    let mut fields = line.split('\t');
    if fields.next() != Some("AUTH") {
        return None;
    }
    let id = fields.next().unwrap_or_default();
    let response = fields.find_map(|field| field.strip_prefix("resp="));
    let expected = BASE64.encode(format!("\0{USER}\0{PASSWORD}"));
    Some(if response == Some(&*expected) {
        format!("OK\t{id}\tuser={USER}\n")
    } else {
        format!("FAIL\t{id}\treason=wrong user name or password\n")
    })
}

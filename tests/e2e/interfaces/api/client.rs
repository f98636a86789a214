//! A client of the API: HTTP as it is on the wire, over TCP or a unix socket.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::service::Service;

/// The line by which the service says that the API is open.
const OPEN: &str = "check API on ";

/// Longer than any answer takes, short enough that a test which hangs is seen to.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) enum Api {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A connection.
pub(crate) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Api {
    /// As the service says.
    pub(crate) fn of(service: &Service) -> Self {
        let line = service.wait_for_line(OPEN);
        let (_, address) = line.split_once(OPEN).unwrap();
        match address.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(
                address
                    .trim_start_matches("http://")
                    .trim_end_matches('/')
                    .parse()
                    .unwrap(),
            ),
        }
    }

    /// Its port on TCP.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) => address.port(),
            Self::Unix(path) => panic!("{} has no port", path.display()),
        }
    }

    pub(crate) fn connect(&self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
            Self::Unix(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        }
    }

    /// Sends a request with this body and reads the reply, on a connection of its own.
    pub(crate) fn ask(&self, request: &Request, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.head(body.len()).as_bytes()).unwrap();
        // Who refuses it need not read it.
        let _ = stream.write_all(body);
        Reply::read(&mut *stream)
    }
}

/// A request without its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    line: String,
    fields: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn post(path: &str) -> Self {
        Self {
            line: format!("POST {path} HTTP/1.1"),
            fields: vec![
                ("Host".to_owned(), "localhost".to_owned()),
                ("Connection".to_owned(), "close".to_owned()),
            ],
        }
    }

    /// With a further field.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// All up to a body of so many octets.
    pub(crate) fn head(&self, length: usize) -> String {
        let mut head = format!("{}\r\nContent-Length: {length}\r\n", self.line);
        for (name, value) in &self.fields {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head + "\r\n"
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) body: String,
}

impl Reply {
    /// Reads it to the end of the connection.
    pub(crate) fn read(stream: &mut dyn Stream) -> Self {
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        let text = String::from_utf8(octets).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        Self {
            code: head.get(9..12).and_then(|code| code.parse().ok()).unwrap(),
            body: body.to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

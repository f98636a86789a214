//! Filters that do nothing but read the message and add one field: the cost of moving the bytes.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use landmarc_milter::{Edit, MilterServer, Response, ServerOptions, Service, Session, Verdict};
use landmarc_net::UnixAccess;
/// The field that a filter which does nothing adds all the same.
const FIELD: &[u8] = b"mx.receiver.example; none";

/// Every answer that an MTA may spare, and the blank after the colon.
const NO_REPLY: u32 = 0x80 | 0xf_f000 | 0x10_0000;

/// A thread for each connection; reads everything and adds one field.
pub(crate) fn serve_raw(path: &Path) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            // Whatever ends a connection concerns nobody else.
            .spawn(move || drop(converse(stream)))?;
    }
    Ok(())
}

fn converse(mut stream: UnixStream) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    let (mut start, mut end) = (0, 0);
    loop {
        while let Some(head) = buffer[start..end].first_chunk::<5>() {
            let [a, b, c, d, code] = *head;
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if end - start < 4 + length {
                break;
            }
            start += 4 + length;
            match code {
                b'O' => stream.write_all(&packet(b'O', &[6, 1, NO_REPLY].map(u32::to_be_bytes).concat()))?,
                b'E' => {
                    let field = [&[0; 4][..], b"Authentication-Results\0 ", FIELD, b"\0"].concat();
                    stream.write_all(&[packet(b'i', &field), packet(b'a', b"")].concat())?;
                }
                b'Q' => return Ok(()),
                _ => {}
            }
        }
        buffer.copy_within(start..end, 0);
        end -= start;
        start = 0;
        match stream.read(&mut buffer[end..])? {
            0 => return Ok(()),
            count => end += count,
        }
    }
}

fn packet(code: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 1) as u32;
    [&length.to_be_bytes()[..], &[code], content].concat()
}

struct Null;

impl Service for Null {
    type Session = Null;

    fn connect(&self, _mta: &landmarc_net::Peer) -> Null {
        Null
    }
}

impl Session for Null {
    async fn end_of_message(&mut self, _macros: &landmarc_milter::Macros) -> Response {
        Response {
            edits: vec![Edit::InsertHeader {
                index: 0,
                name: "Authentication-Results".to_owned(),
                value: String::from_utf8_lossy(FIELD).into_owned(),
            }],
            verdict: Verdict::Accept,
        }
    }
}

/// The same on the sessions that landmarc uses.
pub(crate) fn serve_crate(path: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let address = format!("unix:{}", path.display())
            .parse()
            .map_err(io::Error::other)?;
        let access = UnixAccess {
            mode: 0o666,
            user_id: None,
            group_id: None,
        };
        let addresses = [address];
        let server = MilterServer::bind(&addresses, &access, ServerOptions::default()).await;
        let server = server.map_err(io::Error::other)?;
        server.run(Null, std::future::pending()).await;
        Ok(())
    })
}

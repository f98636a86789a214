//! A name server that costs next to nothing: answers are looked up in a table and sent by UDP.
//!
//! It has no aliases, no faults and no TCP; the test kit's server has, and takes its time.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const A: u16 = 1;
const MX: u16 = 15;
const TXT: u16 = 16;
/// Seconds that answers hold.
const TTL: [u8; 4] = 3600_u32.to_be_bytes();

/// What a name has: data by type.
type Records = HashMap<u16, Vec<Vec<u8>>>;

/// What names have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Zone {
    records: HashMap<Vec<u8>, Records>,
    /// All names, and those that exist only because others lie below them.
    names: HashSet<Vec<u8>>,
}

impl Zone {
    pub(crate) fn txt(&mut self, name: &str, text: &str) {
        let mut data = Vec::new();
        for piece in text.as_bytes().chunks(255) {
            data.push(piece.len() as u8);
            data.extend_from_slice(piece);
        }
        self.add(name, TXT, data);
    }

    pub(crate) fn a(&mut self, name: &str, address: Ipv4Addr) {
        self.add(name, A, address.octets().to_vec());
    }

    pub(crate) fn mx(&mut self, name: &str, host: &str) {
        self.add(name, MX, [&[0, 10][..], &wire_name(host)].concat());
    }

    #[cfg(test)]
    pub(crate) fn has_txt(&self, name: &str) -> bool {
        let records = self.records.get(&wire_name(name));
        records.is_some_and(|records| records.contains_key(&TXT))
    }

    fn add(&mut self, name: &str, record_type: u16, data: Vec<u8>) {
        let name = wire_name(name);
        let mut rest = &name[..];
        while let Some((&length, _)) = rest.split_first() {
            self.names.insert(rest.to_vec());
            rest = rest.get(1 + usize::from(length)..).unwrap_or_default();
        }
        let records = self.records.entry(name).or_default();
        records.entry(record_type).or_default().push(data);
    }

    /// The response to a query; none when it is no query.
    fn respond(&self, query: &[u8]) -> Option<Vec<u8>> {
        let body = query.get(12..)?;
        let mut end = 0;
        while *body.get(end)? != 0 {
            end += 1 + usize::from(*body.get(end)?);
        }
        let name = body.get(..=end)?.to_ascii_lowercase();
        let question = body.get(..end + 5)?;
        let record_type = u16::from_be_bytes([*body.get(end + 1)?, *body.get(end + 2)?]);
        let found = self
            .records
            .get(&name)
            .and_then(|records| records.get(&record_type));
        let answers = found.map_or(&[][..], Vec::as_slice);
        let code = if self.names.contains(&name) { 0 } else { 3 };
        let has_edns = query.get(10..12)? != [0, 0];

        let mut out = query.get(..2)?.to_vec();
        out.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers.len() as u8]);
        out.extend_from_slice(&[0, u8::from(answers.is_empty()), 0, u8::from(has_edns)]);
        out.extend_from_slice(question);
        for data in answers {
            out.extend_from_slice(&[0xc0, 12]);
            out.extend_from_slice(&record_type.to_be_bytes());
            out.extend_from_slice(&[0, 1]);
            out.extend_from_slice(&TTL);
            out.extend_from_slice(&(data.len() as u16).to_be_bytes());
            out.extend_from_slice(data);
        }
        if answers.is_empty() {
            // SOA of the root, whose last number is how long the denial holds.
            out.extend_from_slice(&[0, 0, 6, 0, 1]);
            out.extend_from_slice(&TTL);
            out.extend_from_slice(&[0, 22, 0, 0]);
            out.extend_from_slice(&[0; 16]);
            out.extend_from_slice(&TTL);
        }
        if has_edns {
            out.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        }
        Some(out)
    }
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.to_ascii_lowercase().as_bytes());
    }
    wire.push(0);
    wire
}

/// A running server; it ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Each answer is sent this much later; none holds up another.
    pub(crate) fn start(zone: Zone, delay: Duration, port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (address, sender) = (socket.local_addr()?, socket.try_clone()?);
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (queue, due) = mpsc::channel::<(Instant, Vec<u8>, SocketAddr)>();
        let (counter, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let answering = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                counter.fetch_add(1, Ordering::Relaxed);
                let Some(response) = zone.respond(&buffer[..length]) else {
                    continue;
                };
                if delay.is_zero() {
                    // A client that is gone misses nothing.
                    let _ = socket.send_to(&response, client);
                } else if queue.send((Instant::now() + delay, response, client)).is_err() {
                    return;
                }
            }
        });
        let sending = std::thread::spawn(move || {
            for (when, response, client) in due {
                std::thread::sleep(when.saturating_duration_since(Instant::now()));
                let _ = sender.send_to(&response, client);
            }
        });
        Ok(Self {
            address,
            asked,
            stop,
            threads: vec![answering, sending],
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has said what went wrong.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let mut zone = Zone::default();
        zone.txt("a.b.example", &"x".repeat(300));
        zone.mx("a.b.example", "mail.b.example");
        zone.a("mail.b.example", Ipv4Addr::new(192, 0, 2, 1));
        zone
    }

    /// The response code, the number of answers, and what stands behind the question.
    fn ask(name: &str, record_type: u16) -> (u8, u8, Vec<u8>) {
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(wire_name(name));
        query.extend_from_slice(&record_type.to_be_bytes());
        query.extend_from_slice(&[0, 1]);
        let response = zone().respond(&query).unwrap();
        assert_eq!(response[..2], [0, 7]);
        (response[3] & 15, response[7], response[query.len()..].to_vec())
    }

    #[test]
    fn data_is_found_whatever_the_case() {
        let (code, answers, data) = ask("MAIL.b.example", A);
        assert_eq!((code, answers), (0, 1));
        assert!(data.ends_with(&[0, 4, 192, 0, 2, 1]));
        let (code, answers, data) = ask("a.b.example", TXT);
        assert_eq!((code, answers), (0, 1));
        // Two strings, of 255 and of 45 octets.
        assert_eq!(data[10..13], [1, 46, 255]);
        assert_eq!(data.len(), 12 + 302);
    }

    #[test]
    fn a_name_without_data_is_not_a_name_that_is_missing() {
        assert_eq!((ask("b.example", TXT).0, ask("b.example", TXT).1), (0, 0));
        assert_eq!((ask("c.example", TXT).0, ask("c.example", TXT).1), (3, 0));
    }

    #[test]
    fn what_is_no_query_has_no_response() {
        for octets in [
            &b""[..],
            &[0; 12],
            &[0; 13],
            &[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, 1],
        ] {
            assert_eq!(zone().respond(octets), None);
        }
    }
}

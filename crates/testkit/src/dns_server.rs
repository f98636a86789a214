//! A DNS server on loopback that answers from zones in memory: over UDP and TCP, as a
//! recursive resolver would, with the misfortunes that the zones ask for.
//!
//! It runs on a thread of its own, so that tests without a runtime can use it, and
//! ends when it is dropped; its port is then free.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NULL, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record as WireRecord, RecordType as WireType};
use landmarc_auth::lookup::{Answer, DnsName, DnsRecord, LookupError, Question, RecordType, Zones};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;

/// The largest UDP answer, whatever the client can take; longer ones are truncated.
const MAX_UDP_OCTETS: u16 = 1232;
/// The largest UDP answer to a client without EDNS (RFC 1035 §4.2.1).
const MIN_UDP_OCTETS: u16 = 512;
/// The longest chain of aliases, as in [`Zones`].
const MAX_ALIASES: usize = 8;
/// How often a port is looked for that is free for UDP and TCP both.
const PORT_ATTEMPTS: usize = 20;

/// A running server.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped to end the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Mutex<Behaviour>,
    log: Mutex<Vec<Question>>,
}

#[derive(Clone, Debug)]
struct Behaviour {
    zones: Zones,
    delay: Duration,
    silent: bool,
    below: Vec<(DnsName, Option<Duration>)>,
    ttl: u32,
    negative_ttl: u32,
    compact_denial: bool,
    follows_aliases: bool,
    lowers_names: bool,
}

impl DnsServer {
    /// Starts on a free port of 127.0.0.1. Records and negative answers get a TTL of
    /// 300 s.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start(zones: Zones) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), zones)
    }

    /// Starts at this address, such as that of a server that was dropped; port 0 takes a
    /// free one.
    ///
    /// # Panics
    /// When the port cannot be had.
    #[must_use]
    pub fn start_at(address: SocketAddr, zones: Zones) -> Self {
        let (address, udp, tcp) = bind(address).expect("loopback has a free port");
        Self::start_on(address, udp, Some(tcp), zones)
    }

    /// Starts on a free port of 127.0.0.1, and refuses connections over TCP, as some forwarders do.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start_without_tcp(zones: Zones) -> Self {
        let (address, udp, _) = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has a free port");
        Self::start_on(address, udp, None, zones)
    }

    fn start_on(
        address: SocketAddr,
        udp: std::net::UdpSocket,
        tcp: Option<std::net::TcpListener>,
        zones: Zones,
    ) -> Self {
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour {
                zones,
                delay: Duration::ZERO,
                silent: false,
                below: Vec::new(),
                ttl: 300,
                negative_ttl: 300,
                compact_denial: false,
                follows_aliases: true,
                lowers_names: false,
            }),
            log: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime needs only file descriptors");
            let served = runtime.block_on(serve(udp, tcp, &of_thread, stopped));
            served.expect("bound sockets can be registered");
        });
        Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens, over UDP and TCP.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The questions so far, one for each message that came in: an answer fetched over TCP
    /// after a truncated one is two. Types that [`RecordType`] does not have are not listed, nor is the
    /// root, by which a resolver probes every few seconds whether we answer.
    #[must_use]
    pub fn log(&self) -> Vec<Question> {
        let mut log = self.shared.log().clone();
        log.retain(|question| question.name != DnsName::root());
        log
    }

    /// Answers from these zones from now on.
    pub fn set_zones(&self, zones: Zones) {
        self.shared.behaviour().zones = zones;
    }

    /// Each answer is sent this much later; others are not held up by it.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.behaviour().delay = delay;
    }

    /// Receives, logs, and answers nothing at all.
    pub fn set_silent(&self, silent: bool) {
        self.shared.behaviour().silent = silent;
    }

    /// Answers about this name and those below are sent so much later, whatever holds for the
    /// others; never where there is no delay.
    pub fn set_delay_below(&self, name: DnsName, delay: Option<Duration>) {
        self.shared.behaviour().below.push((name, delay));
    }

    /// The TTL of records, in seconds.
    pub fn set_ttl(&self, seconds: u32) {
        self.shared.behaviour().ttl = seconds;
    }

    /// The TTL of negative answers, as TTL and MINIMUM of their SOA record, in seconds.
    pub fn set_negative_ttl(&self, seconds: u32) {
        self.shared.behaviour().negative_ttl = seconds;
    }

    /// Denies names as RFC 9824 does, with NODATA and an NSEC record that holds NXNAME,
    /// to clients that ask for DNSSEC data.
    pub fn set_compact_denial(&self, compact: bool) {
        self.shared.behaviour().compact_denial = compact;
    }

    /// Repeats names of questions in lower case, as some forwarders do.
    pub fn set_lowers_names(&self, lowers: bool) {
        self.shared.behaviour().lowers_names = lowers;
    }

    /// Whether aliases are followed; if not, the answer is the first alias alone.
    pub fn set_follows_aliases(&self, follows: bool) {
        self.shared.behaviour().follows_aliases = follows;
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed; the test fails by the answers it lacks.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Vec<Question>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same port for UDP and TCP. Without a runtime, since the caller may be within one.
fn bind(address: SocketAddr) -> io::Result<(SocketAddr, std::net::UdpSocket, std::net::TcpListener)> {
    let mut attempt = 0;
    loop {
        let udp = std::net::UdpSocket::bind(address)?;
        let bound = udp.local_addr()?;
        match std::net::TcpListener::bind(bound) {
            Ok(tcp) => {
                udp.set_nonblocking(true)?;
                tcp.set_nonblocking(true)?;
                return Ok((bound, udp, tcp));
            }
            Err(error) if address.port() != 0 || attempt == PORT_ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

async fn serve(
    udp: std::net::UdpSocket,
    tcp: Option<std::net::TcpListener>,
    shared: &Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let udp = UdpSocket::from_std(udp)?;
    let tcp = tcp.map(TcpListener::from_std).transpose()?;
    tokio::select! {
        _ = stopped => {}
        () = serve_udp(udp, shared) => {}
        () = serve_tcp(tcp, shared) => {}
    }
    Ok(())
}

async fn serve_udp(socket: UdpSocket, shared: &Arc<Shared>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let request = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, shared) = (Arc::clone(&socket), Arc::clone(shared));
        tokio::spawn(async move {
            if let Some(answer) = respond(&request, &shared, Transport::Udp).await {
                // A client that is gone misses nothing.
                drop(socket.send_to(&answer, client).await);
            }
        });
    }
}

async fn serve_tcp(listener: Option<TcpListener>, shared: &Arc<Shared>) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(shared);
        // A client that hangs up in between ends its connection only.
        tokio::spawn(async move { drop(converse(stream, &shared).await) });
    }
}

async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let mut request = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut request).await?;
        if let Some(answer) = respond(&request, shared, Transport::Tcp).await {
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            stream.write_u16(length).await?;
            stream.write_all(&answer).await?;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// The octets to answer with, after the delay; none when silence is the answer.
async fn respond(request: &[u8], shared: &Shared, transport: Transport) -> Option<Vec<u8>> {
    let request = Message::from_vec(request).ok()?;
    let question = question(&request);
    shared.log().extend(question.clone());
    let behaviour = shared.behaviour().clone();
    tokio::time::sleep(behaviour.delay_of(question.as_ref())?).await;
    let response = behaviour.answer(&request, question.as_ref())?;
    let octets = response.to_vec().ok()?;
    let limit = request.max_payload().clamp(MIN_UDP_OCTETS, MAX_UDP_OCTETS);
    if transport == Transport::Udp && octets.len() > usize::from(limit) {
        return response.truncate().to_vec().ok();
    }
    Some(octets)
}

impl Behaviour {
    /// How long an answer takes; none where there is none.
    fn delay_of(&self, question: Option<&Question>) -> Option<Duration> {
        let is_below = |name: &DnsName| question.is_some_and(|question| question.name.is_at_or_below(name));
        let of_all = (!self.silent).then_some(self.delay);
        let of_name = self.below.iter().find(|(name, _)| is_below(name));
        of_name.map_or(of_all, |(_, delay)| *delay)
    }

    fn answer(&self, request: &Message, question: Option<&Question>) -> Option<Message> {
        let mut response = Message::response(request.metadata.id, OpCode::Query);
        response.metadata.recursion_desired = request.metadata.recursion_desired;
        response.metadata.recursion_available = true;
        response.add_queries(request.queries.iter().cloned().map(|mut query| {
            if self.lowers_names {
                query.set_name(query.name().to_lowercase());
            }
            query
        }));
        if request.edns.is_some() {
            response.set_edns(Edns::new());
        }
        let Some(question) = question else {
            response.add_authority(self.soa());
            return Some(response);
        };
        let end = self.add_aliases(question, &mut response);
        if !self.follows_aliases && !response.answers.is_empty() {
            response.answers.truncate(1);
            return Some(response);
        }
        match self.zones.answer(question) {
            Answer::Records(records) => {
                let records = records.iter().map(|r| self.record(&end, wire_data(r)));
                response.add_answers(records);
            }
            Answer::NoData => {
                response.add_authority(self.soa());
            }
            Answer::NxDomain(_) => self.deny(&end, request, &mut response),
            Answer::Failed(LookupError::ServFail) => fail(&mut response, ResponseCode::ServFail),
            Answer::Failed(LookupError::Refused) => fail(&mut response, ResponseCode::Refused),
            Answer::Failed(_) => return None,
        }
        Some(response)
    }

    /// Adds the chain of aliases, and returns the name where it ends.
    fn add_aliases(&self, question: &Question, response: &mut Message) -> DnsName {
        let mut at = question.clone();
        for _ in 0..MAX_ALIASES {
            let Some(target) = self.zones.alias(&at).cloned() else {
                break;
            };
            response.add_answer(self.record(&at.name, RData::CNAME(CNAME(wire_name(&target)))));
            at.name = target;
        }
        at.name
    }

    fn deny(&self, name: &DnsName, request: &Message, response: &mut Message) {
        response.add_authority(self.soa());
        let wants_dnssec = request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        if self.compact_denial {
            if wants_dnssec {
                response.add_authority(self.record(name, nxname_proof(name)));
            }
        } else {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
    }

    fn record(&self, owner: &DnsName, data: RData) -> WireRecord {
        WireRecord::from_rdata(wire_name(owner), self.ttl, data)
    }

    fn soa(&self) -> WireRecord {
        let zone = Name::root();
        let soa = SOA::new(
            zone.clone(),
            zone.clone(),
            1,
            7200,
            3600,
            1_209_600,
            self.negative_ttl,
        );
        WireRecord::from_rdata(zone, self.negative_ttl, RData::SOA(soa))
    }
}

fn fail(response: &mut Message, code: ResponseCode) {
    response.answers.clear();
    response.metadata.response_code = code;
}

/// The one question, when it is of a type that zones hold.
fn question(request: &Message) -> Option<Question> {
    let [query] = request.queries.as_slice() else {
        return None;
    };
    let record_type = match query.query_type() {
        WireType::TXT => RecordType::Txt,
        WireType::A => RecordType::A,
        WireType::AAAA => RecordType::Aaaa,
        WireType::MX => RecordType::Mx,
        WireType::PTR => RecordType::Ptr,
        _ => return None,
    };
    let labels: Vec<&[u8]> = query.name().iter().collect();
    let name = if labels.is_empty() {
        DnsName::root()
    } else {
        DnsName::from_octets(&labels.join(&b'.'))?
    };
    Some(Question::new(name, record_type))
}

fn wire_data(record: &DnsRecord) -> RData {
    match record {
        DnsRecord::Txt(text) if text.is_empty() => RData::TXT(TXT::from_bytes(vec![b""])),
        DnsRecord::Txt(text) => RData::TXT(TXT::from_bytes(text.chunks(255).collect())),
        DnsRecord::A(address) => RData::A(A(*address)),
        DnsRecord::Aaaa(address) => RData::AAAA(AAAA(*address)),
        DnsRecord::Mx { preference, exchange } => RData::MX(MX::new(*preference, wire_name(exchange))),
        DnsRecord::Ptr(name) => RData::PTR(PTR(wire_name(name))),
    }
}

fn wire_name(name: &DnsName) -> Name {
    Name::from_labels(name.labels()).expect("a DnsName has labels and length that DNS can carry")
}

/// NSEC with the name that follows at once, and the types RRSIG, NSEC and NXNAME
/// (RFC 9824 §3.1).
fn nxname_proof(name: &DnsName) -> RData {
    let mut data = vec![1, 0];
    for label in name.labels() {
        data.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        data.extend_from_slice(label);
    }
    data.push(0);
    let mut bitmap = [0_u8; 17];
    for record_type in [46_u8, 47, 128] {
        if let Some(octet) = bitmap.get_mut(usize::from(record_type / 8)) {
            *octet |= 0x80 >> (record_type % 8);
        }
    }
    data.extend([0, 17]);
    data.extend(bitmap);
    RData::Unknown {
        code: WireType::NSEC,
        rdata: NULL::with(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use std::net::UdpSocket as BlockingSocket;

    #[test]
    fn answers_a_client_without_a_runtime_and_logs_the_question() {
        let server = DnsServer::start(crate::txt_zones(&[("example.com", "hello")]));
        let response = exchange(server.addr(), "example.com", WireType::TXT, None);
        assert_eq!(response.metadata.response_code, ResponseCode::NoError);
        assert_eq!(response.answers.len(), 1);
        assert_eq!(server.log(), [Question::txt(crate::dns_name("example.com"))]);
    }

    #[test]
    fn a_type_that_zones_do_not_hold_is_no_data() {
        let server = DnsServer::start(crate::txt_zones(&[("example.com", "hello")]));
        server.set_negative_ttl(7);
        let response = exchange(server.addr(), "example.com", WireType::SRV, None);
        assert_eq!(response.metadata.response_code, ResponseCode::NoError);
        assert!(response.answers.is_empty());
        let soa = response
            .authorities
            .first()
            .map(|record| (record.ttl, record.record_type()));
        assert_eq!(soa, Some((7, WireType::SOA)));
        assert_eq!(server.log(), []);
    }

    #[test]
    fn without_edns_512_octets_are_the_limit_and_with_it_1232() {
        let long = "x".repeat(600);
        let longer = "x".repeat(1300);
        let zones = crate::txt_zones(&[("long.example", &long), ("longer.example", &longer)]);
        let server = DnsServer::start(zones);
        let truncated = |name, payload| {
            let response = exchange(server.addr(), name, WireType::TXT, payload);
            assert_eq!(response.answers.is_empty(), response.metadata.truncation);
            response.metadata.truncation
        };
        assert!(truncated("long.example", None));
        assert!(!truncated("long.example", Some(4096)));
        assert!(truncated("longer.example", Some(4096)));
    }

    #[test]
    fn dropping_it_frees_the_port() {
        let server = DnsServer::start(Zones::new());
        let address = server.addr();
        drop(server);
        let again = DnsServer::start_at(address, crate::txt_zones(&[("example.com", "back")]));
        assert_eq!(again.addr(), address);
        assert_eq!(
            exchange(address, "example.com", WireType::TXT, None)
                .answers
                .len(),
            1
        );
    }

    fn exchange(server: SocketAddr, name: &str, record_type: WireType, payload: Option<u16>) -> Message {
        let mut request = Message::query();
        let name = wire_name(&crate::dns_name(name));
        request.add_query(Query::query(name, record_type));
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            request.set_edns(edns);
        }
        let socket = BlockingSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.send_to(&request.to_vec().unwrap(), server).unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        Message::from_vec(&buffer[..length]).unwrap()
    }
}

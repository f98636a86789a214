//! A port that takes segments, and clients that say exactly what they are told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landmarc_push::{
    BeatMessage, BeatReply, CertificateFiles, Client, ClientName, ClientTls, PushError, PushLimits,
    PushRefusal, PushServer, SegmentReceiver, SegmentReply, ServerTls, Timeouts,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::Pki;

/// Segments that the taker does not take, each for a reason of its own.
pub(crate) const UNREADABLE: &[u8] = b"unreadable";
pub(crate) const FORBIDDEN: &[u8] = b"forbidden";
pub(crate) const AWAY: &[u8] = b"away";
/// One that it takes when it is let to.
pub(crate) const GATED: &[u8] = b"gated";

/// What the taker has seen.
pub(crate) struct Taken {
    pub(crate) segments: Mutex<Vec<(ClientName, usize)>>,
    pub(crate) beats: Mutex<Vec<BeatMessage>>,
    pub(crate) gate: Semaphore,
    pub(crate) at_gate: AtomicUsize,
    /// Nobody may hand on anything.
    pub(crate) bars: AtomicBool,
}

/// Hands on to what the test looks at.
struct Hand(Arc<Taken>);

impl SegmentReceiver for Hand {
    fn admits(&self, client: &ClientName) -> Result<(), PushRefusal> {
        match self.0.bars.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(PushRefusal::Forbidden {
                error: format!("{client} is barred"),
                remedy: String::new(),
            }),
        }
    }

    async fn segment(&self, client: ClientName, segment: Vec<u8>) -> Result<SegmentReply, PushRefusal> {
        self.0.take(client, segment).await
    }

    async fn beat(&self, client: ClientName, beat: BeatMessage) -> Result<BeatReply, PushRefusal> {
        if beat.name != client.to_string() {
            return Err(PushRefusal::Forbidden {
                error: format!("{client} does not speak for {}", beat.name),
                remedy: String::new(),
            });
        }
        self.0.beats.lock().unwrap().push(beat);
        Ok(BeatReply {
            through: 3,
            highest: 7,
        })
    }
}

impl Taken {
    async fn take(&self, client: ClientName, segment: Vec<u8>) -> Result<SegmentReply, PushRefusal> {
        let remedy = "do as you are told".to_owned();
        match segment.as_slice() {
            UNREADABLE => Err(PushRefusal::Unreadable {
                error: "the checksum is wrong".to_owned(),
                remedy,
            }),
            FORBIDDEN => Err(PushRefusal::Forbidden {
                error: format!("{client} is not welcome"),
                remedy,
            }),
            AWAY => Err(PushRefusal::Away {
                error: "the database is away".to_owned(),
                retry_after: Duration::from_millis(30_500),
            }),
            taken => {
                if taken == GATED {
                    self.at_gate.fetch_add(1, Ordering::SeqCst);
                    self.gate.acquire().await.unwrap().forget();
                    self.at_gate.fetch_sub(1, Ordering::SeqCst);
                }
                self.segments.lock().unwrap().push((client, taken.len()));
                Ok(SegmentReply {
                    batches: 1,
                    known: 2,
                    messages: taken.len().try_into().unwrap(),
                })
            }
        }
    }

    /// The octets of each segment that was taken.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.segments
            .lock()
            .unwrap()
            .iter()
            .map(|(_, length)| *length)
            .collect()
    }
}

/// A port that is served for as long as this lives.
pub(crate) struct Port {
    pub(crate) pki: Arc<Pki>,
    pub(crate) address: SocketAddr,
    pub(crate) tls: ServerTls,
    pub(crate) taken: Arc<Taken>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Port {
    pub(crate) async fn open(limits: PushLimits) -> Self {
        let pki = Arc::new(Pki::new());
        let files = pki.collector();
        Self::open_with(pki, files, limits, ([127, 0, 0, 1], 0).into()).await
    }

    pub(crate) async fn open_with(
        pki: Arc<Pki>,
        files: CertificateFiles,
        limits: PushLimits,
        at: SocketAddr,
    ) -> Self {
        let tls = ServerTls::load(files).unwrap();
        let server = PushServer::bind(&[at], limits).await.unwrap();
        let address = server.local_addresses()[0];
        let taken = Arc::new(Taken {
            segments: Mutex::default(),
            beats: Mutex::default(),
            gate: Semaphore::new(0),
            at_gate: AtomicUsize::new(0),
            bars: AtomicBool::new(false),
        });
        let taker = Hand(Arc::clone(&taken));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(tls.clone(), taker, async move {
            // Dropped is told, too.
            let _ = stopped.await;
        }));
        Self {
            pki,
            address,
            tls,
            taken,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// One of ours.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&self.pki.mx1())
    }

    pub(crate) fn client_with(&self, files: &CertificateFiles) -> Client {
        client(&self.url(), files)
    }

    /// Sends one segment in a connection of its own.
    pub(crate) async fn send(&self, segment: &[u8]) -> Result<SegmentReply, PushError> {
        self.client().send(segment.to_vec()).await
    }

    /// TLS with a good certificate, and then whatever one says.
    pub(crate) async fn connect(&self) -> Raw {
        self.try_connect(Some(&self.pki.mx1()), rustls::DEFAULT_VERSIONS)
            .await
            .unwrap()
    }

    pub(crate) async fn try_connect(
        &self,
        files: Option<&CertificateFiles>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<Raw> {
        let mut roots = RootCertStore::empty();
        let authorities = CertificateDer::pem_file_iter(self.pki.path("ca.pem")).unwrap();
        roots.add_parsable_certificates(authorities.flatten());
        let provider = rustls::crypto::ring::default_provider();
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match files {
            None => config.with_no_client_auth(),
            Some(files) => {
                let chain = CertificateDer::pem_file_iter(&files.certificate_file).unwrap();
                let key = PrivateKeyDer::from_pem_file(&files.key_file).unwrap();
                config
                    .with_client_auth_cert(chain.flatten().collect(), key)
                    .unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Raw(connector
            .connect("localhost".try_into().unwrap(), stream)
            .await?))
    }

    /// The same, with the octets of each segment that was taken in its life.
    pub(crate) async fn stop_and_count(self) -> Vec<usize> {
        let taken = Arc::clone(&self.taken);
        self.stop().await;
        taken.lengths()
    }

    /// Ends it, and waits for the end.
    pub(crate) async fn stop(mut self) -> (Arc<Pki>, SocketAddr) {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.await.unwrap();
        (self.pki, self.address)
    }
}

/// A client of ours to this URL.
pub(crate) fn client(url: &str, files: &CertificateFiles) -> Client {
    Client::new(url, &ClientTls::load(files).unwrap(), Timeouts::default()).unwrap()
}

/// A request with this body.
pub(crate) fn post(body: &[u8], fields: &str) -> Vec<u8> {
    let head = format!(
        "POST /spool/v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(crate) struct Raw(TlsStream<TcpStream>);

impl Raw {
    pub(crate) async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.0.write_all(octets.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// All up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        // A reset comes after all that was said.
        let _ = self.0.read_to_end(&mut octets).await;
        String::from_utf8(octets).unwrap()
    }

    /// Why nothing comes any more.
    pub(crate) async fn error(&mut self) -> String {
        self.0.read_u8().await.unwrap_err().to_string()
    }

    /// One answer of ours, to the end of its body.
    pub(crate) async fn answer(&mut self) -> String {
        let mut text = String::new();
        while !text.ends_with("}\n") {
            let octet = self.0.read_u8().await;
            text.push(char::from(
                octet.unwrap_or_else(|error| panic!("{error} after {text:?}")),
            ));
        }
        text
    }

    /// The status of the answer to this request.
    pub(crate) async fn status_of(&mut self, request: impl AsRef<[u8]>) -> u16 {
        self.say(request).await;
        status(&self.answer().await)
    }

    /// Gone, without a word.
    pub(crate) fn cut(self) {
        drop(self.0);
    }
}

/// What follows the header section of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.rsplit_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[track_caller]
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("{answer:?}"))
}

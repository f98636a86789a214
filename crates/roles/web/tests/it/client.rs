//! A port to ask, and a client that says exactly what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use landmarc_web::{Health, MonitoringSite, PartHealth, ServiceReadiness, Status, WebLimits, WebServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What `/metrics` says here.
pub(crate) const METRICS: &str = "# HELP x Some.\n# TYPE x counter\nx_total 1\n# EOF\n";
/// The same in the classic format.
pub(crate) const CLASSIC_METRICS: &str = "# HELP x_total Some.\n# TYPE x_total counter\nx_total 1\n";

/// A status that tests can change.
pub(crate) struct Scripted(Mutex<Health>);

impl Scripted {
    pub(crate) fn set(&self, health: Health) {
        *self.0.lock().unwrap() = health;
    }
}

impl Status for Scripted {
    fn metrics(&self) -> String {
        METRICS.to_owned()
    }

    fn readiness(&self) -> ServiceReadiness {
        let part = |name, health| PartHealth { name, health };
        ServiceReadiness {
            parts: vec![
                part("milter", self.0.lock().unwrap().clone()),
                part("store", Health::Ok),
            ],
        }
    }
}

/// A port that is served for as long as this lives.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    pub(crate) status: Arc<Scripted>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Port {
    pub(crate) async fn open(limits: WebLimits) -> Self {
        let status = Arc::new(Scripted(Mutex::new(Health::Ok)));
        let server = WebServer::bind(&["127.0.0.1:0".parse().unwrap()], limits)
            .await
            .unwrap();
        let address = server.local_addresses()[0];
        let site = MonitoringSite::new(status.clone(), ["mx1.example.org".to_owned()]);
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server.run(site, async move {
            // Dropped is told, too.
            let _ = stopped.await;
        }));
        Self {
            address,
            status,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// The answer to one request, in a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Reply {
        ask(self.address, request).await
    }

    /// The answer to a GET of this page.
    pub(crate) async fn get(&self, target: &str) -> Reply {
        get(self.address, target).await
    }

    /// Ends it, and waits for the end.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.server.await.unwrap();
    }
}

/// The answer to one request, in a connection of its own.
async fn ask(address: SocketAddr, request: &str) -> Reply {
    let mut client = Client::connect(address).await;
    client.say(request).await;
    Reply::read(&client.rest().await)
}

/// The answer to a GET of this page.
pub(crate) async fn get(address: SocketAddr, target: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ask(address, &request).await
}

pub(crate) struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.0.write_all(octets.as_ref()).await.unwrap();
    }

    /// All up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> String {
        let mut octets = Vec::new();
        // A reset comes after all that was said.
        let _ = self.0.read_to_end(&mut octets).await;
        String::from_utf8(octets).unwrap()
    }

    /// Reads until these words have come.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(words) {
            let octet = self.0.read_u8().await;
            text.push(char::from(
                octet.unwrap_or_else(|error| panic!("{error} after {text:?}")),
            ));
        }
        text
    }
}

/// An answer, as read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let code = head
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| head.strip_prefix("HTTP/1.0 "));
        Self {
            code: code
                .and_then(|rest| rest.get(..3)?.parse().ok())
                .unwrap_or_else(|| panic!("{text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

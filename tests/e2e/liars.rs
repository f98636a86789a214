//! Databases that lie: each sends without end, announces what it has not, or wants the password in clear. The service names it,
//! its memory stays small, and mail is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use landmarc_auth::lookup::Zones;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta};
use landmarc_testkit::tools::Folder;

use crate::binary::landmarc;
use crate::serve::for_mta;
use crate::service::{Service, Socket};

/// Without these limits it is gigabytes after some seconds.
const MAX_MEMORY_KIB: u64 = 400 << 10;
const PASSWORD: &str = "sekret";
/// PostgreSQL: "AuthenticationOk" and "ReadyForQuery".
const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// A server that does the same to each who connects, and what it was told.
struct Liar {
    address: SocketAddr,
    told: Arc<Mutex<Vec<u8>>>,
}

impl Liar {
    fn start(lie: impl Fn(&mut Conversation) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (heard, lie) = (Arc::clone(&told), Arc::new(lie));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (told, lie) = (Arc::clone(&heard), Arc::clone(&lie));
                // The other side ends the conversation.
                thread::spawn(move || drop(lie(&mut Conversation { stream, told })));
            }
        });
        Self { address, told }
    }

    fn was_told(&self, words: &str) -> bool {
        let told = self.told.lock().unwrap();
        told.windows(words.len()).any(|part| part == words.as_bytes())
    }
}

struct Conversation {
    stream: TcpStream,
    told: Arc<Mutex<Vec<u8>>>,
}

impl Conversation {
    fn hears(&mut self) -> std::io::Result<()> {
        let mut octets = [0; 4096];
        let count = self.stream.read(&mut octets)?;
        self.told.lock().unwrap().extend(&octets[..count]);
        match count {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn says(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(octets)
    }

    /// Until nobody takes it any more.
    fn says_for_ever(&mut self, octets: &[u8]) -> std::io::Result<()> {
        let many = octets.repeat(1 + 65_536 / octets.len());
        loop {
            self.says(&many)?;
        }
    }
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], payload].concat()
}

/// How MariaDB 11 begins, without TLS, with this way to log in.
fn greeting(plugin: &str) -> Vec<u8> {
    let begin = b"\x0a11.4.2-MariaDB\0\x01\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0";
    packet(0, &[&begin[..], plugin.as_bytes(), b"\0"].concat())
}

const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// The service beside a database that lies: it says what the database did, stays small, and answers mail.
#[track_caller]
fn survives(name: &str, liar: &Liar, settings: &str, words: &[&str]) -> Service {
    let dns = DnsServer::start(Zones::new());
    let folder = Folder::new(&format!("{name}-password"));
    let file = folder.write("password", format!("{PASSWORD}\n"));
    let settings = settings
        .replace("ADDRESS", &liar.address.to_string())
        .replace("PASSWORD", &file.display().to_string());
    let service = Service::start(name, Socket::Inet, dns.addr(), &settings);
    let line = service.wait_for_line(words[0]);
    for words in words {
        assert!(line.contains(words), "{line} without {words}");
    }
    assert!(line.len() < 2_000, "{line}");
    let mut mta = Mta::connect(&for_mta(service.milter())).unwrap();
    let outcome = mta.deliver(&Mail::plain());
    assert!(outcome.is_ok(), "{outcome:?}");
    let memory = service.memory_kib("VmHWM");
    assert!(memory < MAX_MEMORY_KIB, "{memory} KiB");
    service
}

const POSTGRESQL: &str =
    "fleet.database = \"postgres://u@ADDRESS/d\"\nfleet.tls = \"off\"\nfleet.password_file = \"PASSWORD\"\n";
const MARIADB: &str =
    "fleet.database = \"mysql://u@ADDRESS/d\"\nfleet.tls = \"off\"\nfleet.password_file = \"PASSWORD\"\n";
const REDIS: &str =
    "rspamd.servers = [\"ADDRESS\"]\nrspamd.interval = \"1s\"\nreport.email = \"r@us.example\"\n";

#[test]
fn a_postgresql_that_announces_two_gigabytes_is_left() {
    let liar = Liar::start(|one| {
        one.hears()?;
        one.says(LET_IN)?;
        one.hears()?;
        one.says(b"D\x7f\xff\xff\xff")?;
        one.says_for_ever(b"A")
    });
    let words = ["2147483643 octets", "postgres://u@127.0.0.1:"];
    survives("liar-announces", &liar, POSTGRESQL, &words);
}

#[test]
fn a_postgresql_that_sends_rows_for_ever_is_left() {
    let liar = Liar::start(|one| {
        one.hears()?;
        one.says(LET_IN)?;
        one.hears()?;
        // A row of one column, which is null.
        one.says_for_ever(b"D\0\0\0\x0a\0\x01\xff\xff\xff\xff")
    });
    // By the limit; where the host is slow, by the deadline of connecting.
    let words = ["records wait on disk", "postgres://u@127.0.0.1:"];
    survives("liar-rows", &liar, POSTGRESQL, &words);
}

#[test]
fn a_length_of_four_gigabytes_ends_no_command() {
    let liar = Liar::start(|one| {
        one.hears()?;
        one.says_for_ever(b"R\xff\xff\xff\xff\0\0\0\0")
    });
    let folder = Folder::new("liar-status");
    let file = folder.write(
        "landmarc.toml",
        POSTGRESQL.replace("ADDRESS", &liar.address.to_string()).replace(
            "PASSWORD",
            &folder.write("password", PASSWORD).display().to_string(),
        ) + &format!("store.directory = \"{}\"\n", folder.path().display()),
    );
    let ran = landmarc(["store", "status", "--config", &file.display().to_string()]);
    assert!(ran.code > 0 && ran.code < 128, "{} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("4294967291 octets"), "{}", ran.stderr);
}

#[test]
fn a_mariadb_with_a_packet_without_end_is_left() {
    let liar = Liar::start(|one| {
        one.says(&greeting("mysql_native_password"))?;
        one.hears()?;
        one.says(&packet(2, OK))?;
        one.hears()?;
        let part = [&b"\xff\xff\xff\x01"[..], &vec![b'A'; 0xff_ff_ff]].concat();
        one.says_for_ever(&part)
    });
    let words = ["octets in answer to one statement", "mysql://u@127.0.0.1:"];
    survives("liar-packet", &liar, MARIADB, &words);
}

#[test]
fn a_mariadb_with_endless_columns_is_left() {
    let liar = Liar::start(|one| {
        one.says(&greeting("mysql_native_password"))?;
        one.hears()?;
        one.says(&packet(2, OK))?;
        one.hears()?;
        one.says_for_ever(&packet(1, b"\xfe\xff\xff\xff\xff\xff\x00\x00\x00"))
    });
    survives(
        "liar-columns",
        &liar,
        MARIADB,
        &["a row of more than 250 columns", "mysql://u@127.0.0.1:"],
    );
}

/// Where the host is another one; on this host nobody sits between, and a socket for another is not opened by a test.
#[test]
fn a_mariadb_that_wants_the_password_in_clear_is_not_given_it() {
    let liar = Liar::start(|one| {
        one.says(&greeting("mysql_clear_password"))?;
        one.hears()?;
        one.hears()
    });
    survives(
        "liar-clear",
        &liar,
        MARIADB,
        &["asks for the password by mysql_clear_password"],
    );
    assert!(!liar.was_told(PASSWORD));
}

#[test]
fn a_redis_that_sends_without_end_is_left() {
    let liar = Liar::start(|one| {
        one.hears()?;
        one.says(b"*2147483647\r\n")?;
        one.says_for_ever(b"$5\r\nabcde\r\n")
    });
    survives(
        "liar-redis",
        &liar,
        REDIS,
        &["its answer has more than 200000 elements", "127.0.0.1:"],
    );
    // The command that an operator runs says the same.
    let folder = Folder::new("liar-migrate");
    let ran = landmarc([
        "migrate",
        "rspamd",
        "--no-dns",
        "--redis",
        &liar.address.to_string(),
        "--store",
        &folder.path().join("landmarc.db").display().to_string(),
    ]);
    assert!(ran.code > 0 && ran.code < 128, "{} {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("more than 200000 elements"), "{}", ran.stderr);
}

#[test]
fn an_error_of_redis_is_a_short_line() {
    let liar = Liar::start(|one| {
        one.hears()?;
        one.says(format!("-ERR {}\r\n", "x".repeat(60_000)).as_bytes())?;
        one.hears()
    });
    survives("liar-error", &liar, REDIS, &["it did not answer as expected"]);
}

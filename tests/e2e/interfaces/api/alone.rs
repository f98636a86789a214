//! A service without a milter socket: one interface is enough.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::Folder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::executable;
use crate::world::zones;

/// The service; dropping it kills it.
struct Alone(Child);

impl Drop for Alone {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_needs_no_milter_socket() {
    let dns = DnsServer::start(zones());
    let folder = Folder::new("api-alone");
    let settings = format!(
        "milter.listen = []\nweb.listen = []\nlog.target = \"stderr\"\ndns.name_servers = [\"{}\"]\n\
         check_api.listen = [\"inet:127.0.0.1:0\"]\n",
        dns.addr()
    );
    let file = folder.write("landmarc.toml", &settings);
    let mut child = Command::new(executable())
        .arg("serve")
        .arg("--config")
        .arg(file)
        .env_remove("JOURNAL_STREAM")
        .env("STATE_DIRECTORY", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut service = Alone(child);
    let address = address_in(&mut log);

    let mut stream = TcpStream::connect(&address).unwrap();
    let message = "From: a@reject.example\r\n\r\nx\r\n";
    let length = message.len();
    let head = format!(
        "POST /v1/check HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Landmarc-Envelope: {{\"client\": \"192.0.2.66\", \"helo\": \"x.example\", \"mail_from\": \"a@reject.example\"}}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(message.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains("\"author_domain\":\"reject.example\""),
        "{answer}"
    );

    let id = i32::try_from(service.0.id()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    assert_eq!(service.0.wait().unwrap().code(), Some(0));
}

/// Where the API is, as the log says.
fn address_in(log: &mut impl BufRead) -> String {
    let mut printed = String::new();
    loop {
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        assert_ne!(line, "", "it has ended: {printed}");
        if let Some((_, address)) = line.split_once("check API on http://") {
            return address.trim_end().trim_end_matches('/').to_owned();
        }
        printed.push_str(&line);
    }
}

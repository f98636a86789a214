//! A judge for tests: notes what it is told, and answers what it was told to.

use std::sync::{Arc, Mutex, PoisonError};

use landmarc_milter::{
    Actions, Arguments, Capabilities, ConnectInfo, Macros, PeerAddress, Response, Service, Session,
};
use landmarc_net::Peer;

use crate::caller::Interface;
use crate::findings::{Findings, Judged};

/// Makes sessions that all note in the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    pub(crate) response: Response,
    pub(crate) findings: Findings,
    /// The step at which a session panics: the name of the method.
    pub(crate) bug: Option<&'static str>,
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// What was noted, in its order.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, step: &'static str, text: impl AsRef<[u8]>) {
        let text = text.as_ref().escape_ascii();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        match notes
            .last_mut()
            .filter(|last| step == "body" && last.starts_with("body "))
        {
            // However the body is cut.
            Some(last) => last.push_str(&text.to_string()),
            None => notes.push(format!("{step} {text}").trim_end().to_owned()),
        }
        drop(notes);
        assert_ne!(self.bug, Some(step), "the bug that was asked for");
    }
}

impl Service for Scripted {
    type Session = Self;

    fn connect(&self, _peer: &Peer) -> Self {
        self.note("connect", "");
        self.clone()
    }
}

impl Judged for Scripted {
    fn comes_by(&mut self, interface: Interface) {
        self.note("interface", interface.as_str());
    }

    fn stay_out_of_reports(&mut self) {}

    fn ends_at_no_field(&mut self) {
        self.note("ends_at_no_field", "");
    }

    fn take_findings(&mut self) -> Option<Findings> {
        Some(self.findings.clone())
    }
}

impl Session for Scripted {
    fn negotiated(&mut self, capabilities: &Capabilities) {
        let hold = capabilities.allows(Actions::QUARANTINE);
        let add = capabilities.allows(Actions::ADD_RECIPIENTS);
        self.note("negotiated", format!("hold={hold} add={add}"));
    }

    async fn connected(&mut self, info: ConnectInfo, macros: &Macros) {
        let address = match info.address {
            PeerAddress::Ip(address, port) => format!("{address} {port}"),
            PeerAddress::Unix(_) => "local".to_owned(),
            PeerAddress::Unknown => "unknown".to_owned(),
        };
        let name = info.hostname.escape_ascii();
        self.note("connected", format!("{address} {name} {macros:?}"));
    }

    async fn helo(&mut self, name: &[u8], _macros: &Macros) {
        self.note("helo", name);
    }

    async fn mail(&mut self, path: &[u8], _arguments: Arguments<'_>, _macros: &Macros) {
        self.note("mail", path);
    }

    async fn rcpt(&mut self, path: &[u8], _macros: &Macros) {
        self.note("rcpt", path);
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        self.note("header", [name, b":", value].concat());
    }

    async fn header_too_long(&mut self, name: &[u8], size: u32) {
        self.note("too_long", format!("{} {size}", name.escape_ascii()));
    }

    async fn end_of_headers(&mut self, _macros: &Macros) {
        self.note("end_of_headers", "");
    }

    async fn body(&mut self, chunk: &[u8]) {
        self.note("body", chunk);
    }

    async fn end_of_message(&mut self, _macros: &Macros) -> Response {
        self.note("end_of_message", "");
        self.response.clone()
    }
}

//! The envelope of `POST /v1/check`: one header field of the request for each thing that is known, or one
//! with all of it as JSON.

mod json;

use hyper::header::{HeaderMap, HeaderValue};
use landmarc_milter::{PeerAddress, ip_address};
use landmarc_net::Peer;

use super::problem::Problem;
use super::rspamd::addresses;
use crate::caller::{Caller, Interface};

/// What the names of all fields of the envelope begin with.
const PREFIX: &str = "landmarc-";

/// The same in one field, as a JSON object.
const OBJECT: &str = "landmarc-envelope";

/// Which of our fields an envelope in JSON goes with.
const BESIDE_OBJECT: [&str; 2] = [OBJECT, "landmarc-interface"];

/// Reads the envelope. Fields of other names mean nothing here.
///
/// # Errors
/// For a field of ours that is not known, is there twice, or has a value that cannot be read: a message
/// that is judged by half of its envelope is judged wrongly.
pub(super) fn caller(headers: &HeaderMap, peer: Peer) -> Result<Caller, Problem> {
    let mut envelope = Envelope::default();
    let object = headers.get(OBJECT);
    for (name, value) in headers {
        let Some(short) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let refuse = |why: String| Problem::Field {
            field: name.to_string(),
            why,
        };
        if short != "rcpt-to" && headers.get_all(name).iter().count() > 1 {
            return Err(refuse("it is there twice".to_owned()));
        }
        if object.is_some() && !BESIDE_OBJECT.contains(&name.as_str()) {
            return Err(refuse(format!("the envelope is in {OBJECT} already")));
        }
        let taken = match name.as_str() {
            OBJECT => json::take(value.as_bytes(), &mut envelope),
            // Read by [`interface`].
            "landmarc-interface" => Ok(()),
            _ => envelope.take(short, value.as_bytes()).map_err(str::to_owned),
        };
        taken.map_err(refuse)?;
    }
    Ok(envelope.into_caller(peer))
}

/// What is known so far.
#[derive(Debug, Default)]
struct Envelope {
    caller: Caller,
    port: u16,
}

impl Envelope {
    /// Takes what this field says; its name without what all begin with.
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), &'static str> {
        let caller = &mut self.caller;
        let text = || std::str::from_utf8(value).map_err(|_| "it is not in UTF-8");
        match name {
            "client" => {
                caller.client = client(value).ok_or("it is no IP address, and not \"local\"")?;
            }
            "client-port" => self.port = text()?.parse().map_err(|_| "it is no port")?,
            "client-name" => {
                caller.client_name = Some(text()?.to_owned());
                caller.client_name_is_verified = true;
            }
            "helo" => value.clone_into(&mut caller.helo),
            "mail-from" => value.clone_into(&mut caller.mail_from),
            "rcpt-to" => self.recipients(value),
            "user" => caller.authenticated = Some(text()?.to_owned()),
            "queue-id" => caller.queue_id = Some(text()?.to_owned()),
            "mta-name" => caller.mta_name = Some(text()?.to_owned()),
            "reporting" => match value {
                b"yes" => {}
                b"no" => caller.stays_out_of_reports = true,
                _ => return Err("it is neither \"yes\" nor \"no\""),
            },
            _ => return Err("there is no such field"),
        }
        Ok(())
    }

    /// Several in one field are several: a rule that holds for the last of them must not hold for all. One
    /// without anything in it is there to say that there are others.
    fn recipients(&mut self, list: &[u8]) {
        let before = self.caller.rcpt_to.len();
        self.caller.rcpt_to.extend(addresses(list).map(<[u8]>::to_vec));
        if self.caller.rcpt_to.len() == before {
            self.caller.rcpt_to.push(Vec::new());
        }
    }

    fn into_caller(self, peer: Peer) -> Caller {
        let mut caller = Caller { peer, ..self.caller };
        if let PeerAddress::Ip(_, port) = &mut caller.client {
            *port = self.port;
        }
        caller
    }
}

/// The interface a message came by, before it came by this one: our filter for OpenSMTPD says so.
pub(super) fn interface(headers: &HeaderMap) -> Interface {
    let named = headers.get("landmarc-interface").map(HeaderValue::as_bytes);
    match named == Some(Interface::OpenSmtpd.as_str().as_bytes()) {
        true => Interface::OpenSmtpd,
        false => Interface::Http,
    }
}

fn client(value: &[u8]) -> Option<PeerAddress> {
    match value {
        b"" => Some(PeerAddress::Unknown),
        b"local" => Some(PeerAddress::Unix(std::path::PathBuf::new())),
        address => ip_address(address).map(|address| PeerAddress::Ip(address, 0)),
    }
}

#[cfg(test)]
mod tests;

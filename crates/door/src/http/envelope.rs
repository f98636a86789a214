//! The envelope of `POST /v1/check`: one header field of the request for each thing that is known.

use hyper::header::{HeaderMap, HeaderValue};
use milter::{Peer, PeerAddress, ip_address};

use super::problem::Problem;
use crate::caller::{Caller, Door};

/// What the names of all fields of the envelope begin with.
const PREFIX: &str = "landmarc-";

/// Reads the envelope. Fields of other names mean nothing here.
///
/// # Errors
/// For a field of ours that is not known, is there twice, or has a value that cannot be read: a message
/// that is judged by half of its envelope is judged wrongly.
pub(super) fn caller(headers: &HeaderMap, peer: Peer) -> Result<Caller, Problem> {
    let mut caller = Caller {
        peer,
        ..Caller::default()
    };
    let mut port = 0;
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let refuse = |why| Problem::Field {
            field: format!("{PREFIX}{name}"),
            why,
        };
        if name != "rcpt-to" && headers.get_all(format!("{PREFIX}{name}")).iter().count() > 1 {
            return Err(refuse("it is there twice"));
        }
        let text = || text(value).ok_or_else(|| refuse("it is not in UTF-8"));
        match name {
            "client" => {
                caller.client =
                    client(value).ok_or_else(|| refuse("it is no IP address, and not \"local\""))?;
            }
            "client-port" => {
                port = text()?.parse().map_err(|_| refuse("it is no port"))?;
            }
            "client-name" => {
                caller.client_name = Some(text()?.to_owned());
                caller.client_name_is_verified = true;
            }
            "helo" => value.as_bytes().clone_into(&mut caller.helo),
            "mail-from" => value.as_bytes().clone_into(&mut caller.mail_from),
            "rcpt-to" => caller.rcpt_to.push(value.as_bytes().to_vec()),
            "user" => caller.authenticated = Some(text()?.to_owned()),
            "queue-id" => caller.queue_id = Some(text()?.to_owned()),
            "mta-name" => caller.mta_name = Some(text()?.to_owned()),
            "reporting" => match value.as_bytes() {
                b"yes" => {}
                b"no" => caller.stays_out_of_reports = true,
                _ => return Err(refuse("it is neither \"yes\" nor \"no\"")),
            },
            // Read by [`door`].
            "door" => {}
            _ => return Err(refuse("there is no such field")),
        }
    }
    if let PeerAddress::Ip(_, of_client) = &mut caller.client {
        *of_client = port;
    }
    Ok(caller)
}

/// The door a message came by, before it came by this one: our filter for OpenSMTPD says so.
pub(super) fn door(headers: &HeaderMap) -> Door {
    let named = headers.get("landmarc-door").map(HeaderValue::as_bytes);
    match named == Some(Door::OpenSmtpd.as_str().as_bytes()) {
        true => Door::OpenSmtpd,
        false => Door::Http,
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

fn client(value: &HeaderValue) -> Option<PeerAddress> {
    match value.as_bytes() {
        b"" => Some(PeerAddress::Unknown),
        b"local" => Some(PeerAddress::Unix(std::path::PathBuf::new())),
        address => ip_address(address).map(|address| PeerAddress::Ip(address, 0)),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Caller, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        caller(&headers, Peer::Unix).map_err(|problem| problem.to_string())
    }

    #[test]
    fn each_field_has_its_place() {
        let caller = read(&[
            ("Landmarc-Client", "192.0.2.7"),
            ("Landmarc-Client-Port", "4711"),
            ("Landmarc-Client-Name", "mx.example"),
            ("Landmarc-Helo", "helo.example"),
            ("Landmarc-Mail-From", "<a@example.com>"),
            ("Landmarc-Rcpt-To", "b@example.net"),
            ("Landmarc-Rcpt-To", "\u{fc}@example.net"),
            ("Landmarc-User", "user"),
            ("Landmarc-Queue-Id", "4Fb1"),
            ("Landmarc-Mta-Name", "mail.example.net"),
            ("Landmarc-Reporting", "no"),
            ("Content-Length", "3"),
        ]);
        let expected = Caller {
            peer: Peer::Unix,
            client: PeerAddress::Ip("192.0.2.7".parse().unwrap(), 4711),
            client_name: Some("mx.example".to_owned()),
            client_name_is_verified: true,
            helo: b"helo.example".to_vec(),
            mail_from: b"<a@example.com>".to_vec(),
            rcpt_to: vec![
                b"b@example.net".to_vec(),
                "\u{fc}@example.net".as_bytes().to_vec(),
            ],
            authenticated: Some("user".to_owned()),
            queue_id: Some("4Fb1".to_owned()),
            mta_name: Some("mail.example.net".to_owned()),
            stays_out_of_reports: true,
        };
        assert_eq!(caller, Ok(expected));
    }

    #[test]
    fn a_client_is_an_address_or_local_or_not_known() {
        let client = |value: &str| read(&[("Landmarc-Client", value)]).map(|caller| caller.client);
        let v6 = PeerAddress::Ip("2001:db8::1".parse().unwrap(), 0);
        for (value, expected) in [
            ("2001:db8::1", Some(v6.clone())),
            ("[IPv6:2001:db8::1]", Some(v6)),
            ("", Some(PeerAddress::Unknown)),
            ("local", Some(PeerAddress::Unix(std::path::PathBuf::new()))),
            ("LOCAL", None),
            ("mx.example", None),
            ("192.0.2.256", None),
        ] {
            assert_eq!(client(value).ok(), expected, "{value}");
        }
        assert_eq!(read(&[]), Ok(Caller::default()));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_name() {
        for (fields, why) in [
            (
                &[("landmarc-clint", "x")][..],
                "landmarc-clint: there is no such field",
            ),
            (
                &[("landmarc-helo", "x"), ("landmarc-helo", "x")],
                "landmarc-helo: it is there twice",
            ),
            (
                &[("landmarc-client-port", "65536")],
                "landmarc-client-port: it is no port",
            ),
            (
                &[("landmarc-reporting", "maybe")],
                "landmarc-reporting: it is neither \"yes\" nor \"no\"",
            ),
            (
                &[("landmarc-client", "x")],
                "landmarc-client: it is no IP address, and not \"local\"",
            ),
        ] {
            assert_eq!(read(fields), Err(why.to_owned()));
        }
        let mut headers = HeaderMap::new();
        headers.insert("landmarc-user", HeaderValue::from_bytes(b"\xff").unwrap());
        let problem = caller(&headers, Peer::Unix).unwrap_err();
        assert_eq!(problem.to_string(), "landmarc-user: it is not in UTF-8");
    }
}

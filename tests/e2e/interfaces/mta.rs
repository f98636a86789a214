//! What the tests of every mail server have in common: its clients, and what came of a message.

use std::net::{Ipv4Addr, SocketAddr};

use landmarc_e2e::{Delivered, Outcome, Sink, Smtp};

use crate::service::{Line, Service};
use crate::world::envelope;

/// A client at this address, which has said EHLO.
pub(super) fn connect(client: Ipv4Addr, server: SocketAddr) -> Smtp {
    let mut smtp = Smtp::connect_from(client, server).unwrap();
    smtp.ehlo("client.helo.example").unwrap();
    smtp
}

/// Sends one message from this address.
pub(super) fn send(smtp: &mut Smtp, mail_from: &str, message: &[u8]) -> Outcome {
    smtp.send(&envelope(mail_from), message).unwrap()
}

/// The id in `2.0.0 4AL0Bx8k012345 Message accepted for delivery`.
#[track_caller]
pub(super) fn accepted_id(outcome: &Outcome) -> String {
    let text = outcome.last().text();
    let id = text.split_once(" Message accepted").map(|(before, _)| before);
    let id = id.and_then(|before| before.rsplit(' ').next());
    id.unwrap_or_else(|| panic!("not taken: {:?}", outcome.last()))
        .to_owned()
}

/// What the recipient got, and the line of our log.
#[track_caller]
pub(super) fn delivered(sink: &Sink, service: &Service, id: &str) -> (Delivered, Line) {
    let delivered = sink.wait_for(id);
    (
        delivered.unwrap_or_else(|| panic!("{id} was not delivered")),
        service.message(id),
    )
}

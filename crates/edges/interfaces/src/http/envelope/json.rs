//! The envelope as a JSON object: `{"client": "192.0.2.7", "mail_from": "a@example.com", "rcpt_to": ["b@example.net"]}`.

use serde::Deserialize;

use super::Envelope;

/// The object. Each key may be missing, and `null` is as if it were.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    client: Option<String>,
    client_port: Option<u16>,
    client_name: Option<String>,
    helo: Option<String>,
    mail_from: Option<String>,
    rcpt_to: Option<Vec<String>>,
    user: Option<String>,
    queue_id: Option<String>,
    mta_name: Option<String>,
    /// `false`: the message is to count in no report.
    reporting: Option<bool>,
}

/// Takes what the object says, as if it came in fields; its size is that of a header field.
///
/// # Errors
/// What is wrong with it, and where.
pub(super) fn take(object: &[u8], envelope: &mut Envelope) -> Result<(), String> {
    // A list of values in our order would do for the library, too.
    if object.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is no JSON object".to_owned());
    }
    let object: Object = serde_json::from_slice(object).map_err(|error| error.to_string())?;
    let reporting = object
        .reporting
        .map(|reporting| if reporting { "yes" } else { "no" });
    let port = object.client_port.map(|port| port.to_string());
    for (name, value) in [
        ("client", object.client.as_deref()),
        ("client-port", port.as_deref()),
        ("client-name", object.client_name.as_deref()),
        ("helo", object.helo.as_deref()),
        ("mail-from", object.mail_from.as_deref()),
        ("user", object.user.as_deref()),
        ("queue-id", object.queue_id.as_deref()),
        ("mta-name", object.mta_name.as_deref()),
        ("reporting", reporting),
    ] {
        let Some(value) = value else { continue };
        envelope
            .take(name, value.as_bytes())
            .map_err(|why| format!("{name}: {why}"))?;
    }
    for recipient in object.rcpt_to.unwrap_or_default() {
        envelope.caller.rcpt_to.push(recipient.into_bytes());
    }
    Ok(())
}

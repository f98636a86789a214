//! What we answer, as octets.

use landmarc_mail::text::visible;

use super::flags::{Actions, Protocol};
use super::negotiation::Capabilities;
use super::packet::{PACKET_LIMIT, packet};
use super::smtp_reply::smtp_reply;
use crate::handler::{Edit, Response, Verdict};

/// Why an edit was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LeftOut {
    /// The MTA did not grant the action.
    #[error("the MTA does not allow it")]
    NotAllowed,
    /// The name of a header field that is none, or a recipient that is none, or what stands beside it.
    #[error("its name is not one")]
    Name,
    /// There is no field number 0.
    #[error("fields are counted from 1")]
    Number,
    /// Past [`PACKET_LIMIT`].
    #[error("it is too long")]
    TooLong,
}

/// The next step, please.
pub const CONTINUE: &[u8] = b"\0\0\0\x01c";
/// Refused for now.
pub const TEMPFAIL: &[u8] = b"\0\0\0\x01t";
/// Still working on it.
pub const PROGRESS: &[u8] = b"\0\0\0\x01p";
/// No more body chunks of this message.
pub const SKIP: &[u8] = b"\0\0\0\x01s";

/// Writes edits and verdict, to be sent as one; returns the edits that cannot be.
pub fn write_response<'a>(
    response: &'a Response,
    capabilities: &Capabilities,
    out: &mut Vec<u8>,
) -> Vec<(&'a Edit, LeftOut)> {
    let mut left_out = Vec::new();
    if matches!(response.verdict, Verdict::Accept | Verdict::Continue) {
        for edit in in_sending_order(&response.edits) {
            if let Err(reason) = write_edit(edit, capabilities, out) {
                left_out.push((edit, reason));
            }
        }
    }
    write_verdict(&response.verdict, out);
    left_out
}

/// Changes, then deletions, then what is added.
///
/// Postfix counts the fields anew after each deletion and each insertion, Sendmail
/// does not: so the last one of a name goes first, and nothing is added before all
/// that is counted has been dealt with. For the same reason a deletion asked for
/// twice is sent once.
fn in_sending_order(edits: &[Edit]) -> Vec<&Edit> {
    let mut ordered: Vec<&Edit> = edits.iter().collect();
    ordered.sort_by_key(|edit| match (edit, deletion(edit)) {
        (_, Some((name, nth))) => (1, u32::MAX - nth, name.to_ascii_lowercase()),
        (Edit::ChangeHeader { .. }, None) => (0, 0, String::new()),
        _ => (2, 0, String::new()),
    });
    ordered.dedup_by(|later, earlier| match (deletion(later), deletion(earlier)) {
        (Some((a, n)), Some((b, m))) => n == m && a.eq_ignore_ascii_case(b),
        _ => false,
    });
    ordered
}

/// Name and number of the field that an edit deletes.
fn deletion(edit: &Edit) -> Option<(&str, u32)> {
    match edit {
        Edit::DeleteHeader { name, nth } => Some((name, *nth)),
        Edit::ChangeHeader { name, nth, value } if value.trim_ascii().is_empty() => Some((name, *nth)),
        _ => None,
    }
}

fn write_edit(edit: &Edit, capabilities: &Capabilities, out: &mut Vec<u8>) -> Result<(), LeftOut> {
    if !capabilities.allows(needed_action(edit)) {
        return Err(LeftOut::NotAllowed);
    }
    let spaced = capabilities.protocol().contains(Protocol::HEADER_LEADING_SPACE);
    let (code, number, texts) = match edit {
        Edit::InsertHeader { index, name, value } => (
            b'i',
            Some(*index),
            vec![field_name(name)?, field_value(value, spaced)],
        ),
        Edit::AddHeader { name, value } => (b'h', None, vec![field_name(name)?, field_value(value, spaced)]),
        Edit::ChangeHeader { nth: 0, .. } | Edit::DeleteHeader { nth: 0, .. } => return Err(LeftOut::Number),
        Edit::ChangeHeader { name, nth, value } if deletion(edit).is_none() => (
            b'm',
            Some(*nth),
            vec![field_name(name)?, field_value(value, spaced)],
        ),
        // An empty value deletes.
        Edit::ChangeHeader { name, nth, .. } | Edit::DeleteHeader { name, nth } => {
            (b'm', Some(*nth), vec![field_name(name)?, Vec::new()])
        }
        Edit::Quarantine(reason) => (b'q', None, vec![visible(reason).into_owned().into_bytes()]),
        Edit::AddRcpt(path) => (b'+', None, vec![recipient(path)?]),
        Edit::AddRcptWithParameters { path, parameters } => {
            (b'2', None, vec![recipient(path)?, recipient(parameters)?])
        }
    };
    let number = number.map(u32::to_be_bytes);
    let mut parts: Vec<&[u8]> = number.iter().map(<[u8; 4]>::as_slice).collect();
    for text in &texts {
        parts.extend([text.as_slice(), b"\0"]);
    }
    if parts.iter().map(|part| part.len()).sum::<usize>() >= PACKET_LIMIT {
        return Err(LeftOut::TooLong);
    }
    packet(code, &parts, out);
    Ok(())
}

fn needed_action(edit: &Edit) -> Actions {
    match edit {
        Edit::InsertHeader { .. } | Edit::AddHeader { .. } => Actions::ADD_HEADERS,
        Edit::ChangeHeader { .. } | Edit::DeleteHeader { .. } => Actions::CHANGE_HEADERS,
        Edit::Quarantine(_) => Actions::QUARANTINE,
        Edit::AddRcpt(_) => Actions::ADD_RECIPIENTS,
        Edit::AddRcptWithParameters { .. } => Actions::ADD_RECIPIENTS_WITH_PARAMETERS,
    }
}

/// RFC 5322 §2.2: printable ASCII but the colon.
fn field_name(name: &str) -> Result<Vec<u8>, LeftOut> {
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    valid.then(|| name.into()).ok_or(LeftOut::Name)
}

/// The value as MTAs want it: folded with LF, and with the blank after the colon only
/// where that was agreed on (else they put one there themselves).
fn field_value(value: &str, spaced: bool) -> Vec<u8> {
    let value = value.replace("\r\n", "\n");
    let value = value.trim_end();
    let value = value.strip_prefix(' ').unwrap_or(value);
    let mut octets = Vec::with_capacity(value.len() + 1);
    if spaced && !value.starts_with(['\t', '\n']) {
        octets.push(b' ');
    }
    let mut rest = value.bytes().peekable();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\n' if matches!(rest.peek(), Some(b' ' | b'\t')) => octet,
            b'\n' | b'\r' | 0 => b' ',
            _ => octet,
        });
    }
    octets
}

/// A path, or the parameters beside one.
fn recipient(text: &str) -> Result<Vec<u8>, LeftOut> {
    let valid = !text.is_empty() && !text.contains(char::is_control);
    valid.then(|| text.into()).ok_or(LeftOut::Name)
}

fn write_verdict(verdict: &Verdict, out: &mut Vec<u8>) {
    match verdict {
        Verdict::Accept => packet(b'a', &[], out),
        Verdict::Continue => out.extend_from_slice(CONTINUE),
        Verdict::Reject => packet(b'r', &[], out),
        Verdict::TempFail => out.extend_from_slice(TEMPFAIL),
        Verdict::Discard => packet(b'd', &[], out),
        Verdict::Reply { code, enhanced, text } => match smtp_reply(*code, enhanced, text) {
            Some(reply) => packet(b'y', &[&reply, b"\0"], out),
            None => out.extend_from_slice(TEMPFAIL),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::negotiation::Offer;
    use super::*;

    fn capabilities(actions: Actions, protocol: Protocol) -> Capabilities {
        let offer = Offer {
            version: 6,
            actions,
            protocol,
        };
        Capabilities::agree(&offer, Actions::KNOWN).unwrap()
    }

    fn written(response: &Response, capabilities: &Capabilities) -> Vec<u8> {
        let mut out = Vec::new();
        write_response(response, capabilities, &mut out);
        out
    }

    fn edited(edits: Vec<Edit>) -> Response {
        Response {
            edits,
            verdict: Verdict::Accept,
        }
    }

    fn delete(name: &str, nth: u32) -> Edit {
        Edit::DeleteHeader {
            name: name.into(),
            nth,
        }
    }

    fn insert(value: &str) -> Edit {
        Edit::InsertHeader {
            index: 0,
            name: "X".into(),
            value: value.into(),
        }
    }

    #[test]
    fn deletions_go_from_the_bottom_up_and_before_insertions() {
        let change = Edit::ChangeHeader {
            name: "A".into(),
            nth: 2,
            value: "v".into(),
        };
        let empty = Edit::ChangeHeader {
            name: "a".into(),
            nth: 3,
            value: " ".into(),
        };
        let edits = vec![
            insert("1"),
            delete("A", 1),
            delete("A", 3),
            change.clone(),
            delete("B", 3),
            empty,
        ];
        let order = in_sending_order(&edits);
        assert_eq!(
            order,
            [
                &change,
                &delete("A", 3),
                &delete("B", 3),
                &delete("A", 1),
                &insert("1")
            ]
        );
    }

    #[test]
    fn the_blank_after_the_colon_is_sent_only_where_it_was_agreed_on() {
        let plain = capabilities(Actions::KNOWN, Protocol::default());
        let spaced = capabilities(Actions::KNOWN, Protocol::KNOWN);
        for value in ["v", " v"] {
            let response = edited(vec![insert(value)]);
            assert_eq!(
                written(&response, &plain),
                b"\0\0\0\x09i\0\0\0\0X\0v\0\0\0\0\x01a"
            );
            assert_eq!(
                written(&response, &spaced),
                b"\0\0\0\x0ai\0\0\0\0X\0 v\0\0\0\0\x01a"
            );
        }
    }

    #[test]
    fn no_value_can_smuggle_in_a_field() {
        for (value, sent) in [
            ("a;\r\n\tb", "a;\n\tb"),
            ("a;\n b", "a;\n b"),
            ("a\r\nBcc: b", "a Bcc: b"),
            ("a\nBcc: b\n", "a Bcc: b"),
            ("a\rb\0c", "a b c"),
            ("a\r\n\r\n b", "a \n b"),
        ] {
            assert_eq!(field_value(value, false), sent.as_bytes(), "{value:?}");
        }
        assert_eq!(visible("a\r\nb"), "a\\r\\nb");
    }

    fn with_parameters(parameters: &str) -> Edit {
        Edit::AddRcptWithParameters {
            path: "<a@b>".into(),
            parameters: parameters.into(),
        }
    }

    #[test]
    fn a_recipient_is_added_with_parameters_or_without() {
        let all = capabilities(Actions::KNOWN, Protocol::default());
        let edits = vec![Edit::AddRcpt("<a@b>".into()), with_parameters("NOTIFY=NEVER")];
        assert_eq!(
            written(&edited(edits), &all),
            b"\0\0\0\x07+<a@b>\0\0\0\0\x142<a@b>\0NOTIFY=NEVER\0\0\0\0\x01a"
        );
    }

    #[test]
    fn what_cannot_be_done_is_left_out_and_told() {
        let plain = capabilities(Actions::ADD_RECIPIENTS, Protocol::default());
        let meagre = capabilities(Actions::CHANGE_HEADERS, Protocol::default());
        let all = capabilities(Actions::KNOWN, Protocol::default());
        let bad_name = Edit::AddHeader {
            name: "a:b".into(),
            value: "v".into(),
        };
        for (edit, agreed, reason) in [
            (insert("v"), &meagre, LeftOut::NotAllowed),
            (Edit::Quarantine("q".into()), &meagre, LeftOut::NotAllowed),
            (Edit::AddRcpt("<a@b>".into()), &meagre, LeftOut::NotAllowed),
            (delete("A", 0), &all, LeftOut::Number),
            (delete("", 1), &all, LeftOut::Name),
            (bad_name, &all, LeftOut::Name),
            (Edit::AddRcpt("<a\n>".into()), &all, LeftOut::Name),
            (with_parameters("NOTIFY=NEVER"), &plain, LeftOut::NotAllowed),
            (with_parameters("NOTIFY=NEVER\0"), &all, LeftOut::Name),
            (with_parameters(""), &all, LeftOut::Name),
        ] {
            let response = edited(vec![edit.clone()]);
            let mut out = Vec::new();
            assert_eq!(write_response(&response, agreed, &mut out), [(&edit, reason)]);
            assert_eq!(out, b"\0\0\0\x01a", "{edit:?}");
        }
    }

    #[test]
    fn the_packet_limit_holds_at_the_limit_and_one_past_it() {
        let all = capabilities(Actions::KNOWN, Protocol::default());
        // Code, index, name, value and two NULs.
        let fitting = PACKET_LIMIT - 1 - 4 - 1 - 2;
        let mut out = Vec::new();
        assert!(write_response(&edited(vec![insert(&"v".repeat(fitting))]), &all, &mut out).is_empty());
        assert_eq!(out.get(..4), Some(&65_535_u32.to_be_bytes()[..]));
        let response = edited(vec![insert(&"v".repeat(fitting + 1))]);
        assert!(matches!(
            write_response(&response, &all, &mut out)[..],
            [(_, LeftOut::TooLong)]
        ));
    }

    #[test]
    fn m17_a_refused_message_is_not_edited() {
        let all = capabilities(Actions::KNOWN, Protocol::default());
        let reply = |code| Verdict::Reply {
            code,
            enhanced: "5.7.1".into(),
            text: "no".into(),
        };
        for (verdict, sent) in [
            (Verdict::Reject, &b"\0\0\0\x01r"[..]),
            (Verdict::TempFail, b"\0\0\0\x01t"),
            (Verdict::Discard, b"\0\0\0\x01d"),
            (reply(550), b"\0\0\0\x0ey550 5.7.1 no\0"),
            (reply(250), b"\0\0\0\x01t"),
        ] {
            let response = Response {
                edits: vec![insert("v")],
                verdict,
            };
            assert_eq!(written(&response, &all), sent, "{response:?}");
        }
    }
}

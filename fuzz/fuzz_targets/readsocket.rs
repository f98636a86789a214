//! Whatever comes in by the line socket for Exim: it is read the same in pieces of any size, what becomes a part
//! of a path is harmless, and the answer is one line of printable ASCII.
//!
//! The first octet is the size of the pieces; the rest follows an honest first line, so that requests get somewhere.

#![no_main]

use landmarc_interfaces::MessageAnswer;
use landmarc_interfaces::readsocket::request::{HEAD_LIMIT, RequestPart, RequestReader, EximRequest};
use landmarc_interfaces::readsocket::{failed, line};
use landmarc_interfaces::recipients::MAX_RECIPIENTS;
use landmarc_milter::{Edit, Response, Verdict};
use landmarc_net::Peer;
use libfuzzer_sys::fuzz_target;

/// What was read, and whether it went on to its end.
#[derive(Debug, Default, PartialEq)]
struct Read {
    head: Option<Box<EximRequest>>,
    body: Vec<u8>,
    is_whole: bool,
    error: Option<String>,
}

fn read(octets: &[u8], size: usize) -> Read {
    let (mut reading, mut read) = (RequestReader::default(), Read::default());
    for mut piece in octets.chunks(size) {
        loop {
            match reading.next(&mut piece) {
                Ok(Some(RequestPart::Head(head))) => read.head = Some(head),
                Ok(Some(RequestPart::Body(octets))) => read.body.extend(octets),
                Ok(Some(RequestPart::End)) => read.is_whole = true,
                Ok(None) => break,
                Err(error) => {
                    read.error = Some(error.to_string());
                    return read;
                }
            }
        }
    }
    read
}

fn is_one_line(line: &str) -> bool {
    line.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}

fuzz_target!(|octets: &[u8]| {
    let Some((&size, rest)) = octets.split_first() else {
        return;
    };
    let asked = [b"landmarc exim 1\n", rest].concat();
    let whole = read(&asked, asked.len().max(1));
    let pieces = read(&asked, usize::from(size).max(1));
    if whole.error.is_none() {
        assert_eq!(pieces, whole);
    }
    if let Some(error) = &whole.error {
        assert!(is_one_line(&failed(error)));
    }
    let Some(head) = whole.head else {
        return;
    };
    assert!(head.header.len() <= HEAD_LIMIT);
    for part in head
        .id
        .as_ref()
        .map(|id| id.as_str())
        .into_iter()
        .chain(head.queue.as_deref())
    {
        assert!(!part.is_empty() && !part.contains(['/', '.', '\0']));
    }
    let caller = head.caller(Peer::Unix);
    // An empty one, at the end, stands for those that there was no room for.
    let kept = caller.rcpt_to.iter().take_while(|path| !path.is_empty()).count();
    assert!(kept <= MAX_RECIPIENTS && caller.rcpt_to.len() - kept <= 1);
    // Fields of the message find their way into the answer when others of their name are removed.
    let answer = MessageAnswer {
        response: Response {
            edits: vec![Edit::DeleteHeader {
                name: "Authentication-Results".to_owned(),
                nth: 1,
            }],
            verdict: Verdict::Accept,
        },
        findings: None,
    };
    assert!(is_one_line(&line(&answer, &head.header)));
});

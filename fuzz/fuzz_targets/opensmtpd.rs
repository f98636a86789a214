//! Whatever smtpd says to the filter: it does not end before smtpd does, and all it answers are lines that smtpd
//! understands; a message that is taken goes back with its last line once, and is asked about once.
//!
//! Lines that begin with a digit are given a beginning, so that sessions get somewhere.

#![no_main]

use std::path::PathBuf;
use std::sync::Arc;

use landmarc_interfaces::opensmtpd::line::FilterLine;
use landmarc_interfaces::opensmtpd::{BufferedMessage, Judge, NoRuling, Ruling, OpenSmtpdOptions, Unjudged, run};
use landmarc_interfaces::{Added, Caller, Removed};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, duplex};

/// What may stand before the rest of a line.
const BEGINNINGS: [&str; 10] = [
    "report|0.6|1.0|smtp-in|link-connect|1|mx.example|pass|192.0.2.7:25|192.0.2.1:25",
    "report|0.6|1.0|smtp-in|tx-begin|1|46f8a9b2",
    "report|0.5|1.0|smtp-in|tx-mail|1|46f8a9b2|",
    "report|0.6|1.0|smtp-in|tx-rcpt|1|46f8a9b2|ok|",
    "report|0.7|1.0|smtp-in|link-auth|1|",
    "filter|0.6|1.0|smtp-in|data-line|1|2|",
    "filter|0.6|1.0|smtp-in|data-line|1|2|.",
    "filter|0.4|1.0|smtp-in|commit|1|2",
    "report|0.6|1.0|smtp-in|tx-reset|1|",
    "report|0.6|1.0|smtp-in|",
];

/// How often others get their turn before smtpd ends.
const TURNS: usize = 100;

struct Scripted;

impl Judge for Scripted {
    async fn judge(&self, caller: &Caller, message: &mut BufferedMessage) -> Result<Ruling, NoRuling> {
        let (mut octets, mut lines) = (0, message.lines().expect("it is small"));
        while let Some(piece) = lines.next_piece().expect("it is small") {
            octets += piece.len();
        }
        match caller.mail_from.len() % 4 {
            1 => return Err(NoRuling::Away(format!("{octets} octets"))),
            2 => return Err(NoRuling::TooLarge(format!("{octets} octets"))),
            _ => {}
        }
        Ok(Ruling {
            removed: vec![Removed {
                name: "a".to_owned(),
                // 0: all of that name.
                nth: u32::from(octets % 2 == 0),
            }],
            added: vec![Added {
                name: "A".to_owned(),
                value: "mx;\n\tdmarc=fail".to_owned(),
            }],
            is_junk: octets % 2 == 0,
            refusal: None,
        })
    }
}

fn with_beginnings(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in octets.split(|octet| *octet == b'\n') {
        if let Some((digit @ b'0'..=b'9', rest)) = line.split_first() {
            lines.extend(BEGINNINGS[usize::from(digit - b'0')].as_bytes());
            lines.extend(rest);
        } else {
            lines.extend(line);
        }
        lines.push(b'\n');
    }
    lines
}

async fn answers(said: &[u8]) -> Vec<u8> {
    let (mut smtpd, input) = duplex(1 << 20);
    let (output, mut heard) = duplex(1 << 22);
    let terms = OpenSmtpdOptions {
        unjudged: Unjudged::Accept,
        message_octets: 1_000,
        folder: PathBuf::from("/nowhere"),
    };
    let filter = tokio::spawn(run(BufReader::new(input), output, Arc::new(Scripted), terms));
    smtpd.write_all(said).await.expect("the filter reads");
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    drop(smtpd);
    filter.await.expect("no panic").expect("it ends with smtpd");
    let mut answers = Vec::new();
    heard.read_to_end(&mut answers).await.expect("it was written");
    answers
}

fuzz_target!(|octets: &[u8]| {
    let said = with_beginnings(octets);
    if said.len() > 1 << 16 {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let answers = runtime.block_on(answers(&said));
    let asked = said
        .split(|octet| *octet == b'\n')
        .filter(|line| matches!(FilterLine::parse(line), Ok(FilterLine::Filter { .. })));
    let asked = asked.count();
    let (mut results, mut ends) = (0, 0);
    for line in answers.split_inclusive(|octet| *octet == b'\n') {
        assert!(line.ends_with(b"\n"));
        results += usize::from(line.starts_with(b"filter-result|"));
        ends += usize::from(line.ends_with(b"|.\n"));
        let known: [&[u8]; 3] = [b"filter-result|", b"filter-dataline|", b"register|"];
        assert!(known.iter().any(|known| line.starts_with(known)));
    }
    assert!(results + ends <= 2 * asked);
});

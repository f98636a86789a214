//! What a message says: its header fields and its body.

use landmarc_testkit::random::Random;

use super::AUTHSERV_ID;
use super::envelope::Envelope;

/// Bodies are cut from so many octets of made-up text.
pub(super) const POOL_OCTETS: usize = 4 << 20;

/// The longest body.
const MAX_BODY: usize = 1_400_000;

/// Lines of words, from which all bodies are cut; none is longer than this.
pub(super) fn text_pool(seed: u64, octets: usize) -> Vec<u8> {
    let mut random = Random::new(seed, u64::MAX);
    let mut pool = Vec::with_capacity(octets + 128);
    let mut column = 0;
    while pool.len() < octets {
        let word = 2 + random.below(9);
        if column + word > 74 {
            pool.extend_from_slice(b"\r\n");
            column = 0;
        }
        for _ in 0..word {
            pool.push(b'a' + random.below(26) as u8);
        }
        pool.push(b' ');
        column += word + 1;
    }
    pool.extend_from_slice(b"\r\n");
    pool
}

/// Name, and value with the blank after the colon, folded with LF.
pub(super) fn fields(
    index: usize,
    author_domain: &str,
    envelope: &Envelope,
    forged: usize,
    random: &mut Random,
) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add =
        |name: &str, value: String| fields.push((name.to_owned(), format!(" {value}").into_bytes()));
    for hop in 0..=random.below(4) {
        add(
            "Received",
            format!(
                "from {helo} ({helo} [{client}])\n\tby relay{hop}.example (Postfix) with ESMTPS id 4A{index:X}\n\t\
                 for <reader@receiver.example>; Tue, 14 Nov 2023 22:13:{hop:02} +0000 (UTC)",
                helo = envelope.helo,
                client = envelope.client
            ),
        );
    }
    let mut results = Vec::new();
    for _ in 0..forged {
        results.push(format!(
            "{AUTHSERV_ID};\n\tdmarc=pass header.from={author_domain}"
        ));
    }
    if random.percent(6.0) {
        results.push("mx.elsewhere.example; spf=fail smtp.mailfrom=someone@example.net".to_owned());
    }
    for result in results {
        add("Authentication-Results", result);
    }
    add("Date", "Tue, 14 Nov 2023 22:13:20 +0000".to_owned());
    let shown = if random.percent(4.0) {
        author_domain.to_ascii_uppercase()
    } else {
        author_domain.to_owned()
    };
    let from = match random.below(3) {
        0 => format!("author@{shown}"),
        1 => format!("\"The Shop, Inc.\" <author@{shown}>"),
        _ => format!("=?utf-8?Q?Der_L=C3=A4den?= <author@{shown}>"),
    };
    add("From", from);
    add("To", "reader@receiver.example".to_owned());
    add(
        "Subject",
        format!(
            "Offer {index}: {}",
            "words ".repeat(1 + random.below(8)).trim_end()
        ),
    );
    add(
        "Message-ID",
        format!("<{index}.{}@{author_domain}>", random.below(1 << 30)),
    );
    add("MIME-Version", "1.0".to_owned());
    add("Content-Type", "text/plain;\n\tcharset=utf-8".to_owned());
    for extra in 0..random.below(12) {
        add(
            &format!("X-Trace-{extra}"),
            format!(
                "{:016x}{:016x};\n v={}",
                random.next(),
                random.next(),
                random.below(100)
            ),
        );
    }
    fields
}

/// Log-normal: median 16 KB, nine in ten below 60 KB.
pub(super) fn body(index: usize, pool: &[u8], random: &mut Random) -> Vec<u8> {
    let size = 16_000.0 * (1.03 * random.normal()).exp();
    // One in five thousand is as large as any.
    let size = if index % 5_000 == 7 {
        MAX_BODY
    } else {
        (size as usize).clamp(200, MAX_BODY)
    };
    let start = random.below(pool.len() - size.min(pool.len() / 2));
    // From the start of a line: a cut between CR and LF would leave a bare LF, of which signers and
    // verifiers make different things.
    let line = pool[start..].iter().position(|&octet| octet == b'\n');
    let start = start + line.map_or(0, |at| at + 1);
    let mut body = format!("Message {index}\r\n").into_bytes();
    body.extend_from_slice(&pool[start..(start + size).min(pool.len())]);
    // A cut may have fallen between CR and LF.
    if body.last() == Some(&b'\r') {
        body.push(b'\n');
    }
    body.extend_from_slice(b"\r\n");
    body
}

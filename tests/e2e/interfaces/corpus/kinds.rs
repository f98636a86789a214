//! The kinds of messages that the corpus is made of, and what is to be found of each.

use std::net::Ipv4Addr;

use landmarc_auth::dkim::Canonicalization::{self, Relaxed, Simple};

use super::letter::{Signer, letter, sealed, signed, with_footer};
use super::zones::{ALLOWED, ELSEWHERE, HELO, LIST, NEUTRAL, OTHER_SEALER, SEALER, SILENT, SOFT, STRANGER};
use crate::world::{ED25519, RSA};

/// One message, its envelope, and what is to be found of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its kind and its number in it.
    pub(crate) name: String,
    /// Where its client connects from.
    pub(crate) client: Ipv4Addr,
    pub(crate) helo: String,
    /// Without angle brackets; empty for the null reverse-path. Always ASCII.
    pub(crate) mail_from: String,
    /// CRLF line ends, dots as they are, octets beyond ASCII in some.
    pub(crate) message: Vec<u8>,
    pub(crate) expected: Expected,
}

/// What construction says must be found in mode `enforce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The DMARC result.
    pub(crate) dmarc: &'static str,
    /// `accept`, `quarantine`, `reject` or `tempfail`.
    pub(crate) action: &'static str,
}

/// Messages that differ in nothing that matters for what is found.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) count: usize,
    make: fn(usize) -> Draft,
    expected: Expected,
}

impl Kind {
    pub(super) fn case(&self, number: usize) -> Case {
        let draft = (self.make)(number);
        Case {
            name: format!("{}/{number:02}", self.name),
            client: draft.client,
            helo: draft.helo,
            mail_from: draft.mail_from,
            message: draft.message,
            expected: self.expected,
        }
    }
}

/// A message without what is said about it.
struct Draft {
    client: Ipv4Addr,
    helo: String,
    mail_from: String,
    message: Vec<u8>,
}

/// From a client that no SPF record allows, in the name of a domain of no concern.
fn strange(message: Vec<u8>) -> Draft {
    Draft {
        client: STRANGER,
        helo: HELO.to_owned(),
        mail_from: format!("bounce@{ELSEWHERE}"),
        message,
    }
}

/// A letter of this domain that nobody signed, in its name, from this client.
fn plain(domain: &str, client: Ipv4Addr, number: usize) -> Draft {
    Draft {
        client,
        mail_from: format!("a@{domain}"),
        ..strange(by(domain, number))
    }
}

fn by(domain: &str, number: usize) -> Vec<u8> {
    letter(&format!("From: A <a@{domain}>\r\n"), number)
}

fn signed_by(domain: &str, message: &[u8]) -> Vec<u8> {
    signed_with(domain, RSA, Relaxed, message)
}

fn signed_with(domain: &str, selector: &str, canonicalization: Canonicalization, message: &[u8]) -> Vec<u8> {
    let signer = Signer {
        domain,
        selector,
        canonicalization,
    };
    signed(message, signer)
}

/// One after the other of those that ask for something.
fn strict_or_not(number: usize) -> &'static str {
    ["reject.example", "quarantine.example", "none.example"][number % 3]
}

const fn of(dmarc: &'static str, action: &'static str) -> Expected {
    Expected { dmarc, action }
}

const PASS: Expected = of("pass", "accept");
const NONE: Expected = of("none", "accept");
const FAIL_ACCEPTED: Expected = of("fail", "accept");
const FAIL_HELD: Expected = of("fail", "quarantine");
const FAIL_REFUSED: Expected = of("fail", "reject");

const fn kind(name: &'static str, count: usize, expected: Expected, make: fn(usize) -> Draft) -> Kind {
    Kind {
        name,
        count,
        make,
        expected,
    }
}

/// All of them; [`super::cases`] counts that they are 200 messages.
pub(super) const KINDS: [Kind; 40] = [
    // What passes.
    kind("dkim-rsa", 12, PASS, |n| {
        strange(signed_by(strict_or_not(n), &by(strict_or_not(n), n)))
    }),
    kind("dkim-ed25519", 10, PASS, |n| {
        strange(signed_with(
            "reject.example",
            ED25519,
            Relaxed,
            &by("reject.example", n),
        ))
    }),
    kind("dkim-simple", 8, PASS, |n| {
        strange(signed_with(
            "reject.example",
            [RSA, ED25519][n % 2],
            Simple,
            &by("reject.example", n),
        ))
    }),
    kind("two-signatures", 6, PASS, |n| {
        let message = signed_by("reject.example", &by("reject.example", n));
        strange(signed_with(ELSEWHERE, ED25519, Relaxed, &message))
    }),
    kind("one-signature-of-two-is-broken", 4, PASS, |n| {
        let message = signed_by("reject.example", &by("reject.example", n));
        let broken = signed_by("reject.example", &by("reject.example", n + 100));
        strange([topmost_field(&broken), &message].concat())
    }),
    kind("spf", 10, PASS, |n| plain(strict_or_not(n), ALLOWED, n)),
    kind("spf-by-helo", 6, PASS, |n| Draft {
        client: ALLOWED,
        helo: "reject.example".to_owned(),
        mail_from: String::new(),
        message: letter("From: Mail Delivery <MAILER-DAEMON@reject.example>\r\n", n),
    }),
    kind("relaxed-dkim-of-subdomain", 3, PASS, |n| {
        strange(signed_by("mail.relaxed.example", &by("relaxed.example", n)))
    }),
    kind("relaxed-dkim-of-parent", 3, PASS, |n| {
        strange(signed_by("relaxed.example", &by("mail.relaxed.example", n)))
    }),
    kind("relaxed-spf", 4, PASS, |n| Draft {
        mail_from: "a@mail.relaxed.example".to_owned(),
        ..plain("relaxed.example", ALLOWED, n)
    }),
    kind("strict-dkim", 4, PASS, |n| {
        strange(signed_by("strict.example", &by("strict.example", n)))
    }),
    kind("strict-spf", 2, PASS, |n| plain("strict.example", ALLOWED, n)),
    kind("international-author-signed", 4, PASS, |n| {
        let letter = letter("From: Bücher <a@bücher.example>\r\n", n);
        strange(signed_by("xn--bcher-kva.example", &letter))
    }),
    // What fails, and is refused.
    kind("spoof-of-reject", 12, FAIL_REFUSED, |n| {
        plain("reject.example", STRANGER, n)
    }),
    kind("spoof-with-forged-results", 6, FAIL_REFUSED, |n| {
        let forged = "Authentication-Results: mx.corpus.test; dmarc=pass header.from=reject.example\r\n";
        let draft = plain("reject.example", STRANGER, n);
        Draft {
            message: [forged.as_bytes(), &draft.message].concat(),
            ..draft
        }
    }),
    kind("spoof-of-subdomain", 5, FAIL_REFUSED, |n| {
        plain("mail.sub.example", STRANGER, n)
    }),
    kind("spoof-of-absent-subdomain", 5, FAIL_REFUSED, |n| {
        strange(by(&format!("ghost{n}.existing.example"), n))
    }),
    kind("spoof-of-international-author", 4, FAIL_REFUSED, |n| Draft {
        mail_from: "a@xn--bcher-kva.example".to_owned(),
        ..strange(letter("From: Bücher <a@bücher.example>\r\n", n))
    }),
    kind("several-from-fields", 4, of("permerror", "reject"), |n| {
        strange(letter("From: a@plain.example\r\nFrom: a@reject.example\r\n", n))
    }),
    kind(
        "several-authors-of-one-field",
        2,
        of("permerror", "quarantine"),
        |n| {
            strange(letter(
                "From: a@plain.example, b@reject.example\r\nSender: a@plain.example\r\n",
                n,
            ))
        },
    ),
    // What fails, and is held.
    kind("spoof-of-quarantine", 10, FAIL_HELD, |n| {
        plain("quarantine.example", STRANGER, n)
    }),
    kind("spf-softfail", 5, FAIL_HELD, |n| plain("reject.example", SOFT, n)),
    kind("spf-neutral", 3, FAIL_HELD, |n| {
        plain("reject.example", NEUTRAL, n)
    }),
    kind("spf-of-another", 7, FAIL_HELD, |n| Draft {
        client: ALLOWED,
        ..strange(by("reject.example", n))
    }),
    kind("null-sender", 3, FAIL_HELD, |n| Draft {
        mail_from: String::new(),
        ..strange(letter(
            "From: Mail Delivery <MAILER-DAEMON@reject.example>\r\n",
            n,
        ))
    }),
    kind("body-changed", 6, FAIL_HELD, |n| {
        let message = signed_by("reject.example", &by("reject.example", n));
        strange([&message[..], b"one line more\r\n"].concat())
    }),
    kind("subject-changed", 3, FAIL_HELD, |n| {
        let message = signed_by("reject.example", &by("reject.example", n));
        let changed = String::from_utf8(message)
            .unwrap()
            .replace("Subject: letter", "Subject: [talk] letter");
        strange(changed.into_bytes())
    }),
    kind("list-with-footer", 6, FAIL_HELD, |n| {
        let message = signed_by("reject.example", &by("reject.example", n));
        Draft {
            client: ALLOWED,
            mail_from: format!("talk-bounces@{LIST}"),
            ..strange(signed_by(LIST, &with_footer(&message, LIST)))
        }
    }),
    kind("strict-dkim-of-subdomain", 3, FAIL_HELD, |n| {
        strange(signed_by("mail.strict.example", &by("strict.example", n)))
    }),
    kind("strict-spf-of-subdomain", 2, FAIL_HELD, |n| Draft {
        mail_from: "a@mail.strict.example".to_owned(),
        ..plain("strict.example", ALLOWED, n)
    }),
    kind("sealed-by-a-stranger", 3, FAIL_HELD, |n| {
        strange(sealed(&by("reject.example", n), OTHER_SEALER, "reject.example"))
    }),
    // What fails, and is taken.
    kind("spoof-of-none", 8, FAIL_ACCEPTED, |n| {
        plain("none.example", STRANGER, n)
    }),
    kind("spoof-of-lenient-parent", 3, FAIL_ACCEPTED, |n| {
        plain("sub.example", STRANGER, n)
    }),
    kind("sealed-by-a-friend", 4, FAIL_ACCEPTED, |n| {
        strange(sealed(&by("reject.example", n), SEALER, "reject.example"))
    }),
    // What DMARC says nothing of, or nothing that can be applied.
    kind("no-record", 8, NONE, |n| plain("plain.example", STRANGER, n)),
    kind("two-records", 2, NONE, |n| plain("twice.example", STRANGER, n)),
    kind("record-without-version", 2, NONE, |n| {
        plain("unversioned.example", STRANGER, n)
    }),
    kind(
        "record-without-usable-policy",
        3,
        of("permerror", "tempfail"),
        |n| plain("broken.example", STRANGER, n),
    ),
    kind("no-author", 2, of("permerror", "accept"), |n| {
        strange(letter("", n))
    }),
    kind("no-answer", 3, of("temperror", "accept"), |n| {
        plain(SILENT, STRANGER, n)
    }),
];

/// The first field of a message, with its folds.
fn topmost_field(message: &[u8]) -> &[u8] {
    let is_end = |at: &usize| message[*at..].starts_with(b"\r\n") && !matches!(message[at + 2], b' ' | b'\t');
    let end = (0..message.len()).find(is_end).unwrap();
    &message[..end + 2]
}

//! From fields of the kinds that honest mail has: people, lists, newsletters, machines.

const NAMES: [&str; 15] = [
    "Joe Blow",
    "\"Blow, Joe\"",
    "\"ann@list.example via Bob\"",
    "=?utf-8?q?ann=40list.example_via_Bob?=",
    "=?UTF-8?B?SsO2cmcgTcO8bGxlcg==?=",
    "=?iso-8859-1?Q?J=F6rg?= =?iso-8859-1?Q?_M=FCller?=",
    "Jörg Müller 🦀",
    "\"[Ticket #4711] Help Desk\"",
    "Acme Inc. Sales Dept.",
    "'Bob' via Team",
    "O'Brien & Sons",
    "\"Bob \\\"the\\\" Builder\"",
    "\"bob@example.com\"",
    "100% Organic!",
    "株式会社",
];

/// Addresses with the name that each is judged by.
const ADDRESSES: [(&str, &str); 5] = [
    ("joe.blow+tag@example.com", "example.com"),
    ("bounce-12_HTML-3456-x=y@mail.esp-1.example", "mail.esp-1.example"),
    ("SRS0=ab=cd=other.example=joe@Forward.Example", "forward.example"),
    ("info@bücher.example", "xn--bcher-kva.example"),
    ("noreply@n2.xn--bcher-kva.example", "n2.xn--bcher-kva.example"),
];

/// Each name with each address in four forms.
pub(super) fn messages() -> Vec<(Vec<u8>, &'static str)> {
    let mut messages = Vec::new();
    for name in NAMES {
        for (address, domain) in ADDRESSES {
            for value in [
                format!("{name} <{address}>"),
                format!("{name}\r\n\t<{address}>"),
                format!("{address} (on behalf of a list)"),
                format!("<{address}>, {name} <{address}>"),
            ] {
                let message = format!(
                    "Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000\r\nFrom: {value}\r\n\
                     To: v@example.net\r\nSubject: x\r\n\r\nhi\r\n"
                );
                messages.push((message.into_bytes(), domain));
            }
        }
    }
    messages
}

//! Messages that try to be shown as another's.
//!
//! A victim's address in disguise, the sender's own beside it, and a frame of other lines: all three are
//! drawn from lists, and what was drawn is sometimes spoilt once more.

/// Whose policy is `p=reject`.
pub(super) const VICTIM: &str = "bank.test";

/// A generator of small numbers, the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).unwrap();
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn in_a_hundred(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

pub(super) fn messages(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice(seed);
    (0..count).map(|_| message(&mut dice)).collect()
}

/// The sender's own address, which authenticates.
const OWN: &str = "x@evil.test";

/// `{V}` is the victim in disguise, `{P}` the plain one, `{E}` the sender's own, `{W}` white space of
/// some kind, `{N}` a name.
const VALUES: [&str; 76] = [
    "{V}",
    "<{V}>",
    "{N} <{V}>",
    "\"{V}\"",
    "\"{V}\" <>",
    "{V} <>",
    "\"{V}\" <root>",
    "{V} <root>",
    "<\"{V}\">",
    "{V} <{E}>",
    "\"{V}\" <{E}>",
    "{E} ({V})",
    "({V}) {E}",
    "<{E}> ({V})",
    "{E} (a (b {V}) c)",
    "{N} ({V}) <{E}>",
    "root ({V})",
    "root (a ({V}))",
    "({V})",
    "<> ({V})",
    "{V}, {E}",
    "{E}, {V}",
    "{E}, {V}, root",
    "{V}:;",
    "\"{V}\":;",
    "({V}):;",
    "{N}:({V});",
    "{V}: {E};",
    "\"{V}\": {E};",
    "{N}: {V};",
    "{N}: {V}, {E};",
    "{N}: {E};, {V}",
    "{N}: {V}",
    "<@bank.test:{E}>",
    "<@evil.test:{V}>",
    "<@evil.test,@bank.test:{V}>",
    "<@bank.test:>",
    "<@bank.test:root>",
    "<@bank.test>",
    "{E}{W}{V}",
    "{V}{W}{E}",
    "<{E}> <{V}>",
    "<{V}> <{E}>",
    "<{V}, {E}>",
    "<{V}",
    "{V}>",
    "{N} <{E}> {V}",
    "{V}; {E}",
    "{E}; {V}",
    "\"{V}\"@evil.test",
    "\"{V} \"@evil.test",
    "{V}@evil.test",
    "{V}{W}@evil.test",
    "<{V}{W}@evil.test>",
    "{V}\0@evil.test",
    "{V}\0.evil.test",
    "\"{V}\0\" <{E}>",
    "\"{V}\" <x@[192.0.2.1]>",
    "{V} <x@[192.0.2.1]>",
    "x@[192.0.2.1] ({V})",
    "\"{V}\"@[192.0.2.1]",
    "x@[bank.test]",
    "x@[192.0.2.1], {V}",
    "bank.test!ceo",
    "bank.test!ceo@evil.test",
    "ceo%bank.test@[192.0.2.1]",
    "ceo%bank.test",
    "{P}{W}.evil.test",
    "{P}.{W}evil.test",
    "x@evil.test{W}.bank.test",
    "ceo@{W}bank.test",
    "ceo{W}@bank.test",
    "mailto:{V}",
    "\"\" {V}",
    "{N} {V}",
    "=?utf-8?q?{P}?=",
];

const WHITE_SPACE: [&str; 10] = [
    " ",
    "\t",
    "\r\n ",
    "\r\n\t",
    " \r\n \r\n ",
    "(c)",
    " (c) ",
    "(a(b)\\))",
    "\u{a0}",
    "\u{200b}",
];

const NAMES: [&str; 8] = [
    "Ceo",
    "\"Ceo of, Bank\"",
    "=?utf-8?q?C=45O?=",
    "Bank Inc.",
    "undisclosed-recipients",
    "\"\"",
    "Ceo (x)",
    "Cé\u{ad}o",
];

fn value(dice: &mut Dice) -> Vec<u8> {
    let mut text = dice.one_of(&VALUES).to_owned();
    while let Some(at) = text.find('{') {
        let put = match &text[at..at + 3] {
            "{V}" => disguised(dice),
            "{P}" => plain(dice).to_owned(),
            "{E}" => OWN.to_owned(),
            "{W}" => dice.one_of(&WHITE_SPACE).to_owned(),
            _ => dice.one_of(&NAMES).to_owned(),
        };
        text.replace_range(at..at + 3, &put);
    }
    let mut octets = text.into_bytes();
    spoil(dice, &mut octets);
    octets
}

fn plain(dice: &mut Dice) -> &'static str {
    dice.one_of(&[
        "ceo@bank.test",
        "CEO@BANK.TEST",
        "ceo@mail.bank.test",
        "ceo@bank.test.",
    ])
}

/// The victim's address as it is, or so that only some readers see it.
fn disguised(dice: &mut Dice) -> String {
    let plain = plain(dice);
    match dice.below(28) {
        0 => encoded_q(plain),
        1 => encoded_b(plain.as_bytes()),
        2 => encoded_q(&format!("<{plain}>")),
        3 => encoded_b(format!("{plain}\0").as_bytes()),
        4 => encoded_b(format!("{plain}\r\n").as_bytes()),
        5 => format!("=?utf-8?q?{plain}"),
        6 => format!("=?utf-8?q?{}?=", encoded_q(plain)),
        7 => plain.replace('@', "=?utf-8?q?=40?="),
        8 => plain.replace('@', "=40"),
        9 => plain.replace("bank", "=?utf-8?q?bank?="),
        10 => format!("=?us-ascii?q?ceo?=@{VICTIM}"),
        11 => plain.replace('@', "\u{ff20}"),
        12 => plain.replace('@', "\u{fe6b}"),
        13 => plain.replace('.', "\u{ff0e}"),
        14 => plain.replace('.', "\u{3002}"),
        15 => plain.replace("bank", "\u{ff42}ank"),
        16 => plain.replace("an", "a\u{200b}n"),
        17 => plain.replace("an", "a\u{ad}n"),
        18 => plain.replace('@', "@\u{200d}"),
        19 => plain.replace('@', "(c)@"),
        20 => plain.replace("ceo", "\"ceo\""),
        21 => plain.replace("ceo", "\"c\\eo\""),
        _ => plain.to_owned(),
    }
}

fn encoded_q(text: &str) -> String {
    let special = |octet: u8| !octet.is_ascii_alphanumeric();
    let escaped = text.bytes().map(|octet| match special(octet) {
        true => format!("={octet:02X}"),
        false => char::from(octet).to_string(),
    });
    format!("=?utf-8?q?{}?=", escaped.collect::<String>())
}

fn encoded_b(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let mut bits = 0_usize;
        for at in 0..3 {
            bits = bits << 8 | usize::from(three.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * at) & 63];
            text.push(if at > three.len() { '=' } else { char::from(digit) });
        }
    }
    format!("=?utf-8?b?{text}?=")
}

/// Now and then one octet more somewhere.
fn spoil(dice: &mut Dice, octets: &mut Vec<u8>) {
    if !dice.in_a_hundred(12) {
        return;
    }
    let odd: [&[u8]; 18] = [
        b"\0",
        b"\x01",
        b"\x08",
        b"\x1b",
        b"\r",
        b"\n",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\xc1\x80",
        b"\"",
        b"(",
        b")",
        b"<",
        b">",
        b"\\",
        b",",
        b"\r\n ",
    ];
    let at = dice.below(octets.len() + 1);
    octets.splice(at..at, odd[dice.below(odd.len())].iter().copied());
}

/// The names of From fields, most of them right.
const FROM: [&str; 16] = [
    "From",
    "From",
    "From",
    "From",
    "From",
    "From",
    "from",
    "FROM",
    "From ",
    "From\t",
    "F\0rom",
    "From\u{1}",
    "\u{feff}From",
    "Fr\u{200b}om",
    "From\u{8}",
    "FrOm",
];

const NO_FIELDS: [&str; 9] = [
    ": x",
    ":",
    " ",
    "\t",
    "From x@evil.test",
    "no colon",
    "two words: x",
    "-----",
    " : x",
];

fn message(dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![b"Received: from a by b; Sat, 21 Nov 2026 12:00:00 +0000".to_vec()];
    let field = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value].concat();
    let shown = field(dice.one_of(&FROM), &value(dice));
    let own = field(dice.one_of(&FROM), OWN.as_bytes());
    match dice.below(20) {
        0 => lines.extend([own, shown]),
        1 => lines.extend([shown, own]),
        2 => lines.extend([dice.one_of(&NO_FIELDS).into(), shown]),
        3 => lines.extend([own, dice.one_of(&NO_FIELDS).into(), shown]),
        4 => lines
            .splice(0..0, [dice.one_of(&NO_FIELDS).into(), shown])
            .for_each(drop),
        5 => lines
            .splice(0..0, [b"From a@b Sat Nov 21 12:00:00 2026".to_vec(), shown])
            .for_each(drop),
        6 => lines.splice(0..0, [Vec::new(), shown]).for_each(drop),
        7 => lines.extend([shown, Vec::new(), own]),
        8 => lines.extend([field("Sender", b"ceo@bank.test"), shown]),
        9 => lines.extend([field("Sender", b"ceo@bank.test"), own]),
        10 => lines.extend([field("Subject", b"x\rFrom: ceo@bank.test"), own]),
        11 => lines.extend([field("Subject", b"x\nFrom: ceo@bank.test"), own]),
        12 => lines.extend([field("Subject", b"x\r\n \r\n\t"), shown]),
        13 => lines.extend([field("Resent-From", OWN.as_bytes()), shown]),
        _ => lines.push(shown),
    }
    lines.extend([
        b"To: v@example.net".to_vec(),
        Vec::new(),
        b"hi".to_vec(),
        Vec::new(),
    ]);
    let line_end: &[u8] = if dice.in_a_hundred(10) { b"\n" } else { b"\r\n" };
    let mut message = lines.join(line_end);
    if line_end == b"\n" {
        // A fold, too, is in local form there.
        let text: Vec<u8> = message.clone();
        message = text.iter().copied().filter(|octet| *octet != b'\r').collect();
    }
    message
}

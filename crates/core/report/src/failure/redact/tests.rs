//! The vectors of redaction (A), each kind of field, and what must never be shown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landmarc_mail::HeaderSection;
use landmarc_mail::message::HeaderLimits;
use proptest::prelude::*;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::*;
use crate::failure::facts::MAX_HEADER_FIELDS;

const KEY: &[u8] = b"potatoes";

fn hashed() -> Redactor {
    Redactor::new(Profile::Hashed, KEY)
}

fn copy(fields: &[(&str, &[u8])]) -> HeaderCopy {
    let mut section = HeaderSection::default();
    for (name, value) in fields {
        section.push(
            HeaderField::new(name.as_bytes(), *value),
            &HeaderLimits::default(),
        );
    }
    HeaderCopy::of(&section)
}

/// The lines of a redacted header section, unfolded.
fn block(redactor: &Redactor, fields: &[(&str, &str)]) -> Vec<String> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let header = copy(&fields);
    let block = redactor.header_block(&header, &[]);
    let unfolded = block.text.replace("\r\n ", " ");
    unfolded.lines().map(str::to_owned).collect()
}

/// One field, redacted.
fn field(name: &str, value: &str) -> String {
    block(&hashed(), &[(name, value)]).concat()
}

#[test]
fn rd01_to_rd04_both_columns() {
    let vectors = [
        ("RD01", "fred", "ZUYqAoSlth3WNDZ6HYHmbz+dbxU=", "qgzk3abk2uajdjq6"),
        (
            "RD02",
            "users",
            "5h7LCJd2Lpr8QhDEFm5g1thRgDY=",
            "jirpeprk6o5jwh7a",
        ),
        (
            "RD03",
            "author",
            "prWcW1/LjuMx/mSh4NonI2Pc1Io=",
            "rcudn6uyi65m5l7z",
        ),
        (
            "RD04",
            "James.Smith",
            "l/tlBx+FVNt8XzeyGuh37h6O3H4=",
            "brru2mykbv6cyvpv",
        ),
    ];
    for (id, local_part, rfc_6590, token) in vectors {
        assert_eq!(hashed().token(local_part.as_bytes()), token, "{id}");
        // What the RFC has, which we do not use: a key before a text is no keyed hash.
        let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(KEY);
        hash.update(local_part.as_bytes());
        assert_eq!(STANDARD.encode(hash.finish()), rfc_6590, "{id}");
    }
}

#[test]
fn rd10_a_local_part_becomes_a_token() {
    assert_eq!(
        field("To", " James.Smith@receiver.example"),
        "To: brru2mykbv6cyvpv@receiver.example"
    );
}

#[test]
fn rd11_the_same_token_everywhere() {
    let fields = [
        (
            "Return-Path",
            " <bounces+1=james.smith=receiver.example@list.example>",
        ),
        ("X-Original-To", " James.Smith@receiver.example"),
        ("Delivered-To", " James.Smith@receiver.example"),
        (
            "Received",
            " from mx.example ([192.0.2.1])\r\n\tby mail.receiver.example (Postfix) with ESMTPS id 4FJames.Smith1\r\n\t\
             for <James.Smith@receiver.example>; Mon, 01 Jun 2026 00:00:00 +0000 (UTC)",
        ),
        (
            "To",
            " \"James Smith\" <James.Smith@receiver.example>, (x) fred@receiver.example",
        ),
        ("Message-ID", " <James.Smith@host.example>"),
        (
            "List-Unsubscribe",
            " <mailto:James.Smith@receiver.example?subject=James.Smith>",
        ),
        (
            "DKIM-Signature",
            " v=1; d=x.example; i=James.Smith@x.example; b=AAAA",
        ),
        ("X-James.Smith", " hello"),
    ];
    insta::assert_snapshot!(block(&hashed(), &fields).join("\n"));
}

#[test]
fn rd12_subjects_are_hidden_unless_they_may_be_shown() {
    let fields = [(
        "Subject",
        " Your lab results, fred@x.example: http://x.example/fred =?utf-8?q?=E2=82=AC?=",
    )];
    assert_eq!(block(&hashed(), &fields), ["Subject: [redacted]"]);
    let shown = hashed().with_subjects(true);
    let line = block(&shown, &fields).concat();
    let decoded = text::decoded(line.strip_prefix("Subject:").unwrap().as_bytes());
    assert_eq!(
        decoded,
        "Your lab results, qgzk3abk2uajdjq6@x.example: hxxp://x.example/qgzk3abk2uajdjq6 \u{20ac}"
    );
    let header = copy(&[("Subject", b" Your lab results")]);
    assert_eq!(
        MessageRedaction::new(&hashed(), &header, &[]).subject(&header),
        None
    );
    assert_eq!(
        MessageRedaction::new(&shown, &header, &[])
            .subject(&header)
            .as_deref(),
        Some("Your lab results")
    );
}

/// Found by fuzzing: the second local part was taken for the end of the first domain.
#[test]
fn a_local_part_glued_to_a_domain_is_hidden_in_subjects() {
    let shown = hashed().with_subjects(true);
    let line = block(&shown, &[("Subject", " fred@x.examplefred@y.example")]).concat();
    assert!(!line.contains("fred"), "{line}");
}

#[test]
fn rd13_links_keep_their_host_only_and_do_not_work() {
    assert_eq!(
        field(
            "List-Unsubscribe",
            " <https://u:p@list.example:8/u/fred?x=1>, <ftp://x.example/>"
        ),
        "List-Unsubscribe: <hxxps://list.example/[redacted]>, <[redacted]>"
    );
}

#[test]
fn rd14_names_of_attachments_are_dropped() {
    assert_eq!(
        field(
            "Content-Type",
            " application/pdf; name=\"Lab results of Fred.pdf\""
        ),
        "Content-Type: application/pdf"
    );
    assert_eq!(
        field("Content-Disposition", " attachment; filename=fred.pdf"),
        "Content-Disposition: attachment"
    );
}

#[test]
fn rd16_domains_are_kept() {
    assert_eq!(
        field("From", " The Author <author@Consumer.example>"),
        "From: rcudn6uyi65m5l7z@consumer.example"
    );
    let domains = Redactor::new(Profile::Domains, KEY);
    assert_eq!(
        block(&domains, &[("From", " author@consumer.example")]),
        ["From: redacted@consumer.example"]
    );
    let as_is = Redactor::new(Profile::None, KEY);
    assert_eq!(
        block(&as_is, &[("From", " The Author <author@consumer.example>")]),
        ["From: The Author <author@consumer.example>"]
    );
}

#[test]
fn each_kind_of_field_shows_what_is_harmless() {
    let fields = [
        (
            "Received",
            " from fred-pc (joe@dsl.isp.example [IPv6:2001:db8::1]:2525) (using TLS, fred) by x with FOO id <a>; soon",
        ),
        (
            "Received",
            " from [192.0.2.1] (helo=fred) by mx.example with esmtp (Exim) (envelope-from <f@x>) id 1abc-0; 1 Jun 2026 00:00:00 -0000",
        ),
        ("Received", " nonsense"),
        ("Date", " Mon, 01 Jun 2026 00:00:00 +0200 (Fred's time)"),
        ("Date", " when I came home"),
        ("From", " fred"),
        ("To", " undisclosed-recipients:;"),
        ("Cc", ""),
        ("Return-Path", " <>"),
        ("Message-ID", " <1.2@fredspc> junk"),
        ("Message-ID", " 1.2@x"),
        ("References", " <a@x.example>\r\n <b@y.example>"),
        ("MIME-Version", " 1.0 (Apple)"),
        ("Content-Transfer-Encoding", " Quoted-Printable"),
        ("Auto-Submitted", " no"),
        ("Precedence", " fred"),
        ("List-Id", " Fred's list <fred.lists.example>"),
        ("List-Post", " NO"),
        (
            "DKIM-Signature",
            " v=1; a=rsa-sha256; c=relaxed/simple; d=x.example; s=sel; h=from:to:\r\n subject; z=To:fred@x; bh=AA==; b=Zm9v\r\n YmFy; n=fred",
        ),
        ("DKIM-Signature", " d=x; d=y"),
        (
            "ARC-Seal",
            " i=1; a=rsa-sha256; t=1; cv=none; d=x.example; s=s; b=AA",
        ),
        (
            "ARC-Authentication-Results",
            " i=1; mx.example; spf=pass smtp.mailfrom=fred@x.example",
        ),
        (
            "Authentication-Results",
            " mx.example; dkim=pass (fred) reason=\"fred\" header.d=x.example header.i=fred@x.example header.s=s header.b=abc; auth=pass smtp.auth=fred; odd=pass; dmarc=fail header.from=x.example",
        ),
        ("Authentication-Results", " ("),
        (
            "Received-SPF",
            " Fail (fred) client-ip=192.0.2.1; envelope-from=\"fred@x.example\"; helo=fredspc",
        ),
        ("X-Originating-IP", " [192.0.2.9]"),
        ("X-Originating-IP", " fred"),
        ("X-Unknown", " fred"),
        ("Comments", " fred"),
        ("Odd Name", " fred"),
        ("sUBJECT", " x"),
    ];
    insta::assert_snapshot!(block(&hashed(), &fields).join("\n"));
}

#[test]
fn the_envelope_is_hidden_in_the_header_too() {
    let header = copy(&[("Received", b" by mx.example with SMTP id for.melissa")]);
    let redactor = hashed();
    let redaction = MessageRedaction::new(&redactor, &header, &[b"Melissa@receiver.example"]);
    assert!(!redaction.header_block(&header).text.contains("melissa"));
}

#[test]
fn the_block_ends_at_a_field_that_does_not_fit() {
    // 15 octets become 33.
    let value = " a@b,".repeat(100);
    let fields: Vec<_> = (0..MAX_HEADER_FIELDS).map(|_| ("To", value.as_bytes())).collect();
    let header = copy(&fields);
    assert!(header.fields.len() < MAX_HEADER_FIELDS, "the copy is bounded too");
    let redactor = hashed();
    let block = redactor.header_block(&header, &[]);
    assert!(block.is_cut);
    assert!(block.text.len() <= MAX_BLOCK_OCTETS && block.text.ends_with("\r\n"));
    let line = field("To", &value).len();
    assert!(
        block.text.len() + 2 * line > MAX_BLOCK_OCTETS,
        "no more is cut than must be"
    );
}

#[test]
fn the_block_is_whole_at_its_limit_and_ends_a_field_earlier_past_it() {
    let as_is = Redactor::new(Profile::None, KEY);
    // With its name and line end, a field has 512 octets.
    let fields = |last: usize| {
        let mut values = vec!["x".repeat(508); MAX_BLOCK_OCTETS / 512 - 1];
        values.push("x".repeat(last));
        let fields = values
            .iter()
            .map(|value| HeaderField::new(*b"A", value.as_bytes()));
        HeaderCopy {
            fields: fields.collect(),
            ..HeaderCopy::default()
        }
    };
    let exact = as_is.header_block(&fields(508), &[]);
    assert_eq!((exact.text.len(), exact.is_cut), (MAX_BLOCK_OCTETS, false));
    let past = as_is.header_block(&fields(509), &[]);
    assert_eq!((past.text.len(), past.is_cut), (MAX_BLOCK_OCTETS - 512, true));
}

/// Whether all of a value is shown that has so many of the same octets between two texts.
fn is_shown(name: &str, before: &str, octets: usize, after: &str) -> bool {
    let value = format!("{before}{}{after}", "7".repeat(octets));
    !field(name, &value).contains(REDACTED)
}

#[test]
fn values_are_shown_to_their_limits() {
    let limits = [
        ("Received", "by x.example id ", 64, ""),
        ("Content-Type", "text/", 95, "; charset=utf-8"),
        ("DKIM-Signature", "v=1; a=", 255, "; d=x"),
        ("DKIM-Signature", "b=", 5_500, "; d=x"),
    ];
    for (name, before, octets, after) in limits {
        assert!(is_shown(name, before, octets, after), "{name} {before}");
        assert!(!is_shown(name, before, octets + 1, after), "{name} {before}");
    }
}

#[test]
fn lists_are_shown_to_their_limits() {
    let shown = |name: &str, start: &str, item: &str, count: usize, part: &str| {
        let text = field(name, &format!("{start}{}", item.repeat(count)));
        text.matches(part).count()
    };
    assert_eq!(shown("References", "", " <a@x>", 100, "@x"), 100);
    assert_eq!(shown("References", "", " <a@x>", 101, "@x"), 100);
    assert_eq!(shown("List-Post", "", " <mailto:a@x>,", 100, "@x"), 100);
    assert_eq!(shown("List-Post", "", " <mailto:a@x>,", 101, "@x"), 100);
    assert_eq!(
        shown("Authentication-Results", "mx.example", "; spf=pass", 50, "spf="),
        50
    );
    assert_eq!(
        shown("Authentication-Results", "mx.example", "; spf=pass", 51, "spf="),
        50
    );
    // Each clause has two words.
    assert_eq!(shown("Received", "", " by x.example", 100, "by"), 100);
    assert_eq!(shown("Received", "", " by x.example", 101, "by"), 100);
    assert_eq!(
        field("Date", "Mon, 1 Jun 2026 00:00:00 +0000 GMT"),
        "Date: Mon, 1 Jun 2026 00:00:00 +0000 GMT"
    );
    assert_eq!(
        field("Date", "Mon, 1 Jun 2026 00:00:00 +0000 GMT GMT"),
        "Date: [redacted]"
    );
}

#[test]
fn received_fields_show_hosts_protocols_ids_and_the_client() {
    for (value, shown) in [
        ("from localhost by mail", "from localhost by [redacted]"),
        (
            "from mx.a.example (dsl.b.example [192.0.2.1] x) by mx.example",
            "from mx.a.example (dsl.b.example [192.0.2.1]) by mx.example",
        ),
        (
            "from mx.a.example ([192.0.2.1]) by mx.example",
            "from mx.a.example ([192.0.2.1]) by mx.example",
        ),
        ("from mx.a.example (dsl.b.example)", "from mx.a.example"),
        ("by mx.example (dsl.b.example [192.0.2.1])", "by mx.example"),
        ("from by", "from [redacted]"),
        ("via mx.example by", "[redacted]"),
        ("with esmtpsa id 1-b_c.d/e", "with ESMTPSA id 1-b_c.d/e"),
        ("id a+b", "id [redacted]"),
        ("for nobody", "for [redacted]"),
        ("by mx.example; ", "by mx.example"),
        (
            "by mx.example; 1 Jun 2026 00:00:00 -0000",
            "by mx.example; 1 Jun 2026 00:00:00 -0000",
        ),
    ] {
        assert_eq!(field("Received", value), format!("Received: {shown}"), "{value}");
    }
}

#[test]
fn tags_and_results_show_what_has_the_form_they_have() {
    for (name, value, shown) in [
        ("DKIM-Signature", "i=@X.example", "i=@x.example"),
        ("DKIM-Signature", "i=x.example", "i=[redacted]"),
        ("DKIM-Signature", "h=from:to!", "h=[redacted]"),
        ("DKIM-Signature", "b=Zm9*", "b=[redacted]"),
        ("DKIM-Signature", "bh=a+b/c=", "bh=a+b/c="),
        ("DKIM-Signature", "d=x y.example; l=7", "d=xy.example; l=7"),
        ("DKIM-Signature", "q=dns/txt; a=!", "a=[redacted]; q=dns/txt"),
        (
            "ARC-Authentication-Results",
            "i=7; mx.example; arc=pass",
            "i=7; mx.example; arc=pass",
        ),
        ("Authentication-Results", "mail; none", "[redacted]"),
        (
            "Authentication-Results",
            "mx.example; spf=pass smtp.remote-ip=192.0.2.1 smtp.helo=mx.a.example",
            "mx.example; spf=pass smtp.remote-ip=192.0.2.1 smtp.helo=mx.a.example",
        ),
        (
            "Authentication-Results",
            "mx.example; dkim=pass header.i=@X.example header.a=rsa-sha256 header.b=\"a b\"",
            "mx.example; dkim=pass header.i=@x.example header.a=rsa-sha256",
        ),
        (
            "Authentication-Results",
            "mx.example; odd=pass; spf=odd",
            "mx.example; spf=[redacted]",
        ),
        ("Received-SPF", "Pass", "pass"),
        (
            "Received-SPF",
            "SoftFail client-ip=\"2001:db8::1\";",
            "softfail client-ip=2001:db8::1",
        ),
    ] {
        assert_eq!(field(name, value), format!("{name}: {shown}"), "{value}");
    }
    for (octets, is_there) in [(255, true), (256, false)] {
        let value = format!("mx.example; dkim=pass header.b={}", "7".repeat(octets));
        let shown = field("Authentication-Results", &value);
        assert_eq!(shown.contains("header.b="), is_there, "{octets}");
    }
}

#[test]
fn fields_of_lists_and_types_show_what_has_their_form() {
    let hashed_fred = hashed().token(b"fred");
    let path = format!("<{hashed_fred}@x.example>");
    let list = format!("<{hashed_fred}>");
    let mailto = format!("<mailto:{hashed_fred}@x.example>");
    for (name, value, shown) in [
        ("Return-Path", "<fred@x.example>", path.as_str()),
        ("Return-Path", "fred", "[redacted]"),
        ("List-Id", "<fred>", &list),
        ("List-Id", "fred.x.example", "[redacted]"),
        (
            "List-Help",
            "(<a:b>) <mailto:fred@x.example?subject=help>",
            &mailto,
        ),
        ("List-Help", "<mailto:fr%65d@x.example>", "<[redacted]>"),
        (
            "List-Help",
            "<http://x.example?fred>",
            "<hxxp://x.example/[redacted]>",
        ),
        (
            "List-Help",
            "<https://x.example#fred>",
            "<hxxps://x.example/[redacted]>",
        ),
        ("List-Help", "<https:x.example>", "<[redacted]>"),
        ("Content-Type", "Text/X-a+b._c (fred)", "text/x-a+b._c"),
        ("Content-Type", "text/", "[redacted]"),
        ("Content-Type", "/plain", "[redacted]"),
        ("Content-Type", "te!xt/plain", "[redacted]"),
        ("Content-Type", "text/pl@in", "[redacted]"),
        ("Content-Disposition", "Inline; fred", "inline"),
    ] {
        assert_eq!(field(name, value), format!("{name}: {shown}"), "{value}");
    }
}

/// Names of all kinds of fields, and some of none.
const NAMES: [&str; 16] = [
    "From",
    "To",
    "Received",
    "Message-ID",
    "DKIM-Signature",
    "Authentication-Results",
    "ARC-Authentication-Results",
    "List-Id",
    "List-Unsubscribe",
    "Subject",
    "Date",
    "Return-Path",
    "Content-Type",
    "Received-SPF",
    "X-Odd",
    "ARC-Seal",
];

/// What addresses stand among.
const FRAMES: [&str; 14] = [
    "@",
    "<{}>",
    "Fred <{}>",
    "for <{}>;",
    "i={}; d=x.example; v=1",
    "mx.example; spf=pass smtp.mailfrom={}",
    "<mailto:{}>",
    "\"{}\" <{}>",
    "(x {})",
    "from {} by mx.example id {}",
    "i=1; mx; dkim=pass header.i={}",
    "=?utf-8?q?{}?=",
    "\"{}",
    "{},{}",
];

proptest! {
    #[test]
    fn no_local_part_of_any_address_is_shown(
        local_part in "[qjxzQJXZ]{4,12}([.+_-][qjxz]{1,8})?",
        places in prop::collection::vec((0..NAMES.len(), 0..FRAMES.len()), 1..20),
        shows_subjects in any::<bool>(),
        is_named in any::<bool>(),
    ) {
        let address = format!("{local_part}@mail.example");
        let values: Vec<_> = places
            .iter()
            .map(|(name, frame)| (NAMES[*name], FRAMES[*frame].replace("{}", &address)))
            .chain([("Received", format!("from {local_part}.example by mx.example id {local_part}"))])
            .chain([("To", address.clone())])
            .chain(is_named.then(|| ("X-Odd", format!("<{local_part}>"))))
            .collect();
        let fields: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let shown = block(&hashed().with_subjects(shows_subjects), &fields).join("\n");
        let lower = shown.to_ascii_lowercase();
        prop_assert!(!lower.contains(&local_part.to_ascii_lowercase()), "{shown}");
        prop_assert!(shown.contains(&hashed().token(local_part.as_bytes())), "{shown}");
    }

    #[test]
    fn whatever_comes_in_a_header_section_of_ascii_lines_goes_out(
        fields in prop::collection::vec(("[ -~]{0,20}", prop::collection::vec(any::<u8>(), 0..200)), 0..10),
        known in 0..NAMES.len(),
        profile in prop::sample::select(vec![Profile::Hashed, Profile::Domains, Profile::None]),
    ) {
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let values: Vec<_> = fields.iter().map(|(_, value)| *value).collect();
        fields.extend(values.into_iter().map(|value| (NAMES[known], value)));
        let header = copy(&fields);
        let redactor = Redactor::new(profile, KEY).with_subjects(true);
        let redaction = MessageRedaction::new(&redactor, &header, &[]);
        let block = redaction.header_block(&header);
        prop_assert!(block.text.is_empty() || block.text.ends_with("\r\n"));
        for line in block.text.split_terminator("\r\n") {
            prop_assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line:?}");
            prop_assert!(line.len() <= 998 && !line.trim().is_empty(), "{line:?}");
            prop_assert!(line.starts_with(' ') || line.contains(':'), "{line:?}");
        }
    }
}

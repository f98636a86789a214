//! What reports are packed in: the vectors of digest §12.5 about files, and the limits.

use landmarc_intake::aggregate::{self, ReportReading, ReportRefused};
use landmarc_intake::archive::{
    Archive, ArchiveError, ArchiveFormat, ArchiveLimits, RATIO_FLOOR_OCTETS, sniff, unpack,
};

use crate::reading_common::{Document, gzip, read_text, words, zip};

fn text() -> String {
    Document::default().text()
}

fn read_file(octets: &[u8]) -> Result<ReportReading, ReportRefused> {
    aggregate::read(octets, &aggregate::ReadLimits::default())
}

/// Reads a file that holds the report of [`text`], and gives the deviations.
fn found(octets: &[u8]) -> Vec<String> {
    let reading = read_file(octets).unwrap();
    assert_eq!(reading.report, read_text(&text()).unwrap().report);
    words(&reading)
}

fn refused(octets: &[u8]) -> ArchiveError {
    match read_file(octets) {
        Err(ReportRefused::Archive(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn forms_are_told_by_the_first_octets() {
    assert_eq!(sniff(&gzip(b"x")), Some(ArchiveFormat::Gzip));
    assert_eq!(sniff(&zip(&[("x", b"x")])), Some(ArchiveFormat::Zip));
    assert_eq!(sniff(&zip(&[])), Some(ArchiveFormat::Zip));
    for xml in [
        &b"<a"[..],
        b" \r\n\t<a",
        b"\xef\xbb\xbf <a",
        b"\xff\xfe<\0a\0",
        b"\0<\0a",
    ] {
        assert_eq!(sniff(xml), Some(ArchiveFormat::Xml));
    }
    for other in [&b""[..], b"x<", b"\x1f", b"PK", b"{\"a\":1}", &[b' '; 2000]] {
        assert_eq!(sniff(other), None);
    }
}

#[test]
fn rr10_a_file_without_xml_is_refused() {
    let expected = ArchiveError::NoXml {
        start: "\"unused\"".to_owned(),
    };
    assert_eq!(refused(&gzip(b"unused")), expected);
    assert_eq!(refused(&zip(&[("a.txt", b"unused")])), expected);
    assert_eq!(refused(b"unused"), expected);
    insta::assert_snapshot!(refused(&zip(&[])).to_string(), @r#"no XML in it; it begins with """#);
}

#[test]
fn rr13_one_archive_in_another() {
    let text = text();
    let inner = gzip(text.as_bytes());
    assert_eq!(found(&zip(&[("r.xml.gz", &inner)])), ["archive_nested"]);
    assert_eq!(found(&gzip(&inner)), ["archive_nested"]);
    assert_eq!(
        found(&gzip(&zip(&[("r.xml", text.as_bytes())]))),
        ["archive_nested"]
    );
    assert_eq!(refused(&gzip(&gzip(&inner))), ArchiveError::Nesting);
}

#[test]
fn rr13_the_first_member_that_is_xml_counts() {
    let text = text();
    let members: [(&str, &[u8]); 4] = [
        ("folder/", b""),
        ("readme.txt", b"hello"),
        ("r.xml", text.as_bytes()),
        ("s.xml", b"<feedback/>"),
    ];
    let reading = read_file(&zip(&members)).unwrap();
    assert_eq!(words(&reading), ["archive_other_members"]);
    assert_eq!(reading.deviations[0].quote, "3");
    assert_eq!(found(&zip(&[("r.xml", text.as_bytes())])), [""; 0]);
}

#[test]
fn zip_files_without_table_of_contents_and_with_lengths_behind() {
    let whole = zip(&[("r.xml", text().as_bytes()), ("b", b"x")]);
    let directory = whole
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    let without = &whole[..directory];
    assert_eq!(found(without), ["archive_other_members", "archive_no_directory"]);
    // The lengths in the header are zero, and a descriptor follows the member.
    let second = whole
        .windows(4)
        .rposition(|window| window == b"PK\x03\x04")
        .unwrap();
    let mut streamed = whole[..second].to_vec();
    streamed[6] |= 1 << 3;
    let lengths = streamed[14..26].to_vec();
    streamed[14..26].fill(0);
    streamed.extend_from_slice(b"PK\x07\x08");
    streamed.extend_from_slice(&lengths);
    streamed.extend_from_slice(&whole[second..]);
    assert_eq!(found(&streamed), ["archive_other_members"]);
}

#[test]
fn zip_members_that_cannot_be_read() {
    let whole = zip(&[("r.xml", text().as_bytes())]);
    let mut encrypted = whole.clone();
    encrypted[6] |= 1;
    assert_eq!(refused(&encrypted), ArchiveError::Method);
    let mut method = whole.clone();
    method[8] = 12;
    assert_eq!(refused(&method), ArchiveError::Method);
    assert!(matches!(
        refused(&whole[..20]),
        ArchiveError::Damaged {
            form: ArchiveFormat::Zip,
            ..
        }
    ));
    let cut = read_file(&whole[..whole.len() / 3]);
    assert!(
        matches!(cut, Err(ReportRefused::Broken { .. } | ReportRefused::NoFeedback)),
        "{cut:?}"
    );
}

#[test]
fn rr14_bombs_are_stopped_at_the_ratio() {
    // Four megabytes of the same octet are four kilobytes in gzip.
    let bomb = gzip(&[b"<a>".as_slice(), &vec![b' '; 4 << 20]].concat());
    assert!(bomb.len() < 5000);
    assert_eq!(refused(&bomb), ArchiveError::Ratio { limit: 200 });
    assert_eq!(
        refused(&zip(&[(
            "r.xml",
            &[b"<a>".as_slice(), &vec![b' '; 4 << 20]].concat()
        )])),
        ArchiveError::Ratio { limit: 200 }
    );
    // A bomb in an archive is measured by the archive.
    assert_eq!(refused(&gzip(&bomb)), ArchiveError::Ratio { limit: 200 });
}

#[test]
fn rr15_octets_after_the_end_of_a_gzip_file() {
    let packed = gzip(text().as_bytes());
    assert_eq!(found(&packed), [""; 0]);
    assert_eq!(
        found(&[&packed, &b"\r\n--boundary"[..]].concat()),
        ["archive_trailing_octets"]
    );
    assert_eq!(
        found(&[&packed, &[0; 10][..]].concat()),
        ["archive_trailing_octets"]
    );
}

#[test]
fn rr15_a_gzip_file_without_trailer_or_with_a_wrong_one() {
    let packed = gzip(text().as_bytes());
    for missing in 1..=8 {
        assert_eq!(found(&packed[..packed.len() - missing]), ["archive_no_trailer"]);
    }
    let mut wrong = packed.clone();
    let at = wrong.len() - 8;
    wrong[at] ^= 1;
    assert_eq!(found(&wrong), ["archive_wrong_checksum"]);
}

#[test]
fn rr15_a_gzip_file_in_several_members() {
    let text = text();
    let (one, two) = text.as_bytes().split_at(200);
    assert_eq!(
        found(&[gzip(one), gzip(two)].concat()),
        ["archive_several_members"]
    );
}

#[test]
fn a_gzip_file_that_ends_in_the_middle_keeps_the_rows_before() {
    let records: String = (0..500_u32)
        .map(|number| {
            crate::reading_common::RECORD
                .replace("192.0.2.1", &std::net::Ipv4Addr::from(number * 7919).to_string())
        })
        .collect();
    let text = Document {
        records,
        ..Document::default()
    }
    .text();
    let packed = gzip(text.as_bytes());
    let reading = read_file(&packed[..packed.len() / 2]).unwrap();
    let rows = reading.report.rows.len();
    assert!((100..400).contains(&rows), "{rows}");
    assert!(reading.about.lost.is_cut_short);
    assert_eq!(words(&reading)[0], "archive_cut_short");
}

#[test]
fn damaged_octets_are_refused() {
    let mut packed = gzip(text().as_bytes());
    // A block of a type that there is not.
    packed[10] |= 0b110;
    assert!(matches!(
        refused(&packed),
        ArchiveError::NoXml { .. } | ArchiveError::Damaged { .. }
    ));
    assert!(matches!(refused(b"\x1f\x8b\x08"), ArchiveError::NoXml { .. }));
    assert!(matches!(
        refused(b"\x1f\x8b\x08\xff\0\0\0\0\0\0\xff\xff"),
        ArchiveError::NoXml { .. }
    ));
}

#[test]
fn limit_of_the_packed_file() {
    let text = text();
    let at = |packed_octets| {
        let limits = ArchiveLimits {
            packed_octets,
            ..ArchiveLimits::default()
        };
        unpack(text.as_bytes(), &limits).map(|contents| contents.len())
    };
    let octets = text.len();
    assert_eq!(at(octets), Ok(octets));
    let limit = octets - 1;
    assert_eq!(at(limit), Err(ArchiveError::Packed { octets, limit }));
}

#[test]
fn limit_of_the_contents() {
    let text = text();
    let octets = u64::try_from(text.len()).unwrap();
    for file in [
        text.clone().into_bytes(),
        gzip(text.as_bytes()),
        zip(&[("r.xml", text.as_bytes())]),
    ] {
        let at = |unpacked_octets| {
            let limits = ArchiveLimits {
                unpacked_octets,
                ..ArchiveLimits::default()
            };
            unpack(&file, &limits)
        };
        assert_eq!(at(octets), Ok(text.clone().into_bytes()));
        let limit = octets - 1;
        assert_eq!(at(limit), Err(ArchiveError::Unpacked { limit }));
    }
}

#[test]
fn limit_of_the_ratio() {
    let floor = usize::try_from(RATIO_FLOOR_OCTETS).unwrap();
    let strict = ArchiveLimits {
        ratio: 1,
        ..ArchiveLimits::default()
    };
    let with = |octets: usize, limits: &ArchiveLimits| {
        unpack(&gzip(&vec![b'<'; octets]), limits).map(|all| all.len())
    };
    // Under the floor no ratio holds.
    assert_eq!(with(floor, &strict), Ok(floor));
    assert_eq!(with(floor + 1, &strict), Err(ArchiveError::Ratio { limit: 1 }));
    // Above it, the contents may be so many times as long as the file.
    let file = gzip(&vec![b'<'; 2 * floor]);
    let ratio = u64::try_from((2 * floor).div_ceil(file.len())).unwrap();
    let at = |ratio| {
        Archive::open(
            &file,
            &ArchiveLimits {
                ratio,
                ..ArchiveLimits::default()
            },
        )
        .map(|archive| archive.size())
    };
    assert_eq!(at(ratio), Ok(2 * RATIO_FLOOR_OCTETS));
    assert_eq!(at(ratio - 1), Err(ArchiveError::Ratio { limit: ratio - 1 }));
}

#[test]
fn limit_of_the_members() {
    let limits = ArchiveLimits {
        members: 3,
        ..ArchiveLimits::default()
    };
    let text = text();
    let zip_of = |number| zip(&[("a", text.as_bytes()), ("b", b"b"), ("c", b"c"), ("d", b"d")][..number]);
    let too_many = Err(ArchiveError::Members { limit: 3 });
    assert!(unpack(&zip_of(3), &limits).is_ok());
    assert_eq!(unpack(&zip_of(4), &limits), too_many);
    let gzip_of = |number| gzip(text.as_bytes()).repeat(number);
    assert!(unpack(&gzip_of(3), &limits).is_ok());
    assert_eq!(unpack(&gzip_of(4), &limits), too_many);
}

#[test]
fn a_gzip_file_of_a_million_members_is_stopped() {
    let file = gzip(b"<").repeat(100_000);
    assert_eq!(
        unpack(&file, &ArchiveLimits::default()),
        Err(ArchiveError::Members { limit: 32 })
    );
}

#[test]
fn headers_of_gzip_may_have_every_field() {
    let text = text();
    let plain = gzip(text.as_bytes());
    let mut full = plain[..10].to_vec();
    full[3] = 0b11111;
    full.extend_from_slice(b"\x03\x00abcname\0comment\0\x12\x34");
    full.extend_from_slice(&plain[10..]);
    assert_eq!(found(&full), [""; 0]);
}

#[test]
fn the_limits_out_of_the_box() {
    insta::assert_debug_snapshot!(ArchiveLimits::default());
}

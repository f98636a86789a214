//! Packets and answers, octet by octet.

use hickory_proto::op::OpCode;
use hickory_proto::rr::rdata::{A, CNAME, NULL, SOA, TXT};
use hickory_proto::rr::{RData, Record as WireRecord};

use super::*;

#[test]
fn a_question_is_complete_recursive_and_says_how_much_we_take() {
    let odd = question(b"a:b.%{x}.\xE9 *._domainkey.example", RecordType::Txt);
    let packet = Packet::new(&odd).unwrap();
    let message = Message::from_vec(&packet.octets).unwrap();
    assert_eq!(message.metadata.id, packet.id);
    assert!(message.metadata.recursion_desired);
    assert_eq!(message.max_payload(), 1232);
    let name = message.queries[0].name();
    assert_eq!(dns_name(name).as_ref(), Some(&odd.name));
    assert_eq!(name.iter().next(), Some(&b"a:b"[..]));
}

#[test]
fn dnssec_data_is_asked_for_with_addresses_alone() {
    for (record_type, expected) in [
        (RecordType::A, true),
        (RecordType::Txt, false),
        (RecordType::Mx, false),
    ] {
        let packet = Packet::new(&question(b"example.com", record_type)).unwrap();
        let message = Message::from_vec(&packet.octets).unwrap();
        assert_eq!(message.edns.unwrap().flags().dnssec_ok, expected, "{record_type}");
    }
}

#[test]
fn the_root_and_the_longest_name_can_be_asked_about() {
    let label = "x".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "y".repeat(61));
    let longest = question(longest.as_bytes(), RecordType::A);
    for asked in [longest, Question::new(DnsName::root(), RecordType::A)] {
        let packet = Packet::new(&asked).unwrap();
        let found = records(vec![DnsRecord::A([192, 0, 2, 1].into())], 60);
        assert_eq!(read_octets(&with_data(&packet, &[192, 0, 2, 1]), &packet), found);
    }
}

#[test]
fn an_answer_to_another_question_is_foreign() {
    let asked = txt_packet();
    let mut other_id = response(&asked);
    other_id.metadata.id ^= 1;
    let other_name = response(&Packet::new(&question(b"example.org", RecordType::Txt)).unwrap());
    let other_type = response(&Packet::new(&question(b"example.com", RecordType::A)).unwrap());
    let mut no_question = response(&asked);
    no_question.queries.clear();
    let mut a_question = response(&asked);
    a_question.metadata.message_type = MessageType::Query;
    for mut message in [other_id, other_name, other_type, no_question, a_question] {
        if message.metadata.id ^ 1 != asked.id {
            message.metadata.id = asked.id;
        }
        assert_eq!(read(&message.to_vec().unwrap(), &asked), Received::Foreign);
    }
    assert_eq!(read(&[], &asked), Received::Foreign);
}

#[test]
fn case_of_the_question_does_not_matter() {
    let asked = txt_packet();
    let mut message = response(&asked);
    let upper = Name::from_labels([&b"EXAMPLE"[..], b"Com"]).unwrap();
    message.queries[0].set_name(upper.clone());
    message.add_answer(WireRecord::from_rdata(upper, 60, txt(&["found"])));
    assert_eq!(read_reply(&message, &asked), records(vec![text("found")], 60));
}

#[test]
fn a_truncated_answer_is_not_used() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 60, txt(&["half of it"])));
    message.metadata.truncation = true;
    assert_eq!(read(&message.to_vec().unwrap(), &asked), Received::Truncated);
}

#[test]
fn strings_are_joined_and_the_least_ttl_counts() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 300, txt(&["one ", "two", "", " three"])));
    message.add_answer(record("example.com", 60, txt(&["another"])));
    let expected = records(vec![text("one two three"), text("another")], 60);
    assert_eq!(read_reply(&message, &asked), expected);
}

/// The case `null-text` of the SPF suite: such a record must not spoil the answer.
#[test]
fn a_txt_record_without_strings_is_an_empty_text() {
    let asked = txt_packet();
    let mut octets = with_data(&asked, &[]);
    assert_eq!(read_octets(&octets, &asked), records(vec![text("")], 60));
    octets.extend_from_slice(b"after the end");
    assert_eq!(read_octets(&octets, &asked), records(vec![text("")], 60));
}

#[test]
fn a_string_longer_than_its_record_makes_a_bad_answer() {
    let asked = txt_packet();
    assert_eq!(
        read_octets(&with_data(&asked, b"\x03abc"), &asked),
        records(vec![text("abc")], 60)
    );
    assert_eq!(read_octets(&with_data(&asked, b"\x04abc"), &asked), BAD);
}

#[test]
fn an_address_of_wrong_length_makes_a_bad_answer() {
    let asked = Packet::new(&question(b"example.com", RecordType::A)).unwrap();
    let found = DnsRecord::A([192, 0, 2, 1].into());
    assert_eq!(
        read_octets(&with_data(&asked, &[192, 0, 2, 1]), &asked),
        records(vec![found], 60)
    );
    assert_eq!(read_octets(&with_data(&asked, &[192, 0, 2]), &asked), BAD);
    assert_eq!(read_octets(&with_data(&asked, &[192, 0, 2, 1, 0]), &asked), BAD);
}

#[test]
fn a_host_with_a_dot_inside_a_label_is_left_out() {
    let asked = Packet::new(&question(b"example.com", RecordType::Ptr)).unwrap();
    let honest = records(vec![DnsRecord::Ptr(landmarc_testkit::dns_name("a.b"))], 60);
    assert_eq!(read_octets(&with_data(&asked, b"\x01a\x01b\x00"), &asked), honest);
    assert_eq!(
        read_octets(&with_data(&asked, b"\x03a.b\x00"), &asked),
        no_data(0)
    );
}

#[test]
fn the_root_is_a_mail_exchange() {
    let asked = Packet::new(&question(b"example.com", RecordType::Mx)).unwrap();
    let null_mx = DnsRecord::Mx {
        preference: 0,
        exchange: DnsName::root(),
    };
    assert_eq!(
        read_octets(&with_data(&asked, b"\x00\x00\x00"), &asked),
        records(vec![null_mx], 60)
    );
    assert_eq!(read_octets(&with_data(&asked, b"\x00"), &asked), BAD);
    assert_eq!(read_octets(&with_data(&asked, b"\x00\x0a\x00\x00"), &asked), BAD);
}

#[test]
fn a_ttl_with_the_top_bit_set_is_zero() {
    let asked = txt_packet();
    for (ttl, expected) in [(0x7FFF_FFFF, 0x7FFF_FFFF), (0x8000_0000, 0), (u32::MAX, 0)] {
        let mut message = response(&asked);
        message.add_answer(record("example.com", ttl, txt(&["x"])));
        assert_eq!(read_reply(&message, &asked), records(vec![text("x")], expected));
    }
}

#[test]
fn negative_answers_hold_for_the_lesser_of_soa_ttl_and_minimum() {
    let asked = txt_packet();
    for (ttl, minimum, expected) in [(600, 300, 300), (200, 300, 200), (0, 300, 0)] {
        let mut message = response(&asked);
        message.add_authority(soa(ttl, minimum));
        assert_eq!(read_reply(&message, &asked), no_data(expected));
        message.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(read_reply(&message, &asked), nx_domain(Missing::Name, expected));
    }
}

#[test]
fn negative_answers_without_soa_are_not_to_be_kept() {
    let asked = txt_packet();
    let mut message = response(&asked);
    assert_eq!(read_reply(&message, &asked), no_data(0));
    message.metadata.response_code = ResponseCode::NXDomain;
    assert_eq!(read_reply(&message, &asked), nx_domain(Missing::Name, 0));
}

#[test]
fn an_alias_to_nowhere_differs_from_a_missing_name() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 30, cname("gone.example")));
    message.add_authority(soa(600, 600));
    message.metadata.response_code = ResponseCode::NXDomain;
    assert_eq!(read_reply(&message, &asked), nx_domain(Missing::AliasTarget, 30));
    // An alias of another name says nothing about the one asked.
    message.answers[0].name = Name::from_ascii("other.example.").unwrap();
    assert_eq!(read_reply(&message, &asked), nx_domain(Missing::Name, 600));
}

#[test]
fn a_chain_may_come_in_any_order_and_is_as_good_as_its_least_ttl() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("c.example", 300, txt(&["end"])));
    message.add_answer(record("b.example", 20, cname("C.example")));
    message.add_answer(record("example.com", 300, cname("b.example")));
    assert_eq!(read_reply(&message, &asked), records(vec![text("end")], 20));
}

#[test]
fn a_chain_that_is_left_open_is_to_be_followed() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 30, cname("b.example")));
    let open = Reply::Alias {
        target: landmarc_testkit::dns_name("b.example"),
        ttl: 30,
    };
    assert_eq!(read_reply(&message, &asked), open);
    message.add_authority(soa(600, 600));
    assert_eq!(read_reply(&message, &asked), no_data(30));
}

#[test]
fn sixteen_aliases_are_followed_and_seventeen_are_not() {
    let asked = txt_packet();
    for (aliases, followed) in [(MAX_ALIASES, true), (MAX_ALIASES + 1, false)] {
        let mut message = response(&asked);
        let mut owner = "example.com".to_owned();
        for hop in 0..aliases {
            let target = format!("n{hop}.example");
            message.add_answer(record(&owner, 60, cname(&target)));
            owner = target;
        }
        message.add_answer(record(&owner, 60, txt(&["end"])));
        let expected = if followed {
            records(vec![text("end")], 60)
        } else {
            TOO_LONG
        };
        assert_eq!(read_reply(&message, &asked), expected, "{aliases} aliases");
    }
}

#[test]
fn a_loop_of_aliases_comes_to_an_end() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 60, cname("example.com")));
    assert_eq!(read_reply(&message, &asked), TOO_LONG);
}

#[test]
fn a_referral_is_no_answer() {
    let asked = txt_packet();
    let mut message = response(&asked);
    let name_server = Name::from_ascii("ns.example.").unwrap();
    message.add_authority(record(
        "com",
        60,
        RData::NS(hickory_proto::rr::rdata::NS(name_server)),
    ));
    assert_eq!(read_reply(&message, &asked), BAD);
    message.add_authority(soa(60, 60));
    assert_eq!(read_reply(&message, &asked), no_data(60));
}

#[test]
fn other_response_codes_are_failures() {
    let asked = txt_packet();
    for (code, expected) in [
        (ResponseCode::ServFail, LookupError::ServFail),
        (ResponseCode::Refused, LookupError::Refused),
        (ResponseCode::FormErr, LookupError::BadAnswer),
        (ResponseCode::NotImp, LookupError::BadAnswer),
        // Its low bits, all that the header holds, are those of NOERROR.
        (ResponseCode::BADVERS, LookupError::BadAnswer),
    ] {
        let mut message = response(&asked);
        message.metadata.response_code = code;
        let mut edns = Edns::new();
        edns.set_rcode_high(code.high());
        message.set_edns(edns);
        message.add_authority(soa(60, 60));
        assert_eq!(read_reply(&message, &asked), Reply::Failed(expected), "{code}");
    }
}

/// Vector D33, compact denial of existence (RFC 9824).
#[test]
fn d33_no_data_with_nxname_at_the_name_is_a_missing_name() {
    let with_nsec = |owner: &str, bitmaps: &[u8]| {
        let asked = Packet::new(&question(b"example.com", RecordType::A)).unwrap();
        let mut message = response(&asked);
        message.add_authority(soa(60, 60));
        let data = [&b"\x04next\x00"[..], bitmaps].concat();
        let nsec = RData::Unknown {
            code: WireType::NSEC,
            rdata: NULL::with(data),
        };
        message.add_authority(record(owner, 60, nsec));
        read_reply(&message, &asked)
    };
    let nxname = [&[0, 17, 0, 0, 0, 0, 0, 3][..], &[0; 10], &[0x80]].concat();
    assert_eq!(with_nsec("example.com", &nxname), nx_domain(Missing::Name, 60));
    assert_eq!(with_nsec("other.example", &nxname), no_data(60));
    // The neighbours of bit 128, another window, a bitmap that ends before it, and none.
    let neighbours = [&[0, 17][..], &[0; 15], &[0x01, 0x40]].concat();
    assert_eq!(with_nsec("example.com", &neighbours), no_data(60));
    let window_1 = [&[1, 17][..], &[0; 16], &[0x80]].concat();
    assert_eq!(with_nsec("example.com", &window_1), no_data(60));
    assert_eq!(with_nsec("example.com", &[0, 1, 0x40]), no_data(60));
    assert_eq!(with_nsec("example.com", &[]), no_data(60));
    assert_eq!(with_nsec("example.com", &[0, 17, 0]), no_data(60));
}

#[test]
fn d33_an_alias_to_a_name_denied_so_is_an_alias_to_nowhere() {
    let asked = Packet::new(&question(b"example.com", RecordType::A)).unwrap();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 60, cname("gone.example")));
    message.add_authority(soa(60, 60));
    let nxname = [&b"\x00\x00\x11"[..], &[0; 16], &[0x80]].concat();
    let nsec = RData::Unknown {
        code: WireType::NSEC,
        rdata: NULL::with(nxname),
    };
    message.add_authority(record("gone.example", 60, nsec));
    assert_eq!(read_reply(&message, &asked), nx_domain(Missing::AliasTarget, 60));
}

#[test]
fn records_of_other_names_types_and_classes_are_not_read() {
    let asked = txt_packet();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 1, RData::A(A::new(192, 0, 2, 1))));
    message.add_answer(record("other.example", 1, txt(&["not ours"])));
    let mut chaos = record("example.com", 1, txt(&["of another class"]));
    chaos.dns_class = DNSClass::CH;
    message.add_answer(chaos);
    let nonsense = RData::Unknown {
        code: WireType::AAAA,
        rdata: NULL::with(vec![1, 2, 3]),
    };
    message.add_answer(record("example.com", 1, nonsense));
    message.add_answer(record("example.com", 60, txt(&["ours"])));
    assert_eq!(read_reply(&message, &asked), records(vec![text("ours")], 60));
}

#[test]
fn no_cut_and_no_flipped_octet_makes_it_panic() {
    let asked = Packet::new(&question(b"example.com", RecordType::A)).unwrap();
    let mut message = response(&asked);
    message.add_answer(record("example.com", 30, cname("b.example")));
    message.add_answer(record("b.example", 30, RData::A(A::new(192, 0, 2, 1))));
    message.add_authority(soa(60, 60));
    message.set_edns(Edns::new());
    let octets = message.to_vec().unwrap();
    let whole = read(&octets, &asked);
    for end in 0..octets.len() {
        read(&octets[..end], &asked);
    }
    let mut changed = 0;
    for at in 0..octets.len() {
        for bit in 0..8 {
            let mut flipped = octets.clone();
            flipped[at] ^= 1 << bit;
            changed += usize::from(read(&flipped, &asked) != whole);
        }
    }
    assert!(changed > octets.len(), "most flips matter: {changed}");
}

const TOO_LONG: Reply = Reply::Failed(LookupError::ServFail);
const BAD: Reply = Reply::Failed(LookupError::BadAnswer);

fn question(name: &[u8], record_type: RecordType) -> Question {
    Question::new(DnsName::from_octets(name).unwrap(), record_type)
}

fn txt_packet() -> Packet {
    Packet::new(&question(b"example.com", RecordType::Txt)).unwrap()
}

fn response(packet: &Packet) -> Message {
    let request = Message::from_vec(&packet.octets).unwrap();
    let mut message = Message::response(packet.id, OpCode::Query);
    message.add_queries(request.queries);
    message
}

/// An answer with one record of the type asked for, 60 s, whose data is these octets.
fn with_data(packet: &Packet, data: &[u8]) -> Vec<u8> {
    let mut octets = response(packet).to_vec().unwrap();
    octets[7] = 1; // ANCOUNT
    octets.extend([0xC0, 12]); // the name of the question
    octets.extend(u16::from(wire_type(packet.question.record_type)).to_be_bytes());
    octets.extend([0, 1, 0, 0, 0, 60]);
    octets.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    octets.extend(data);
    octets
}

fn read_reply(message: &Message, packet: &Packet) -> Reply {
    read_octets(&message.to_vec().unwrap(), packet)
}

fn read_octets(octets: &[u8], packet: &Packet) -> Reply {
    match read(octets, packet) {
        Received::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn record(owner: &str, ttl: u32, data: RData) -> WireRecord {
    WireRecord::from_rdata(Name::from_ascii(format!("{owner}.")).unwrap(), ttl, data)
}

fn txt(strings: &[&str]) -> RData {
    RData::TXT(TXT::from_bytes(strings.iter().map(|s| s.as_bytes()).collect()))
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(format!("{target}.")).unwrap()))
}

fn soa(ttl: u32, minimum: u32) -> WireRecord {
    let root = Name::root();
    let soa = SOA::new(root.clone(), root.clone(), 1, 2, 3, 4, minimum);
    WireRecord::from_rdata(root, ttl, RData::SOA(soa))
}

fn text(text: &str) -> DnsRecord {
    DnsRecord::Txt(text.as_bytes().into())
}

fn records(records: Vec<DnsRecord>, ttl: u32) -> Reply {
    Reply::Final {
        answer: Answer::Records(records.into()),
        ttl,
    }
}

fn no_data(ttl: u32) -> Reply {
    Reply::Final {
        answer: Answer::NoData,
        ttl,
    }
}

fn nx_domain(missing: Missing, ttl: u32) -> Reply {
    Reply::Final {
        answer: Answer::NxDomain(missing),
        ttl,
    }
}

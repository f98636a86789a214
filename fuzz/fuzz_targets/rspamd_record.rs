//! Records of rspamd: whatever the octets of a key and of a record in it, what is counted can stand in a report,
//! and what is told of the others is printable.

#![no_main]

use landmarc_migrate::rspamd::{RspamdDisposition, RspamdEntry, RecordKey, Names, Shape, Unread, UnreadPart, Window};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let (Some((&kind, rest)), names) = (octets.split_first(), Names::default()) else {
        return;
    };
    let shape = [Shape::Lines, Shape::Counters, Shape::Scores][usize::from(kind) % 3];
    let end = rest
        .iter()
        .position(|octet| *octet == b'\n')
        .unwrap_or(rest.len());
    let (name, record) = rest.split_at(end);
    let record = record.strip_prefix(b"\n").unwrap_or(record);
    let key = match RecordKey::read(name, shape, &names) {
        Ok(key) => key,
        Err(error) => return told(name, UnreadPart::Key(error)),
    };
    let entry = match RspamdEntry::read(record, 1, shape) {
        Ok(entry) => entry,
        Err(error) => {
            let octets = record.to_owned();
            return told(name, UnreadPart::Entry { octets, error });
        }
    };
    let window = Window {
        since_s: 0,
        now_s: 1_780_000_000,
    };
    let counted = entry.counted(&key, None, RspamdDisposition::None, window);
    assert!(counted.at_s <= window.now_s && counted.count == 1);
    assert!(["none", "pass", "quarantine", "reject"].contains(&counted.row.disposition.as_str()));
    assert_eq!(
        counted.row.disposition == "pass",
        counted.row.spf_aligned || counted.row.dkim_aligned
    );
    assert!(counted.row.policy_domain.is_ascii() && counted.row.header_from.is_ascii());
    // The same octets are the same message.
    assert_eq!(counted, entry.counted(&key, None, RspamdDisposition::None, window));
});

fn told(key: &[u8], what: UnreadPart) {
    let unread = Unread {
        key: key.to_owned(),
        what,
    };
    assert!(!unread.to_string().contains(char::is_control));
    assert!(!unread.remedy().is_empty());
}

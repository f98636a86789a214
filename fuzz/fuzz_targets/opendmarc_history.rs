//! History files of OpenDMARC: whatever they are, each fault has a line of the file and a remedy, it does not
//! matter how the octets come, and what is found of a message can be counted, written and read again.

#![no_main]

use landmarc_migrate::opendmarc::history::{HistoryEvent, History, write};
use landmarc_migrate::opendmarc::message::Meaning;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let found = read(octets, usize::MAX);
    assert_eq!(read(octets, 7), found);
    let lines = octets.split(|octet| *octet == b'\n').count();
    for one in &found {
        match one {
            HistoryEvent::Broken(fault) => {
                assert!(!fault.remedy().is_empty() && !fault.to_string().contains('\n'));
                assert!(fault.line > 0 && usize::try_from(fault.line).expect("it fits") <= lines);
            }
            HistoryEvent::Message(line, message) => {
                assert!(*line > 0);
                if let Meaning::Counts(counted) = message.meaning() {
                    assert_eq!(counted.count, 1);
                }
                let again = read(write(message).as_bytes(), usize::MAX);
                assert!(matches!(again.as_slice(), [HistoryEvent::Message(1, _)]), "{again:?}");
            }
            HistoryEvent::Unknown { .. } | HistoryEvent::Unfinished { .. } => {}
        }
    }
});

fn read(octets: &[u8], at_a_time: usize) -> Vec<HistoryEvent> {
    let mut found = Vec::new();
    let mut history = History::new();
    for piece in octets.chunks(at_a_time) {
        history.feed(piece, &mut |one| found.push(one));
    }
    history.end(&mut |one| found.push(one));
    found
}

//! History files that are broken in ten ways: each fault costs its record, with its line and a remedy, and
//! no other.

use super::*;

/// Breaks a record.
type Break = fn(&str) -> String;

/// Stands for octets that are no UTF-8, which no `&str` can have.
const NO_TEXT: &str = "NO TEXT";
/// In place of these: a letter of Latin-1, and the first half of a letter of UTF-8.
const NO_UTF_8: &[u8] = b"\xfc\xc3";

/// What is done to the record in the middle of three.
const BROKEN: [(&str, Break); 12] = [
    ("a time that is none", |text| {
        text.replace("received 1780272000", "received yesterday")
    }),
    ("a client that is no address", |text| {
        text.replace("ipaddr 192.0.2.7", "ipaddr unknown")
    }),
    ("a result that nobody knows", |text| {
        text.replace("spf 0", "spf 99")
    }),
    ("a signature without a result", |text| {
        text.replace("dkim example.com s1 7", "dkim example.com")
    }),
    ("an action that nobody knows", |text| {
        text.replace("action 2", "action 7")
    }),
    ("a policy that nobody knows", |text| {
        text.replace("policy 15", "policy 12")
    }),
    ("a line that is missing", |text| {
        text.replace("from mail.example.com\n", "")
    }),
    ("a line that stands there twice", |text| {
        text.replace("pct 100", "pct 100\npct 50")
    }),
    ("a line job without a queue id", |text| {
        text.replace("job 4ZQ0000001", "job ")
    }),
    ("octets that are no characters", |text| {
        text.replace("received 1780272000", "received \u{0}\u{fffd}1")
    }),
    ("octets that are no UTF-8 in a number", |text| {
        text.replace("received 1780272000", &format!("received {NO_TEXT}1"))
    }),
    ("octets that are no UTF-8 in a queue id", |text| {
        text.replace("job 4ZQ0000001", &format!("job 4ZQ{NO_TEXT}1"))
    }),
];

/// The file with these names, with octets that are no UTF-8 where it says [`NO_TEXT`].
fn octets(text: &str) -> Vec<u8> {
    let parts: Vec<_> = text.split(NO_TEXT).map(str::as_bytes).collect();
    parts.join(NO_UTF_8)
}

fn job(found: &HistoryEvent) -> Option<&str> {
    match found {
        HistoryEvent::Message(_, message) => Some(&message.job),
        _ => None,
    }
}

#[test]
fn each_fault_costs_its_record_only_and_has_a_line_and_a_remedy() {
    let mut told = String::new();
    for (name, break_it) in BROKEN {
        let text = format!("{OF_1_2}{}{OF_EXIM}", break_it(OF_1_4));
        let all = found_by(&octets(&text), usize::MAX);
        let jobs: Vec<_> = all.iter().filter_map(job).collect();
        assert_eq!(jobs, ["C198981", "1tAbCd-0001Zz-2X"], "{name}");
        let faults = all.iter().filter_map(|one| match one {
            HistoryEvent::Broken(fault) => Some(fault),
            _ => None,
        });
        let faults: Vec<_> = faults.collect();
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        for fault in faults {
            told.push_str(&format!("{name}\n  {fault}\n  {}\n", fault.remedy()));
        }
    }
    insta::assert_snapshot!(told, @r#"
    a time that is none
      line 22: received: "yesterday" is not a time in seconds since 1970
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    a client that is no address
      line 23: ipaddr: "unknown" is not an IP address
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    a result that nobody knows
      line 26: spf: "99" is not a result: a number from -1 to 12
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    a signature without a result
      line 27: dkim: "example.com" is not a domain, a selector and a result from -1 to 12
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    an action that nobody knows
      line 42: action: "7" is not an action: a number from 0 to 4
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    a policy that nobody knows
      line 30: policy: "12" is not a policy: 13 to 18, or 0 to 4 as Exim writes it
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    a line that is missing
      line 20: the record of "4ZQ0000001" that begins here has no from
      was the disk full? The message is not counted; remove the record, or complete it, and import the file again
    a line that stands there twice
      line 34: pct stands in one record twice
      two records have run into one another here; separate them by a line: job QUEUEID
    a line job without a queue id
      line 20: job: "" is not one word of at most 255 octets
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    octets that are no characters
      line 22: received: "\u{0}�1" is not a time in seconds since 1970
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    octets that are no UTF-8 in a number
      line 22: received: "��1" is not a time in seconds since 1970
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    octets that are no UTF-8 in a queue id
      line 20: job: "4ZQ��1" is not one word of at most 255 octets
      the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again
    "#);
}

#[test]
fn what_is_no_history_file_is_told_in_its_first_line() {
    let faults = found("From: a@example.com\nSubject: hello\n\nhello\n");
    let [HistoryEvent::Broken(fault)] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    insta::assert_snapshot!(fault.to_string(), @r#"line 1: "From:" stands before the first record"#);
    assert!(fault.remedy().contains("HistoryFile"));
}

#[test]
fn a_time_that_is_still_to_come_is_told_with_a_remedy() {
    let fault = HistoryMistake::ahead(20, 9_999_999_999);
    insta::assert_snapshot!(
        fault.to_string(),
        @"line 20: received: 9999999999 is more than a day ahead of now"
    );
    assert!(fault.remedy().contains("clock"));
}

#[test]
fn a_name_that_no_report_can_bear_is_found_when_it_is_counted() {
    let message = messages(&OF_1_4.replace("from mail.example.com", "from a..b")).remove(0);
    let Meaning::Unusable { key, value } = message.meaning() else {
        panic!("{message:?}");
    };
    assert_eq!((key, value.as_str()), ("from", "a..b"));
}

/// Where a name has to be there, it is told of when the message is counted; MAIL FROM is then left out.
#[test]
fn a_name_that_is_no_utf_8_is_no_name() {
    let with = |key: &str, name: &str| {
        let text = OF_1_4.replace(
            &format!("\n{key} {name}\n"),
            &format!("\n{key} {NO_TEXT}.{name}\n"),
        );
        assert_ne!(text, OF_1_4);
        let found = found_by(&octets(&text), usize::MAX);
        let [HistoryEvent::Message(_, message)] = found.as_slice() else {
            panic!("{found:?}");
        };
        message.meaning()
    };
    for (key, name) in [("from", "mail.example.com"), ("pdomain", "example.com")] {
        let Meaning::Unusable { key: told, value } = with(key, name) else {
            panic!("{key} is taken for a name");
        };
        assert_eq!((told, value.contains(name)), (key, true));
    }
    let Meaning::Counts(counted) = with("mfrom", "bounce.example.com") else {
        panic!("it does not count");
    };
    assert_eq!((counted.count, counted.row.envelope_from), (1, None));
}
